package packages

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"fcd/fc"
)

// A disk that does not give a package back is no fault of the package.
func TestADiskThatFailsIsNoBadPackage(t *testing.T) {
	for name, err := range map[string]error{
		"a directory in the place of the zip": unpack(t.Context(), t.TempDir(), filepath.Join(t.TempDir(), "tree"), nil, fc.DefaultLimits()),
		"an entry":                            unreadable(fmt.Errorf("read: %w", &fs.PathError{Op: "read", Path: "/x", Err: syscall.EIO}), "entry %q", "a"),
	} {
		if err == nil || fc.CodeOf(err) == fc.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A place that no file can have is the package's fault, and its answer names no file of the daemon.
func TestAPlaceThatNoFileHasIsABadPackage(t *testing.T) {
	f, err := os.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, at := range []int64{-1, math.MaxInt64 - 10} {
		_, err := f.ReadAt(make([]byte, 100), at)
		if err == nil {
			t.Fatalf("there is something at %d", at)
		}
		if err := unreadable(err, "entry"); fc.CodeOf(err) != fc.InvalidArgument || strings.Contains(err.Error(), f.Name()) {
			t.Errorf("at %d: %v", at, err)
		}
	}
}
