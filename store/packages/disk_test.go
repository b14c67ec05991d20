package packages

import (
	"fmt"
	"io/fs"
	"path/filepath"
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
