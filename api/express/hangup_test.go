package express

import (
	"net"
	"net/http"
	"testing"
)

// accepted is a connection as a Server gets it, and its other end.
func accepted(t *testing.T) (server, client *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	one, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	other, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		one.Close()
		other.Close()
	})
	return other.(*net.TCPConn), one.(*net.TCPConn)
}

func TestTheWatchSleepsWhileNothingIsServed(t *testing.T) {
	s := New(&http.Server{})
	tcp, _ := accepted(t)
	c, err := newConn(s, tcp)
	if err != nil {
		t.Fatal(err)
	}
	s.conns[c] = struct{}{}
	round := func() (awake bool) {
		s.watch.timer.Stop()
		s.round()
		s.watch.timer.Stop()
		return s.watch.awake.Load()
	}
	for range 2 {
		for range 3 { // always another request
			c.hangUp.begin(new(requestContext))
			if s.wake(); !round() {
				t.Error("it sleeps while a request is served")
			}
			c.hangUp.stop()
		}
		if !round() {
			t.Error("it does not look once more behind the last request")
		}
		if round() {
			t.Error("it is awake while nothing is served")
		}
	}
}

func TestTheWatchEndsAConnectionOnlyAtRest(t *testing.T) {
	tcp, client := accepted(t)
	c, err := newConn(New(&http.Server{}), tcp)
	if err != nil {
		t.Fatal(err)
	}
	client.CloseWrite()
	tcp.Read(make([]byte, 1)) // it has arrived
	c.state.Store(busy)
	c.hangUp.begin(new(requestContext))
	c.hangUp.stop()
	if !c.look() || c.state.Load() != busy {
		t.Error("a connection that is about to read was ended, or forgotten")
	}
	c.state.Store(idle)
	if c.look() || c.state.Load() != abandoned {
		t.Error("a connection at rest whose client has gone was not ended")
	}
}
