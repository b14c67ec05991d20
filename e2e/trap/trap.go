// Package trap lets a test answer system calls of a real program in the kernel's place: the third write to this file
// finds no room, that flush fails, the clock says something else.
//
//	tr, err := trap.Start(exec.Command("fcd", "serve"), trap.Options{Answer: func(c *trap.Call) error {
//		if c.Op == trap.Write && strings.HasSuffix(c.Path, ".db-wal") {
//			return unix.ENOSPC
//		}
//		return nil // the kernel does what was asked
//	}})
//
// A test may also make a call in the program's place and end the program behind it, or in the midst of a write: Call.Do,
// DoSome and Kill.
//
// It works by a seccomp filter with user notification (seccomp_unotify(2)), which the program and all that it starts
// inherit: nothing in the program knows of it, its files are on a real file system, and no call is slower than by two
// switches to the test. Only the program itself is answered; what it starts, functions among it, gets the kernel.
//
// It needs root and Linux 5.19. With Clock, the program's wall clock is the test's: the program is started without the
// kernel's vDSO, so that reading the time is a system call like any other. Monotonic time, and with it timers and
// timeouts, stays the machine's, as it does when somebody sets a real clock.
package trap

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Options say what of a program is answered. At least one field is set.
type Options struct {
	// Answer is asked before each call that changes a file system, one at a time. nil lets the kernel do it, an Errno is
	// what the program gets instead, and Short cuts a write.
	Answer func(*Call) error
	// Clock is the program's wall clock.
	Clock func() time.Time
}

// Trap is a program whose system calls are watched. Its end is the program's, or Close.
type Trap struct {
	o        Options
	listener int
	stop     int // an eventfd that ends serve
	done     chan struct{}
	close    sync.Once

	mu  sync.Mutex // guards pid
	pid int        // 0 until it runs
}

// Start starts the command under a trap. Wait for the command as for any other, then Close the trap.
func Start(cmd *exec.Cmd, o Options) (*Trap, error) {
	null, err := quiet(cmd)
	if err != nil {
		return nil, fmt.Errorf("trap: %w", err)
	}
	defer null.Close()
	t := &Trap{o: o, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good: the thread has the filter, and ends with this goroutine
		started <- t.start(cmd)
	}()
	if err := <-started; err != nil {
		t.Close()
		return nil, fmt.Errorf("trap: %w", err)
	}
	return t, nil
}

// quiet lets the command start without package os opening or looking at a file: `go test` has these written down, and now
// and then it writes what it has of them, by the thread that asks, whose calls the filter holds as well.
func quiet(cmd *exec.Cmd) (null *os.File, err error) {
	if null, err = os.OpenFile(os.DevNull, os.O_RDWR, 0); err != nil {
		return nil, err
	}
	if cmd.Stdin == nil {
		cmd.Stdin = null
	}
	if cmd.Stdout == nil {
		cmd.Stdout = null
	}
	if cmd.Stderr == nil {
		cmd.Stderr = null
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	return null, nil
}

func (t *Trap) start(cmd *exec.Cmd) (err error) {
	if t.stop, err = unix.Eventfd(0, unix.EFD_CLOEXEC); err != nil {
		close(t.done)
		return err
	}
	if t.listener, err = install(filter(t.o)); err != nil {
		close(t.done)
		return errors.Join(err, unix.Close(t.stop))
	}
	go t.serve()
	if t.o.Clock != nil {
		cmd.SysProcAttr.Ptrace = true // it stops at its first instruction
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	t.mu.Lock()
	t.pid = cmd.Process.Pid
	t.mu.Unlock()
	if t.o.Clock == nil {
		return nil
	}
	if err := withoutVDSO(cmd.Process.Pid); err != nil {
		return errors.Join(err, cmd.Process.Kill())
	}
	return nil
}

// Close gives the program back to the kernel; calls that the filter names fail in it from now on, so it should have
// ended. It may be called more than once.
func (t *Trap) Close() {
	t.close.Do(func() {
		if t.listener > 0 {
			one := [8]byte{1}
			_, _ = unix.Write(t.stop, one[:]) // serve has ended by itself where this fails
			<-t.done
			_ = unix.Close(t.listener)
			_ = unix.Close(t.stop)
		}
	})
}

// install puts the filter on this thread and all that come from it.
func install(program []unix.SockFilter) (listener int, err error) {
	p := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	const flags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
	fd, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&p)))
	runtime.KeepAlive(program)
	if e != 0 {
		return 0, fmt.Errorf("seccomp: %w", e)
	}
	unix.CloseOnExec(int(fd))
	return int(fd), nil
}

// notice and reply are struct seccomp_notif and seccomp_notif_resp of linux/seccomp.h.
type notice struct {
	id    uint64
	tid   uint32
	flags uint32
	nr    int32
	arch  uint32
	ip    uint64
	args  [6]uint64
}

type reply struct {
	id    uint64
	value int64
	errno int32
	flags uint32
}

// serve answers until nobody is left to answer, or Close.
func (t *Trap) serve() {
	defer close(t.done)
	fds := []unix.PollFd{{Fd: int32(t.listener), Events: unix.POLLIN}, {Fd: int32(t.stop), Events: unix.POLLIN}}
	for {
		if _, err := unix.Poll(fds, -1); err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
		if fds[1].Revents != 0 || fds[0].Revents&unix.POLLHUP != 0 {
			return
		}
		if fds[0].Revents&unix.POLLIN == 0 {
			continue
		}
		var n notice
		if ioctl(t.listener, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&n)) != nil {
			continue // it was killed meanwhile
		}
		r := t.answer(&n)
		r.id = n.id
		_ = ioctl(t.listener, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&r)) // it was killed meanwhile
	}
}

func ioctl(fd int, what uintptr, arg unsafe.Pointer) error {
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), what, uintptr(arg)); e != 0 {
		return e
	}
	return nil
}

var kernel = reply{flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}

func (t *Trap) answer(n *notice) reply {
	t.mu.Lock()
	pid := t.pid
	t.mu.Unlock()
	if pid == 0 || unix.Access(fmt.Sprintf("/proc/%d/task/%d", pid, n.tid), unix.F_OK) != nil {
		return kernel // somebody else's
	}
	if n.nr == unix.SYS_CLOCK_GETTIME {
		return t.tell(n)
	}
	c := decode(pid, n)
	if c == nil || t.o.Answer == nil {
		return kernel
	}
	err := t.o.Answer(c)
	if c.killed {
		return reply{value: -1, errno: -int32(unix.EINTR)} // should it still be running
	}
	var short Short
	if errors.As(err, &short) {
		var written int
		if written, err = c.DoSome(int(short)); err == nil {
			return reply{value: int64(written)}
		}
	}
	var e unix.Errno
	if errors.As(err, &e) {
		return reply{value: -1, errno: -int32(e)}
	}
	return kernel
}
