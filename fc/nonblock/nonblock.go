// Package nonblock reads and writes descriptors that do not block by system calls that Go's scheduler is not told of.
//
// An ordinary read or write announces to the scheduler that it may block. For what returns at once that is in vain, and
// where a daemon has one request at a time it is dear: the scheduler's monitor thread sleeps while nothing runs, and the
// first announcement wakes it (entersyscall in runtime/proc.go, Go 1.26), at each request anew, for a nap of 20 µs after
// the other. Whatever may wait for a disk must not be done this way: it would keep a processor from all goroutines.
package nonblock

import (
	"io"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Stream is a pipe or connection for whose readiness the runtime's poller waits. One goroutine may read while another
// writes. Deadlines and Close are those of the file or connection it was made of.
type Stream struct {
	raw         syscall.RawConn
	in, out     transfer
	read, write func(fd uintptr) bool
}

// A transfer is a read or write under way.
type transfer struct {
	p   []byte
	n   int
	err error
}

// New makes a Stream of a pipe or connection.
func New(c syscall.Conn) (*Stream, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	s := &Stream{raw: raw}
	s.read, s.write = s.in.some, s.out.all
	return s, nil
}

// Read reads what there is, waiting until there is something. Errors: io.EOF, that of the deadline, the system call's.
func (s *Stream) Read(p []byte) (int, error) {
	s.in = transfer{p: p}
	err := s.raw.Read(s.read)
	n, failure := s.in.n, s.in.err
	s.in = transfer{}
	switch {
	case err != nil:
		return 0, err
	case failure != nil:
		return 0, os.NewSyscallError("read", failure)
	case n == 0 && len(p) > 0:
		return 0, io.EOF
	}
	return n, nil
}

// Write writes all of p, waiting for room, or fails: as io.Writer.
func (s *Stream) Write(p []byte) (int, error) {
	s.out = transfer{p: p}
	err := s.raw.Write(s.write)
	n, failure := s.out.n, s.out.err
	s.out = transfer{}
	if err == nil && failure != nil {
		err = os.NewSyscallError("write", failure)
	}
	return n, err
}

// some tries to read and tells whether that is over.
func (t *transfer) some(fd uintptr) bool {
	t.n, t.err = Read(int(fd), t.p)
	return t.err != unix.EAGAIN
}

// all tries to write the rest and tells whether that is over.
func (t *transfer) all(fd uintptr) bool {
	for t.n < len(t.p) {
		n, err := Write(int(fd), t.p[t.n:])
		if err == unix.EAGAIN {
			return false
		}
		if err != nil {
			t.err = err
			return true
		}
		t.n += n
	}
	return true
}

// Read reads from a descriptor that does not block: unix.EAGAIN if there is nothing, 0 and no error at its end.
func Read(fd int, p []byte) (int, error) { return call(unix.SYS_READ, uintptr(fd), p) }

// Write writes to a descriptor that does not block as much as there is room for: unix.EAGAIN if there is none.
func Write(fd int, p []byte) (int, error) { return call(unix.SYS_WRITE, uintptr(fd), p) }

func call(number, fd uintptr, p []byte) (int, error) {
	for {
		n, _, errno := unix.RawSyscall(number, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}
