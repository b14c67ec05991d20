package e2e

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"fcd/cmd/fcd/daemon"
	"fcd/config"
	"fcd/invoker/sandbox/native"
	"fcd/sign"
)

const (
	base     = "/2016-08-15"
	region   = "cn-shanghai"
	account  = "1234567890123456"
	rootKey  = "LTAIroot"
	rootPass = "rootsecret"
	bucket   = "photos"
	project  = "e2e-logs"
	logstore = "functions"
)

func TestMain(m *testing.M) {
	native.Main()
	if err := native.EnterRootless(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(builtDir())
		if err := leftBehind(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
		os.Exit(code)
	}))
}

// m is a JSON object.
type m = map[string]any

// roleARN names a role of the account.
func roleARN(name string) string { return "acs:ram::" + account + ":role/" + name }

// functionRole and ossRole exist in every daemon.
var (
	functionRole = roleARN("AliyunFCDefaultRole")
	ossRole      = roleARN("AliyunOSSEventNotificationRole")
)

// house is a running daemon and what a test needs to talk to it.
type house struct {
	t       testing.TB
	daemon  *daemon.Daemon
	e       daemon.Endpoint
	dir     string
	metrics *prometheus.Registry
	log     *observer.ObservedLogs // warnings and errors of the daemon
	stop    func() error           // stops it in stages, once; the test's end does it too
	http    *http.Client
}

// boot starts a daemon of its own for the test, on the defaults but for an account of fixed keys and what change does.
func boot(t testing.TB, change ...func(*config.Config)) *house {
	t.Helper()
	return bootIn(t, t.TempDir(), change...)
}

func bootIn(t testing.TB, dir string, change ...func(*config.Config)) *house {
	t.Helper()
	homes.Store(dir, true)
	c := config.Default()
	c.DataDir, c.Region = dir, region
	c.Account = config.Account{ID: account, AccessKeyID: rootKey, AccessKeySecret: rootPass}
	c.Shutdown.Drain = 10 * time.Second
	for _, f := range change {
		f(c)
	}
	core, seen := observer.New(zapcore.WarnLevel)
	h := &house{t: t, dir: dir, metrics: prometheus.NewRegistry(), log: seen}
	d, err := daemon.Open(t.Context(), daemon.Options{Config: c, AnyPorts: true, Log: zap.New(core), Metrics: h.metrics})
	if err != nil {
		t.Fatal(err)
	}
	h.daemon, h.e = d, d.Endpoint()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	h.stop = sync.OnceValue(func() error { cancel(); return <-done })
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	h.http = &http.Client{Transport: transport}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := h.stop(); err != nil {
			t.Errorf("the daemon stopped with %v", err)
		}
		if t.Failed() {
			for _, line := range seen.All() {
				t.Logf("daemon: %s %s %v", line.Level, line.Message, line.ContextMap())
			}
		}
	})
	return h
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// code is the error code of an answer, "" if it is none.
func (a answer) code() string { return a.field("ErrorCode") }

// message is the text of a refusal.
func (a answer) message() string { return a.field("ErrorMessage") }

func (a answer) field(name string) string {
	var v m
	if json.Unmarshal([]byte(a.body), &v) != nil {
		return ""
	}
	s, _ := v[name].(string)
	return s
}

// object is the JSON object of an answer.
func (a answer) object(t testing.TB) m {
	t.Helper()
	var v m
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("%v in %q", err, a.body)
	}
	return v
}

// tail is the log that came with a Tail call.
func (a answer) tail() string {
	b, _ := base64.StdEncoding.DecodeString(a.header.Get("X-Fc-Log-Result"))
	return string(b)
}

func (a answer) errorType() string { return a.header.Get("X-Fc-Error-Type") }
func (a answer) requestID() string { return a.header.Get("X-Fc-Request-Id") }

// request is one request; options change it before or after it is signed.
type request struct {
	*http.Request
	key, secret, token string
	unsigned           bool
	at                 time.Time
	afterSign          func(*http.Request)
}

type option func(*request)

func header(k, v string) option { return func(r *request) { r.Header.Set(k, v) } }
func as(key, secret, token string) option {
	return func(r *request) { r.key, r.secret, r.token = key, secret, token }
}
func unsigned(r *request)         { r.unsigned = true }
func signedAt(t time.Time) option { return func(r *request) { r.at = t } }
func then(f func(*http.Request)) option {
	return func(r *request) { r.afterSign = f }
}

var (
	async = header("X-Fc-Invocation-Type", "Async")
	tail  = header("X-Fc-Log-Type", "Tail")
)

// do sends a signed request to a path behind the API version, or as it stands behind "!". A string or []byte body is
// sent as it is, another one as JSON. It may be called from any goroutine.
func (h *house) do(method, path string, body any, options ...option) answer {
	h.t.Helper()
	a, err := h.try(h.t.Context(), method, path, body, options...)
	if err != nil {
		h.t.Errorf("%s %s: %v", method, path, err)
	}
	return a
}

// try is do for requests that may get no answer.
func (h *house) try(ctx context.Context, method, path string, body any, options ...option) (answer, error) {
	target := h.e.API + base + path
	if rest, ok := strings.CutPrefix(path, "!"); ok {
		target = h.e.API + rest
	}
	content, err := bodyOf(body)
	if err != nil {
		return answer{}, err
	}
	hr, err := http.NewRequestWithContext(ctx, method, target, content)
	if err != nil {
		return answer{}, err
	}
	r := &request{Request: hr, key: h.e.AccessKeyID, secret: h.e.AccessKeySecret, at: time.Now()}
	for _, o := range options {
		o(r)
	}
	if !r.unsigned {
		sign.SignFC(hr, r.key, r.secret, r.token, r.at)
	}
	if r.afterSign != nil {
		r.afterSign(hr)
	}
	res, err := h.http.Do(hr)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return answer{status: res.StatusCode, header: res.Header, body: string(b)}, err
}

// readAll reads and closes the body of an answer.
func readAll(t testing.TB, res *http.Response) string {
	t.Helper()
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func bodyOf(body any) (io.Reader, error) {
	switch b := body.(type) {
	case nil:
		return nil, nil
	case string:
		return strings.NewReader(b), nil
	case []byte:
		return bytes.NewReader(b), nil
	case io.Reader:
		return b, nil
	}
	j, err := json.Marshal(body)
	return bytes.NewReader(j), err
}

// must sends a request that has to succeed.
func (h *house) must(method, path string, body any, options ...option) answer {
	h.t.Helper()
	a := h.do(method, path, body, options...)
	if a.status < 200 || a.status >= 300 {
		h.t.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
	}
	return a
}

// service makes a service with the role ("" for none) and a logstore.
func (h *house) service(name, role string) {
	h.t.Helper()
	h.must("POST", "/services", m{"serviceName": name, "role": role, "logConfig": m{"project": project, "logstore": logstore}})
}

// python makes a python3 function of one file. Fields of extra win over the defaults.
func (h *house) python(ref, source string, extra ...m) {
	h.t.Helper()
	h.deploy(ref, "python3", map[string]string{"index.py": source}, extra...)
}

// node makes a nodejs8 function of one file.
func (h *house) node(ref, source string, extra ...m) {
	h.t.Helper()
	h.deploy(ref, "nodejs8", map[string]string{"index.js": source}, extra...)
}

// deploy makes the function "service/function", with index.handler as its handler.
func (h *house) deploy(ref, runtime string, files map[string]string, extra ...m) {
	h.t.Helper()
	service, name, _ := strings.Cut(ref, "/")
	body := m{"functionName": name, "runtime": runtime, "handler": "index.handler", "timeout": 20,
		"code": m{"zipFile": zipOf(h.t, files)}}
	for _, x := range extra {
		for k, v := range x {
			body[k] = v
		}
	}
	h.must("POST", "/services/"+service+"/functions", body)
}

// invoke calls "service/function".
func (h *house) invoke(ref string, event any, options ...option) answer {
	h.t.Helper()
	return h.do("POST", invocations(ref), event, options...)
}

func invocations(ref string) string {
	service, name, _ := strings.Cut(ref, "/")
	return "/services/" + service + "/functions/" + name + "/invocations"
}

// returns calls a function that has to succeed and gives its result.
func (h *house) returns(ref string, event any, options ...option) string {
	h.t.Helper()
	a := h.invoke(ref, event, options...)
	if a.status != 200 || a.errorType() != "" {
		h.t.Fatalf("invoke %s: %d %s %s", ref, a.status, a.errorType(), a.body)
	}
	return a.body
}

// eventually fails the test unless so becomes true in half a minute.
func eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	if !soon(30*time.Second, so) {
		t.Fatalf("it did not happen in time: %s", what)
	}
}

// soon asks until so is true or the time is up.
func soon(d time.Duration, so func() bool) bool {
	end := time.NewTimer(d)
	defer end.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-end.C:
			return false
		case <-tick.C:
		}
	}
	return true
}

// metric is the sum of a counter's or gauge's series that have all the labels, given as name, value, ...
func (h *house) metric(name string, labels ...string) float64 {
	h.t.Helper()
	families, err := h.metrics.Gather()
	if err != nil {
		h.t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, s := range f.GetMetric() {
			has := map[string]string{}
			for _, l := range s.GetLabel() {
				has[l.GetName()] = l.GetValue()
			}
			match := true
			for i := 0; i+1 < len(labels); i += 2 {
				match = match && has[labels[i]] == labels[i+1]
			}
			if match {
				sum += s.GetCounter().GetValue() + s.GetGauge().GetValue()
			}
		}
	}
	return sum
}

// zipOf packs files, the same bytes at every call.
func zipOf(t testing.TB, files map[string]string) []byte {
	t.Helper()
	b, err := zipFiles(files)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func zipFiles(files map[string]string) ([]byte, error) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, n := range slices.Sorted(maps.Keys(files)) {
		if err := addFile(z, n, []byte(files[n])); err != nil {
			return nil, err
		}
	}
	err := z.Close()
	return b.Bytes(), err
}

func addFile(z *zip.Writer, name string, content []byte) error {
	w, err := z.Create(name)
	if err != nil {
		return err
	}
	_, err = w.Write(content)
	return err
}
