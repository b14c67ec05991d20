package invoker

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"fcd/invoker/sandbox/ready"
)

// A door is a service's one listener for the connections from all instances. Whoever serves it waits for connections
// once, not once for each instance that may never make any.
type door struct {
	service Service
	poller  *ready.Poller
	conns   chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

var _ net.Listener = (*door)(nil)

func newDoor(s Service, p *ready.Poller) *door {
	return &door{service: s, poller: p, conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (d *door) Accept() (net.Conn, error) {
	select {
	case c := <-d.conns:
		return c, nil
	case <-d.closed:
		return nil, net.ErrClosed
	}
}

func (d *door) Close() error {
	d.once.Do(func() { close(d.closed) })
	return nil
}

func (d *door) Addr() net.Addr {
	addr, err := net.ResolveTCPAddr("tcp", d.service.Address)
	if err != nil {
		return &net.TCPAddr{}
	}
	return addr
}

// A doorway is the listener inside one instance that leads to a door.
type doorway struct {
	door *door
	listener

	mu     sync.Mutex // guards the rest
	cancel func()
	closed bool
}

// listener is what a doorway needs of one.
type listener interface {
	net.Listener
	syscall.Conn
	SetDeadline(time.Time) error
}

// open lets the connections of a listener in until the doorway is closed.
func (d *door) open(ln listener) (*doorway, error) {
	g := &doorway{door: d, listener: ln}
	return g, g.watch()
}

// watch waits for the next connection. After Close it does nothing.
func (g *doorway) watch() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil
	}
	raw, err := g.SyscallConn()
	if err != nil {
		return err
	}
	cerr := raw.Control(func(fd uintptr) { g.cancel, err = g.door.poller.Once(int(fd), func() { go g.admit() }) })
	return errors.Join(cerr, err)
}

// acceptWait is for a connection that was there and has gone before it was accepted.
const acceptWait = 100 * time.Millisecond

// admit hands over the connection that is there.
func (g *doorway) admit() {
	if err := g.SetDeadline(time.Now().Add(acceptWait)); err != nil {
		return // closed
	}
	c, err := g.Accept()
	if werr := g.watch(); werr != nil && err == nil {
		c.Close() // there will be no other either
		return
	}
	if err != nil {
		return
	}
	select {
	case g.door.conns <- c:
	case <-g.door.closed:
		c.Close()
	}
}

func (g *doorway) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	if g.cancel != nil {
		g.cancel()
	}
	return g.listener.Close()
}
