package triggers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"fcd/fc"
	"fcd/ram"
	"fcd/store"
	"fcd/store/catalog"
	"fcd/store/sqlite"
	"fcd/triggers"
	"fcd/triggers/http"
	"fcd/triggers/oss"
	"fcd/triggers/timer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	region  = "cn-shanghai"
	account = "123456"
	photos  = "acs:oss:cn-shanghai:123456:photos"
)

// house is a store, a catalog and a directory with a bridge between them: everything but the sockets.
type house struct {
	t       testing.TB
	store   *sqlite.Store
	catalog *catalog.Catalog
	roles   *ram.Directory
	kinds   *triggers.Kinds
	bridge  *triggers.Bridge
	logs    *observer.ObservedLogs
	metrics *prometheus.Registry
}

func newHouse(t testing.TB, change func(*triggers.BridgeOptions)) *house {
	t.Helper()
	h := &house{t: t, metrics: prometheus.NewRegistry()}
	core, logs := observer.New(zap.WarnLevel)
	h.logs = logs
	var err error
	if h.store, err = sqlite.Open(context.Background(), sqlite.Options{Dir: t.TempDir(), MinFreeBytes: -1}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.must(h.store.Close()) })
	h.catalog = catalog.New(h.store, catalog.Options{})
	h.roles, err = ram.New(roles())
	h.must(err)
	h.kinds, err = triggers.NewKinds(http.Kind(), oss.Kind(oss.Options{Region: region, Account: account}), timer.Kind(timer.Options{}))
	h.must(err)
	o := triggers.BridgeOptions{
		Store: h.store, Triggers: h.catalog, Functions: h.catalog, Authorizer: h.roles, Kinds: h.kinds,
		Region: region, Account: account, Log: zap.New(core), Registerer: h.metrics,
	}
	if change != nil {
		change(&o)
	}
	h.bridge, err = triggers.NewBridge(o)
	h.must(err)
	return h
}

func roles() ram.Options {
	trust := json.RawMessage(`{"Version":"1","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":["oss.aliyuncs.com"]}}]}`)
	none := json.RawMessage(strings.ReplaceAll(string(trust), "oss.aliyuncs", "log.aliyuncs"))
	only := ram.Policy{Name: "unqualified", Document: json.RawMessage(`{"Version":"1","Statement":[{"Effect":"Allow","Action":"fc:InvokeFunction","Resource":"acs:fc:*:*:services/svc/functions/*"}]}`)}
	return ram.Options{Account: account, Roles: []ram.Role{
		{Name: "good", Trust: trust, Policies: []ram.Policy{only}},
		{Name: "no-trust", Trust: none, Policies: []ram.Policy{only}},
		{Name: "no-policy", Trust: trust},
	}}
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// keep stores records and follows the feed until the catalog shows them.
func (h *house) keep(values ...any) {
	h.t.Helper()
	h.must(h.catalog.Wait(context.Background(), h.keepLater(values...)))
}

func (h *house) drop(t *fc.Trigger) {
	h.t.Helper()
	done, err := h.store.Apply(context.Background(), store.Batch{Puts: []store.Put{
		{Key: catalog.TriggerKey(t.ServiceName, t.FunctionName, t.Name), If: store.IfAny, Delete: true}}})
	h.must(err)
	h.must(h.catalog.Wait(context.Background(), done.Rev))
}

// start loads the catalog and follows it.
func (h *house) start() {
	h.t.Helper()
	h.must(h.catalog.Load(context.Background()))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = h.catalog.Run(ctx)
	}()
	h.t.Cleanup(func() {
		cancel()
		<-ended
	})
}

// furnish stores a service, a function and triggers.
func (h *house) furnish(trs ...*fc.Trigger) {
	h.t.Helper()
	h.keep(&fc.Service{Name: "svc"}, &fc.Function{ServiceName: "svc", Name: "fn"})
	for _, tr := range trs {
		h.keep(tr)
	}
}

func ossTrigger(id, role string) *fc.Trigger {
	return &fc.Trigger{ServiceName: "svc", FunctionName: "fn", Name: "t_" + id, ID: id, Type: fc.TriggerOSS, Enabled: true,
		SourceARN: photos, InvocationRole: "acs:ram::123456:role/" + role, Config: json.RawMessage(`{"events":["oss:ObjectCreated:*"]}`)}
}

func ossEvent(trigger string, n int) triggers.Event {
	id := fmt.Sprintf("oss/photos/%d", n)
	return triggers.Event{TriggerID: trigger, ID: id, DedupKey: trigger + "/" + id, KeepDenied: true,
		Source: triggers.SourceIdentity{Service: "oss.aliyuncs.com", ARN: photos}, Payload: []byte(`{"n":1}`), Subject: "put"}
}

func (h *house) queued() []store.Msg {
	h.t.Helper()
	due, err := h.store.Ready(context.Background(), time.Now())
	h.must(err)
	want := map[string]int{}
	for _, d := range due {
		want[d.Fn] = 100
	}
	msgs, err := h.store.Claim(context.Background(), "test", want, time.Minute)
	h.must(err)
	return msgs
}

// fates lists a trigger's events, newest first.
func (h *house) fates(trigger string) (of []store.Event) {
	h.t.Helper()
	all, err := h.store.Events(context.Background(), store.EventFilter{}, 0, 0)
	h.must(err)
	for _, e := range all {
		if e.Trigger == trigger {
			of = append(of, e)
		}
	}
	return of
}

func TestDispatchQueuesInOneCommit(t *testing.T) {
	h := newHouse(t, nil)
	h.start()
	h.furnish(ossTrigger("t1", "good"))
	ctx := context.Background()
	before := time.Now()
	h.must(h.bridge.Dispatch(ctx, ossEvent("t1", 1), store.Checkpoint{Key: triggers.CheckpointKey("t1", "0"), Value: []byte("7")}))
	msgs := h.queued()
	if len(msgs) != 1 {
		t.Fatalf("%d messages", len(msgs))
	}
	m := msgs[0]
	if m.Fn != "svc//fn" || m.Trigger != "t1" || len(m.RequestID) != 36 || string(m.Payload) != `{"n":1}` ||
		m.NotAfter.Sub(before) < 5*time.Hour-time.Second || m.NotAfter.Sub(before) > 5*time.Hour+time.Minute {
		t.Errorf("got %+v", m)
	}
	if cp, err := h.store.Checkpoint(ctx, "cur/t1/0"); err != nil || string(cp) != "7" {
		t.Errorf("checkpoint %q %v", cp, err)
	}
	want := []store.Event{{EventID: "oss/photos/1", Trigger: "t1", Type: "oss", Function: "svc/fn", Name: "t_t1", Source: photos,
		Subject: "put", State: "queued", Steps: []store.Step{{State: "queued", RequestID: m.RequestID}}}}
	if diff := cmp.Diff(want, h.fates("t1"), cmpopts.IgnoreFields(store.Event{}, "ID", "Received"), cmpopts.IgnoreFields(store.Step{}, "At")); diff != "" {
		t.Error(diff)
	}
	if err := h.bridge.Dispatch(ctx, ossEvent("t1", 1)); !errors.Is(err, triggers.ErrDuplicate) {
		t.Errorf("again: %v", err)
	}
	if n := len(h.queued()); n != 0 {
		t.Errorf("a duplicate was queued")
	}
	if e := h.fates("t1")[0]; e.State != "queued" || len(e.Steps) != 2 || e.Steps[1].State != "duplicate" {
		t.Errorf("after a duplicate: %+v", e)
	}
	for name, want := range map[string]float64{"queued": 1, "duplicate": 1} {
		if got := h.metric("fcd_trigger_events_total", "state", name); got != want {
			t.Errorf("%s events: %v", name, got)
		}
	}
}

// metric is the value of a counter with the label.
func (h *house) metric(name, label, value string) float64 {
	h.t.Helper()
	families, err := h.metrics.Gather()
	h.must(err)
	var sum float64
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == name && l.GetName() == label && l.GetValue() == value {
					sum += m.GetCounter().GetValue()
				}
			}
		}
	}
	return sum
}

func TestDispatchRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*fc.Trigger, *triggers.Event)
		reason string
	}{
		{"an event of another bucket", func(_ *fc.Trigger, e *triggers.Event) { e.Source.ARN += "2" }, "arn-mismatch"},
		{"an event of another service", func(_ *fc.Trigger, e *triggers.Event) { e.Source.Service = "mns.aliyuncs.com" }, "arn-mismatch"},
		{"a role that does not exist", func(t *fc.Trigger, _ *triggers.Event) { t.InvocationRole += "x" }, "role-missing"},
		{"a role that does not trust the service", func(t *fc.Trigger, _ *triggers.Event) { t.InvocationRole = "acs:ram::123456:role/no-trust" }, "trust"},
		{"a role without the right", func(t *fc.Trigger, _ *triggers.Event) { t.InvocationRole = "acs:ram::123456:role/no-policy" }, "policy"},
		{"a qualifier that the role's right leaves out", func(t *fc.Trigger, _ *triggers.Event) { t.Qualifier = "LATEST" }, "policy"},
		{"a payload too large", func(_ *fc.Trigger, e *triggers.Event) { e.Payload = bytes.Repeat([]byte("x"), 128<<10+1) }, "too-large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t, nil)
			h.start()
			tr, ev := ossTrigger("t1", "good"), ossEvent("t1", 1)
			c.change(tr, &ev)
			h.furnish(tr)
			ctx := context.Background()
			err := h.bridge.Dispatch(ctx, ev, store.Checkpoint{Key: triggers.CheckpointKey("t1", ""), Value: []byte("7")})
			if !errors.Is(err, triggers.ErrDenied) || !strings.Contains(err.Error(), c.reason) {
				t.Fatalf("got %v", err)
			}
			if n := len(h.queued()); n != 0 {
				t.Error("it was queued")
			}
			if cp, err := h.store.Checkpoint(ctx, "cur/t1/"); err != nil || string(cp) != "7" {
				t.Errorf("checkpoint %q %v", cp, err)
			}
			fs := h.fates("t1")
			if len(fs) != 1 || fs[0].Last().Reason != c.reason || fs[0].Last().Detail == "" || fs[0].State != "denied" && fs[0].State != "dead-lettered" {
				t.Fatalf("fates %+v", fs)
			}
			dead, err := h.store.Find(ctx, fs[0].Last().RequestID)
			if err != nil || dead.State != store.StateDead || !strings.HasPrefix(dead.Cause, c.reason) || !bytes.Equal(dead.Payload, ev.Payload) {
				t.Errorf("dead letter %v %q, %d bytes, %v", dead.State, dead.Cause, len(dead.Payload), err)
			}
			if got := h.metric("fcd_trigger_denied_total", "reason", c.reason); got != 1 {
				t.Errorf("counted %v", got)
			}
			if h.logs.FilterMessage("event denied").Len() != 1 {
				t.Errorf("logged %v", h.logs.All())
			}
		})
	}
}

func TestADeniedEventThatItsSourceHoldsIsNotKept(t *testing.T) {
	h := newHouse(t, nil)
	h.start()
	h.furnish(ossTrigger("t1", "no-policy"))
	ev := ossEvent("t1", 1)
	ev.KeepDenied = false
	if err := h.bridge.Dispatch(context.Background(), ev); !errors.Is(err, triggers.ErrDenied) {
		t.Fatal(err)
	}
	fs := h.fates("t1")
	if len(fs) != 1 || fs[0].Last().RequestID != "" {
		t.Errorf("fates %+v", fs)
	}
	depths, err := h.store.Depths(context.Background())
	if err != nil || len(depths) != 0 {
		t.Errorf("queue %v %v", depths, err)
	}
}

func TestModesAndTheSource(t *testing.T) {
	h := newHouse(t, nil)
	h.start()
	h.furnish(ossTrigger("t1", "missing"))
	off := roles()
	off.Mode = ram.ModeOff
	h.must(h.roles.Replace(off))
	h.must(h.bridge.Dispatch(context.Background(), ossEvent("t1", 1)))
	ev := ossEvent("t1", 2)
	ev.Source.ARN += "2"
	if err := h.bridge.Dispatch(context.Background(), ev); !errors.Is(err, triggers.ErrDenied) {
		t.Errorf("with roles unchecked, an event of another bucket: %v", err)
	}
}

func TestEventsOfTriggersThatAreGone(t *testing.T) {
	h := newHouse(t, nil)
	h.start()
	off := ossTrigger("t2", "good")
	off.Enabled = false
	lost := ossTrigger("t3", "good")
	lost.FunctionName = "none"
	h.furnish(off, lost)
	for id, reason := range map[string]string{"t1": "", "t2": "disabled", "t3": "no-function"} {
		if err := h.bridge.Dispatch(context.Background(), ossEvent(id, 1)); !errors.Is(err, triggers.ErrGone) || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: %v", id, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	h.must(h.bridge.Run(ctx)) // writes the notes that wait
	if fs := h.fates("t2"); len(fs) != 1 || fs[0].State != "unmatched" || fs[0].Last().Reason != "disabled" {
		t.Errorf("fates %+v", fs)
	}
}

// failing is a store that refuses.
type failing struct{ err error }

func (f failing) Apply(context.Context, store.Batch) (store.Applied, error) {
	return store.Applied{}, f.err
}

func TestAStoreThatRefuses(t *testing.T) {
	for _, c := range []struct{ given, want error }{
		{store.ErrFull, triggers.ErrThrottled}, {store.ErrUnavailable, store.ErrUnavailable}, {store.ErrFatal, store.ErrFatal},
	} {
		h := newHouse(t, func(o *triggers.BridgeOptions) { o.Store = failing{c.given} })
		h.start()
		h.furnish(ossTrigger("t1", "good"), ossTrigger("t2", "no-policy"))
		if err := h.bridge.Dispatch(context.Background(), ossEvent("t1", 1)); !errors.Is(err, c.want) || triggers.Settled(err) {
			t.Errorf("%v became %v", c.given, err)
		}
		if err := h.bridge.Dispatch(context.Background(), ossEvent("t2", 1)); triggers.Settled(err) {
			t.Errorf("a denied event is settled though nothing was written: %v", err)
		}
	}
}

type invoker struct{ calls []fc.Call }

func (i *invoker) Invoke(_ context.Context, c fc.Call) (fc.Result, error) {
	i.calls = append(i.calls, c)
	return fc.Result{Body: []byte("ok")}, nil
}

func TestInvokeMakesTheSameChecks(t *testing.T) {
	inv := &invoker{}
	h := newHouse(t, func(o *triggers.BridgeOptions) { o.Invoker = inv })
	h.start()
	h.furnish(ossTrigger("t1", "good"), ossTrigger("t2", "no-policy"))
	if res, err := h.bridge.Invoke(context.Background(), ossEvent("t1", 1)); err != nil || string(res.Body) != "ok" || inv.calls[0].Ref != (fc.FunctionRef{Service: "svc", Function: "fn"}) {
		t.Errorf("%s %v", res.Body, err)
	}
	if _, err := h.bridge.Invoke(context.Background(), ossEvent("t2", 1)); !errors.Is(err, triggers.ErrDenied) || len(inv.calls) != 1 {
		t.Errorf("denied: %v", err)
	}
}

func TestNotesAreWrittenAndBounded(t *testing.T) {
	h := newHouse(t, nil)
	for i := range 5000 {
		h.bridge.Note(store.Fate{Trigger: "t", EventID: fmt.Sprint(i), State: "unmatched"})
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = h.bridge.Run(ctx) })
	cancel()
	wg.Wait()
	if n := len(h.fates("t")); n != 1000 {
		t.Errorf("%d fates on the first page", n)
	}
	if n, err := testutil.GatherAndCount(h.metrics, "fcd_trigger_notes_lost_total"); err != nil || n != 1 {
		t.Errorf("%d %v", n, err)
	}
	if got := h.total("fcd_trigger_notes_lost_total"); got != 5000-4096 {
		t.Errorf("%v notes lost", got)
	}
}

func (h *house) total(name string) float64 {
	h.t.Helper()
	families, err := h.metrics.Gather()
	h.must(err)
	var sum float64
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

func TestNewBridgeNeedsItsParts(t *testing.T) {
	if _, err := triggers.NewBridge(triggers.BridgeOptions{}); err == nil {
		t.Error("no error")
	}
	if _, err := triggers.NewManager(triggers.ManagerOptions{}); err == nil {
		t.Error("no error")
	}
}

// 64 sources at once share commits; ns/op is the time between two durable events.
func BenchmarkDispatch(b *testing.B) {
	h := newHouse(b, nil)
	h.start()
	h.furnish(ossTrigger("t1", "good"))
	var n atomic.Int64
	b.SetParallelism(32)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := h.bridge.Dispatch(context.Background(), ossEvent("t1", int(n.Add(1)))); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
