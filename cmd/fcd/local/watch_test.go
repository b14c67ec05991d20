package local_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fcd/cmd/fcd/local"
)

func watcher(t testing.TB, dir string) *local.Watcher {
	t.Helper()
	w, err := local.NewWatcher(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

// await waits for a change and until the folder is quiet.
func await(t testing.TB, w *local.Watcher) error {
	t.Helper()
	if err := w.Wait(withTimeout(t)); err != nil {
		return err
	}
	if err := w.Settle(withTimeout(t)); !errors.Is(err, local.ErrUnsettled) {
		return err
	}
	return nil
}

func TestMoreChangesUnsettle(t *testing.T) {
	dir := folder(t, nil)
	w := watcher(t, dir)
	write(t, dir+"/a.js", "x")
	if err := await(t, w); err != nil {
		t.Fatal(err)
	}
	if err := w.Settle(withTimeout(t)); err != nil {
		t.Errorf("without a change: %v", err)
	}
	write(t, dir+"/a.js", "y")
	var err error
	for err == nil && t.Context().Err() == nil { // the news may take longer than Settle waits for it
		err = w.Settle(t.Context())
	}
	if !errors.Is(err, local.ErrUnsettled) {
		t.Errorf("after a change: %v", err)
	}
}

func TestChangesAreSeen(t *testing.T) {
	tests := []struct {
		name   string
		change func(dir string) error
	}{
		{"a file written in place", func(dir string) error { return os.WriteFile(dir+"/index.js", []byte("new"), 0o644) }},
		{"a file renamed over another", func(dir string) error {
			if err := os.WriteFile(dir+"/.index.js.swp", []byte("new"), 0o644); err != nil {
				return err
			}
			return os.Rename(dir+"/.index.js.swp", dir+"/index.js")
		}},
		{"a file moved away", func(dir string) error { return os.Rename(dir+"/index.js", dir+"/index.js~") }},
		{"a file in a folder that was there", func(dir string) error { return os.WriteFile(dir+"/lib/a.js", nil, 0o644) }},
		{"a file made executable", func(dir string) error { return os.Chmod(dir+"/index.js", 0o755) }},
		{"npm's mark in node_modules", func(dir string) error {
			return os.WriteFile(dir+"/node_modules/.package-lock.json", nil, 0o644)
		}},
		{"the folder replaced", func(dir string) error {
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
			return os.Mkdir(dir, 0o755)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := folder(t, map[string]string{"index.js": "old", "lib/b.js": "", "node_modules/a/index.js": ""})
			w := watcher(t, dir)
			if err := tt.change(dir); err != nil {
				t.Fatal(err)
			}
			if err := await(t, w); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestNewFoldersAreWatched(t *testing.T) {
	dir := folder(t, nil)
	w := watcher(t, dir)
	for _, name := range []string{"a/b/one.js", "a/b/two.js", "a/c/three.js"} {
		write(t, filepath.Join(dir, name), "x")
		if err := await(t, w); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := await(t, w); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "again.js"), "x") // in a folder of the same name
	if err := await(t, w); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(w.Watched(), dir) {
		t.Errorf("the new folder is not watched: %q", w.Watched())
	}
}

func TestOnlyTheTopOfNodeModulesIsWatched(t *testing.T) {
	dir := folder(t, map[string]string{"index.js": "", "lib/a.js": "", "node_modules/a/b/index.js": "", ".git/objects/x": "",
		"lib/__pycache__/x": ""})
	w := watcher(t, dir)
	if err := os.MkdirAll(dir+"/node_modules/new/deep", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := await(t, w); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, path := range w.Watched() {
		if rest, ok := strings.CutPrefix(path, dir); ok {
			got = append(got, rest)
		}
	}
	slices.Sort(got)
	if want := []string{"", "/lib", "/node_modules"}; !slices.Equal(got, want) {
		t.Errorf("watched %q, want %q", got, want)
	}
}
