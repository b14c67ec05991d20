package invoker

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A pump keeps the log pipes of all instances from filling up. Whoever has got an answer empties the instance's pipes
// himself, at no cost but two reads, so most of the time the pump has nothing to do: it looks at an instance only when
// no request has ended on it for a tick, and then lets the kernel tell about further output. Each such word is given
// once: the instance is looked at again a tick later, or at once if it writes much.
//
// So a warm request wakes nobody but its caller, and an idle instance costs no goroutine.
type pump struct {
	epoll *os.File
	raw   syscall.RawConn

	mu       sync.Mutex // guards the rest
	journals map[*journal]struct{}
	tended   map[*journal]struct{} // those that the next tick looks at: an idle instance costs a tick nothing
	pipes    map[int32]*journal    // by descriptor
	due      time.Time             // of the next tick, the epoll's read deadline; zero: no journal is tended
}

const (
	pumpTick  = 2 * time.Millisecond  // a pipe is emptied at least so often where much is printed; it holds 64 KiB
	pumpRest  = 20 * time.Millisecond // where little is
	pumpFlood = 4 << 10               // who writes so much between two looks is watched without a pause
	pumpLoud  = 500                   // ticks for which much is expected of who wrote so much
)

func newPump() (*pump, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err == nil {
		err = unix.SetNonblock(fd, true) // os.NewFile then lets the runtime wait for it
	}
	if err != nil {
		return nil, fmt.Errorf("epoll for log pipes: %w", err)
	}
	p := &pump{epoll: os.NewFile(uintptr(fd), "epoll"), journals: make(map[*journal]struct{}),
		tended: make(map[*journal]struct{}), pipes: make(map[int32]*journal)}
	if p.raw, err = p.epoll.SyscallConn(); err != nil {
		p.epoll.Close()
		return nil, fmt.Errorf("epoll for log pipes: %w", err)
	}
	return p, nil
}

// add puts the pipes of a journal under the pump's care.
func (p *pump) add(j *journal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range j.pipe {
		// No event is asked for yet.
		if err := p.control(unix.EPOLL_CTL_ADD, l.fd, unix.EPOLLONESHOT); err != nil {
			p.drop(j)
			return fmt.Errorf("watch a log pipe: %w", err)
		}
		p.pipes[int32(l.fd)] = j
	}
	p.journals[j] = struct{}{}
	p.tend(j)
	return nil
}

// remove ends the care; the pipes may be closed afterwards.
func (p *pump) remove(j *journal) {
	p.mu.Lock()
	p.drop(j)
	p.mu.Unlock()
	j.handOver()
}

func (p *pump) drop(j *journal) {
	for _, l := range j.pipe {
		if p.pipes[int32(l.fd)] == j {
			_ = p.control(unix.EPOLL_CTL_DEL, l.fd, 0)
			delete(p.pipes, int32(l.fd))
		}
	}
	delete(p.journals, j)
	p.leave(j)
}

func (p *pump) control(op, fd int, events uint32) (err error) {
	event := unix.EpollEvent{Events: events, Fd: int32(fd)}
	cerr := p.raw.Control(func(epoll uintptr) { err = unix.EpollCtl(int(epoll), op, fd, &event) })
	return errors.Join(cerr, err)
}

// tend promises a journal the next tick. Called with mu held.
func (p *pump) tend(j *journal) {
	j.tended.Store(true)
	p.tended[j] = struct{}{}
	p.tickAfter(pumpTick)
}

// leave takes a journal's next tick back. Called with mu held.
func (p *pump) leave(j *journal) {
	j.tended.Store(false)
	delete(p.tended, j)
}

// tickAfter makes the next tick come, after d at the latest. Called with mu held.
func (p *pump) tickAfter(d time.Duration) {
	if at := time.Now().Add(d); p.due.IsZero() || at.Before(p.due) {
		p.due = at
		_ = p.epoll.SetReadDeadline(at)
	}
}

// run serves until close.
func (p *pump) run() {
	events := make([]unix.EpollEvent, 128)
	for {
		n, err := p.wait(events)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			p.tick()
		case err != nil:
			return // closed
		}
		for _, e := range events[:n] {
			p.serve(e.Fd)
		}
	}
}

// wait parks until there are events, a tick is due or the pump is closed.
func (p *pump) wait(events []unix.EpollEvent) (n int, err error) {
	rerr := p.raw.Read(func(epoll uintptr) bool {
		n, err = unix.EpollWait(int(epoll), events, 0)
		return n != 0 || err != nil && !errors.Is(err, unix.EINTR)
	})
	n = max(n, 0)
	if rerr != nil {
		return 0, rerr
	}
	return n, err
}

// serve reads what a pipe's event told of.
func (p *pump) serve(fd int32) {
	p.mu.Lock()
	j := p.pipes[fd]
	p.mu.Unlock()
	if j == nil {
		return
	}
	n := j.drain()
	p.mu.Lock()
	switch _, ours := p.journals[j]; {
	case n >= pumpFlood:
		p.arm(j)
	case ours:
		p.tend(j)
	}
	p.mu.Unlock()
	j.handOver() // what it got while it was tended
}

// tick arms the journals on which no request has ended since the last one and hands over what is left of the others.
func (p *pump) tick() {
	tended, _ := p.tock()
	for _, j := range tended {
		j.handOver() // what it got while it was tended
	}
}

// tock looks at the journals and tells when the next tick comes; 0: none is due.
func (p *pump) tock() (tended []*journal, next time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.due = time.Time{}
	for j := range p.tended {
		tended = append(tended, j)
		switch {
		case !j.touched.Swap(false):
			p.arm(j)
		case j.loud.Load() > 0:
			j.loud.Add(-1)
			next = pumpTick
		case next == 0:
			next = pumpRest
		}
	}
	if next > 0 {
		p.tickAfter(next)
	} else {
		_ = p.epoll.SetReadDeadline(time.Time{})
	}
	return tended, next
}

// arm asks for one event of each pipe that is still open; what they hold already makes it come at once. Called with mu
// held.
func (p *pump) arm(j *journal) {
	p.leave(j)
	for _, l := range j.pipe {
		if !l.ended.Load() && p.pipes[int32(l.fd)] == j {
			_ = p.control(unix.EPOLL_CTL_MOD, l.fd, unix.EPOLLIN|unix.EPOLLONESHOT)
		}
	}
}

func (p *pump) close() { p.epoll.Close() }
