package express

import (
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A hangUp ends the context of a request whose client has gone away. Requests that are soon answered do not notice it:
// the server's watch begins a look at those that it finds twice.
type hangUp struct {
	tcp    *net.TCPConn
	served atomic.Pointer[requestContext] // of the request at hand; who takes it out ends the watch or begins a look
	seen   *requestContext                // by the watch, at its last round
	ended  chan struct{}                  // a value for each look that has ended; made before the first

	mu      sync.Mutex // guards what follows, which only looks need
	looking bool
	over    bool // the request has been answered
}

// begin begins for a request.
func (h *hangUp) begin(c *requestContext) { h.served.Store(c) }

// stop ends the watch and tells whether there has been a look, which uses the read deadline.
func (h *hangUp) stop(c *requestContext) bool {
	if h.served.CompareAndSwap(c, nil) {
		return false
	}
	h.mu.Lock()
	h.over = true
	if h.looking {
		h.tcp.SetReadDeadline(time.Unix(1, 0))
	}
	h.mu.Unlock()
	<-h.ended
	h.mu.Lock()
	h.looking, h.over = false, false
	h.mu.Unlock()
	h.tcp.SetReadDeadline(time.Time{})
	return true
}

// pass is called in each round of the watch. It tells whether a request is being served that nobody looks at yet.
func (h *hangUp) pass() bool {
	c := h.served.Load()
	again := c != nil && c == h.seen
	h.seen = c
	if !again {
		return c != nil
	}
	if h.ended == nil {
		h.ended = make(chan struct{}, 1)
	}
	if h.served.CompareAndSwap(c, nil) {
		h.seen = nil
		go h.look(c)
	}
	return false
}

// look waits until there is something to read, which it leaves there, or the connection has ended.
func (h *hangUp) look(c *requestContext) {
	defer func() { h.ended <- struct{}{} }()
	h.mu.Lock()
	if h.over {
		h.mu.Unlock()
		return
	}
	h.looking = true
	h.tcp.SetReadDeadline(time.Time{})
	h.mu.Unlock()
	raw, err := h.tcp.SyscallConn()
	if err != nil {
		return
	}
	gone := false
	err = raw.Read(func(fd uintptr) bool {
		var b [1]byte
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		if err == syscall.EAGAIN || err == syscall.EINTR {
			return false
		}
		gone = err != nil || n == 0
		return true
	})
	if gone && err == nil {
		c.end()
	}
}

// A watch passes by all connections of a Server every hangUpAfter while any serves a request: one timer for all.
type watch struct {
	awake atomic.Bool // who sets it starts the timer
	timer *time.Timer // made with the Server's mu held, when the watch is first woken
}

// wake is called when a request has begun.
func (s *Server) wake() {
	if s.watch.awake.Load() || !s.watch.awake.CompareAndSwap(false, true) {
		return
	}
	if s.watch.timer != nil {
		s.watch.timer.Reset(hangUpAfter)
		return
	}
	s.mu.Lock()
	s.watch.timer = time.AfterFunc(hangUpAfter, s.round)
	s.mu.Unlock()
}

// round passes by the connections. The watch sleeps when none has a request to be watched, and looks again behind that
// for one that began meanwhile and found it awake.
func (s *Server) round() {
	if !s.passBy() {
		s.watch.awake.Store(false)
		if !s.passBy() || !s.watch.awake.CompareAndSwap(false, true) {
			return
		}
	}
	s.watch.timer.Reset(hangUpAfter)
}

// passBy tells whether any connection has a request to be watched.
func (s *Server) passBy() (watched bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		watched = c.hangUp.pass() || watched
	}
	return watched
}
