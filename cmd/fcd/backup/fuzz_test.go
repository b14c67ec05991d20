package backup

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"testing"
)

// FuzzUnpack: a file that somebody has made up is refused and writes nothing outside of its directory.
func FuzzUnpack(f *testing.F) {
	f.Add("master.key", []byte("x"), byte(tar.TypeReg), "")
	f.Add("../x", []byte("x"), byte(tar.TypeReg), "")
	f.Add("store/store.db", []byte(nil), byte(tar.TypeSymlink), "/etc/passwd")
	f.Add(sumsName, []byte("00  store/store.db\n"), byte(tar.TypeReg), "")
	f.Fuzz(func(t *testing.T, name string, content []byte, kind byte, link string) {
		var b bytes.Buffer
		zipped := gzip.NewWriter(&b)
		out := tar.NewWriter(zipped)
		h := &tar.Header{Name: name, Mode: 0o600, Size: int64(len(content)), Typeflag: kind, Linkname: link}
		if out.WriteHeader(h) != nil {
			return
		}
		out.Write(content) // a header of its own kind may want none
		out.Flush()
		if err := zipped.Close(); err != nil {
			t.Fatal(err)
		}
		parent := t.TempDir()
		dir, file := filepath.Join(parent, "dir"), filepath.Join(parent, "file")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := unpack(t.Context(), file, dir); err == nil {
			t.Error("it was taken")
		}
		if left, err := os.ReadDir(parent); err != nil || len(left) != 2 {
			t.Errorf("it wrote outside: %v, %v", left, err)
		}
	})
}
