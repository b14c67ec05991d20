package logs

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	sdk "github.com/aliyun/aliyun-log-go-sdk"
	kitlog "github.com/go-kit/kit/log"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"fcd/fc"
	"fcd/localcloud/sls"
	"fcd/ram"
	"fcd/store"
	"fcd/triggers"
	"fcd/triggers/triggertest"
)

func TestMain(m *testing.M) {
	sdk.Logger = kitlog.NewNopLogger()
	goleak.VerifyTestMain(m)
}

const (
	project  = "the-project"
	logstore = "source"
	records  = "records"
	endpoint = "http://sls.fcd.local"
)

// open lets everyone in.
type open struct{}

func (open) Authenticate(string, string) (ram.Identity, error) {
	return ram.Identity{Secret: "secret"}, nil
}
func (open) Allowed(ram.Principal, string, string, ram.Env) error { return nil }

// inside serves a client's requests in the same process, without a connection: in a bubble of synctest, time stands still
// while a goroutine waits for a network.
type inside struct{ http.Handler }

func (i inside) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	in.Host, in.RemoteAddr = r.URL.Host, "127.0.0.1:1"
	if in.Body == nil {
		in.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	i.ServeHTTP(w, in)
	return w.Result(), nil
}

// cloud is the embedded Log Service with the real client, its time that of the bubble.
type cloud struct {
	*sls.Server
	*sdk.Client
	t testing.TB
}

func newCloud(t testing.TB, shards int) *cloud {
	t.Helper()
	srv, err := sls.New(sls.Options{Dir: t.TempDir(), Keys: open{}, Policy: open{}, AccountID: triggertest.Account})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	c := &cloud{Server: srv, t: t, Client: &sdk.Client{Endpoint: endpoint, AccessKeyID: "key", AccessKeySecret: "secret",
		RequestTimeOut: 10 * time.Second, RetryTimeOut: 100 * time.Millisecond, HTTPClient: &http.Client{Transport: inside{srv}}}}
	if _, err := c.CreateProject(project, ""); err != nil {
		t.Fatal(err)
	}
	if err := c.CreateLogStore(project, logstore, 1, shards, false, 0); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *cloud) put(messages ...string) {
	c.t.Helper()
	for _, m := range messages {
		at := uint32(time.Now().Unix())
		g := &sdk.LogGroup{Topic: text(""), Source: text("test"), Logs: []*sdk.Log{{Time: &at, Contents: []*sdk.LogContent{{Key: text("message"), Value: text(m)}}}}}
		if err := c.PutLogs(project, logstore, g); err != nil {
			c.t.Fatal(err)
		}
	}
}

// pull reads a range as a function does: until the next cursor is the end.
func (c *cloud) pull(store string, shard int, begin, end string) (all []string, err error) {
	for cursor := begin; cursor != end; {
		list, next, err := c.PullLogs(project, store, shard, cursor, end, 3)
		if err != nil {
			return nil, err
		}
		if next == cursor {
			return nil, fmt.Errorf("the range from %s to %s of shard %d does not end", begin, end, shard)
		}
		cursor = next
		for _, g := range list.LogGroups {
			for _, l := range g.Logs {
				all = append(all, l.Contents[0].GetValue())
			}
		}
	}
	return all, nil
}

// call is one invocation.
type call struct {
	at    time.Time
	event document
	logs  []string
	err   error
}

// world is where a source lives: the cloud, a store and functions.
type world struct {
	*cloud
	metrics *prometheus.Registry
	seen    *observer.ObservedLogs
	log     *zap.Logger

	mu     sync.Mutex
	rows   map[string][]byte
	fates  []store.Fate
	calls  []call
	offset time.Duration
	refuse func(n int, ev document) error // nil: every call succeeds
	saving error
}

func newWorld(t testing.TB, shards int) *world {
	core, seen := observer.New(zap.InfoLevel)
	return &world{cloud: newCloud(t, shards), rows: map[string][]byte{}, seen: seen, log: zap.New(core)}
}

func (w *world) env() triggers.Env {
	w.metrics = prometheus.NewRegistry()
	return triggers.Env{
		Log: w.log, Region: triggertest.Region, Account: triggertest.Account, Registerer: w.metrics,
		Clock: func() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return time.Now().Add(w.offset) },
		Note:  func(f store.Fate) { w.mu.Lock(); defer w.mu.Unlock(); w.fates = append(w.fates, f) },
		Checkpoint: func(_ context.Context, key string) ([]byte, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.rows[key], nil
		},
		Save: func(_ context.Context, rows []store.Checkpoint, fates ...store.Fate) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.saving != nil {
				return w.saving
			}
			for _, r := range rows {
				if w.rows[r.Key] = r.Value; r.Value == nil {
					delete(w.rows, r.Key)
				}
			}
			w.fates = append(w.fates, fates...)
			return nil
		},
		Invoke: w.invoke,
	}
}

func (w *world) invoke(ctx context.Context, ev triggers.Event) (fc.Result, error) {
	var d document
	if err := json.Unmarshal(ev.Payload, &d); err != nil {
		return fc.Result{}, err
	}
	w.mu.Lock()
	n, refuse := len(w.calls), w.refuse
	w.mu.Unlock()
	c := call{at: time.Now(), event: d}
	if refuse != nil {
		c.err = refuse(n, d)
	}
	if c.err == nil {
		c.logs, c.err = w.pull(d.Source.Logstore, d.Source.Shard, d.Source.BeginCursor, d.Source.EndCursor)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, c)
	return fc.Result{RequestID: fmt.Sprint("request-", len(w.calls))}, c.err
}

// start runs a source until the function it returns is called.
func (w *world) start(o Options) (triggers.Source, func()) {
	w.t.Helper()
	o.Region, o.Account, o.Endpoint = triggertest.Region, triggertest.Account, endpoint
	if o.Service == nil {
		o.Service = w.Client
	}
	s, err := Kind(o).New(w.env())
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := s.Run(ctx); err != nil {
			w.t.Errorf("Run: %v", err)
		}
	}()
	return s, sync.OnceFunc(func() { cancel(); <-ended })
}

// taken are the messages of the calls that succeeded, in order.
func (w *world) taken() (all []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.calls {
		if c.err == nil {
			all = append(all, c.logs...)
		}
	}
	return all
}

// states are those of the fates that the source itself noted, with their reasons.
func (w *world) states() (all []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.fates {
		all = append(all, f.State+" "+f.Reason)
	}
	return all
}

func (w *world) set(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// newTrigger is a trigger on the logstore as it would be stored now; parts of a configuration may be changed.
func newTrigger(id string, change ...func(*config)) *fc.Trigger {
	c := config{SourceConfig: sourceConfig{Logstore: logstore}, JobConfig: jobConfig{MaxRetryTime: 3, TriggerInterval: 3},
		FunctionParameter: json.RawMessage(`{"a":"<b>"}`), Enable: true}
	for _, f := range change {
		f(&c)
	}
	return &fc.Trigger{ServiceName: "svc", FunctionName: "fn", Name: "log_" + id, ID: id, Type: fc.TriggerLog, Enabled: c.Enable,
		SourceARN: "acs:log:cn-shanghai:123456:project/" + project, InvocationRole: "acs:ram::123456:role/r",
		CreatedTime: time.Now(), Config: triggers.Canonical(c)}
}

func apply(t testing.TB, s triggers.Source, tr *fc.Trigger) {
	t.Helper()
	if err := s.Apply(context.Background(), tr); err != nil {
		t.Fatal(err)
	}
}

// bubble runs f in a world of its own, in a bubble of time.
func bubble(t *testing.T, shards int, f func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) { f(t, newWorld(t, shards)) })
}

// sleep lets time pass and everything settle.
func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
