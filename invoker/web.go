package invoker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"time"

	"fcd/fc"
	"fcd/invoker/runtimes"
	"fcd/invoker/runtimes/frame"
	"fcd/invoker/sandbox"
)

// Error types of programs that serve HTTP.
const (
	typeNotStarted = "FunctionNotStarted"
	typeExited     = "CAExited"
)

// startPoll is the pause between two attempts to reach a program that starts.
const startPoll = 10 * time.Millisecond

// A web speaks HTTP/1.1 to a function's own program, over connections made inside the network namespace of the
// instance, which are kept for later requests; or it lets the program fetch its requests, if that does.
type web struct {
	*process
	dialer  sandbox.Dialer
	address string
	target  *fc.Target
	facts   http.Header // what every request tells, keys in lower case
	client  http.Transport
	api     *runtimeAPI // where the program may fetch requests instead
}

// errUnreachable wraps errors of connecting: the program has not seen the request.
var errUnreachable = errors.New("no connection to the program")

func newWeb(p *process, t *fc.Target, o *Options) (*web, error) {
	dialer, ok := p.sb.(sandbox.Dialer)
	if !ok {
		return nil, fmt.Errorf("sandbox driver %s cannot reach a program that serves HTTP", o.Driver.Name())
	}
	w := &web{process: p, dialer: dialer, target: t, facts: facts(t, o), api: p.api}
	w.address = net.JoinHostPort("127.0.0.1", strconv.Itoa(t.Function.ListenPort()))
	w.client = http.Transport{
		DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return w.dial(ctx) },
		DisableCompression: true, MaxIdleConnsPerHost: fc.MaxInstanceRequests, MaxResponseHeaderBytes: frame.MaxHeader,
	}
	return w, nil
}

func (w *web) dial(ctx context.Context) (net.Conn, error) {
	c, err := w.dialer.Dial(ctx, "tcp", w.address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnreachable, err)
	}
	return c, nil
}

// ready connects until it succeeds, the program has ended or the time for a start is over.
func (w *web) ready() error {
	limit := w.v.opt.CustomStartTimeout
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	poll := time.NewTicker(startPoll)
	defer poll.Stop()
	for {
		if w.api.polls() {
			return w.hold()
		}
		c, err := w.dial(ctx)
		if err == nil {
			c.Close()
			return w.hold()
		}
		select {
		case <-w.gone:
			return err
		case <-w.api.begun:
		case <-w.api.broken:
			return w.api.failed
		case <-ctx.Done():
			message := fmt.Sprintf("Function instance health check failed on port %d in %v seconds",
				w.target.Function.ListenPort(), limit.Seconds())
			return &verdict{message: message, errorType: typeNotStarted, fatal: true}
		case <-poll.C:
		}
	}
}

func (w *web) exchange(r run, deadline time.Time) (reply, error) {
	a, err := w.ask(r, deadline)
	return reply{answer: a}, err
}

func (w *web) ask(r run, deadline time.Time) (frame.Answer, error) {
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	switch {
	case w.api.polls() && r.http != nil:
		return frame.Answer{}, &verdict{message: "a program that fetches its requests takes none of an HTTP trigger", errorType: "InvalidRequest"}
	case w.api.polls():
		return w.api.exchange(ctx, r, w.header(r), w.gone)
	}
	req, err := w.request(ctx, r)
	if err != nil {
		return frame.Answer{}, err
	}
	resp, err := w.client.RoundTrip(req)
	if err != nil {
		return frame.Answer{}, w.broken(ctx, err)
	}
	defer resp.Body.Close()
	if r.http != nil {
		return w.relay(ctx, r, resp)
	}
	limit := w.v.opt.Limits.MaxResultBytes
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return frame.Answer{}, w.broken(ctx, err)
	}
	return verdictOf(resp, r.request.ID, body), nil
}

// broken tells apart why a request got no answer. A program that goes on without having answered has broken this one
// connection alone.
func (w *web) broken(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return os.ErrDeadlineExceeded
	case !w.awaitExit(exitWait):
		message := fmt.Sprintf("the program closed the connection without an answer: %v", cause(err))
		if errors.Is(err, errUnreachable) {
			message = fmt.Sprintf("the program no longer listens on port %d", w.target.Function.ListenPort())
		}
		return &verdict{message: message, errorType: "InvalidResponse"}
	case errors.Is(err, errUnreachable):
		return errStale
	}
	return err
}

// cause is the innermost error: addresses inside an instance tell a caller nothing.
func cause(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// verdictOf reads what a response says of the request.
func verdictOf(resp *http.Response, id string, body []byte) frame.Answer {
	status := resp.StatusCode
	if own, err := strconv.Atoi(resp.Header.Get("X-Fc-Status")); err == nil {
		status = own
	}
	a := frame.Answer{Type: frame.TypeUnhandled, ID: id, Class: frame.ClassUnhandled, Body: body}
	switch {
	case status >= 200 && status < 300:
		return frame.Answer{Type: frame.TypeResult, ID: id, Body: body}
	case status == http.StatusExpectationFailed:
		a.Type, a.Class = frame.TypeHandled, frame.ClassHandled
	case status == http.StatusNotFound:
		a.Class = frame.ClassNoHandler
	}
	a.Body = errorBody(body, status)
	return a
}

// errorBody is a body as the answer of a failed call: JSON stays, other text becomes its message.
func errorBody(body []byte, status int) []byte {
	body = bytes.TrimSpace(body)
	if len(body) > 0 && body[0] == '{' && json.Valid(body) {
		return body
	}
	text := string(body)
	if text == "" {
		text = fmt.Sprintf("the program answered with status %d", status)
	}
	return errorJSON(text, "")
}

// paths of the requests by their kinds.
var webPaths = map[frame.Type]string{
	frame.TypeInvoke: "/invoke", frame.TypeInit: "/initialize", frame.TypePreStop: "/pre-stop", frame.TypePreFreeze: "/pre-freeze",
}

func (w *web) request(ctx context.Context, r run) (*http.Request, error) {
	if r.http != nil {
		return w.forward(ctx, r)
	}
	path := webPaths[r.kind]
	method := http.MethodPost
	if r.kind == frame.TypePreStop || r.kind == frame.TypePreFreeze {
		method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+w.address+path, bytes.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	req.Header = w.header(r)
	return req, nil
}

// header is what a request tells of itself and of its function.
func (w *web) header(r run) http.Header {
	h := w.facts.Clone()
	set := func(key, value string) { h[key] = []string{value} }
	set("x-fc-request-id", r.request.ID)
	set("x-fc-control-path", webPaths[r.kind])
	set("x-fc-retry-count", strconv.Itoa(r.request.RetryCount))
	set("x-fc-access-key-id", r.keys.AccessKeyID)
	set("x-fc-access-key-secret", r.keys.AccessKeySecret)
	set("x-fc-security-token", r.keys.SecurityToken)
	return h
}

// facts are the headers that do not differ between requests. Keys are as they go on the wire.
func facts(t *fc.Target, o *Options) http.Header {
	f, s := t.Function, t.Service
	h := http.Header{}
	for key, value := range map[string]string{
		"content-type":                "application/octet-stream",
		"user-agent":                  "fcd",
		"x-fc-function-name":          f.Name,
		"x-fc-function-handler":       f.Handler,
		"x-fc-function-memory":        strconv.Itoa(f.MemorySizeMB),
		"x-fc-function-timeout":       strconv.Itoa(f.TimeoutSeconds),
		"x-fc-function-initializer":   f.Initializer,
		"x-fc-initialization-timeout": strconv.Itoa(f.InitializationTimeoutSeconds),
		"x-fc-region":                 o.Region,
		"x-fc-account-id":             o.AccountID,
		"x-fc-service-name":           s.Name,
		"x-fc-service-logproject":     s.LogConfig.Project,
		"x-fc-service-logstore":       s.LogConfig.Logstore,
		"x-fc-qualifier":              runtimes.Qualifier(t),
		"x-fc-version-id":             t.VersionID,
	} {
		h[key] = []string{value}
	}
	return h
}

// hangUp asks the program to end and gives the connections back.
func (w *web) hangUp() {
	_ = w.sb.Signal(syscall.SIGTERM)
	w.client.CloseIdleConnections()
}

func (w *web) obituary(exit sandbox.Exit) (message, errorType string) {
	how := fmt.Sprintf("exit status %d", exit.Code)
	if exit.Signal != 0 {
		how = "signal: " + exit.Signal.String()
	}
	return fmt.Sprintf("Function instance exited unexpectedly(code %d, message:%s) with start command '%s'",
		exit.Code, how, runtimes.StartCommand(w.target.Function)), typeExited
}
