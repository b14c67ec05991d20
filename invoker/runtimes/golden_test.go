package runtimes

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the goldens")

// golden is a file of texts by name.
type golden struct {
	file  string
	texts map[string]string
}

func openGolden(t *testing.T, name string) *golden {
	t.Helper()
	g := &golden{file: filepath.Join("testdata", name), texts: map[string]string{}}
	content, err := os.ReadFile(g.file)
	if err == nil {
		err = json.Unmarshal(content, &g.texts)
	}
	if err != nil && !*update {
		t.Fatal(err)
	}
	if *update {
		t.Cleanup(func() { g.write(t) })
	}
	return g
}

// check compares a text with the golden. With -update it becomes the golden.
func (g *golden) check(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		g.texts[name] = got
		return
	}
	if diff := cmp.Diff(g.texts[name], got); diff != "" {
		t.Errorf("%s (-golden +got):\n%s", name, diff)
	}
}

func (g *golden) write(t *testing.T) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(g.texts); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(g.file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
