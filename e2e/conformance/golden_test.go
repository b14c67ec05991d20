package conformance

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// A golden is what a case must give, by runtime. In its file the runtimes that give the same share a section.
type golden struct {
	file string

	mu    sync.Mutex // guards texts, which -update writes
	texts map[string]string
}

func openGolden(t *testing.T, name string) *golden {
	t.Helper()
	g := &golden{file: filepath.Join("testdata", filepath.FromSlash(name)+".txt"), texts: map[string]string{}}
	content, err := os.ReadFile(g.file)
	if err != nil && !*update {
		t.Fatal(err)
	}
	for _, section := range txtar.Parse(content).Files {
		for _, runtime := range strings.Fields(section.Name) {
			g.texts[runtime] = string(section.Data)
		}
	}
	if *update {
		t.Cleanup(func() {
			if len(g.texts) > 0 {
				g.write(t)
			}
		})
	}
	return g
}

// check compares what a runtime gave. With -update it becomes the golden.
func (g *golden) check(t *testing.T, runtime, got string) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if *update {
		g.texts[runtime] = got
		return
	}
	if diff := cmp.Diff(g.texts[runtime], got); diff != "" {
		t.Errorf("%s (-golden +got):\n%s", g.file, diff)
	}
}

// write groups the runtimes by what they give, in the order of the languages.
func (g *golden) write(t *testing.T) {
	var archive txtar.Archive
	left := maps.Clone(g.texts)
	for _, l := range languages {
		for _, runtime := range l.runtimes {
			text, ok := left[runtime]
			if !ok {
				continue
			}
			var same []string
			for _, l := range languages {
				same = slices.AppendSeq(same, func(yield func(string) bool) {
					for _, r := range l.runtimes {
						if other, ok := left[r]; ok && other == text && !yield(r) {
							return
						}
					}
				})
			}
			for _, r := range same {
				delete(left, r)
			}
			archive.Files = append(archive.Files, txtar.File{Name: strings.Join(same, " "), Data: []byte(text)})
		}
	}
	if err := os.MkdirAll(filepath.Dir(g.file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(g.file, txtar.Format(&archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestEveryGoldenBelongsToACase(t *testing.T) {
	known := map[string]bool{}
	for _, r := range table(t) {
		known[filepath.Join("testdata", filepath.FromSlash(r.Case)+".txt")] = true
	}
	files, err := filepath.Glob("testdata/*/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !known[f] {
			t.Errorf("%s is the golden of no case", f)
		}
	}
}
