// Package nonblock reads and writes descriptors that do not block by system calls that Go's scheduler is not told of.
//
// An ordinary read or write announces to the scheduler that it may block. For what returns at once that is in vain, and
// where a daemon has one request at a time it is dear: the scheduler's monitor thread sleeps while nothing runs, and the
// first announcement wakes it (entersyscall in runtime/proc.go, Go 1.26), at each request anew, for a nap of 20 µs after
// the other. Whatever may wait for a disk must not be done this way: it would keep a processor from all goroutines.
package nonblock

import (
	"io"
	"net"
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
	call uintptr // number of the system call
	p    []byte
	n    int
	err  error
}

// New makes a Stream of a pipe or connection.
func New(c syscall.Conn) (*Stream, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	s := &Stream{raw: raw, in: transfer{call: unix.SYS_READ}, out: transfer{call: unix.SYS_WRITE}}
	if _, ok := c.(net.Conn); ok { // without what files need: 3 % of a request
		s.in.call, s.out.call = unix.SYS_RECVFROM, unix.SYS_SENDTO
	}
	s.read, s.write = s.in.some, s.out.all
	return s, nil
}

// Read reads what there is, waiting until there is something. Errors: io.EOF, that of the deadline, the system call's.
func (s *Stream) Read(p []byte) (int, error) {
	s.in.p = p
	err := s.raw.Read(s.read)
	n, failure := s.in.end()
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

// Next says how Each goes on.
type Next int

const (
	Done  Next = iota // it returns
	Again             // it reads what there is, and waits if there is nothing
	Await             // it waits: everything that had come was read
)

// Each reads again and again, into what room returns, and tells got how many bytes each read brought. It ends with nil as
// soon as got says so, and otherwise as Read ends. As the poller is asked to wait for news before the first read and not
// anew for each, nothing gets lost between a read and the wait behind it: after Await there is one system call for what
// comes next, where Read makes two. An end of the stream that came with the bytes before it goes unnoticed behind Await,
// until more comes or the deadline passes. Await after a read that filled its room is Again. Meanwhile nobody else may
// read, and to close the stream waits until room and got have returned, so that they must not.
func (s *Stream) Each(room func() []byte, got func(n int) Next) error {
	var failure error
	err := s.raw.Read(func(fd uintptr) (over bool) {
		for {
			p := room()
			n, err := call(s.in.call, fd, p)
			switch {
			case err == unix.EAGAIN:
				return false
			case err != nil:
				failure = os.NewSyscallError("read", err)
				return true
			case n == 0 && len(p) > 0:
				failure = io.EOF
				return true
			}
			switch next := got(n); {
			case next == Done:
				return true
			case next == Await && n < len(p):
				return false
			}
		}
	})
	if err != nil {
		return err
	}
	return failure
}

// Write writes all of p, waiting for room, or fails: as io.Writer.
func (s *Stream) Write(p []byte) (int, error) {
	s.out.p = p
	err := s.raw.Write(s.write)
	n, failure := s.out.end()
	if err == nil && failure != nil {
		err = os.NewSyscallError("write", failure)
	}
	return n, err
}

// end gives what came of a transfer, which is ready for the next one then.
func (t *transfer) end() (n int, err error) {
	n, err = t.n, t.err
	*t = transfer{call: t.call}
	return n, err
}

// some tries to read and tells whether that is over.
func (t *transfer) some(fd uintptr) bool {
	t.n, t.err = call(t.call, fd, t.p)
	return t.err != unix.EAGAIN
}

// all tries to write the rest and tells whether that is over.
func (t *transfer) all(fd uintptr) bool {
	for t.n < len(t.p) {
		n, err := call(t.call, fd, t.p[t.n:])
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

// call has arguments for recvfrom and sendto, which are read and write but for those that are zero.
func call(number, fd uintptr, p []byte) (int, error) {
	for {
		n, _, errno := unix.RawSyscall6(number, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), 0, 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}
