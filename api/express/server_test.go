package express

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of these tests.
const patience = 30 * time.Second

// started serves a handler until the end of the test.
func started(t *testing.T, h http.HandlerFunc) (*Server, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(&http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)})
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
		s.work.Wait()
	})
	return s, l.Addr().String()
}

// A client is a connection that is written and read by hand.
type client struct {
	net.Conn
	t *testing.T
	r *bufio.Reader
}

func dial(t *testing.T, address string) *client {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return &client{c, t, bufio.NewReader(c)}
}

func (c *client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatal(err)
	}
}

// answer reads one answer to a request of the method.
func (c *client) answer() (*http.Response, string) {
	c.t.Helper()
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return res, string(b)
}

func (c *client) ended() {
	c.t.Helper()
	if b, err := c.r.ReadByte(); err == nil {
		c.t.Errorf("byte %q in place of the end of the connection", b)
	} else if errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Error("the connection stays open")
	}
}

// echo answers with what it was sent.
func echo(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	fmt.Fprintf(w, "%s %s %d %s", r.Method, r.URL, r.ContentLength, b)
}

func invocation(body string) string {
	return "POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
}

func TestRequestsOfOneConnection(t *testing.T) {
	chunked := "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
	large := strings.Repeat("x", maxRequest)
	tests := []struct {
		name     string
		requests []string // each is sent when the one before has been answered
		want     []string
	}{
		{"plain ones", []string{invocation("a"), invocation("b"), "GET /q?x=1 HTTP/1.1\r\nHost: x\r\n\r\n"},
			[]string{"POST /invocations 1 a", "POST /invocations 1 b", "GET /q?x=1 0 "}},
		{"one that is not plain", []string{invocation("a"), chunked, invocation("b")},
			[]string{"POST /invocations 1 a", "POST /c -1 hello", "POST /invocations 1 b"}},
		{"a large body", []string{invocation("a"), invocation(large), invocation("b")},
			[]string{"POST /invocations 1 a", "POST /invocations 65536 " + large, "POST /invocations 1 b"}},
		{"as much as is plain", []string{invocation(large[:60000]), invocation("b")},
			[]string{"POST /invocations 60000 " + large[:60000], "POST /invocations 1 b"}},
		{"several at once", []string{invocation("a") + invocation("b") + chunked + invocation("c")},
			[]string{"POST /invocations 1 a", "POST /invocations 1 b", "POST /c -1 hello", "POST /invocations 1 c"}},
		{"newlines behind a body", []string{invocation("a") + "\r\n", invocation("b")},
			[]string{"POST /invocations 1 a", "POST /invocations 1 b"}},
	}
	_, address := started(t, echo)
	for _, tt := range tests {
		for _, size := range []int{1 << 20, 1} {
			if size == 1 && len(tt.requests[0]) > 1000 || size == 1 && strings.Contains(tt.name, "large") {
				continue
			}
			t.Run(fmt.Sprintf("%s in writes of %d", tt.name, size), func(t *testing.T) {
				c := dial(t, address)
				var got []string
				for _, r := range tt.requests {
					for len(r) > 0 {
						n := min(size, len(r))
						c.send(r[:n])
						r = r[n:]
					}
					for range len(tt.want) / len(tt.requests) {
						_, body := c.answer()
						got = append(got, body)
					}
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

// Answers are those of net/http, for each way in which handlers answer.
func TestAnswersAreThoseOfNetHTTP(t *testing.T) {
	long := bytes.Repeat([]byte("long "), 30_000)
	answers := map[string]http.HandlerFunc{
		"nothing":      func(http.ResponseWriter, *http.Request) {},
		"a status":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) },
		"no content":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"text":         func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "some text") },
		"an error":     func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) },
		"two statuses": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404); w.WriteHeader(200) },
		"no type":      func(w http.ResponseWriter, _ *http.Request) { w.Header()["Content-Type"] = nil; io.WriteString(w, "x") },
		"a type and length": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", "2")
			io.WriteString(w, "{}")
		},
		"a length and much": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", strconv.Itoa(2*len(long)))
			w.Write(long)
			w.Write(long)
		},
		"more than the length": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "2")
			io.WriteString(w, "ab")
			if _, err := io.WriteString(w, "c"); !errors.Is(err, http.ErrContentLength) {
				panic(err)
			}
		},
		"a newline in a value": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-A", "1\r\nX-B: 2") },
		"a field twice":        func(w http.ResponseWriter, _ *http.Request) { w.Header().Add("X-A", "1"); w.Header().Add("X-A", "2") },
	}
	ask := func(t *testing.T, address string) (string, http.Header, string) {
		c := dial(t, address)
		c.send(invocation("x"))
		res, body := c.answer()
		res.Header.Del("Date")
		return res.Status, res.Header, body
	}
	for name, h := range answers {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			reference := &http.Server{Handler: h}
			go reference.Serve(l)
			defer reference.Close()
			_, address := started(t, h)
			status, header, body := ask(t, address)
			wantStatus, wantHeader, wantBody := ask(t, l.Addr().String())
			if status != wantStatus || body != wantBody {
				t.Errorf("%s, %d bytes; net/http: %s, %d bytes", status, len(body), wantStatus, len(wantBody))
			}
			if diff := cmp.Diff(wantHeader, header); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMuchWithoutALengthEndsTheConnection(t *testing.T) {
	long := strings.Repeat("x", 3*maxJoined)
	_, address := started(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, long) })
	c := dial(t, address)
	c.send(invocation("x"))
	if res, body := c.answer(); body != long || !res.Close {
		t.Errorf("%d bytes, close %v", len(body), res.Close)
	}
	c.ended()
}

func TestTooLittleEndsTheConnection(t *testing.T) {
	_, address := started(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		io.WriteString(w, "short")
	})
	c := dial(t, address)
	c.send(invocation("x"))
	if b, err := io.ReadAll(c.r); err != nil || !strings.HasSuffix(string(b), "\r\n\r\nshort") {
		t.Errorf("%q, %v", b, err)
	}
}

func TestAPanicEndsTheConnectionAlone(t *testing.T) {
	_, address := started(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/panic" {
			panic("oops")
		}
		echo(w, r)
	})
	c := dial(t, address)
	c.send("GET /panic HTTP/1.1\r\nHost: x\r\n\r\n")
	c.ended()
	c = dial(t, address)
	c.send(invocation("a"))
	c.answer()
}

func TestAClientThatHangsUpCancelsItsRequest(t *testing.T) {
	entered, cancelled := make(chan struct{}), make(chan error, 1)
	_, address := started(t, func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		select {
		case <-r.Context().Done():
			cancelled <- nil
		case <-time.After(patience):
			cancelled <- errors.New("the request was not cancelled")
		}
	})
	c := dial(t, address)
	c.send(invocation("a"))
	<-entered
	c.Close()
	if err := <-cancelled; err != nil {
		t.Error(err)
	}
}

// A slow request is looked at for a hang-up; what the client sends meanwhile is the next request.
func TestSlowRequestsAreFollowedByOthers(t *testing.T) {
	go1, entered := make(chan struct{}), make(chan struct{}, 1)
	s, address := started(t, func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength == 4 {
			entered <- struct{}{}
			<-go1
		}
		if err := r.Context().Err(); err != nil {
			t.Error(err)
		}
		echo(w, r)
	})
	for range 2 {
		c := dial(t, address)
		c.send(invocation("slow"))
		<-entered
		for seen := 0; seen < 2; time.Sleep(hangUpAfter) { // found, and found again
			s.mu.Lock()
			for c := range s.conns {
				if c.hangUp.seen != nil {
					seen++
				}
			}
			s.mu.Unlock()
		}
		c.send(invocation("next"))
		go1 <- struct{}{}
		if _, body := c.answer(); body != "POST /invocations 4 slow" {
			t.Error(body)
		}
		<-entered
		go1 <- struct{}{}
		if _, body := c.answer(); body != "POST /invocations 4 next" {
			t.Error(body)
		}
		c.send(invocation("x"))
		c.answer()
		c.Close()
	}
}

// An end of the connection that is there when the last request is read wakes nobody.
func TestAnEndThatComesWithTheLastRequestIsNoticed(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	_, address := started(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/first" {
			close(entered)
			<-leave
		}
		echo(w, r)
	})
	c := dial(t, address)
	c.send("GET /first HTTP/1.1\r\nHost: x\r\n\r\n")
	<-entered
	c.send(invocation("last"))
	if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	close(leave)
	c.answer()
	if _, body := c.answer(); body != "POST /invocations 4 last" {
		t.Error(body)
	}
	c.ended()
}

func TestARequestMayComeInPieces(t *testing.T) {
	_, address := started(t, echo)
	c := dial(t, address)
	sent, want := "", ""
	for _, body := range []string{"a", strings.Repeat("b", minBuffer), strings.Repeat("c", 3*keepBuffer), ""} {
		sent += invocation(body)
		want += fmt.Sprintf("POST /invocations %d %s\n", len(body), body)
	}
	for _, size := range []int{len(sent), 997, 5000, 31} { // sizes that end within heads, between them and within bodies
		go func() {
			for at := 0; at < len(sent); at += size {
				io.WriteString(c, sent[at:min(at+size, len(sent))])
				runtime.Gosched()
			}
		}()
		got := ""
		for range 4 {
			_, body := c.answer()
			got += body + "\n"
		}
		if got != want {
			t.Errorf("pieces of %d bytes: %d bytes of answers in place of %d", size, len(got), len(want))
		}
	}
}

func TestShutdownEndsWhatIsAtRestAndWaitsForTheOthers(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	s, address := started(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(entered)
			<-leave
		}
		echo(w, r)
	})
	resting, running, passed := dial(t, address), dial(t, address), dial(t, address)
	resting.send(invocation("a"))
	resting.answer()
	passed.send("POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
	passed.answer()
	running.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
	<-entered
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	down := make(chan error, 1)
	go func() { down <- s.Shutdown(ctx) }()
	resting.ended()
	passed.ended()
	select {
	case err := <-down:
		t.Fatalf("down while a request is being served: %v", err)
	default:
	}
	close(leave)
	if res, body := running.answer(); body != "GET /slow 0 " || !res.Close {
		t.Errorf("%q, close %v", body, res.Close)
	}
	if err := <-down; err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", address); err == nil {
		c.Close()
		t.Error("a connection after the shutdown")
	}
}

func TestCloseEndsRequestsAtOnce(t *testing.T) {
	entered, closed, left := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	s, address := started(t, func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		select {
		case <-r.Context().Done():
		case <-time.After(patience):
			left <- errors.New("the request was not cancelled")
			return
		}
		select {
		case <-closed:
			left <- nil
		case <-time.After(patience):
			left <- errors.New("Close waits for the request")
		}
	})
	resting, running := dial(t, address), dial(t, address)
	resting.send("POST /x HTTP/1.1\r\n")
	running.send(invocation("a"))
	<-entered
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	close(closed)
	if err := <-left; err != nil {
		t.Error(err)
	}
	resting.ended()
	running.ended()
}

func TestShutdownGivesUpWithItsContext(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	s, address := started(t, func(http.ResponseWriter, *http.Request) {
		close(entered)
		<-leave
	})
	c := dial(t, address)
	c.send(invocation("a"))
	<-entered
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown: %v", err)
	}
	close(leave)
}

// BenchmarkKeptConnection compares the two servers under the same client.
func BenchmarkKeptConnection(b *testing.B) {
	serve := map[string]func(l net.Listener, h http.Handler) io.Closer{
		"express": func(l net.Listener, h http.Handler) io.Closer {
			s := New(&http.Server{Handler: h})
			go s.Serve(l)
			return s
		},
		"net-http": func(l net.Listener, h http.Handler) io.Closer {
			s := &http.Server{Handler: h}
			go s.Serve(l)
			return s
		},
	}
	answer := []byte(`{"id":"0123456789","items":2}`)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header()["Content-Type"] = []string{"application/json"}
		w.Write(answer)
	})
	request := []byte(invocation(strings.Repeat("x", 1024)))
	for name, start := range serve {
		b.Run(name, func(b *testing.B) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			s := start(l, h)
			defer s.Close()
			b.ReportAllocs()
			before := cpuTime(b)
			b.RunParallel(func(pb *testing.PB) {
				c, err := net.Dial("tcp", l.Addr().String())
				if err != nil {
					b.Error(err)
					return
				}
				defer c.Close()
				buf := make([]byte, 4096)
				for pb.Next() {
					c.Write(request)
					if _, err := c.Read(buf); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64((cpuTime(b)-before).Nanoseconds())/1000/float64(b.N), "cpu-µs/op")
		})
	}
}

// cpuTime is the processor time of this process.
func cpuTime(b *testing.B) time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		b.Fatal(err)
	}
	return time.Duration(t.Nano())
}
