package triggertest

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"fcd/fc"
	"fcd/ram"
	"fcd/store"
	"fcd/store/sqlite"
	"fcd/triggers"
)

// replays are the obligations about events that were not delivered at first: once what was in the way is mended, they can
// be delivered again, and are then in the queue once.
var replays = []struct {
	name string
	due  func(*Harness, triggers.Source) bool // whether the kind owes it
	run  func(*house)
}{
	{"an event that its role did not allow is delivered again", func(h *Harness, _ triggers.Source) bool { return h.Kind.Service != "" }, deniedAgain},
	{"an event that its trigger did not want is delivered again", func(h *Harness, _ triggers.Source) bool { return h.Unwanted != nil }, unwantedAgain},
	{"an event that found no function is delivered again", func(*Harness, triggers.Source) bool { return true }, withoutFunctionAgain},
	{"an event that met no trigger is delivered again", func(_ *Harness, s triggers.Source) bool { _, ok := s.(triggers.Receiver); return ok }, metNoTriggerAgain},
}

// house is a kind in its place: a manager, a bridge, a store and a history.
type house struct {
	*testing.T
	Harness
	store   *sqlite.Store
	manager *triggers.Manager
	history *triggers.History
	stop    func() // ends the manager; what it noted is written then

	mu       sync.Mutex // guards the rest
	watch    func(old, new *fc.Trigger)
	triggers map[string]*fc.Trigger
	refused  map[string]bool // roles
	empty    bool            // no function is there
}

func build(t *testing.T, h Harness) *house {
	t.Helper()
	w := &house{T: t, Harness: h, triggers: map[string]*fc.Trigger{}, refused: map[string]bool{}}
	kinds, err := triggers.NewKinds(h.Kind)
	w.must(err)
	w.store, err = sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir(), MinFreeBytes: -1})
	w.must(err)
	bridge, err := triggers.NewBridge(triggers.BridgeOptions{Store: w.store, Triggers: w, Functions: w, Authorizer: w, Invoker: w,
		Kinds: kinds, Region: Region, Account: Account})
	w.must(err)
	w.manager, err = triggers.NewManager(triggers.ManagerOptions{Kinds: kinds, Bridge: bridge, Watch: w, Checkpoints: w.store,
		Region: Region, Account: Account})
	w.must(err)
	w.history = &triggers.History{Record: w.store, Triggers: w, Sources: w.manager, Bridge: bridge}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = w.manager.Run(ctx)
	}()
	w.stop = sync.OnceFunc(func() { cancel(); <-ended })
	t.Cleanup(func() {
		w.stop()
		w.must(w.store.Close())
	})
	return w
}

func (w *house) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// put stores a trigger, with a role of its own. All have one name, so that their events differ in nothing.
func (w *house) put(t *fc.Trigger) {
	t.Name, t.InvocationRole = "t", t.ID
	w.mu.Lock()
	old := w.triggers[t.ID]
	w.triggers[t.ID] = t
	w.mu.Unlock()
	w.watch(old, t)
}

// set changes what is in the way of events.
func (w *house) set(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// WatchTriggers is the manager's view of the triggers.
func (w *house) WatchTriggers(f func(old, new *fc.Trigger)) { w.watch = f }

// Trigger finds one by id.
func (w *house) Trigger(id string) (*fc.Trigger, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t, ok := w.triggers[id]
	return t, ok
}

// TriggersBySource finds those of a source.
func (w *house) TriggersBySource(arn string) (all []*fc.Trigger) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(w.triggers)) {
		if w.triggers[id].SourceARN == arn {
			all = append(all, w.triggers[id])
		}
	}
	return all
}

// Target is any function, while there are some.
func (w *house) Target(ref fc.FunctionRef) (*fc.Target, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.empty {
		return nil, fc.Errorf(fc.FunctionNotFound, "function '%s' does not exist", ref.Function)
	}
	return &fc.Target{}, nil
}

// Authorize lets every role invoke that is not refused.
func (w *house) Authorize(role, _, _, _ string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refused[role] {
		return &ram.Refusal{Reason: "policy"}
	}
	return nil
}

// Invoke is a function that returns.
func (w *house) Invoke(_ context.Context, c fc.Call) (fc.Result, error) {
	return fc.Result{RequestID: c.RequestID}, nil
}

// happen makes the one happening, and ends the source, so that it does not mend by itself what it holds.
func (w *house) happen() {
	w.Helper()
	_ = w.Happen(w.Context(), w.manager.Source(w.Kind.Type), 0) // an origin that was refused keeps the event
	synctest.Wait()
	w.stop()
}

// event is the only one on its way to the trigger.
func (w *house) event(trigger, state string) store.Event {
	w.Helper()
	all, err := w.store.Events(w.Context(), store.EventFilter{}, 0, 0)
	w.must(err)
	var found []store.Event
	for _, e := range all {
		if e.Trigger == trigger {
			found = append(found, e)
		}
	}
	if len(found) != 1 || found[0].State != state {
		w.Fatalf("trigger %q has the events %+v, want one that is %s", trigger, found, state)
	}
	return found[0]
}

// queued are the payloads that wait for the trigger's function.
func (w *house) queued(trigger string) (all [][]byte) {
	w.Helper()
	t, _ := w.Trigger(trigger)
	invs, err := w.store.Invocations(w.Context(), store.InvocationQuery{Fn: t.Ref().String(), State: store.StateQueued})
	w.must(err)
	for _, i := range invs {
		if i.Trigger == trigger {
			all = append(all, i.Payload)
		}
	}
	return all
}

// again has t1 delivered the event e, and no other trigger; want is what it gets, nil if nobody knows that.
func (w *house) again(e store.Event, want []byte) {
	w.Helper()
	allow := func(*fc.Trigger) error { return nil }
	t, _ := w.Trigger("t1")
	done, err := w.history.Replay(w.Context(), e.EventID, "", allow)
	if err != nil || len(done) != 1 || done[0].State != store.FateQueued || done[0].RequestID == "" || done[0].Trigger != t.Path() {
		w.Fatalf("delivered again: %+v, %v", done, err)
	}
	if got := w.queued("t1"); len(got) != 1 || len(got[0]) == 0 || want != nil && !bytes.Equal(got[0], want) {
		w.Errorf("queued are %q, want once %q", got, want)
	}
	if _, err := w.history.Replay(w.Context(), e.EventID, "", allow); fc.CodeOf(err) != fc.InvalidArgument {
		w.Errorf("with nothing left to do: %v", err)
	}
	e = w.event("t1", store.FateQueued)
	if last := e.Last(); last.RequestID != done[0].RequestID {
		w.Errorf("the record says that it became %+v", last)
	}
}

// twin puts t2, which gets what t1 would, unless nothing is queued for it.
func (w *house) twin() (payload func() []byte) {
	if w.Synchronous {
		return func() []byte { return nil }
	}
	w.put(w.Harness.Trigger("t2"))
	return func() []byte {
		w.Helper()
		got := w.queued("t2")
		if len(got) != 1 {
			w.Fatalf("the twin has %q", got)
		}
		return got[0]
	}
}

func deniedAgain(w *house) {
	w.set(func() { w.refused["t1"] = true })
	w.put(w.Harness.Trigger("t1"))
	payload := w.twin()
	w.happen()
	e := w.event("t1", store.FateDenied)
	if done, err := w.history.Replay(w.Context(), e.EventID, "", func(*fc.Trigger) error { return nil }); err != nil || len(done) != 1 || done[0].State != store.FateDenied {
		w.Errorf("delivered again while it may not: %+v, %v", done, err)
	}
	w.set(func() { w.refused["t1"] = false })
	w.again(e, payload())
}

func unwantedAgain(w *house) {
	w.put(w.Unwanted("t1"))
	payload := w.twin()
	w.happen()
	e := w.event("t1", store.FateUnmatched)
	if done, err := w.history.Replay(w.Context(), e.EventID, "", func(*fc.Trigger) error { return nil }); err != nil || len(done) != 1 || done[0].Reason != e.Last().Reason || done[0].Detail == "" {
		w.Errorf("delivered again while it is not wanted: %+v, %v", done, err)
	}
	w.put(w.Harness.Trigger("t1"))
	w.again(e, payload())
}

func withoutFunctionAgain(w *house) {
	w.set(func() { w.empty = true })
	w.put(w.Harness.Trigger("t1"))
	w.happen()
	e := w.event("t1", store.FateUnmatched)
	w.set(func() { w.empty = false })
	payload, err := w.history.Payload(w.Context(), &e)
	w.must(err)
	w.again(e, payload)
}

func metNoTriggerAgain(w *house) {
	w.happen()
	e := w.event("", store.FateUnmatched)
	w.put(w.Harness.Trigger("t1"))
	w.again(e, nil)
}

// runReplays runs what the kind owes of replays.
func runReplays(t *testing.T, h Harness) {
	for _, o := range replays {
		s, err := h.Kind.New(triggers.Env{Region: Region, Account: Account})
		if err != nil {
			t.Fatal(err)
		}
		if !o.due(&h, s) {
			continue
		}
		t.Run(o.name, func(t *testing.T) {
			if h.Setup != nil {
				h.Setup(t)
			}
			synctest.Test(t, func(t *testing.T) {
				if h.Begin != nil {
					h.Begin(t)
				}
				o.run(build(t, h))
			})
		})
	}
}
