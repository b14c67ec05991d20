package local_test

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fcd/cmd/fcd/local"
	"fcd/store/packages"
)

func scan(t testing.TB, f *local.Folder) *local.Snapshot {
	t.Helper()
	s, err := f.Scan()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestASumTellsOtherCodeFromTheSame(t *testing.T) {
	tests := []struct {
		name   string
		change func(t *testing.T, dir string) error
		same   bool
	}{
		{"nothing", func(*testing.T, string) error { return nil }, true},
		{"a touched file", func(_ *testing.T, dir string) error {
			return os.Chtimes(dir+"/index.js", time.Time{}, time.Unix(1, 0))
		}, true},
		{"the same bytes in a new file", func(t *testing.T, dir string) error {
			write(t, dir+"/new", "one")
			return os.Rename(dir+"/new", dir+"/index.js")
		}, true},
		{"what editors leave", func(t *testing.T, dir string) error {
			for _, name := range []string{".index.js.swp", "index.js~", "4913", ".#index.js", "#index.js#", ".git/HEAD", "lib/__pycache__/a.pyc"} {
				write(t, filepath.Join(dir, name), "x")
			}
			return nil
		}, true},
		{"other bytes of the same length", func(t *testing.T, dir string) error { write(t, dir+"/index.js", "two"); return nil }, false},
		{"a new file", func(t *testing.T, dir string) error { write(t, dir+"/a/b/c.js", ""); return nil }, false},
		{"a file gone", func(_ *testing.T, dir string) error { return os.Remove(dir + "/index.js") }, false},
		{"another name", func(_ *testing.T, dir string) error { return os.Rename(dir+"/index.js", dir+"/other.js") }, false},
		{"an executable", func(_ *testing.T, dir string) error { return os.Chmod(dir+"/index.js", 0o755) }, false},
		{"another link", func(_ *testing.T, dir string) error {
			os.Remove(dir + "/link")
			return os.Symlink("lib", dir+"/link")
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := folder(t, map[string]string{"index.js": "one", "lib/a.js": "a"})
			if err := os.Symlink("index.js", dir+"/link"); err != nil {
				t.Fatal(err)
			}
			f := local.NewFolder(dir)
			before := scan(t, f)
			if err := tt.change(t, dir); err != nil {
				t.Fatal(err)
			}
			after := scan(t, f)
			if (before.Sum == after.Sum) != tt.same {
				t.Errorf("same is %v, want %v: %q, %q", before.Sum == after.Sum, tt.same, before.Paths(), after.Paths())
			}
			if n := after.Changed(before); (n == 0) != tt.same {
				t.Errorf("%d files have changed", n)
			}
			if fresh := scan(t, local.NewFolder(dir)); fresh.Sum != after.Sum {
				t.Error("a fresh look gives another sum")
			}
		})
	}
}

func TestASnapshotIsACodePackage(t *testing.T) {
	dir := folder(t, map[string]string{"index.js": "exports.handler = 1;", "lib/empty.js": "", "bin/run": "#!/bin/sh\n"})
	if err := os.Chmod(dir+"/bin/run", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../index.js", dir+"/lib/link.js"); err != nil {
		t.Fatal(err)
	}
	f := local.NewFolder(dir)
	scan(t, f)
	write(t, dir+"/index.js", "exports.handler = 2;")
	code, err := scan(t, f).Zip()
	if err != nil {
		t.Fatal(err)
	}
	store, err := packages.New(packages.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Put(t.Context(), bytes.NewReader(code), ""); err != nil {
		t.Errorf("the daemon refuses it: %v", err)
	}
	r, err := zip.NewReader(bytes.NewReader(code), int64(len(code)))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range r.File {
		body, err := e.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(body) // checks the CRC
		if err != nil {
			t.Fatal(err)
		}
		got[e.Name] = e.Mode().String() + " " + string(text)
	}
	want := map[string]string{"index.js": "-rw-r--r-- exports.handler = 2;", "lib/empty.js": "-rw-r--r-- ",
		"bin/run": "-rwxr-xr-x #!/bin/sh\n", "lib/link.js": "Lrwxrwxrwx ../index.js"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestAFolderThatIsGoneIsAnError(t *testing.T) {
	dir := folder(t, nil)
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := local.NewFolder(dir).Scan(); err == nil {
		t.Error("no error")
	}
}
