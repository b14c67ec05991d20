// Package ready waits for descriptors to become readable, many on one goroutine: for what happens seldom to each of them,
// so that none that is idle costs a goroutine or a thread.
//
//	p, err := ready.New()
//	cancel, err := p.Once(pidfd, func() { go reap() })
package ready

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Poller watches descriptors. Its methods may be called concurrently.
type Poller struct {
	epoll *os.File
	raw   syscall.RawConn
	done  chan struct{}

	mu    sync.Mutex // guards the rest
	last  int32
	calls map[int32]func() // by the token that the kernel gives back
}

// New makes a Poller; call Close in the end.
func New() (*Poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err == nil {
		err = unix.SetNonblock(fd, true) // os.NewFile then lets the runtime wait for it
	}
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	p := &Poller{epoll: os.NewFile(uintptr(fd), "epoll"), done: make(chan struct{}), calls: map[int32]func(){}}
	if p.raw, err = p.epoll.SyscallConn(); err != nil {
		return nil, errors.Join(fmt.Errorf("epoll: %w", err), p.epoll.Close())
	}
	go p.run()
	return p, nil
}

// Once calls f, which must not block, when fd becomes readable, and forgets it. cancel, which may come at any time, is
// needed where fd is closed without that.
func (p *Poller) Once(fd int, f func()) (cancel func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.last++; p.last < 0 || p.calls[p.last] != nil; p.last++ {
		p.last = max(p.last, 0)
	}
	token := p.last
	p.calls[token] = f
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLONESHOT, Fd: token}
	cerr := p.raw.Control(func(epoll uintptr) {
		if err = unix.EpollCtl(int(epoll), unix.EPOLL_CTL_ADD, fd, &event); errors.Is(err, unix.EEXIST) { // watched before
			err = unix.EpollCtl(int(epoll), unix.EPOLL_CTL_MOD, fd, &event)
		}
	})
	if err = errors.Join(cerr, err); err != nil {
		delete(p.calls, token)
		return nil, fmt.Errorf("watch descriptor %d: %w", fd, err)
	}
	return func() { p.take(token) }, nil
}

func (p *Poller) run() {
	defer close(p.done)
	events := make([]unix.EpollEvent, 64)
	for {
		var n int
		var err error
		rerr := p.raw.Read(func(epoll uintptr) bool {
			n, err = unix.EpollWait(int(epoll), events, 0)
			return n != 0 || err != nil && !errors.Is(err, unix.EINTR)
		})
		if err := errors.Join(rerr, err); err != nil {
			return // closed
		}
		for _, e := range events[:max(n, 0)] {
			if f := p.take(e.Fd); f != nil {
				f()
			}
		}
	}
}

func (p *Poller) take(token int32) func() {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.calls[token]
	delete(p.calls, token)
	return f
}

// Close ends the watching. Nothing is called afterwards.
func (p *Poller) Close() {
	p.epoll.Close()
	<-p.done
}

// Waits is the number of things that are waited for.
func (p *Poller) Waits() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.calls)
}
