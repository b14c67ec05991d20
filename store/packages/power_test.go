package packages_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fcd/e2e/disk"
	"fcd/store/packages"
)

// TestAPowerCutLosesNoPackage cuts the power right after the last of some versions, which were made of spares, was put.
func TestAPowerCutLosesNoPackage(t *testing.T) {
	d := disk.New(t, 64)
	dir := filepath.Join(d.Dir, "packages")
	opt := packages.Options{Dir: dir, SpareFiles: 1, SpareAfter: 1}
	p := newPackages(t, opt)
	version := func(n int) []byte {
		files := []file{{name: "index.js", body: fmt.Sprint(n)}}
		for i := range 50 {
			files = append(files, file{name: fmt.Sprintf("lib/%d/same.js", i), body: "exports.n = 1;"})
		}
		return makeZip(t, files...)
	}
	var sums []string
	before, want := "", map[string][]string{}
	for n := range 5 {
		before = putAfter(t, p, version(n), before).SHA256
		sums, want[before] = append(sums, before), listing(t, unpacked(t, p, before))
		p.AwaitSpare()
	}
	sums = append(sums, putAfter(t, p, version(5), before).SHA256)
	d.Cut()
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	d.Replug()
	if err := os.Remove(filepath.Join(dir, "boot")); err != nil && !os.IsNotExist(err) { // the machine has another boot id then
		t.Fatal(err)
	}
	p = newPackages(t, opt)
	for n, sum := range sums {
		r, _, err := p.Open(sum)
		if err != nil {
			t.Errorf("version %d: %v", n, err)
			continue
		}
		got, err := io.ReadAll(r)
		r.Close()
		if err != nil || !bytes.Equal(got, version(n)) {
			t.Errorf("version %d holds %d bytes, %v", n, len(got), err)
		}
		tree := listing(t, unpacked(t, p, sum))
		if n < 5 {
			if diff := cmp.Diff(want[sum], tree); diff != "" {
				t.Errorf("version %d: %s", n, diff)
			}
		} else if len(tree) != len(want[before]) {
			t.Errorf("version %d has %d entries", n, len(tree))
		}
	}
	if err := p.Close(); err != nil { // before the disk goes
		t.Error(err)
	}
}
