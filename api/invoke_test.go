package api_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"fcd/api"
	"fcd/fc"
	"fcd/ram"
	"fcd/sign"
	"fcd/store"
)

func TestInvokeCarriesBytesUnchanged(t *testing.T) {
	s := start(t)
	s.demo()
	const path = "/services/demo/functions/resize/invocations"
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for name, event := range map[string][]byte{
		"nothing": nil, "every byte": every, "not JSON": []byte("{"), "as much as is allowed": bytes.Repeat([]byte("x"), 6<<20),
	} {
		a := s.must("POST", path, event, header("Content-Type", "application/json"))
		if a.body != string(event) {
			t.Errorf("%s: %d bytes came back as %d", name, len(event), len(a.body))
		}
		if a.header.Get("Content-Type") != "application/octet-stream" || a.header.Get("X-Fc-Error-Type") != "" {
			t.Errorf("%s: headers %v", name, a.header)
		}
	}
	if a := s.must("POST", path, chunked{strings.NewReader("in chunks")}); a.body != "in chunks" {
		t.Errorf("chunked body came back as %q", a.body)
	}
	if a := s.must("POST", path, nil); a.body != "" {
		t.Errorf("no body came back as %q", a.body)
	}
}

func TestInvokeTail(t *testing.T) {
	s := start(t)
	s.demo()
	const path = "/services/demo/functions/resize/invocations"
	a := s.must("POST", path, "x", header("x-fc-log-type", "Tail"), header("x-fc-invocation-type", "Sync"))
	log, err := base64.StdEncoding.DecodeString(a.header.Get("X-Fc-Log-Result"))
	if err != nil || string(log) != "FC Invoke Start RequestId: "+a.header.Get("X-Fc-Request-Id")+"\n" {
		t.Errorf("log %q, %v", log, err)
	}
	for _, kind := range []string{"None", ""} {
		a = s.must("POST", path, "x", header("X-Fc-Log-Type", kind))
		if _, there := a.header["X-Fc-Log-Result"]; there {
			t.Errorf("a log came without being asked for by %q", kind)
		}
	}
}

func TestInvokeAsyncIsDurableBeforeItIsAccepted(t *testing.T) {
	s := start(t)
	s.demo()
	for service, qualifier := range map[string]string{"demo": "", "demo.LATEST": "LATEST"} {
		a := s.must("POST", "/services/"+service+"/functions/resize/invocations", "event",
			header("X-Fc-Invocation-Type", "Async"), header("X-Fc-Log-Type", "None"))
		if a.status != 202 || a.body != "" || a.header.Get("Content-Type") != "" {
			t.Errorf("%d %q %v", a.status, a.body, a.header)
		}
		msg, ok := s.queued(a.header.Get("X-Fc-Request-Id"))
		want := fc.FunctionRef{Service: "demo", Qualifier: qualifier, Function: "resize"}.String()
		if !ok || string(msg.Payload) != "event" || msg.Fn != want || msg.Enqueued.IsZero() {
			t.Errorf("queued %v %+v, want it for %s", ok, msg, want)
		}
	}
}

// failing is a store that refuses every write.
type failing struct {
	store.Store
	err error
}

func (f failing) Apply(context.Context, store.Batch) (store.Applied, error) {
	return store.Applied{}, f.err
}

func TestErrorsOfTheStoreAreNamed(t *testing.T) {
	tests := []struct {
		err    error
		status int
		code   fc.Code
		says   string
	}{
		{store.ErrFull, 429, fc.ResourceExhausted, "queue"},
		{store.ErrNoSpace, 503, fc.ResourceThrottled, "the disk under /var/lib/fcd is full. Free some room"},
		{&fs.PathError{Op: "write", Path: "/p", Err: syscall.ENOSPC}, 503, fc.ResourceThrottled, "/var/lib/fcd is full"},
		{fmt.Errorf("%w: %w", store.ErrFatal, store.ErrNoSpace), 503, fc.ResourceThrottled, "/var/lib/fcd is full"},
		{syscall.EROFS, 503, fc.ResourceThrottled, "the disk under /var/lib/fcd fails"},
		{store.ErrUnavailable, 503, fc.ResourceThrottled, "not available"},
		{store.ErrFatal, 503, fc.ResourceThrottled, "the disk under /var/lib/fcd fails"},
		{store.ErrTooLarge, 400, fc.EntityTooLarge, ""},
		{store.ErrConflict, 409, fc.ConcurrentUpdateError, ""},
	}
	for _, tt := range tests {
		s := start(t, func(o *api.Options) { o.Store, o.Disk = failing{o.Store, tt.err}, "/var/lib/fcd" })
		a := s.do("POST", "/services", m{"serviceName": "a"})
		wantError(t, a, tt.status, tt.code)
		if !strings.Contains(a.body, tt.says) {
			t.Errorf("%v: %s", tt.err, a.body)
		}
	}
}

func TestMetricsCountByOperationAndStatus(t *testing.T) {
	s := start(t)
	s.demo()
	s.do("GET", "/services/absent", nil)
	s.do("GET", "/nowhere", nil)
	s.do("GET", "/services/demo", nil, unsigned)
	s.do("POST", "/services/demo/functions/resize/invocations", "panic")
	want := `# HELP fcd_api_requests_total Requests to the REST API by operation and HTTP status.
# TYPE fcd_api_requests_total counter
fcd_api_requests_total{operation="CreateFunction",status="200"} 1
fcd_api_requests_total{operation="CreateService",status="200"} 1
fcd_api_requests_total{operation="CreateTrigger",status="200"} 1
fcd_api_requests_total{operation="GetService",status="404"} 1
fcd_api_requests_total{operation="InvokeFunction",status="500"} 1
fcd_api_requests_total{operation="Unknown",status="400"} 1
fcd_api_requests_total{operation="Unknown",status="403"} 1
`
	if err := testutil.GatherAndCompare(s.metrics, strings.NewReader(want), "fcd_api_requests_total"); err != nil {
		t.Error(err)
	}
}

func TestAClientThatGoesAwayIsNoFault(t *testing.T) {
	seen, logs := observer.New(zap.InfoLevel)
	var h http.Handler
	s := start(t, func(o *api.Options) {
		o.Log = zap.New(seen)
		o.Invoker = invoker(func(ctx context.Context, _ fc.Call) (fc.Result, error) {
			<-ctx.Done()
			return fc.Result{}, ctx.Err()
		})
		var err error
		if h, err = api.New(api.Options{Store: o.Store, Catalog: o.Catalog, Packages: o.Packages, Invoker: o.Invoker, Keys: o.Keys,
			Policy: o.Policy, Triggers: o.Triggers, Region: region, AccountID: account, ExternalURL: o.ExternalURL, Log: o.Log}); err != nil {
			t.Fatal(err)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	r := httptest.NewRequestWithContext(ctx, "POST", s.url+base+"/services/demo/functions/resize/invocations", strings.NewReader("x"))
	sign.SignFC(r, rootKey, rootSecret, "", time.Now())
	cancel()
	h.ServeHTTP(httptest.NewRecorder(), r)
	if logs.Len() != 0 {
		t.Errorf("logged %v", logs.All())
	}
}

func TestFaultsAreLoggedWithTheirCauseAndAnsweredWithout(t *testing.T) {
	seen, logs := observer.New(zap.InfoLevel)
	s := start(t, func(o *api.Options) { o.Log = zap.New(seen) })
	s.demo()
	a := s.do("POST", "/services/demo/functions/resize/invocations", "broken")
	if strings.Contains(a.body, io.ErrUnexpectedEOF.Error()) {
		t.Errorf("the cause is told: %s", a.body)
	}
	entries := logs.FilterField(zap.String("requestId", a.header.Get("X-Fc-Request-Id"))).All()
	if len(entries) != 1 || !strings.Contains(fmt.Sprint(entries[0].ContextMap()["error"]), io.ErrUnexpectedEOF.Error()) {
		t.Errorf("logged %v", entries)
	}
}

func BenchmarkInvoke(b *testing.B) {
	s := start(b)
	s.demo()
	h, err := api.New(api.Options{Store: s.store, Catalog: s.catalog, Packages: s.options.Packages, Invoker: s.options.Invoker,
		Keys: keys{}, Policy: s.policy, Triggers: kinds{}, Region: region, AccountID: account, ExternalURL: s.options.ExternalURL})
	if err != nil {
		b.Fatal(err)
	}
	event := bytes.Repeat([]byte("x"), 1024)
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("POST", s.url+base+"/services/demo/functions/resize/invocations", bytes.NewReader(event))
		sign.SignFC(r, rootKey, rootSecret, "", time.Now())
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 200 {
			b.Fatal(w.Body)
		}
	}
}

// noStore is a store that must not be asked.
type noStore struct{ store.Store }

// A synchronous call of a known function is answered from memory: signature, route, target, event and answer.
func TestInvokeReadsNoStoreAndAllocatesLittle(t *testing.T) {
	const maxAllocs = 23 // of these, what the answer's recorder and the echo take
	if n := testing.AllocsPerRun(100, warm(t)); n > maxAllocs {
		t.Errorf("%v allocations a call, at most %d", n, maxAllocs)
	}
}

// BenchmarkWarm is what the API itself costs a synchronous call, without the connection and the function.
func BenchmarkWarm(b *testing.B) {
	invoke := warm(b)
	b.ReportAllocs()
	for b.Loop() {
		invoke()
	}
}

// warm makes synchronous calls of a function that echoes, with the same signed request.
func warm(t testing.TB) (invoke func()) {
	s := start(t)
	s.demo()
	s.options.Store, s.options.Registerer, s.options.Policy = noStore{}, nil, openPolicy{}
	h, err := api.New(s.options)
	if err != nil {
		t.Fatal(err)
	}
	event := bytes.Repeat([]byte("x"), 1<<10)
	r := httptest.NewRequest(http.MethodPost, base+"/services/demo/functions/resize/invocations", bytes.NewReader(event))
	r.Header.Set("Content-Type", "application/octet-stream")
	sign.SignFC(r, rootKey, rootSecret, "", time.Now())
	return func() {
		r.Body = io.NopCloser(bytes.NewReader(event))
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != http.StatusOK || w.Body.Len() != len(event) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
}

// openPolicy restricts nobody.
type openPolicy struct{}

func (openPolicy) Allowed(ram.Principal, string, string, ram.Env) error { return nil }
func (openPolicy) Unrestricted(ram.Principal) bool                      { return true }
