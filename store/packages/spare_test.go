package packages_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fcd/fc"
	"fcd/store/packages"
)

// sparing are packages that keep a spare of whatever replaces another, at once.
func sparing(tb testing.TB) (p *packages.Packages, dir string) {
	tb.Helper()
	dir = filepath.Join(tb.TempDir(), "packages")
	return newPackages(tb, packages.Options{Dir: dir, SpareFiles: 1, SpareAfter: 1}), dir
}

// spares are those that are there.
func spares(tb testing.TB, dir string) []string {
	tb.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "tmp", "*"))
	if err != nil {
		tb.Fatal(err)
	}
	return all
}

func TestASpareBecomesTheNextVersion(t *testing.T) {
	p, dir := sparing(t)
	version := func(n int) []byte {
		return makeZip(t, file{name: "index.js", body: fmt.Sprint(n)}, file{name: "lib/same", body: "s"})
	}
	first := put(t, p, version(1))
	second := putAfter(t, p, version(2), first.SHA256)
	p.AwaitSpare()
	made := spares(t, dir)
	if len(made) != 1 {
		t.Fatalf("there are %v", made)
	}
	tree := inode(t, made[0])
	third := putAfter(t, p, version(3), second.SHA256)
	a, b := unpacked(t, p, second.SHA256), unpacked(t, p, third.SHA256)
	if inode(t, b) != tree {
		t.Error("the new version's tree is not what was the spare")
	}
	if inode(t, a+"/lib/same") != inode(t, b+"/lib/same") || inode(t, a+"/index.js") == inode(t, b+"/index.js") {
		t.Error("what has not changed is not shared, or what has changed is")
	}
	for tree, want := range map[string]string{a: "2", b: "3"} {
		got := listing(t, tree)
		if diff := cmp.Diff([]string{"drwxr-xr-x ", "-rw-r--r-- index.js = " + want, "drwxr-xr-x lib", "-rw-r--r-- lib/same = s"}, got); diff != "" {
			t.Error(diff)
		}
	}
}

// Whatever the versions of a package hold, each is the same as if it had been put alone.
func TestSparesDoNotShow(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	alone := newPackages(t, packages.Options{})
	kinds := []func(name string) []file{ // what may have a name
		func(name string) []file { return nil },
		func(name string) []file { return []file{{name: name, body: fmt.Sprint(random.IntN(2))}} },
		func(name string) []file { return []file{{name: name, body: "x", mode: 0o755}} },
		func(name string) []file { return []file{{name: name + "/", mode: fs.ModeDir | 0o755}} },
		func(name string) []file { return []file{{name: name, body: "a", mode: fs.ModeSymlink | 0o777}} },
		func(name string) []file {
			return []file{{name: name + "/x", body: "x"}, {name: name + "/y/z", body: "z"}}
		},
	}
	for range 20 {
		p, _ := sparing(t)
		before := ""
		for range 5 {
			files := []file{{name: "a", body: "a"}}
			for _, name := range []string{"b", "d/b", "d/c", "e/f/g"} {
				files = append(files, kinds[random.IntN(len(kinds))](name)...)
			}
			pkg := putAfter(t, p, makeZip(t, files...), before)
			put(t, alone, makeZip(t, files...))
			if diff := cmp.Diff(listing(t, unpacked(t, alone, pkg.SHA256)), listing(t, unpacked(t, p, pkg.SHA256))); diff != "" {
				t.Fatalf("seed %d, files %v: %s", seed, files, diff)
			}
			p.AwaitSpare()
			before = pkg.SHA256
		}
	}
}

func TestThereIsOneSpareAtMost(t *testing.T) {
	p, dir := sparing(t)
	zip := func(name string, n int) []byte { return makeZip(t, file{name: name, body: fmt.Sprint(n)}) }
	last := map[string]packages.Package{"a": put(t, p, zip("a", 0)), "b": put(t, p, zip("b", 0))}
	for n := range 5 {
		for _, name := range []string{"a", "b"} {
			last[name] = putAfter(t, p, zip(name, n+1), last[name].SHA256)
		}
	}
	p.AwaitSpare()
	if made, want := spares(t, dir), filepath.Join(dir, "tmp", "spare-"+last["b"].SHA256); len(made) != 1 || made[0] != want {
		t.Errorf("there are %v, want %s", made, want)
	}
	used := func(sum string) bool { return sum != last["b"].SHA256 }
	for range 2 {
		if err := p.Sweep(t.Context(), used); err != nil {
			t.Fatal(err)
		}
		if made := spares(t, dir); len(made) > 0 {
			t.Errorf("after a sweep there are %v", made)
		}
	}
	next := putAfter(t, p, zip("b", 9), last["b"].SHA256) // without a spare
	if got := listing(t, unpacked(t, p, next.SHA256)); len(got) != 2 || got[1] != "-rw-r--r-- b = 9" {
		t.Errorf("got %v", got)
	}
}

func TestABadPackageTakesItsSpareWithIt(t *testing.T) {
	p, dir := sparing(t)
	first := put(t, p, makeZip(t, file{name: "a", body: "1"}))
	second := putAfter(t, p, makeZip(t, file{name: "a", body: "2"}), first.SHA256)
	p.AwaitSpare()
	bad := makeZip(t, file{name: "a", body: "2"}, file{name: "to", body: "/etc", mode: fs.ModeSymlink | 0o777})
	if _, err := p.Put(t.Context(), bytes.NewReader(bad), second.SHA256); fc.CodeOf(err) != fc.InvalidArgument {
		t.Errorf("got %v", err)
	}
	if made := spares(t, dir); len(made) > 0 {
		t.Errorf("there are %v", made)
	}
	if got := listing(t, unpacked(t, p, second.SHA256)); len(got) != 2 || got[1] != "-rw-r--r-- a = 2" {
		t.Errorf("the version before it holds %v", got)
	}
}

func TestCloseDoesNotWaitForASpare(t *testing.T) {
	p := newPackages(t, packages.Options{SpareFiles: 1, SpareAfter: time.Hour})
	first := put(t, p, makeZip(t, file{name: "a", body: "1"}))
	second := putAfter(t, p, makeZip(t, file{name: "a", body: "2"}), first.SHA256)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	putAfter(t, p, makeZip(t, file{name: "a", body: "3"}), second.SHA256)
}

func TestSmallPackagesHaveNoSpare(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "packages")
	p := newPackages(t, packages.Options{Dir: dir, SpareFiles: 2, SpareAfter: 1})
	first := put(t, p, makeZip(t, file{name: "a", body: "1"}))
	putAfter(t, p, makeZip(t, file{name: "a", body: "2"}), first.SHA256)
	p.AwaitSpare()
	if made := spares(t, dir); len(made) > 0 {
		t.Errorf("there are %v", made)
	}
	if _, err := os.Stat(filepath.Join(dir, "tmp")); err != nil {
		t.Error(err)
	}
}
