package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.yaml.in/yaml/v3"
)

func TestExampleFileIsTheDefault(t *testing.T) {
	got, err := Load("../config.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Default(), got, cmpopts.IgnoreUnexported(Config{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("config.example.yaml differs from the defaults (-default +file):\n%s", diff)
	}
}

func TestExampleFileNamesEveryKey(t *testing.T) {
	b, err := os.ReadFile("../config.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want, err := yaml.Marshal(Default())
	if err != nil {
		t.Fatal(err)
	}
	have := keys(t, b)
	for key := range keys(t, want) {
		if !have[key] && key != "dataDir" { // dataDir's default depends on the user; it is there as a comment
			t.Errorf("config.example.yaml lacks %s", key)
		}
	}
}

// keys are the dotted names of all keys of a document.
func keys(t *testing.T, b []byte) map[string]bool {
	t.Helper()
	var doc map[string]any
	if err := yaml.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	var walk func(prefix string, m map[string]any)
	walk = func(prefix string, m map[string]any) {
		for k, v := range m {
			all[prefix+k] = true
			if sub, ok := v.(map[string]any); ok {
				walk(prefix+k+".", sub)
			}
		}
	}
	walk("", doc)
	return all
}

func TestGoodFiles(t *testing.T) {
	for _, file := range files(t, "good_") {
		if _, err := Load(file); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// Each bad file begins with a comment that holds what its error must say.
func TestBadFiles(t *testing.T) {
	for _, file := range files(t, "bad_") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			first, _, _ := strings.Cut(string(b), "\n")
			want := strings.TrimPrefix(first, "# error: ")
			_, err = Load(file)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error is %v, want one with %q", err, want)
			}
		})
	}
}

func files(t *testing.T, prefix string) []string {
	t.Helper()
	list, err := filepath.Glob("testdata/" + prefix + "*.yaml")
	if err != nil || len(list) == 0 {
		t.Fatalf("no testdata/%s*.yaml: %v", prefix, err)
	}
	return list
}

func FuzzParse(f *testing.F) {
	for _, file := range []string{"../config.example.yaml"} {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Parse(b)
		if err == nil && c.Validate() != nil {
			t.Error("a parsed file is not valid")
		}
	})
}
