package api_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"fcd/api"
	"fcd/fc"
	"fcd/ram"
	"fcd/sign"
	"fcd/store"
	"fcd/store/catalog"
	"fcd/store/packages"
	"fcd/store/sqlite"
)

const (
	region  = "cn-shanghai"
	account = "123456"
	base    = "/2016-08-15"

	rootKey, rootSecret   = "akid", "secret"
	userKey, userSecret   = "userkey", "usersecret"
	tokenKey, tokenSecret = "STS.key", "stssecret"
	token                 = "the-token"

	role   = "acs:ram::123456:role/fc-invoke"
	bucket = "acs:oss:cn-shanghai:123456:photos"
)

// keys knows the account's key, a user's and a role's temporary one.
type keys struct{}

func (keys) Authenticate(id, tok string) (ram.Identity, error) {
	switch {
	case id == rootKey:
		return ram.Identity{Secret: rootSecret, Principal: ram.Principal{Kind: ram.KindRoot, Account: account}}, nil
	case id == userKey:
		return ram.Identity{Secret: userSecret, Principal: ram.Principal{Kind: ram.KindUser, Account: account, Name: "ci"}}, nil
	case id == tokenKey && tok == token:
		return ram.Identity{Secret: tokenSecret, Principal: ram.Principal{Kind: ram.KindRole, Account: account, Name: "r"}}, nil
	case id == tokenKey:
		return ram.Identity{}, fc.Errorf(fc.AccessDenied, "the security token is missing, wrong or expired")
	}
	return ram.Identity{}, fc.Errorf(fc.InvalidAccessKeyID, "invalid access key ID '%s'", id)
}

// policy allows root everything and others what its map holds under "action resource".
type policy map[string]bool

func (p policy) Allowed(who ram.Principal, action, resource string, env ram.Env) error {
	key := action + " " + resource
	if s := env["acs:Service"]; s != "" {
		key += " " + s
	}
	if who.Kind == ram.KindRoot || p[key] {
		return nil
	}
	return fc.Errorf(fc.AccessDenied, "the caller is not authorized to perform '%s' on resource '%s'", action, resource)
}

// kinds is a small rule book of triggers: oss wants a source and events, timer a cronExpression; overlapping prefixes of
// one bucket are refused.
type kinds struct{}

type kindConfig struct {
	Events         []string `json:"events,omitempty"`
	Prefix         string   `json:"prefix,omitempty"`
	CronExpression string   `json:"cronExpression,omitempty"`
}

func (kinds) Normalize(old, t *fc.Trigger, raw json.RawMessage) error {
	var c kindConfig
	if old != nil {
		if err := json.Unmarshal(old.Config, &c); err != nil {
			return err
		}
	}
	if raw != nil && json.Unmarshal(raw, &c) != nil {
		return fc.Errorf(fc.InvalidArgument, "TriggerConfig is not valid")
	}
	switch {
	case t.Type == fc.TriggerTimer && c.CronExpression == "":
		return fc.MissingField("TriggerConfig.CronExpression")
	case t.Type == fc.TriggerTimer:
		t.SourceARN = ""
	case t.Type != fc.TriggerOSS:
		return fc.InvalidField("TriggerType", "oss | timer", t.Type)
	case t.SourceARN == "":
		return fc.MissingField("SourceArn")
	case t.InvocationRole == "":
		return fc.MissingField("InvocationRole")
	case len(c.Events) == 0:
		return fc.MissingField("TriggerConfig.Events")
	}
	var err error
	t.Config, err = json.Marshal(c)
	return err
}

func (kinds) Conflict(t *fc.Trigger, others []*fc.Trigger) error {
	if t.Type != fc.TriggerOSS {
		return nil
	}
	var mine, its kindConfig
	if err := json.Unmarshal(t.Config, &mine); err != nil {
		return err
	}
	for _, o := range others {
		if o.SourceARN != t.SourceARN {
			continue
		}
		if err := json.Unmarshal(o.Config, &its); err != nil {
			return err
		}
		if strings.HasPrefix(mine.Prefix, its.Prefix) || strings.HasPrefix(its.Prefix, mine.Prefix) {
			return fc.Errorf(fc.InvalidArgument, "event source 'oss' returned error: Cannot specify overlapping prefix "+
				"and suffix with same event type..")
		}
	}
	return nil
}

func (kinds) RoleService(kind string) string {
	if kind == fc.TriggerOSS {
		return "oss.aliyuncs.com"
	}
	return ""
}

func (kinds) Upcoming(t *fc.Trigger, now time.Time, n int) (fc.Upcoming, error) {
	if t.Type != fc.TriggerTimer {
		return fc.Upcoming{}, fc.Errorf(fc.InvalidArgument, "trigger '%s' does not fire by the clock", t.Name)
	}
	up := fc.Upcoming{Schedule: "hourly", Warning: "careful"}
	for i := range n {
		up.Next = append(up.Next, now.Truncate(time.Hour).Add(time.Duration(i+1)*time.Hour))
	}
	return up, nil
}

// roles refuses one role.
type roles struct{}

func (roles) CheckInvocationRole(arn, service, resource string) error {
	if strings.HasSuffix(arn, "/nobody") {
		return fc.Errorf(fc.AccessDenied, "role '%s' does not exist", arn)
	}
	return nil
}

// objects is a bucket store with one package and one giant.
type objects struct{ zip []byte }

func (o objects) Open(_ context.Context, bucket, object string) (io.ReadCloser, int64, error) {
	switch object {
	case "code.zip":
		return io.NopCloser(bytes.NewReader(o.zip)), int64(len(o.zip)), nil
	case "giant.zip":
		return io.NopCloser(bytes.NewReader(nil)), 60 << 20, nil
	}
	return nil, 0, fc.Errorf(fc.InvalidArgument, "object '%s' does not exist in bucket '%s'", object, bucket)
}

// logstores knows one project with one logstore.
type logstores struct{}

func (logstores) CheckLogstore(_ context.Context, project, logstore string) error {
	switch {
	case project != "logs":
		return fc.Errorf(fc.InvalidArgument, "project '%s' does not exist", project)
	case logstore != "store":
		return fc.Errorf(fc.InvalidArgument, "logstore '%s' does not exist in project '%s'", logstore, project)
	}
	return nil
}

// invoker is a function as a func.
type invoker func(context.Context, fc.Call) (fc.Result, error)

func (f invoker) Invoke(ctx context.Context, call fc.Call) (fc.Result, error) { return f(ctx, call) }

// server is a running API with everything behind it.
type server struct {
	t       testing.TB
	url     string
	options api.Options
	store   *sqlite.Store
	catalog *catalog.Catalog
	code    string // directory of the packages
	policy  policy
	metrics *prometheus.Registry
	now     func() time.Time
}

func start(t testing.TB, change ...func(*api.Options)) *server {
	t.Helper()
	s := &server{t: t, policy: policy{}, metrics: prometheus.NewRegistry(), now: time.Now}
	s.open()
	s.code = filepath.Join(t.TempDir(), "packages")
	code, err := packages.New(packages.Options{Dir: s.code})
	if err != nil {
		t.Fatal(err)
	}
	s.options = api.Options{
		Store: s.store, Catalog: s.catalog, Packages: code, Invoker: invoker(s.echo),
		Keys: keys{}, Policy: s.policy, Triggers: kinds{}, InvocationRoles: roles{}, Objects: objects{zipFile(t, "index.py")},
		Logstores: logstores{}, Invocations: s.store, Region: region, AccountID: account,
		ExternalURL: func() string { return s.url }, Registerer: s.metrics,
		Now: func() time.Time { return s.now() },
	}
	for _, f := range change {
		f(&s.options)
	}
	h, err := api.New(s.options)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	s.url = srv.URL
	return s
}

// open makes an empty store and the view of it, both closed at the end of the test.
func (s *server) open() {
	s.t.Helper()
	var err error
	s.store, err = sqlite.Open(s.t.Context(), sqlite.Options{Dir: s.t.TempDir(), MinFreeBytes: -1})
	if err != nil {
		s.t.Fatal(err)
	}
	s.catalog = catalog.New(s.store, catalog.Options{})
	if err := s.catalog.Load(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.catalog.Run(ctx) }()
	s.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			s.t.Error(err)
		}
		if err := s.store.Close(); err != nil {
			s.t.Error(err)
		}
	})
}

// echo gives the event back, or fails in the way the event names.
func (s *server) echo(_ context.Context, call fc.Call) (fc.Result, error) {
	target, err := s.options.Catalog.Target(call.Ref)
	if err != nil {
		return fc.Result{}, err
	}
	res := fc.Result{RequestID: call.RequestID, Body: call.Payload, Duration: 17 * time.Millisecond, MaxMemoryMB: 17.234,
		CodeChecksum: target.Function.CodeChecksum, VersionID: fc.Latest, InstanceID: "instance-1"}
	if call.Tail {
		res.LogTail = []byte("FC Invoke Start RequestId: " + call.RequestID + "\n")
	}
	switch string(call.Payload) {
	case "handled", "unhandled":
		res.ErrorType = fc.UnhandledInvocationError
		if string(call.Payload) == "handled" {
			res.ErrorType = fc.HandledInvocationError
		}
		res.Body = []byte(`{"errorMessage":"oops"}`)
	case "exhausted":
		return fc.Result{}, fc.Errorf(fc.ResourceExhausted, "the function has reached its limit of 100 instances")
	case "throttled":
		return fc.Result{}, fc.Errorf(fc.ResourceThrottled, "no capacity")
	case "broken":
		return fc.Result{}, io.ErrUnexpectedEOF
	case "panic":
		panic("at the disco")
	}
	return res, nil
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// code is the error code of an answer, "" if it is none.
func (a answer) code() string {
	var e map[string]string
	if json.Unmarshal([]byte(a.body), &e) != nil {
		return ""
	}
	return e["ErrorCode"]
}

func (a answer) message() string {
	var e map[string]string
	if json.Unmarshal([]byte(a.body), &e) != nil {
		return ""
	}
	return e["ErrorMessage"]
}

// object is the JSON object of an answer.
func (a answer) object(t testing.TB) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("%v in %q", err, a.body)
	}
	return v
}

// request is one request; its options change it before or after it is signed.
type request struct {
	*http.Request
	key, secret, token string
	unsigned           bool
	afterSign          func(*http.Request)
	at                 time.Time
}

type option func(*request)

func header(k, v string) option { return func(r *request) { r.Header.Set(k, v) } }
func as(key, secret string) option {
	return func(r *request) { r.key, r.secret = key, secret }
}
func withToken(tok string) option { return func(r *request) { r.token = tok } }
func unsigned(r *request)         { r.unsigned = true }
func signedAt(t time.Time) option { return func(r *request) { r.at = t } }
func then(f func(*http.Request)) option {
	return func(r *request) { r.afterSign = f }
}

var user option = as(userKey, userSecret)

// do sends a signed request. The path is behind the API version unless it begins with "!". A string or []byte body is
// sent as it stands, another one as JSON.
func (s *server) do(method, path string, body any, opts ...option) answer {
	s.t.Helper()
	url := s.url + base + path
	if rest, ok := strings.CutPrefix(path, "!"); ok {
		url = s.url + rest
	}
	if rest, ok := strings.CutPrefix(path, "!"); ok {
		url = s.url + rest
	}
	var content io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		content = strings.NewReader(b)
	case []byte:
		content = bytes.NewReader(b)
	case io.Reader:
		content = b
	default:
		j, err := json.Marshal(b)
		if err != nil {
			s.t.Fatal(err)
		}
		content = bytes.NewReader(j)
	}
	hr, err := http.NewRequest(method, url, content)
	if err != nil {
		s.t.Fatal(err)
	}
	r := &request{Request: hr, key: rootKey, secret: rootSecret, at: time.Now()}
	for _, o := range opts {
		o(r)
	}
	if !r.unsigned {
		sign.SignFC(hr, r.key, r.secret, r.token, r.at)
	}
	if r.afterSign != nil {
		r.afterSign(hr)
	}
	return s.send(hr)
}

func (s *server) send(r *http.Request) answer {
	s.t.Helper()
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	a := answer{status: res.StatusCode, header: res.Header, body: string(b)}
	if id := a.header.Get("X-Fc-Request-Id"); len(id) != 36 {
		s.t.Errorf("%s %s: request id %q", r.Method, r.URL.Path, id)
	}
	return a
}

// must sends a request that has to succeed.
func (s *server) must(method, path string, body any, opts ...option) answer {
	s.t.Helper()
	a := s.do(method, path, body, opts...)
	if a.status >= 300 {
		s.t.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
	}
	return a
}

// m is a JSON object.
type m = map[string]any

// demo makes the service "demo" with the function "resize" and the trigger "uploads".
func (s *server) demo() {
	s.t.Helper()
	s.must("POST", "/services", m{"serviceName": "demo"})
	s.must("POST", "/services/demo/functions", functionOf(s.t, "resize"))
	s.must("POST", "/services/demo/functions/resize/triggers", ossTrigger("uploads", "src/"))
}

func functionOf(t testing.TB, name string) m {
	return m{"functionName": name, "runtime": "python3", "handler": "index.handler", "code": m{"zipFile": zipFile(t, "index.py")}}
}

func ossTrigger(name, prefix string) m {
	return m{"triggerName": name, "triggerType": "oss", "sourceArn": bucket, "invocationRole": role,
		"triggerConfig": m{"events": []string{"oss:ObjectCreated:*"}, "prefix": prefix}}
}

// zipFile is an archive of small files, the same bytes at every call.
func zipFile(t testing.TB, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, n := range names {
		w, err := z.Create(n)
		if err == nil {
			_, err = io.WriteString(w, "def handler(event, context):\n    return event\n")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// chunked hides the length of a body, so that it is sent in chunks.
type chunked struct{ io.Reader }

// dropCode removes every code package.
func (s *server) dropCode() {
	s.t.Helper()
	if err := os.RemoveAll(filepath.Join(s.code, "zip")); err != nil {
		s.t.Fatal(err)
	}
}

// queued finds an asynchronous invocation in the queue.
func (s *server) queued(requestID string) (store.Msg, bool) {
	inv, err := s.store.Find(s.t.Context(), requestID)
	return inv.Msg, err == nil
}

// contents counts the records and the queued invocations.
func (s *server) contents() (records, messages int) {
	s.t.Helper()
	recs, err := s.store.List(s.t.Context(), "", "", 0)
	if err != nil {
		s.t.Fatal(err)
	}
	due, err := s.store.Ready(s.t.Context(), time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	return len(recs), len(due)
}
