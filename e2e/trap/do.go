package trap

import (
	"encoding/binary"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Short is an answer to a Write: only so many bytes of it are written, and the program is told so. It is for Writes that
// say how many Bytes they are.
type Short int

func (s Short) Error() string { return fmt.Sprintf("short write of %d bytes", int(s)) }

// Kill ends the program at this moment: it does not make the call, and hears no answer to it.
func (c *Call) Kill() error {
	c.killed = true
	return unix.Kill(c.pid, unix.SIGKILL)
}

// Do makes the call in the program's place. The program has not been told of it then: it is for one that is killed.
func (c *Call) Do() error {
	switch c.Op {
	case Open:
		flags := unix.O_CREAT | unix.O_WRONLY | unix.O_TRUNC // creat(2)
		mode := c.n.args[c.op.path+1]
		if c.op.flags != nil {
			flags, mode = int(c.n.args[*c.op.flags]), c.n.args[*c.op.flags+1]
		}
		fd, err := unix.Open(c.Path, flags|unix.O_CLOEXEC, uint32(mode))
		if err != nil {
			return err
		}
		return unix.Close(fd)
	case Write:
		_, err := c.DoSome(c.Bytes)
		return err
	case Mkdir:
		return unix.Mkdir(c.Path, uint32(c.n.args[c.op.path+1]))
	case Rename:
		if int(c.n.nr) == unix.SYS_RENAMEAT2 {
			return unix.Renameat2(unix.AT_FDCWD, c.old(), unix.AT_FDCWD, c.Path, uint(c.n.args[4]))
		}
		return unix.Rename(c.old(), c.Path)
	case Link:
		return unix.Link(c.old(), c.Path)
	case Symlink:
		return unix.Symlink(text(c.proc, c.n.args[0]), c.Path)
	case Remove:
		return c.remove()
	}
	return c.with(c.op.fd, func(fd int) error {
		switch c.Op {
		case Truncate:
			return unix.Ftruncate(fd, int64(c.n.args[1]))
		case Allocate:
			return unix.Fallocate(fd, uint32(c.n.args[1]), int64(c.n.args[2]), int64(c.n.args[3]))
		}
		return unix.Fsync(fd)
	})
}

// remove is unlinkat(2), or one of the older calls for files and for folders, which take but a path.
func (c *Call) remove() error {
	if c.op.fd >= 0 {
		return unix.Unlinkat(unix.AT_FDCWD, c.Path, int(c.n.args[2]))
	}
	path, err := unix.BytePtrFromString(c.Path)
	if err != nil {
		return err
	}
	if _, _, e := unix.Syscall(uintptr(c.n.nr), uintptr(unsafe.Pointer(path)), 0, 0); e != 0 {
		return e
	}
	return nil
}

// old is the first path of a rename or a link.
func (c *Call) old() string {
	if c.op.fd < 0 { // it takes no directories
		return c.path(-1, 0)
	}
	return c.path(0, 1)
}

// wanted is how many bytes a write is to write; 0 where only the kernel can make it.
func (c *Call) wanted() int {
	switch int(c.n.nr) {
	case unix.SYS_WRITE, unix.SYS_PWRITE64:
		return int(c.n.args[2])
	case unix.SYS_WRITEV, unix.SYS_PWRITEV:
		total := 0
		for _, v := range c.vector() {
			total += int(v.size)
		}
		return total
	case unix.SYS_COPY_FILE_RANGE:
		if c.n.args[1] == 0 && c.n.args[3] == 0 { // from where both files are
			return int(c.n.args[4])
		}
	}
	return 0
}

// DoSome makes the first bytes of a Write in the program's place and tells how many were written.
func (c *Call) DoSome(bytes int) (written int, err error) {
	if c.Bytes == 0 {
		return 0, fmt.Errorf("write to %s by call %d: only the kernel can make it", c.Path, c.n.nr)
	}
	err = c.with(c.op.fd, func(fd int) error {
		if int(c.n.nr) == unix.SYS_COPY_FILE_RANGE {
			return c.with(0, func(from int) (err error) {
				written, err = unix.CopyFileRange(from, nil, fd, nil, bytes, 0)
				return err
			})
		}
		b := c.content(bytes)
		switch int(c.n.nr) {
		case unix.SYS_PWRITE64, unix.SYS_PWRITEV:
			written, err = unix.Pwrite(fd, b, int64(c.n.args[3]))
		default:
			written, err = unix.Write(fd, b)
		}
		return err
	})
	return written, err
}

// content is the first bytes of what a write is to write.
func (c *Call) content(bytes int) (b []byte) {
	if nr := int(c.n.nr); nr == unix.SYS_WRITE || nr == unix.SYS_PWRITE64 {
		return memory(c.proc, c.n.args[1], min(bytes, int(c.n.args[2])))
	}
	for _, v := range c.vector() {
		b = append(b, memory(c.proc, v.at, min(bytes-len(b), int(v.size)))...)
	}
	return b
}

// piece is struct iovec.
type piece struct{ at, size uint64 }

func (c *Call) vector() (all []piece) {
	b := memory(c.proc, c.n.args[1], 16*int(c.n.args[2]))
	for ; len(b) >= 16; b = b[16:] {
		all = append(all, piece{binary.NativeEndian.Uint64(b), binary.NativeEndian.Uint64(b[8:])})
	}
	return all
}

// with calls f with the program's own open file in an argument: its offset and its flags too.
func (c *Call) with(arg int, f func(fd int) error) error {
	p, err := unix.PidfdOpen(c.pid, 0)
	if err != nil {
		return os.NewSyscallError("pidfd_open", err)
	}
	defer unix.Close(p)
	fd, err := unix.PidfdGetfd(p, int(int32(c.n.args[arg])), 0)
	if err != nil {
		return os.NewSyscallError("pidfd_getfd", err)
	}
	defer unix.Close(fd)
	return f(fd)
}
