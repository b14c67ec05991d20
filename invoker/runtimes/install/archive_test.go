package install

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

var someTime = time.Date(2020, 2, 2, 2, 2, 2, 0, time.UTC)

// tarOf makes an archive of headers; a file's content is its name.
func tarOf(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(h.Name))
		}
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		h.ModTime = someTime
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			io.WriteString(w, h.Name)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func pack(t testing.TB, compression string, plain []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch compression {
	case "":
		return plain
	case ".gz":
		w = gzip.NewWriter(&b)
	case ".xz":
		w, err = xz.NewWriter(&b)
	case ".zst":
		w, err = zstd.NewWriter(&b)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.Write(plain)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// arOf makes an ar archive of pairs of names and contents.
func arOf(pairs ...string) []byte {
	b := bytes.NewBufferString(arMagic)
	for i := 0; i < len(pairs); i += 2 {
		fmt.Fprintf(b, "%-16s%-12d%-6d%-6d%-8s%-10d`\n%s", pairs[i], 0, 0, 0, "100644", len(pairs[i+1]), pairs[i+1])
		if len(pairs[i+1])%2 == 1 {
			b.WriteByte('\n')
		}
	}
	return b.Bytes()
}

// debOf makes a Debian package.
func debOf(t testing.TB, compression string, headers ...tar.Header) []byte {
	t.Helper()
	return arOf("debian-binary", "2.0\n", "control.tar.gz", "odd", "data.tar"+compression, string(pack(t, compression, tarOf(t, headers...))))
}

func TestDebianPackagesOfEveryCompression(t *testing.T) {
	for _, compression := range []string{"", ".gz", ".xz", ".zst"} {
		archive, err := debFiles(bytes.NewReader(debOf(t, compression, tar.Header{Name: "./usr/bin/true"})))
		if err != nil {
			t.Fatalf("%q: %v", compression, err)
		}
		h, err := archive.Next()
		if err != nil || h.Name != "./usr/bin/true" {
			t.Errorf("%q: %+v, %v", compression, h, err)
		}
		if b, err := io.ReadAll(archive); err != nil || string(b) != "./usr/bin/true" {
			t.Errorf("%q: %q, %v", compression, b, err)
		}
	}
}

func TestWhatIsNoDebianPackage(t *testing.T) {
	wide := pack(t, ".xz", []byte("x"))
	wide[16] = 40 // a dictionary of 4 GiB
	tests := []struct {
		name string
		b    []byte
		want string
	}{
		{"nothing", nil, "ar archive: it does not begin as one"},
		{"another archive", []byte("PK\x03\x04 and so on"), "ar archive: it does not begin as one"},
		{"no members", []byte(arMagic), "EOF"},
		{"another first member", arOf("control.tar.gz", "x"), `debian package: the first member is "control.tar.gz", not debian-binary`},
		{"another format", arOf("debian-binary", "3.0\n"), `debian package: format "3.0", wanted 2.0`},
		{"no data", arOf("debian-binary", "2.0\n", "control.tar.gz", "x"), "debian package: no data.tar in it"},
		{"an unknown compression", arOf("debian-binary", "2.0\n", "data.tar.lzma", "x"), `debian package: data.tar.lzma: unknown compression ".lzma"`},
		{"broken gzip", arOf("debian-binary", "2.0\n", "data.tar.gz", "xxxxxxxxxxxx"), "debian package: data.tar.gz: gzip: invalid header"},
		{"a huge dictionary", arOf("debian-binary", "2.0\n", "data.tar.xz", string(wide)), "is not one of a package"},
		{"a bad header", append(arOf("debian-binary", "2.0\n"), bytes.Repeat([]byte("x"), 60)...), "is not one"},
		{"a size below zero", bytes.Replace(arOf("debian-binary", "2.0\n"), []byte("4         `"), []byte("-4        `"), 1), "is not one"},
		{"a member cut off", arOf("debian-binary", "2.0\n")[:8+60+2], "unexpected EOF"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := debFiles(bytes.NewReader(tt.b)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func FuzzDebFiles(f *testing.F) {
	for _, compression := range []string{"", ".gz", ".xz", ".zst"} {
		f.Add(debOf(f, compression, tar.Header{Name: "./usr/bin/true"}, tar.Header{Name: "./usr/x", Typeflag: tar.TypeSymlink, Linkname: "../../.."}))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		archive, err := debFiles(bytes.NewReader(b))
		if err != nil {
			return
		}
		outer := t.TempDir()
		tree := newTestTree(t, filepath.Join(outer, "root"))
		tree.bytes = maxTreeBytes - 1<<20
		tree.unpack(archive, pickDebian)
		if entries, err := os.ReadDir(outer); err != nil || len(entries) != 1 {
			t.Errorf("something was made outside: %v, %v", entries, err)
		}
	})
}

func newTestTree(t testing.TB, dir string) *tree {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	tree, err := newTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tree.close() })
	return tree
}

func all(name string) string { return name }

func TestUnpack(t *testing.T) {
	dir := t.TempDir()
	tree := newTestTree(t, dir)
	first := tarOf(t, tar.Header{Name: "./", Typeflag: tar.TypeDir}, tar.Header{Name: "./lib/", Typeflag: tar.TypeDir},
		tar.Header{Name: "./lib/x86/", Typeflag: tar.TypeDir}, tar.Header{Name: "./lib/x86/libc.so.6", Mode: 0o4755},
		tar.Header{Name: "./usr/bin/hard", Typeflag: tar.TypeLink, Linkname: "./lib/x86/libc.so.6"},
		tar.Header{Name: "./usr/bin/soft", Typeflag: tar.TypeSymlink, Linkname: "../lib/x86/libc.so.6"},
		tar.Header{Name: "./usr/bin/absolute", Typeflag: tar.TypeSymlink, Linkname: "/etc/alternatives/x"},
		tar.Header{Name: "./etc/x.conf", Mode: 0o666})
	second := tarOf(t, tar.Header{Name: "usr/bin/soft", Mode: 0o700}, tar.Header{Name: "deep/er/file"})
	for _, b := range [][]byte{first, second} {
		if err := tree.unpack(tar.NewReader(bytes.NewReader(b)), all); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]string{
		"usr/lib/x86/libc.so.6": "-rwxr-xr-x ./lib/x86/libc.so.6", "usr/bin/hard": "-rwxr-xr-x ./lib/x86/libc.so.6",
		"usr/bin/soft": "-rwxr-xr-x usr/bin/soft", "usr/bin/absolute": "/etc/alternatives/x", "etc/x.conf": "-rw-r--r-- ./etc/x.conf",
		"lib": "usr/lib", "bin": "usr/bin", "sbin": "usr/sbin", "lib64": "usr/lib64", "deep/er/file": "-rw-r--r-- deep/er/file",
	}
	got := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		if to, err := os.Readlink(path); err == nil {
			got[name] = to
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if !info.ModTime().Equal(someTime) {
			t.Errorf("%s is of %v", name, info.ModTime())
		}
		b, err := os.ReadFile(path)
		got[name] = info.Mode().String() + " " + string(b)
		return err
	})
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}

// What a hostile package might try: nothing is written outside, and the error says what was tried.
func TestHostilePackagesAreRefused(t *testing.T) {
	tests := []struct {
		name    string
		headers []tar.Header
		want    string
	}{
		{"a name that climbs", []tar.Header{{Name: "../evil"}}, `name "../evil" leads out of the folder`},
		{"a name that climbs later", []tar.Header{{Name: "usr/../../evil"}}, "leads out of the folder"},
		{"an absolute name", []tar.Header{{Name: "/evil"}}, "leads out of the folder"},
		{"a link that climbs", []tar.Header{{Name: "usr/x", Typeflag: tar.TypeSymlink, Linkname: "../../evil"}}, `link to "../../evil"`},
		{"a hard link that climbs", []tar.Header{{Name: "usr/x", Typeflag: tar.TypeLink, Linkname: "../evil"}}, "leads out of the folder"},
		{"a file through an absolute link", []tar.Header{{Name: "usr/x", Typeflag: tar.TypeSymlink, Linkname: "OUTSIDE"}, {Name: "usr/x/evil"}}, "usr/x"},
		{"a file through links that climb together", []tar.Header{
			{Name: "a/b/c/d", Typeflag: tar.TypeDir}, {Name: "s", Typeflag: tar.TypeSymlink, Linkname: "a/b/c/d"},
			{Name: "a/b/c/d/up", Typeflag: tar.TypeSymlink, Linkname: "../../../.."}, {Name: "t", Typeflag: tar.TypeDir},
			{Name: "t/x", Typeflag: tar.TypeSymlink, Linkname: "../a/b/c/d/up"},
			{Name: "z/y/x/w/v", Typeflag: tar.TypeSymlink, Linkname: "../../../../t/x/../evil"}, {Name: "z/y/x/w/v/evil"}}, "z/y/x/w/v"},
		{"a link in the place of the layout", []tar.Header{{Name: "lib", Typeflag: tar.TypeSymlink, Linkname: "etc"}}, "a folder is in the way"},
		{"a link in the place of a folder", []tar.Header{{Name: "usr", Typeflag: tar.TypeSymlink, Linkname: "etc"}}, "a folder is in the way"},
		{"a file in the place of a folder", []tar.Header{{Name: "etc"}}, "a folder is in the way"},
		{"a file as a folder", []tar.Header{{Name: "x"}, {Name: "x/y"}}, "no folder"},
		{"a device", []tar.Header{{Name: "dev/sda", Typeflag: tar.TypeBlock}}, "neither file, folder nor link"},
		{"a pipe", []tar.Header{{Name: "pipe", Typeflag: tar.TypeFifo}}, "neither file, folder nor link"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			outer := t.TempDir()
			outside := filepath.Join(outer, "outside")
			if err := os.Mkdir(outside, 0o755); err != nil {
				t.Fatal(err)
			}
			for i := range tt.headers {
				tt.headers[i].Linkname = strings.Replace(tt.headers[i].Linkname, "OUTSIDE", outside, 1)
			}
			tree := newTestTree(t, filepath.Join(outer, "root"))
			err := tree.unpack(tar.NewReader(bytes.NewReader(tarOf(t, tt.headers...))), all)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			var names []string
			filepath.WalkDir(outer, func(path string, _ fs.DirEntry, _ error) error {
				if filepath.Base(path) == "evil" {
					names = append(names, path)
				}
				return nil
			})
			if len(names) > 0 {
				t.Errorf("there is %v", names)
			}
		})
	}
}

func TestTooMuchIsRefused(t *testing.T) {
	tree := newTestTree(t, t.TempDir())
	tree.bytes = maxTreeBytes - 3
	archive := func() *tar.Reader { return tar.NewReader(bytes.NewReader(tarOf(t, tar.Header{Name: "four"}))) }
	if err := tree.unpack(archive(), all); err == nil || !strings.Contains(err.Error(), "more than 1073741824 bytes") {
		t.Error(err)
	}
	tree.bytes, tree.files = 0, maxTreeFiles
	if err := tree.unpack(archive(), all); err == nil || err.Error() != "more than 50000 files" {
		t.Error(err)
	}
}

func TestWhatIsPicked(t *testing.T) {
	for name, want := range map[string]string{
		"usr/bin/dash": "usr/bin/dash", "usr/share/man/man1/x": "", "usr/share/doc/dash": "", "usr/share/doc/dash/copyright": "usr/share/doc/dash/copyright",
		"usr/share/doc/dash/README": "", "usr/share/locale/de/x": "", "usr/share/zoneinfo/UTC": "usr/share/zoneinfo/UTC",
	} {
		if got := pickDebian(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	for name, want := range map[string]string{"package/bin/node": "usr/bin/node", "package/include/node.h": "", "package/LICENSE": "usr/share/doc/node/copyright"} {
		if got := pickNode(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// The list is read from text at start-up: every line of it must have been understood.
func TestThePinsAreWhole(t *testing.T) {
	if want := []string{"java8", "nodejs6", "nodejs8", "python2.7"}; !slices.Equal(Names(), want) {
		t.Errorf("names %v", Names())
	}
	counts := map[string]int{}
	for _, b := range bundles() {
		counts[b.runtime] = len(b.packages)
		seen := map[string]bool{}
		for _, p := range b.packages {
			if p.Version == "" || len(p.SHA256) != 64 || p.Size < 10_000 || p.Suite != "" && !strings.HasSuffix(p.Path, ".deb") || seen[p.Name] {
				t.Errorf("%s: %+v", b.runtime, p)
			}
			seen[p.Name] = true
		}
	}
	if diff := cmp.Diff(map[string]int{"nodejs6": 24, "nodejs8": 24, "python2.7": 39, "java8": 34}, counts); diff != "" {
		t.Error(diff)
	}
}
