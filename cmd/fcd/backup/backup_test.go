package backup

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"fcd/fc"
	"fcd/store"
	"fcd/store/catalog"
	"fcd/store/packages"
	"fcd/store/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// state makes a data directory with a function, its code, a waiting invocation and the account's files. The store stays
// open, as a daemon's is.
func state(t *testing.T) (dir, sum string, s *sqlite.Store) {
	t.Helper()
	dir = t.TempDir()
	code, err := packages.New(packages.Options{Dir: filepath.Join(dir, "packages")})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	if w, err := z.Create("index.py"); err != nil {
		t.Fatal(err)
	} else if _, err := w.Write([]byte("x = 1\n")); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	pkg, err := code.Put(t.Context(), &b, "")
	if err != nil {
		t.Fatal(err)
	}
	if s, err = sqlite.Open(t.Context(), sqlite.Options{Dir: filepath.Join(dir, "store"), MinFreeBytes: -1}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	f := &fc.Function{ServiceName: "s", Name: "f", CodeSHA256: pkg.SHA256}
	if _, err := s.Apply(t.Context(), store.Batch{
		Puts:    []store.Put{{Key: catalog.FunctionKey("s", "f"), Value: catalog.Encode(f), If: store.IfAbsent}},
		Enqueue: []store.Msg{{RequestID: "waits", Fn: "s//f", Payload: []byte("event")}},
	}); err != nil {
		t.Fatal(err)
	}
	for _, name := range keptFiles {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("content of "+name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, pkg.SHA256, s
}

func TestABackupOfAnOpenStoreIsRestored(t *testing.T) {
	dir, sum, s := state(t)
	file := filepath.Join(t.TempDir(), "fcd.backup")
	if err := Write(t.Context(), dir, file); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info.Mode(), err)
	}
	if err := Write(t.Context(), dir, file); err == nil {
		t.Error("a backup was written over another")
	}
	if _, err := s.Apply(t.Context(), store.Batch{Enqueue: []store.Msg{{RequestID: "later", Fn: "s//f"}}}); err != nil {
		t.Fatal(err)
	}

	for name, to := range map[string]string{"new": filepath.Join(t.TempDir(), "a", "b"), "empty": t.TempDir()} {
		if err := Restore(t.Context(), file, to); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if problems, err := Check(t.Context(), to); err != nil || len(problems) > 0 {
			t.Errorf("%s: %q, %v", name, problems, err)
		}
		restored, err := sqlite.Open(t.Context(), sqlite.Options{Dir: filepath.Join(to, "store")})
		if err != nil {
			t.Fatal(err)
		}
		defer restored.Close()
		if inv, err := restored.Find(t.Context(), "waits"); err != nil || string(inv.Payload) != "event" {
			t.Errorf("%s: what waited: %+v, %v", name, inv, err)
		}
		if _, err := restored.Find(t.Context(), "later"); err == nil {
			t.Errorf("%s: what came later is in it", name)
		}
		for _, kept := range keptFiles {
			if b, err := os.ReadFile(filepath.Join(to, kept)); err != nil || string(b) != "content of "+kept {
				t.Errorf("%s: %s: %q, %v", name, kept, b, err)
			}
		}
		if _, err := os.Stat(filepath.Join(to, "packages", "zip", sum[:2], sum)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatIsNotWholeIsNotRestored(t *testing.T) {
	dir, sum, _ := state(t)
	file := filepath.Join(t.TempDir(), "fcd.backup")
	if err := Write(t.Context(), dir, file); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := func(change func(h *tar.Header, b []byte) (drop bool, content []byte)) []byte {
		return remade(t, whole, change)
	}
	same := func(b []byte) (bool, []byte) { return false, b }
	for name, content := range map[string][]byte{
		"nothing":           nil,
		"text":              []byte("no backup"),
		"half":              whole[:len(whole)/2],
		"without its end":   whole[:len(whole)-100],
		"without the sums":  changed(func(h *tar.Header, b []byte) (bool, []byte) { return h.Name == sumsName, b }),
		"without a package": changed(func(h *tar.Header, b []byte) (bool, []byte) { return strings.Contains(h.Name, sum), b }),
		"with a byte changed": changed(func(h *tar.Header, b []byte) (bool, []byte) {
			if h.Name == "master.key" {
				b[0] ^= 1
			}
			return same(b)
		}),
		"with a name that leads out": changed(func(h *tar.Header, b []byte) (bool, []byte) {
			if h.Name == "master.key" {
				h.Name = "../master.key"
			}
			return same(b)
		}),
		"with a link": changed(func(h *tar.Header, b []byte) (bool, []byte) {
			if h.Name == "master.key" {
				h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, "/etc/passwd", 0
				return false, nil
			}
			return same(b)
		}),
		"of a later format": changed(func(h *tar.Header, b []byte) (bool, []byte) {
			if h.Name == manifestName {
				b = bytes.Replace(b, []byte(`"format":1`), []byte(`"format":9`), 1)
			}
			return same(b)
		}),
	} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			bad := filepath.Join(parent, "bad")
			if err := os.WriteFile(bad, content, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := Restore(t.Context(), bad, filepath.Join(parent, "to")); err == nil {
				t.Error("it was restored")
			}
			if left, err := os.ReadDir(parent); err != nil || len(left) != 1 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// remade passes each file of an archive through change.
func remade(t *testing.T, whole []byte, change func(*tar.Header, []byte) (bool, []byte)) []byte {
	t.Helper()
	unzipped, err := gzip.NewReader(bytes.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	in := tar.NewReader(unzipped)
	var b bytes.Buffer
	zipped := gzip.NewWriter(&b)
	out := tar.NewWriter(zipped)
	for {
		h, err := in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		drop, content := change(h, content)
		if drop {
			continue
		}
		h.Size = int64(len(content))
		if err := out.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestADirectoryThatHoldsSomethingIsNotRestoredInto(t *testing.T) {
	dir, _, _ := state(t)
	file := filepath.Join(t.TempDir(), "fcd.backup")
	if err := Write(t.Context(), dir, file); err != nil {
		t.Fatal(err)
	}
	if err := Restore(t.Context(), file, dir); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("got %v", err)
	}
}

func TestABackupThatFailsLeavesNothing(t *testing.T) {
	dir, _, _ := state(t)
	to := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Write(ctx, dir, filepath.Join(to, "b")); err == nil {
		t.Error("written in no time")
	}
	if err := Write(t.Context(), t.TempDir(), filepath.Join(to, "b")); err == nil {
		t.Error("written of nothing")
	}
	if left, err := os.ReadDir(to); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "backup-*")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestCheckFindsDamagedAndMissingCode(t *testing.T) {
	dir, sum, _ := state(t)
	zip := filepath.Join(dir, "packages", "zip", sum[:2], sum)
	find := func(want string) {
		t.Helper()
		problems, err := Check(t.Context(), dir)
		if err != nil || len(problems) != 1 || !strings.Contains(problems[0], want) || !strings.Contains(problems[0], "s/f") {
			t.Errorf("got %q, %v, want %q", problems, err, want)
		}
	}
	if err := os.WriteFile(zip, []byte("else"), 0o600); err != nil {
		t.Fatal(err)
	}
	find("has the content of")
	if err := os.Remove(zip); err != nil {
		t.Fatal(err)
	}
	find("is missing")
}
