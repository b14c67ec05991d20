package sls_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fcd/fc"
	"fcd/logsink"
	"fcd/logsink/spool"
)

// A fault is what a service does to one write in place of answering it. It reports false for a write that is to be
// answered.
type fault func(w http.ResponseWriter, r *http.Request, serve http.Handler) bool

func answering(status int, code string) fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
		w.Header().Set("x-log-requestid", "5B8D0A2F6E3D4C0E8F1A7B90")
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"errorCode":%q,"errorMessage":"not now"}`, code)
		return true
	}
}

// hanging takes the request and says nothing.
func hanging(_ http.ResponseWriter, r *http.Request, _ http.Handler) bool {
	io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
	return true
}

// lying does what it was asked to and lets nobody know: the connection is lost after the write.
func lying(w http.ResponseWriter, r *http.Request, serve http.Handler) bool {
	serve.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

// halfAnswer begins a 200 and loses the connection in the midst of it.
func halfAnswer(w http.ResponseWriter, r *http.Request, serve http.Handler) bool {
	serve.ServeHTTP(httptest.NewRecorder(), r)
	w.Header().Set("Content-Length", "100")
	w.WriteHeader(http.StatusOK)
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

// closed loses the connection before it has read anything.
func closed(http.ResponseWriter, *http.Request, http.Handler) bool { panic(http.ErrAbortHandler) }

// troubled is the embedded service behind faults: each of the first writes meets the next of them.
type troubled struct {
	real http.Handler

	mu     sync.Mutex
	faults []fault
	met    int
}

func (s *troubled) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		s.mu.Lock()
		var f fault
		if len(s.faults) > 0 {
			f, s.faults = s.faults[0], s.faults[1:]
			s.met++
		}
		s.mu.Unlock()
		if f != nil && f(w, r, s.real) {
			return
		}
	}
	s.real.ServeHTTP(w, r)
}

// TestEveryLineArrivesOnceThroughFaults sends through each fault, several times in a row, with a restart of the shipper
// in the midst of it. Every line must arrive, in order, and once: what is sent again is marked by its pack id.
func TestEveryLineArrivesOnceThroughFaults(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault fault
		state string // that the operator sees meanwhile
	}{
		{"500", answering(500, "InternalServerError"), logsink.StateRetrying},
		{"403 over a quota", answering(403, "WriteQuotaExceed"), logsink.StateRetrying},
		{"403", answering(403, "Unauthorized"), logsink.StateBlocked},
		{"401", answering(401, "SignatureNotMatch"), logsink.StateBlocked},
		{"404 until the logstore is made", answering(404, "LogStoreNotExist"), logsink.StateBlocked},
		{"400 of an unknown kind", answering(400, "SomethingElse"), logsink.StateBlocked},
		{"no answer", hanging, logsink.StateRetrying},
		{"written, and the answer lost", lying, logsink.StateRetrying},
		{"written, and half the answer lost", halfAnswer, ""}, // a 200 is a 200
		{"the connection lost", closed, logsink.StateRetrying},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srv := serve(t, t.TempDir(), "127.0.0.1:0")
			defer srv.stop()
			if err := srv.EnsureLogstore(t.Context(), "some-project", "some-store"); err != nil {
				t.Fatal(err)
			}
			bad := &troubled{real: srv.Server}
			web := httptest.NewServer(bad)
			defer web.Close()
			dir := t.TempDir()
			var want []string
			seen := ""
			for life := range 3 {
				bad.mu.Lock()
				bad.faults = append(bad.faults, tt.fault, tt.fault, tt.fault)
				bad.mu.Unlock()
				ship, stop := pipeline(t, dir, web.Listener.Addr().String())
				for i := range 40 {
					msg := fmt.Sprintf("line %d of life %d", i, life)
					ship.Append(fc.LogRecord{Time: time.Now(), Project: "some-project", Logstore: "some-store", Service: "svc", Message: msg})
					want = append(want, msg)
				}
				seen += wait(t, ship, bad, (life+1)*3-2)
				if life < 2 {
					stop() // in the midst of it
					continue
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				if err := ship.Flush(ctx); err != nil {
					t.Error(err)
				}
				cancel()
				for _, st := range ship.Status() {
					if st.State != logsink.StateOK || st.Dropped+st.Rejected+st.Lost > 0 {
						t.Errorf("in the end it is %+v", st)
					}
				}
				stop()
			}
			if tt.state != "" && !bytes.Contains([]byte(seen), []byte(tt.state)) {
				t.Errorf("meanwhile it was %s, want %s", seen, tt.state)
			}
			var got []string
			for _, r := range records(pull(t, reader(t, srv.addr), "some-project", "some-store"), "", "") {
				got = append(got, r.Message)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("lines differ (-want +got):\n%s", d)
			}
		})
	}
}

// pipeline is a shipper of quick retries on the spool in dir.
func pipeline(t *testing.T, dir, addr string) (*logsink.Shipper, func()) {
	t.Helper()
	sp, err := spool.Open(spool.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	o := options(addr)
	o.RetryTimeout, o.RequestTimeout = 50*time.Millisecond, 500*time.Millisecond
	o.Dial = func(ctx context.Context) (net.Conn, error) { return (&net.Dialer{}).DialContext(ctx, "tcp", addr) }
	s := newSink(t, o)
	ship, err := logsink.NewShipper(logsink.Options{Spool: sp, Sink: s, Linger: time.Millisecond, MaxBatchLines: 16,
		Retry: 10 * time.Millisecond, SlowRetry: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { ship.Run(ctx); close(ended) }()
	return ship, func() { cancel(); <-ended; s.Close(); sp.Close() }
}

// wait waits until so many faults were met and tells the states that the delivery was seen in.
func wait(t *testing.T, ship *logsink.Shipper, bad *troubled, met int) (states string) {
	t.Helper()
	end := time.Now().Add(time.Minute)
	for {
		bad.mu.Lock()
		enough := bad.met >= met
		bad.mu.Unlock()
		for _, st := range ship.Status() {
			states += st.State + " "
		}
		if enough {
			return states
		}
		if time.Now().After(end) {
			t.Fatalf("%d faults were met, want %d", bad.met, met)
		}
		time.Sleep(time.Millisecond)
	}
}
