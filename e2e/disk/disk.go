// Package disk gives tests a disk of their own that they may cut the power of, fill and make read-only: ext4 in a file,
// behind a loop device.
//
//	d := disk.New(t, 64)   // MiB; skips the test where it cannot be had
//	...                    // write below d.Dir
//	d.Cut()                // what was not flushed is lost, and every later write fails
//	d.Replug()             // ends what is mounted and mounts what is left
//
// It needs root, mkfs.ext4 and loop devices. EXT4_IOC_SHUTDOWN with NOLOGFLUSH (linux/include/uapi/linux/ext4.h) stops
// the file system without writing its journal, as a power cut does.
package disk

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Disk is a mounted file system. Its methods fail the test on errors; they are not for concurrent use.
type Disk struct {
	Dir   string // where it is mounted
	tb    testing.TB
	image string
}

// New makes and mounts an empty disk of so many MiB, to be taken away at the end of the test. The test is skipped where
// that is not possible, and the log says why.
func New(tb testing.TB, sizeMB int) *Disk {
	tb.Helper()
	if os.Geteuid() != 0 {
		tb.Skip("a disk of one's own needs root")
	}
	dir := tb.TempDir()
	d := &Disk{Dir: filepath.Join(dir, "mnt"), tb: tb, image: filepath.Join(dir, "image")}
	if err := os.Mkdir(d.Dir, 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(d.image, nil, 0o600); err != nil {
		tb.Fatal(err)
	}
	if err := os.Truncate(d.image, int64(sizeMB)<<20); err != nil {
		tb.Fatal(err)
	}
	if err := run("mkfs.ext4", "-q", "-F", "-m", "0", d.image); err != nil {
		tb.Skip("no ext4 can be made: ", err)
	}
	if err := d.mount(); err != nil {
		tb.Skip("no loop device: ", err)
	}
	tb.Cleanup(func() {
		if err := d.unmount(); err != nil {
			tb.Error(err)
		}
	})
	return d
}

// The journal is committed by flushes alone: nothing gets to the disk because time has passed.
const mountOptions = "loop,commit=600"

func (d *Disk) mount() error { return run("mount", "-o", mountOptions, d.image, d.Dir) }

// patience bounds the wait for the last process that holds a disk.
const patience = time.Minute

// unmount returns when nobody holds the disk any more: also in the mount namespaces of sandboxes that are ending. Before
// that a new mount would show what the old one has in memory.
func (d *Disk) unmount() error {
	end := time.Now().Add(patience)
	for {
		err := unix.Unmount(d.Dir, 0)
		if errors.Is(err, unix.EINVAL) { // not mounted
			err = nil
		}
		if err == nil && !d.held() {
			return nil
		}
		if err != nil && !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("unmount %s: %w", d.Dir, err)
		}
		if time.Now().After(end) {
			return fmt.Errorf("unmount %s: somebody holds it", d.Dir)
		}
		time.Sleep(20 * time.Millisecond) // nobody tells when a killed process has let go
	}
}

// held tells whether the image still is behind a loop device, which goes with its last mount.
func (d *Disk) held() bool {
	out, err := exec.Command("losetup", "-j", d.image).Output()
	return err == nil && len(out) > 0
}

// Cut drops everything that was not flushed. Every later write and flush fails.
func (d *Disk) Cut() {
	d.tb.Helper()
	f, err := os.Open(d.Dir)
	if err != nil {
		d.tb.Fatal(err)
	}
	defer f.Close()
	const shutdown, noLogFlush = 0x8004587d, 2
	how := uint32(noLogFlush)
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, f.Fd(), shutdown, uintptr(unsafe.Pointer(&how))); e != 0 {
		d.tb.Fatalf("EXT4_IOC_SHUTDOWN: %v", e)
	}
}

// Replug mounts what is on the disk. Whoever has files open there must have ended, or be about to.
func (d *Disk) Replug() {
	d.tb.Helper()
	if err := d.unmount(); err != nil {
		d.tb.Fatal(err)
	}
	if err := d.mount(); err != nil {
		d.tb.Fatal(err)
	}
}

// ReadOnly makes every write fail, as the kernel does when it has met an error on the disk. Replug ends that.
func (d *Disk) ReadOnly() {
	d.tb.Helper()
	if err := run("mount", "-o", "remount,abort", d.Dir); err != nil {
		d.tb.Fatal(err)
	}
}

// Fill takes all room but so many bytes, and gives it back when release is called. A second call is for another amount.
func (d *Disk) Fill(leave int64) (release func()) {
	d.tb.Helper()
	name := filepath.Join(d.Dir, "filler")
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		d.tb.Fatal(err)
	}
	defer f.Close()
	var fs unix.Statfs_t
	if err := unix.Statfs(d.Dir, &fs); err != nil {
		d.tb.Fatal(err)
	}
	size := int64(fs.Bavail)*fs.Bsize - leave
	for size > 0 {
		if err := unix.Fallocate(int(f.Fd()), 0, 0, size); err == nil {
			break
		} else if !errors.Is(err, unix.ENOSPC) {
			d.tb.Fatal(err)
		}
		size -= 64 << 10 // others write as well
	}
	return func() {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			d.tb.Error(err)
		}
	}
}

func run(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}
