package install

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// diskErrors are those that somebody must look at the disk for.
var diskErrors = []syscall.Errno{unix.ENOSPC, unix.EDQUOT, unix.EROFS, unix.EIO}

// noRoom is the free space below which what went wrong did so for want of it, bytes.
const noRoom = 1 << 20

// named adds the folder of the runtimes to an error that came of its disk. A tree's own errors name what lies within it,
// and a package client says what it likes.
func (i *Installer) named(err error) error {
	if err == nil {
		return nil
	}
	var fs unix.Statfs_t
	full := unix.Statfs(i.dir, &fs) == nil && int64(fs.Bavail)*fs.Bsize < noRoom
	if full || slices.ContainsFunc(diskErrors, func(e syscall.Errno) bool { return errors.Is(err, e) }) {
		return fmt.Errorf("disk of %s: %w", i.dir, err)
	}
	return err
}

// flush puts a whole tree on the disk. Its files are many, so the file system is asked once for all that it holds back.
func flush(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return os.NewSyscallError("syncfs "+dir, unix.Syncfs(int(d.Fd())))
}

// syncFile puts a file, or the names in a folder, on the disk.
func syncFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
