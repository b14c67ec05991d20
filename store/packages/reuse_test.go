package packages_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fcd/fc"
	"fcd/store/packages"
)

func putAfter(tb testing.TB, p *packages.Packages, b []byte, before string) packages.Package {
	tb.Helper()
	pkg, err := p.Put(tb.Context(), bytes.NewReader(b), before)
	if err != nil {
		tb.Fatal(err)
	}
	return pkg
}

func inode(tb testing.TB, file string) uint64 {
	tb.Helper()
	info, err := os.Lstat(file)
	if err != nil {
		tb.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Ino
}

func TestWhatIsTheSameInTheLastVersionIsShared(t *testing.T) {
	p := newPackages(t, packages.Options{})
	script := fs.FileMode(0o755)
	first := put(t, p, makeZip(t, file{name: "same", body: "s"}, file{name: "lib/deep/same", body: "s"}, file{name: "empty"},
		file{name: "other content", body: "1"}, file{name: "other mode", body: "m"}, file{name: "gone", body: "g"},
		file{name: "was a file", body: "f"}, file{name: "to", body: "same", mode: fs.ModeSymlink | 0o777}))
	second := putAfter(t, p, makeZip(t, file{name: "same", body: "s"}, file{name: "lib/deep/same", body: "s"}, file{name: "empty"},
		file{name: "other content", body: "2"}, file{name: "other mode", body: "m", mode: script}, file{name: "new", body: "n"},
		file{name: "was a file/now below", body: "f"}, file{name: "to", body: "same", mode: fs.ModeSymlink | 0o777}), first.SHA256)
	a, b := unpacked(t, p, first.SHA256), unpacked(t, p, second.SHA256)
	want := []string{"drwxr-xr-x ", "-rw-r--r-- empty = ", "drwxr-xr-x lib", "drwxr-xr-x lib/deep", "-rw-r--r-- lib/deep/same = s", "-rw-r--r-- new = n",
		"-rw-r--r-- other content = 2", "-rwxr-xr-x other mode = m", "-rw-r--r-- same = s", "l to -> same",
		"drwxr-xr-x was a file", "-rw-r--r-- was a file/now below = f"}
	if diff := cmp.Diff(want, listing(t, b)); diff != "" {
		t.Error(diff)
	}
	for name, shared := range map[string]bool{"same": true, "lib/deep/same": true, "other content": false, "other mode": false} {
		if got := inode(t, filepath.Join(a, name)) == inode(t, filepath.Join(b, name)); got != shared {
			t.Errorf("%s is shared: %v", name, got)
		}
	}
}

func TestAForgedChecksumSharesNothing(t *testing.T) {
	p := newPackages(t, packages.Options{})
	// Stored without compression and with the directory's checksum of another content: its reader would refuse it.
	forge := func(body string, crc uint32) []byte {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		out, err := w.CreateRaw(&zip.FileHeader{Name: "f", Method: zip.Store, CRC32: crc, CompressedSize64: 1, UncompressedSize64: 1})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := out.Write([]byte(body)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	const crcOfA = 0xe8b7be43
	first := put(t, p, forge("a", crcOfA))
	_, err := p.Put(t.Context(), bytes.NewReader(forge("b", crcOfA)), first.SHA256)
	if fc.CodeOf(err) != fc.InvalidArgument {
		t.Errorf("a package whose content does not fit its checksum: %v", err)
	}
}

func TestAModelThatIsNotThereIsDoneWithout(t *testing.T) {
	p := newPackages(t, packages.Options{})
	first := put(t, p, makeZip(t, file{name: "f", body: "1"}))
	if err := os.RemoveAll(unpacked(t, p, first.SHA256)); err != nil {
		t.Fatal(err)
	}
	for i, before := range []string{first.SHA256, "", "../../etc", fmt.Sprintf("%064d", 0)} {
		pkg := putAfter(t, p, makeZip(t, file{name: "f", body: "1"}, file{name: fmt.Sprint("g", i)}), before)
		if got := listing(t, unpacked(t, p, pkg.SHA256)); len(got) != 3 {
			t.Errorf("after %q: %q", before, got)
		}
	}
}

func TestSharedFilesCountForTheLimits(t *testing.T) {
	p := newPackages(t, packages.Options{Limits: fc.Limits{MaxCodeZipBytes: 1 << 20, MaxUnpackedBytes: 100, MaxPackageEntries: 10, MaxUnpackRatio: 1000}})
	sixty := string(bytes.Repeat([]byte("x"), 60))
	first := put(t, p, makeZip(t, file{name: "a", body: sixty}))
	_, err := p.Put(t.Context(), bytes.NewReader(makeZip(t, file{name: "a", body: sixty}, file{name: "b", body: sixty})), first.SHA256)
	if fc.CodeOf(err) != fc.InvalidArgument {
		t.Errorf("120 bytes where 100 are allowed: %v", err)
	}
}

// Whatever the versions of a package hold, each is the same as if it had been put alone.
func TestSharingDoesNotShow(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	alone := newPackages(t, packages.Options{})
	for range 12 {
		p, before := newPackages(t, packages.Options{}), ""
		for range 3 {
			var files []file
			for _, name := range []string{"a", "b", "d/a", "d/e/b", "d/e/c"} {
				if random.IntN(3) > 0 {
					mode := []fs.FileMode{0o644, 0o755}[random.IntN(2)]
					files = append(files, file{name: name, mode: mode, body: []string{"", "x", "y"}[random.IntN(3)]})
				}
			}
			pkg := putAfter(t, p, makeZip(t, files...), before)
			put(t, alone, makeZip(t, files...))
			if diff := cmp.Diff(listing(t, unpacked(t, alone, pkg.SHA256)), listing(t, unpacked(t, p, pkg.SHA256))); diff != "" {
				t.Fatalf("seed %d, files %v: %s", seed, files, diff)
			}
			before = pkg.SHA256
		}
	}
}
