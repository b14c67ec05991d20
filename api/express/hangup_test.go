package express

import (
	"net/http"
	"testing"
)

func TestTheWatchSleepsWhileNothingIsServed(t *testing.T) {
	s, c := New(&http.Server{}), new(conn)
	s.conns[c] = struct{}{}
	round := func() (awake bool) {
		s.watch.timer.Stop()
		s.round()
		s.watch.timer.Stop()
		return s.watch.awake.Load()
	}
	for range 2 {
		for range 3 { // always another request
			request := new(requestContext)
			c.hangUp.begin(request)
			if s.wake(); !round() {
				t.Error("it sleeps while a request is served")
			}
			if c.hangUp.stop(request) {
				t.Error("a request was looked at the first time that it was found")
			}
		}
		if round() {
			t.Error("it is awake while nothing is served")
		}
	}
}
