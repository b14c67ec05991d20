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
	posted     bool      // the request before was a POST

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
	c := &conn{s: s, tcp: tcp, stream: stream, remote: tcp.RemoteAddr().String(), opened: time.Now(), buf: make([]byte, minBuffer)}
	c.response.c, c.response.header = c, make(http.Header)
	c.hangUp.tcp = tcp
	return c, nil
}

// serve answers plain requests until the connection ends or is passed on.
func (c *conn) serve() {
	defer c.s.left(c)
	for {
		n, plain := c.next()
		switch {
		case n == 0:
			c.tcp.Close()
			return
		case !plain:
			c.pass()
			return
		}
		if !c.answer(n) {
			c.tcp.Close()
			return
		}
	}
}

// next waits for a whole plain request and returns its length in bytes: head in c.head, body the last head.length of
// them. plain is false for what net/http is to have. n is 0 at the end of the connection.
func (c *conn) next() (n int, plain bool) {
	for headLength := 0; ; {
		have := c.buf[c.begin:c.end]
		if c.posted && len(have) > 0 && (have[0] == '\r' || have[0] == '\n') { // of old clients, behind a body
			c.begin++
			continue
		}
		if headLength == 0 {
			if i := bytes.Index(have, []byte("\r\n\r\n")); i >= 0 {
				headLength = i + 4
				if !c.head.parse(have[:headLength]) || c.s.Pass != nil && c.s.Pass(c.head.target) {
					return len(have), false
				}
				n = headLength + c.head.length
			} else if len(have) >= maxHead {
				return len(have), false
			}
		}
		if n > maxRequest {
			return len(have), false
		}
		if headLength > 0 && len(have) >= n {
			return n, true
		}
		if !c.read(len(have) == 0, headLength > 0) {
			return 0, false
		}
	}
}

// read reads more. first says that nothing of the request is there, whole that its head is.
func (c *conn) read(first, whole bool) bool {
	if c.begin > 0 {
		c.end = copy(c.buf, c.buf[c.begin:c.end])
		c.begin = 0
	}
	switch {
	case c.end == len(c.buf):
		grown := make([]byte, 2*len(c.buf))
		copy(grown, c.buf)
		c.buf = grown
	case first && len(c.buf) > keepBuffer:
		c.buf = make([]byte, minBuffer)
	}
	if first {
		c.state.CompareAndSwap(busy, idle)
	}
	c.wait(first, whole)
	n, err := c.stream.Read(c.buf[c.end:])
	if n == 0 || err != nil {
		return false
	}
	c.end += n
	return !first || c.state.CompareAndSwap(idle, busy) || c.state.CompareAndSwap(fresh, busy)
}

// wait sets the deadline of the next read. That of an idle connection is not moved for every request: it comes between
// half of the idle timeout and the whole after the last one.
func (c *conn) wait(first, whole bool) {
	timeout := orDefault(c.s.http.IdleTimeout, defaultIdle)
	switch {
	case whole: // a body may take as long as it takes
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
	if c.hangUp.stop(ctx) {
		c.armed = time.Time{} // its deadline has been used
	}
	ctx.end()
	c.begin += n
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
