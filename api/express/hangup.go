package express

import (
	"sync/atomic"
	"syscall"
	"time"
)

// A hangUp is how it is noticed that a client has gone away: the server's watch looks. It ends the context of a request
// that it finds twice; those that are soon answered do not notice. Between requests it looks once, behind the last one,
// with which the end of the connection may have come.
type hangUp struct {
	raw    syscall.RawConn
	served atomic.Pointer[requestContext] // of the request at hand
	unsure atomic.Bool                    // nobody has looked since a request began
	seen   *requestContext                // by the watch, at its last round
}

// begin begins for a request.
func (h *hangUp) begin(c *requestContext) {
	h.unsure.Store(true)
	h.served.Store(c)
}

// stop ends it.
func (h *hangUp) stop() { h.served.Store(nil) }

// gone tells whether the connection has ended and all that it brought has been read.
func (h *hangUp) gone() (gone bool) {
	err := h.raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		gone = n == 0 && err == nil || err != nil && err != syscall.EAGAIN && err != syscall.EINTR
	})
	return gone || err != nil
}

// look is called in each round of the watch. It tells whether there is anything to look for in the next one.
func (c *conn) look() bool {
	h := &c.hangUp
	request := h.served.Load()
	again := request != nil && request == h.seen
	h.seen = request
	switch {
	case again && h.gone():
		request.end()
	case request == nil && !h.unsure.Swap(false):
		return false
	case request == nil && h.gone():
		if c.state.CompareAndSwap(idle, abandoned) {
			c.tcp.Close()
			return false
		}
		h.unsure.Store(true) // it is at rest soon
	}
	return true
}

// A watch passes by all connections of a Server every hangUpAfter while any serves a request, and once more: one timer
// for all.
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

// round passes by the connections. The watch sleeps when there is nothing to be watched, and looks again behind that for
// a request that began meanwhile and found it awake.
func (s *Server) round() {
	if !s.passBy() {
		s.watch.awake.Store(false)
		if !s.passBy() || !s.watch.awake.CompareAndSwap(false, true) {
			return
		}
	}
	s.watch.timer.Reset(hangUpAfter)
}

// passBy tells whether any connection is to be watched.
func (s *Server) passBy() (watched bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		watched = c.look() || watched
	}
	return watched
}
