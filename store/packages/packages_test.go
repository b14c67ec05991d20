package packages_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"fcd/fc"
	"fcd/store/packages"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// file is an entry of a zip to be made; the header function may spoil it.
type file struct {
	name, body string
	mode       fs.FileMode
	header     func(*zip.FileHeader)
}

func makeZip(tb testing.TB, files ...file) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		h := &zip.FileHeader{Name: f.name, Method: zip.Deflate}
		if f.mode != 0 {
			h.SetMode(f.mode)
		}
		if f.header != nil {
			f.header(h)
		}
		out, err := w.CreateHeader(h)
		if err != nil {
			tb.Fatal(err)
		}
		if _, err := out.Write([]byte(f.body)); err != nil && !strings.HasSuffix(f.name, "/") {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func newPackages(tb testing.TB, opt packages.Options) *packages.Packages {
	tb.Helper()
	if opt.Dir == "" {
		opt.Dir = filepath.Join(tb.TempDir(), "packages")
	}
	p, err := packages.New(opt)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := p.Close(); err != nil {
			tb.Error(err)
		}
	})
	return p
}

func put(tb testing.TB, p *packages.Packages, b []byte) packages.Package {
	tb.Helper()
	pkg, err := p.Put(context.Background(), bytes.NewReader(b), "")
	if err != nil {
		tb.Fatal(err)
	}
	return pkg
}

func unpacked(tb testing.TB, p *packages.Packages, sum string) string {
	tb.Helper()
	dir, err := p.Dir(context.Background(), sum)
	if err != nil {
		tb.Fatal(err)
	}
	return dir
}

// listing is a tree as lines of mode, path and content.
func listing(tb testing.TB, dir string) (lines []string) {
	tb.Helper()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, content := strings.TrimPrefix(strings.TrimPrefix(name, dir), "/"), ""
		switch {
		case info.Mode().Type() == fs.ModeSymlink:
			if content, err = os.Readlink(name); err != nil {
				return err
			}
			lines = append(lines, "l "+rel+" -> "+content)
			return nil
		case info.Mode().IsRegular():
			b, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			content = " = " + string(b)
		}
		lines = append(lines, info.Mode().String()+" "+rel+content)
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return lines
}

func TestPutUnpacksWithPlainModesWhateverTheUmask(t *testing.T) {
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	p := newPackages(t, packages.Options{})
	zipped := makeZip(t,
		file{name: "index.js", body: "exports"},
		file{name: "bin/run", body: "#!", mode: 0o700},
		file{name: "bin/su", body: "s", mode: 0o755 | fs.ModeSetuid},
		file{name: "zero", body: "z", header: func(h *zip.FileHeader) { h.CreatorVersion = 3 << 8; h.ExternalAttrs = 0 }},
		file{name: "secret", body: "x", mode: 0o600},
		file{name: "lib/", mode: fs.ModeDir | 0o700},
		file{name: "lib/"},
		file{name: "./lib//deep/../deep2/"[:6] + "a/b", body: "ab"},
		file{name: "current", body: "lib", mode: fs.ModeSymlink | 0o777},
		file{name: "lib/up", body: "../index.js", mode: fs.ModeSymlink | 0o777},
		file{name: "lib/dangling", body: "nothing", mode: fs.ModeSymlink | 0o777},
	)
	pkg := put(t, p, zipped)
	dir := unpacked(t, p, pkg.SHA256)
	want := []string{
		"drwxr-xr-x ", "drwxr-xr-x bin", "-rwxr-xr-x bin/run = #!", "-rwxr-xr-x bin/su = s", "l current -> lib",
		"-rw-r--r-- index.js = exports", "drwxr-xr-x lib", "drwxr-xr-x lib/a", "-rw-r--r-- lib/a/b = ab",
		"l lib/dangling -> nothing", "l lib/up -> ../index.js", "-rw-r--r-- secret = x", "-rw-r--r-- zero = z",
	}
	if diff := cmp.Diff(want, listing(t, dir)); diff != "" {
		t.Error(diff)
	}
	info, err := os.Stat(filepath.Dir(filepath.Dir(dir)))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the packages' directory is %v, %v", info.Mode(), err)
	}
}

func TestChecksumsAreThoseOfTheBytes(t *testing.T) {
	p := newPackages(t, packages.Options{})
	empty := append([]byte("PK\x05\x06"), make([]byte, 18)...)
	pkg := put(t, p, empty)
	want := packages.Package{
		SHA256: "8739c76e681f900923b900c9df0ef75cf421d39cabb54650c4b9ad19b6a76d85", CRC64: "2220831586920633690", Size: 22}
	if diff := cmp.Diff(want, pkg); diff != "" {
		t.Error(diff)
	}
	if again := put(t, p, empty); again != pkg {
		t.Errorf("put again: %+v", again)
	}
	r, n, err := p.Open(pkg.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if b, err := io.ReadAll(r); err != nil || !bytes.Equal(b, empty) || n != 22 {
		t.Errorf("read back %q, %d, %v", b, n, err)
	}
}

func TestUnknownPackages(t *testing.T) {
	p := newPackages(t, packages.Options{})
	if _, err := p.Dir(t.Context(), strings.Repeat("a", 64)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("dir: %v", err)
	}
	if _, _, err := p.Open(strings.Repeat("a", 64)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open: %v", err)
	}
	for _, bad := range []string{"", "..", "../../etc/passwd", strings.Repeat("A", 64), strings.Repeat("a", 63) + "/"} {
		if _, err := p.Dir(t.Context(), bad); err == nil {
			t.Errorf("dir of %q", bad)
		}
		if _, _, err := p.Open(bad); err == nil {
			t.Errorf("open of %q", bad)
		}
	}
}

func TestTreesAreMadeAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "p")
	p := newPackages(t, packages.Options{Dir: dir})
	pkg := put(t, p, makeZip(t, file{name: "a", body: "1"}))
	want := listing(t, unpacked(t, p, pkg.SHA256))
	if err := os.WriteFile(filepath.Join(dir, "boot"), []byte("another start of the machine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "tmp", "put-1", "tree"), 0o700); err != nil {
		t.Fatal(err)
	}
	p = newPackages(t, packages.Options{Dir: dir})
	if left, err := filepath.Glob(filepath.Join(dir, "*", "*")); err != nil || len(left) != 1 {
		t.Errorf("after a restart of the machine there are %v, %v", left, err)
	}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			got, err := p.Dir(context.Background(), pkg.SHA256)
			if err != nil {
				t.Errorf("dir: %v", err)
			} else if diff := cmp.Diff(want, listing(t, got)); diff != "" {
				t.Error(diff)
			}
		})
	}
	wg.Wait()
	p = newPackages(t, packages.Options{Dir: dir})
	if _, err := os.Stat(filepath.Join(dir, "dir", pkg.SHA256)); err != nil {
		t.Errorf("a restart of the process dropped the tree: %v", err)
	}
}

func TestDirRefusesAZipThatChangedOnDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "p")
	p := newPackages(t, packages.Options{Dir: dir})
	pkg := put(t, p, makeZip(t, file{name: "a", body: "1"}))
	zips, err := filepath.Glob(filepath.Join(dir, "zip", "*", "*"))
	if err != nil || len(zips) != 1 {
		t.Fatal(zips, err)
	}
	if err := os.WriteFile(zips[0], makeZip(t, file{name: "a", body: "2"}), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "dir", pkg.SHA256)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Dir(t.Context(), pkg.SHA256); err == nil || !strings.Contains(err.Error(), "changed on disk") {
		t.Errorf("got %v", err)
	}
}

func TestConcurrentPutsOfOnePackage(t *testing.T) {
	p := newPackages(t, packages.Options{})
	b := makeZip(t, file{name: "a/b/c", body: strings.Repeat("x", 1000)})
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			pkg, err := p.Put(context.Background(), bytes.NewReader(b), "")
			if err != nil {
				t.Errorf("put: %v", err)
				return
			}
			if _, err := p.Dir(context.Background(), pkg.SHA256); err != nil {
				t.Errorf("dir: %v", err)
			}
		})
	}
	wg.Wait()
}

func TestSweepKeepsWhatMayBeNeeded(t *testing.T) {
	now := time.Now()
	dir := filepath.Join(t.TempDir(), "p")
	p := newPackages(t, packages.Options{Dir: dir, Now: func() time.Time { return now }})
	used, gone, asked := put(t, p, makeZip(t, file{name: "used"})), put(t, p, makeZip(t, file{name: "gone"})), put(t, p, makeZip(t, file{name: "asked"}))
	open, _, err := p.Open(gone.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	sweep := func(after time.Duration) {
		t.Helper()
		now = now.Add(after)
		if err := p.Sweep(t.Context(), func(sum string) bool { return sum == used.SHA256 }); err != nil {
			t.Fatal(err)
		}
	}
	there := func(want ...packages.Package) {
		t.Helper()
		zips, _ := filepath.Glob(filepath.Join(dir, "zip", "*", "*"))
		trees, _ := filepath.Glob(filepath.Join(dir, "dir", "*"))
		if len(zips) != len(want) || len(trees) != len(want) {
			t.Errorf("there are %v and %v, want %v", zips, trees, want)
		}
	}
	sweep(0)
	sweep(59 * time.Minute)
	there(used, gone, asked)
	unpacked(t, p, asked.SHA256)
	sweep(time.Minute)
	there(used, asked)
	if b, err := io.ReadAll(open); err != nil || int64(len(b)) != gone.Size {
		t.Errorf("an open reader of a swept package got %d bytes, %v", len(b), err)
	}
	if again := put(t, p, makeZip(t, file{name: "gone"})); again != gone {
		t.Errorf("put after the sweep: %+v", again)
	}
	sweep(30 * time.Minute)
	there(used, gone, asked)
}

func TestPutEndsWithItsContextAndItsReader(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "p")
	p := newPackages(t, packages.Options{Dir: dir})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Put(ctx, bytes.NewReader(makeZip(t)), ""); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	broken := io.MultiReader(strings.NewReader("PK"), errReader{})
	if _, err := p.Put(t.Context(), broken, ""); !errors.Is(err, errBroken) {
		t.Errorf("broken reader: %v", err)
	}
	nothingLeft(t, dir)
}

var errBroken = errors.New("the caller hung up")

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errBroken }

// nothingLeft checks that a refusal left no file.
func nothingLeft(tb testing.TB, dir string) {
	tb.Helper()
	for _, glob := range []string{"tmp/*", "zip/*", "dir/*"} {
		if left, err := filepath.Glob(filepath.Join(dir, glob)); err != nil || len(left) > 0 {
			tb.Errorf("left behind: %v, %v", left, err)
		}
	}
}

func smallLimits() fc.Limits {
	l := fc.DefaultLimits()
	l.MaxCodeZipBytes, l.MaxUnpackedBytes, l.MaxPackageEntries = 1<<20, 8<<20, 50
	return l
}
