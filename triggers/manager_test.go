package triggers_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"fcd/fc"
	"fcd/store"
	"fcd/triggers"
	"fcd/triggers/oss"
)

// manage puts a manager between the house's catalog and bridge and runs it.
func (h *house) manage() *triggers.Manager {
	h.t.Helper()
	m, err := triggers.NewManager(triggers.ManagerOptions{
		Kinds: h.kinds, Bridge: h.bridge, Watch: h.catalog, Checkpoints: h.store, Region: region, Account: account,
	})
	h.must(err)
	h.start()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = m.Run(ctx)
	}()
	h.t.Cleanup(func() {
		cancel()
		<-ended
	})
	return m
}

func TestFromAStoredTriggerToTheQueue(t *testing.T) {
	h := newHouse(t, nil)
	tr := ossTrigger("t1", "good")
	m := h.manage()
	h.furnish(tr)
	put := fc.ObjectEvent{Sequence: 1, Name: "ObjectCreated:PutObject", Bucket: "photos", Key: "k", Time: time.Now()}
	source := m.Source(fc.TriggerOSS).(*oss.Source)
	for range 2 { // the second is a redelivery
		h.must(source.ObjectEvent(context.Background(), put))
	}
	msgs := h.queued()
	if len(msgs) != 1 || msgs[0].Trigger != "t1" || !strings.Contains(string(msgs[0].Payload), `"key":"k"`) {
		t.Fatalf("queued %+v", msgs)
	}
	h.drop(tr)
	put.Sequence = 2
	h.must(source.ObjectEvent(context.Background(), put))
	if msgs := h.queued(); len(msgs) != 0 {
		t.Errorf("a deleted trigger fired: %+v", msgs)
	}
	again := ossTrigger("t9", "good")
	again.Name = tr.Name
	h.keep(again)
	h.must(source.ObjectEvent(context.Background(), put))
	if msgs := h.queued(); len(msgs) != 1 || msgs[0].Trigger != "t9" {
		t.Errorf("the trigger made anew did not fire alone: %+v", msgs)
	}
	if m.Source(fc.TriggerHTTP) != nil {
		t.Error("http has a source")
	}
}

func TestTimersFireThroughTheStore(t *testing.T) {
	h := newHouse(t, nil)
	h.manage()
	kept := &fc.Trigger{ServiceName: "svc", FunctionName: "fn", Name: "tick", ID: "t1", Type: fc.TriggerTimer, LastModifiedTime: time.Now().Add(-time.Minute + 2*time.Second)}
	h.must(h.kinds.Normalize(nil, kept, json.RawMessage(`{"payload":"p","cronExpression":"@every 1m"}`)))
	h.furnish(kept) // its anchor lies so that it is due within two seconds
	deadline := time.After(10 * time.Second)
	for {
		select {
		case <-h.store.Wake():
		case <-deadline:
			t.Fatal("no timer within 10 s")
		}
		if msgs := h.queued(); len(msgs) == 1 {
			if !strings.HasPrefix(string(msgs[0].Payload), `{"triggerTime":"`) {
				t.Errorf("got %s", msgs[0].Payload)
			}
			return
		}
	}
}

// TestInstantsThatTheDaemonSleptThrough are expired, and can be delivered.
func TestInstantsThatTheDaemonSleptThrough(t *testing.T) {
	h := newHouse(t, nil)
	h.start()
	base := time.Now().UTC().Truncate(time.Minute).Add(-10 * time.Minute)
	tr := &fc.Trigger{ServiceName: "svc", FunctionName: "fn", Name: "t_t1", ID: "t1", Type: fc.TriggerTimer, LastModifiedTime: base}
	h.must(h.kinds.Normalize(nil, tr, json.RawMessage(`{"payload":"p","cronExpression":"0 * * * * *"}`)))
	h.furnish(tr)
	// life is a short one, at that time.
	life := func(at time.Time) {
		w := &watch{}
		m, err := triggers.NewManager(triggers.ManagerOptions{Kinds: h.kinds, Bridge: h.bridge, Watch: w, Checkpoints: h.store,
			Region: region, Account: account, Clock: func() time.Time { return at }})
		h.must(err)
		w.fn(nil, tr)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		h.must(m.Run(ctx))
	}
	life(base.Add(30 * time.Second))
	life(base.Add(3*time.Minute + 30*time.Second))
	life(base.Add(3*time.Minute + 40*time.Second))
	var got []string
	for _, e := range h.fates("t1") {
		got = append(got, e.Subject+" "+e.State+" "+e.Last().Reason)
	}
	if n := h.metric("fcd_trigger_events_total", "state", "expired"); n != 3 {
		t.Errorf("%v are counted", n)
	}
	at := func(n int) string { return base.Add(time.Duration(n) * time.Minute).Format(time.RFC3339) }
	if diff := cmp.Diff([]string{at(3) + " expired misfire", at(2) + " expired misfire", at(1) + " expired misfire"}, got); diff != "" {
		t.Fatal(diff)
	}
	if diff := cmp.Diff([]fc.Replayed{{Trigger: path("t1"), State: "queued"}}, h.replay(h.fates("t1")[1].EventID, "")); diff != "" {
		t.Error(diff)
	}
	if q := h.queued(); len(q) != 1 || string(q[0].Payload) != `{"triggerTime":"`+at(2)+`","triggerName":"t_t1","payload":"p"}` {
		t.Errorf("queued %+v", q)
	}
}

// script is a source made of functions.
type script struct {
	apply func(*fc.Trigger) error
	run   func(context.Context) error
}

func (s *script) Apply(_ context.Context, t *fc.Trigger) error { return s.apply(t) }
func (s *script) Remove(context.Context, string) error         { return errors.New("nothing to remove") }
func (s *script) Run(ctx context.Context) error                { return s.run(ctx) }

type watch struct{ fn func(old, new *fc.Trigger) }

func (w *watch) WatchTriggers(fn func(old, new *fc.Trigger)) { w.fn = fn }

type nothing struct{}

func (nothing) Apply(context.Context, store.Batch) (store.Applied, error) {
	return store.Applied{}, nil
}
func (nothing) Trigger(string) (*fc.Trigger, bool)             { return nil, false }
func (nothing) Target(fc.FunctionRef) (*fc.Target, error)      { return nil, errors.New("none") }
func (nothing) Authorize(string, string, string, string) error { return nil }

func scripted(t *testing.T, log *zap.Logger, s *script) (*triggers.Manager, *watch) {
	t.Helper()
	kinds, err := triggers.NewKinds(triggers.Kind{
		Type:   "timer",
		Decode: func(_, raw json.RawMessage) (triggers.Config, error) { return triggers.Config{JSON: raw}, nil },
		New:    func(triggers.Env) (triggers.Source, error) { return s, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	bridge, err := triggers.NewBridge(triggers.BridgeOptions{Store: nothing{}, Triggers: nothing{}, Functions: nothing{}, Authorizer: nothing{}, Kinds: kinds})
	if err != nil {
		t.Fatal(err)
	}
	w := &watch{}
	m, err := triggers.NewManager(triggers.ManagerOptions{Kinds: kinds, Bridge: bridge, Watch: w, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	return m, w
}

func TestAPanicInAKindIsContained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.ErrorLevel)
		var mu sync.Mutex
		runs := 0
		applied := []string{}
		m, w := scripted(t, zap.New(core), &script{
			apply: func(tr *fc.Trigger) error {
				if tr.ID == "bad" {
					panic("no such luck")
				}
				applied = append(applied, tr.ID)
				return nil
			},
			run: func(ctx context.Context) error {
				mu.Lock()
				runs++
				n := runs
				mu.Unlock()
				switch n {
				case 1:
					panic("at once")
				case 2:
					return errors.New("later")
				}
				<-ctx.Done()
				return nil
			},
		})
		w.fn(nil, &fc.Trigger{ID: "bad", Type: "timer"})
		w.fn(nil, &fc.Trigger{ID: "good", Type: "timer"})
		w.fn(nil, &fc.Trigger{ID: "other", Type: "http"})
		w.fn(&fc.Trigger{ID: "good", Type: "timer"}, nil)
		if fmt.Sprint(applied) != "[good]" || logs.FilterMessage("trigger not taken up").Len() != 2 {
			t.Errorf("applied %v, logged %d", applied, logs.Len())
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = m.Run(ctx)
		}()
		time.Sleep(5 * time.Second)
		cancel()
		<-ended
		if runs != 3 || logs.FilterMessage("trigger source stopped").Len() != 2 {
			t.Errorf("run %d times, logged %d", runs, logs.Len())
		}
	})
}

func TestAKindThatCannotStart(t *testing.T) {
	kinds, err := triggers.NewKinds(triggers.Kind{
		Type:   "timer",
		Decode: func(_, raw json.RawMessage) (triggers.Config, error) { return triggers.Config{JSON: raw}, nil },
		New:    func(triggers.Env) (triggers.Source, error) { return nil, errors.New("no clock") },
	})
	if err != nil {
		t.Fatal(err)
	}
	bridge, err := triggers.NewBridge(triggers.BridgeOptions{Store: nothing{}, Triggers: nothing{}, Functions: nothing{}, Authorizer: nothing{}, Kinds: kinds})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := triggers.NewManager(triggers.ManagerOptions{Kinds: kinds, Bridge: bridge, Watch: &watch{}}); err == nil || !strings.Contains(err.Error(), "timer: no clock") {
		t.Errorf("got %v", err)
	}
}

func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g triggers.Gate
		if !g.Enter() || !g.Enter() {
			t.Fatal("an open gate is shut")
		}
		closed := make(chan struct{})
		for range 2 {
			go func() {
				g.Close()
				closed <- struct{}{}
			}()
		}
		synctest.Wait()
		if g.Enter() {
			t.Error("a closed gate let somebody in")
		}
		g.Leave()
		synctest.Wait()
		select {
		case <-closed:
			t.Error("Close returned with somebody inside")
		default:
		}
		g.Leave()
		<-closed
		<-closed
		g.Close()
	})
}
