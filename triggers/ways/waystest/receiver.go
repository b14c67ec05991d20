package waystest

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"

	"fcd/fc"
)

// Inbox stands in for the daemon: it keeps what ways hand on. Answer decides, nil accepts everything.
type Inbox struct {
	Answer func(triggerType string, a fc.Arrival) error

	mu       sync.Mutex
	arrivals []fc.Arrival
	dead     []string
}

// Receive records a body, after asking whether its way may bring it, and answers as Answer says.
func (i *Inbox) Receive(_ context.Context, triggerType string, a fc.Arrival) ([]fc.Receipt, error) {
	i.mu.Lock()
	i.arrivals = append(i.arrivals, a)
	i.mu.Unlock()
	if i.Answer == nil {
		return nil, nil
	}
	return nil, i.Answer(triggerType, a)
}

// KeepUndelivered records a dead letter.
func (i *Inbox) KeepUndelivered(_ context.Context, way, name, cause string, body []byte) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.dead = append(i.dead, way+"/"+name+": "+string(body))
	return nil
}

// Arrivals are the bodies so far.
func (i *Inbox) Arrivals() []fc.Arrival {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]fc.Arrival(nil), i.arrivals...)
}

// Dead are the dead letters so far, each "way/name: body".
func (i *Inbox) Dead() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]string(nil), i.dead...)
}

// Direct is a transport that calls the handler in place of a network, so that it works in a bubble of testing/synctest. A
// handler that aborts breaks the connection.
type Direct struct{ http.Handler }

// RoundTrip answers by the handler, or fails when the request's context ends first.
func (d Direct) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	in.RequestURI = r.URL.RequestURI()
	if in.Body == nil {
		in.Body = http.NoBody
	}
	rec := httptest.NewRecorder()
	ended := make(chan any, 1)
	go func() {
		defer func() { ended <- recover() }()
		d.ServeHTTP(rec, in)
	}()
	select {
	case broken := <-ended:
		if broken != nil {
			return nil, io.ErrUnexpectedEOF
		}
		return rec.Result(), nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}
