package express

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of what is plain, and timings.
const (
	maxHead     = 16 << 10 // bytes of request line and header
	maxRequest  = 64 << 10 // bytes of a whole request
	minBuffer   = 4 << 10
	keepBuffer  = 16 << 10 // a connection at rest keeps no more
	hangUpAfter = 100 * time.Millisecond
	freshTime   = 5 * time.Second // a connection without any request is waited for so long at a shutdown
	pollEvery   = 10 * time.Millisecond

	defaultIdle = 2 * time.Minute
	defaultHead = 10 * time.Second
)

// Server serves connections, its own way as long as their requests are plain. Make one with New; its methods may be
// called concurrently.
type Server struct {
	// Pass names the targets, as they stand in the request line, whose requests net/http is to have, plain or not: those
	// whose handler flushes, hijacks or keeps the request. nil: none. Set it before Serve.
	Pass func(target string) bool

	http *http.Server
	rest *handoff
	date atomic.Pointer[dateLine]

	watch watch

	stopping atomic.Bool // no further request on any connection

	mu       sync.Mutex // guards the fields below, which no request looks at
	conns    map[*conn]struct{}
	listener net.Listener
	drained  chan struct{} // made by Shutdown: closed when the last conn has gone

	work sync.WaitGroup
}

// New makes a Server of an http.Server, which says how to serve (Handler, IdleTimeout, ReadHeaderTimeout, ErrorLog) and
// gets the connections that are not plain. Nothing else may start or stop it.
func New(h *http.Server) *Server {
	return &Server{http: h, conns: make(map[*conn]struct{})}
}

// Serve accepts connections until Shutdown or Close and returns http.ErrServerClosed then. It is called once.
func (s *Server) Serve(l net.Listener) error {
	s.rest = newHandoff(l.Addr())
	s.mu.Lock()
	s.listener = l
	s.mu.Unlock()
	if s.isStopping() {
		l.Close()
		return http.ErrServerClosed
	}
	s.work.Go(func() { s.http.Serve(s.rest) })
	for pause := time.Duration(0); ; {
		c, err := l.Accept()
		if err == nil {
			pause = 0
			s.take(c)
			continue
		}
		var passing net.Error
		switch {
		case s.isStopping():
			return http.ErrServerClosed
		case errors.As(err, &passing) && passing.Timeout(), isTemporary(err):
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			time.Sleep(pause) // as net/http does: there is nothing to wait for but descriptors
		default:
			return err
		}
	}
}

func isTemporary(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}

func (s *Server) isStopping() bool { return s.stopping.Load() }

// take begins with a connection.
func (s *Server) take(nc net.Conn) {
	tcp, ok := nc.(*net.TCPConn)
	if !ok { // TLS and the like
		s.rest.give(nc)
		return
	}
	c, err := newConn(s, tcp)
	if err != nil {
		tcp.Close() // it has been already
		return
	}
	s.mu.Lock()
	if s.isStopping() {
		s.mu.Unlock()
		tcp.Close()
		return
	}
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	s.work.Go(c.serve)
}

// left is told by a conn that it has ended or passed its connection on.
func (s *Server) left(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if s.isStopping() && len(s.conns) == 0 && s.drained != nil {
		close(s.drained)
		s.drained = nil
	}
}

// Shutdown stops accepting, closes connections at rest and waits for requests that are being served, until ctx ends;
// then it returns ctx's error and leaves the rest to Close.
func (s *Server) Shutdown(ctx context.Context) error {
	drained := s.stop()
	s.http.SetKeepAlivesEnabled(false) // those at rest end at once, others after their request
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for waiting := true; waiting; {
		s.closeIdle(time.Now())
		select {
		case <-drained:
			waiting = false
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), s.http.Shutdown(ctx))
		}
	}
	err := s.http.Shutdown(ctx)
	if err == nil {
		s.work.Wait()
	}
	return err
}

// stop closes the listener and returns a channel that is closed when no conn is left.
func (s *Server) stop() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopping.Store(true)
	if s.listener != nil {
		s.listener.Close()
	}
	drained := make(chan struct{})
	if len(s.conns) == 0 {
		close(drained)
	} else {
		s.drained = drained
	}
	return drained
}

func (s *Server) closeIdle(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if c.abandon(now) {
			c.tcp.Close()
		}
	}
}

// Close stops at once, in the middle of requests. It may be called again, and after Shutdown.
func (s *Server) Close() error {
	s.stop()
	s.mu.Lock()
	for c := range s.conns {
		c.kill()
	}
	s.mu.Unlock()
	return s.http.Close()
}
