package native

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// A reaper waits for what happens once to any of many instances: that they end, that they meet their memory limit. It is
// one goroutine for all, so that an instance that does nothing costs the daemon neither a goroutine nor a thread.
type reaper struct {
	epoll *os.File
	raw   syscall.RawConn
	done  chan struct{}

	mu    sync.Mutex // guards the rest
	last  int32
	calls map[int32]func() // by the token that the kernel gives back
}

func newReaper() (*reaper, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err == nil {
		err = unix.SetNonblock(fd, true) // os.NewFile then lets the runtime wait for it
	}
	if err != nil {
		return nil, fmt.Errorf("epoll for instances: %w", err)
	}
	r := &reaper{epoll: os.NewFile(uintptr(fd), "epoll"), done: make(chan struct{}), calls: map[int32]func(){}}
	if r.raw, err = r.epoll.SyscallConn(); err != nil {
		return nil, errors.Join(fmt.Errorf("epoll for instances: %w", err), r.epoll.Close())
	}
	go r.run()
	return r, nil
}

// once calls f, which must not block, when fd becomes readable, and forgets it. cancel, which may come at any time, is
// needed where fd is closed without that.
func (r *reaper) once(fd int, f func()) (cancel func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.last++; r.last < 0 || r.calls[r.last] != nil; r.last++ {
		r.last = max(r.last, 0)
	}
	token := r.last
	r.calls[token] = f
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLONESHOT, Fd: token}
	cerr := r.raw.Control(func(epoll uintptr) { err = unix.EpollCtl(int(epoll), unix.EPOLL_CTL_ADD, fd, &event) })
	if err = errors.Join(cerr, err); err != nil {
		delete(r.calls, token)
		return nil, fmt.Errorf("watch an instance: %w", err)
	}
	return func() { r.take(token) }, nil
}

func (r *reaper) run() {
	defer close(r.done)
	events := make([]unix.EpollEvent, 64)
	for {
		var n int
		var err error
		rerr := r.raw.Read(func(epoll uintptr) bool {
			n, err = unix.EpollWait(int(epoll), events, 0)
			return n != 0 || err != nil && !errors.Is(err, unix.EINTR)
		})
		if err := errors.Join(rerr, err); err != nil {
			return // closed
		}
		for _, e := range events[:max(n, 0)] {
			if f := r.take(e.Fd); f != nil {
				f()
			}
		}
	}
}

func (r *reaper) take(token int32) func() {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.calls[token]
	delete(r.calls, token)
	return f
}

func (r *reaper) close() {
	r.epoll.Close()
	<-r.done
}

// waits is the number of things that are waited for.
func (r *reaper) waits() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.calls)
}
