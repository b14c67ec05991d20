package express

import (
	"io"
	"net"
	"sync"
)

// A handoff is the listener of the http.Server: it accepts the connections that are passed on.
type handoff struct {
	addr   net.Addr
	given  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newHandoff(addr net.Addr) *handoff {
	return &handoff{addr: addr, given: make(chan net.Conn), closed: make(chan struct{})}
}

// give passes a connection on; it is closed if nobody takes any more.
func (h *handoff) give(c net.Conn) {
	select {
	case h.given <- c:
	case <-h.closed:
		c.Close()
	}
}

func (h *handoff) Accept() (net.Conn, error) {
	select {
	case c := <-h.given:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

func (h *handoff) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

func (h *handoff) Addr() net.Addr { return h.addr }

// A replayed connection gives the bytes that have been read from it once more.
type replayed struct {
	net.Conn
	ahead []byte
}

func (r *replayed) Read(p []byte) (int, error) {
	if len(r.ahead) == 0 {
		return r.Conn.Read(p)
	}
	n := copy(p, r.ahead)
	if r.ahead = r.ahead[n:]; len(r.ahead) == 0 {
		r.ahead = nil
	}
	return n, nil
}

// ReadFrom lets files go out without passing through memory.
func (r *replayed) ReadFrom(src io.Reader) (int64, error) { return io.Copy(r.Conn, src) }
