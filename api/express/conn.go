package express

import (
	"bytes"
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"sync/atomic"
	"time"

	"fcd/fc/nonblock"
)

// States of a conn.
const (
	fresh     int32 = iota // no request has come yet
	idle                   // between two requests
	busy                   // a request is being read or served
	abandoned              // closed by Shutdown
)

// A conn is a connection whose requests have been plain so far. One goroutine serves it.
type conn struct {
	s      *Server
	tcp    *net.TCPConn
	stream *nonblock.Stream // tcp, for what is short
	remote string
	opened time.Time
	state  atomic.Int32

	buf        []byte // what has been read is buf[begin:end]
	begin, end int
	armed      time.Time // when the deadline for an idle connection was set; zero: another one is set
	whole      int       // length of the request whose head has been read, 0 before
	posted     bool      // the request before was a POST
	passes     bool      // net/http is to have the connection

	head     head
	body     body
	base     http.Request
	url      url.URL // of base
	response response
	hangUp   hangUp
}

func newConn(s *Server, tcp *net.TCPConn) (*conn, error) {
	stream, err := nonblock.New(tcp)
	if err != nil {
		return nil, err
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil, err
	}
	c := &conn{s: s, tcp: tcp, stream: stream, remote: tcp.RemoteAddr().String(), opened: time.Now(), buf: make([]byte, minBuffer)}
	c.response.c, c.response.header = c, make(http.Header)
	c.hangUp.raw = raw
	return c, nil
}

// serve answers plain requests until the connection ends or is passed on.
func (c *conn) serve() {
	defer c.s.left(c)
	c.setDeadline(true)
	if c.stream.Each(c.room, c.arrived); c.passes {
		c.pass()
		return
	}
	c.tcp.Close()
}

// room is where further bytes go, behind those of a request that has come in part.
func (c *conn) room() []byte {
	if c.begin > 0 {
		c.end = copy(c.buf, c.buf[c.begin:c.end])
		c.begin = 0
	}
	switch {
	case c.end == len(c.buf):
		grown := make([]byte, 2*len(c.buf))
		copy(grown, c.buf)
		c.buf = grown
	case c.end == 0 && len(c.buf) > keepBuffer:
		c.buf = make([]byte, minBuffer)
	}
	return c.buf[c.end:]
}

// arrived answers the requests that are there with n more bytes. Behind the last one there is mostly nothing yet, and the
// watch sees to it that an end which came with it is noticed.
func (c *conn) arrived(n int) nonblock.Next {
	if c.begin == c.end && !c.state.CompareAndSwap(idle, busy) && !c.state.CompareAndSwap(fresh, busy) {
		return nonblock.Done // abandoned
	}
	c.end += n
	next := nonblock.Again
	for {
		n, plain := c.next()
		switch {
		case n == 0:
			first := c.begin == c.end
			if c.setDeadline(first); first {
				c.state.CompareAndSwap(busy, idle)
				return next
			}
			return nonblock.Again
		case !plain:
			c.passes = true
			return nonblock.Done
		case !c.answer(n):
			return nonblock.Done
		}
		next = nonblock.Await
	}
}

// next returns the length in bytes of the next request, 0 if it is not there whole: head in c.head, body the last
// head.length of them. plain is false for what net/http is to have.
func (c *conn) next() (n int, plain bool) {
	for c.posted && c.begin < c.end && (c.buf[c.begin] == '\r' || c.buf[c.begin] == '\n') { // of old clients, behind a body
		c.begin++
	}
	have := c.buf[c.begin:c.end]
	if c.whole == 0 {
		i := bytes.Index(have, []byte("\r\n\r\n"))
		if i < 0 {
			if len(have) >= maxHead {
				return len(have), false
			}
			return 0, false
		}
		if !c.head.parse(have[:i+4]) || c.s.Pass != nil && c.s.Pass(c.head.target) {
			return len(have), false
		}
		if c.whole = i + 4 + c.head.length; c.whole > maxRequest {
			return len(have), false
		}
	}
	if len(have) < c.whole {
		return 0, false
	}
	return c.whole, true
}

// setDeadline sets the deadline of the next read; first says that nothing of the request is there. That of an idle
// connection is not moved for every request: it comes between half of the idle timeout and the whole after the last one.
func (c *conn) setDeadline(first bool) {
	timeout := orDefault(c.s.http.IdleTimeout, defaultIdle)
	switch {
	case c.whole > 0: // a body may take as long as it takes
		c.armed = time.Time{}
		c.tcp.SetReadDeadline(time.Time{})
	case !first:
		c.armed = time.Time{}
		c.tcp.SetReadDeadline(time.Now().Add(orDefault(c.s.http.ReadHeaderTimeout, defaultHead)))
	case time.Since(c.armed) > timeout/2:
		c.armed = time.Now()
		c.tcp.SetReadDeadline(c.armed.Add(timeout))
	}
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// pass gives the connection, with what has been read of it, to net/http.
func (c *conn) pass() {
	c.tcp.SetDeadline(time.Time{})
	c.s.rest.give(&replayed{c.tcp, bytes.Clone(c.buf[c.begin:c.end])})
}

// abandon takes a connection at rest away from its goroutine, which then finds it closed.
func (c *conn) abandon(now time.Time) bool {
	return c.state.CompareAndSwap(idle, abandoned) ||
		now.Sub(c.opened) > freshTime && c.state.CompareAndSwap(fresh, abandoned)
}

// kill ends the connection and the context of the request that is being served. To close it is for serve: that would wait
// here until the handler has returned.
func (c *conn) kill() {
	c.tcp.CloseRead()
	c.tcp.CloseWrite()
	if request := c.hangUp.served.Load(); request != nil {
		request.end()
	}
}

// answer serves the request in the first n bytes and tells whether another may follow.
func (c *conn) answer(n int) (more bool) {
	whole := c.buf[c.begin : c.begin+n]
	c.body.left = whole[n-c.head.length:]
	ctx := new(requestContext)
	r := c.request(ctx)
	c.response.reset()
	c.hangUp.begin(ctx)
	c.s.wake()
	ended := c.handle(r)
	c.hangUp.stop()
	ctx.end()
	c.begin, c.whole = c.begin+n, 0
	c.posted = c.head.method == http.MethodPost
	return ended && c.response.finish() && !c.s.isStopping()
}

func (c *conn) request(ctx context.Context) *http.Request {
	h := &c.head
	c.url = h.url
	c.base = http.Request{
		Method: h.method, URL: &c.url, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h.header,
		Body: http.NoBody, ContentLength: int64(h.length), Host: h.host, RemoteAddr: c.remote, RequestURI: h.target,
	}
	if h.length > 0 {
		c.base.Body = &c.body
	}
	return c.base.WithContext(ctx)
}

// handle runs the handler; false if it panicked.
func (c *conn) handle(r *http.Request) (ended bool) {
	defer func() {
		if p := recover(); p != nil && p != http.ErrAbortHandler {
			c.logf("http: panic serving %s: %v\n%s", c.remote, p, debug.Stack())
		}
	}()
	c.s.http.Handler.ServeHTTP(&c.response, r)
	return true
}

func (c *conn) logf(format string, args ...any) {
	if l := c.s.http.ErrorLog; l != nil {
		l.Printf(format, args...)
		return
	}
	log.Printf(format, args...)
}

// A body is the body of the request at hand.
type body struct{ left []byte }

func (b *body) Read(p []byte) (int, error) {
	if len(b.left) == 0 {
		return 0, io.EOF
	}
	n := copy(p, b.left)
	b.left = b.left[n:]
	return n, nil
}

func (b *body) Close() error { return nil }
