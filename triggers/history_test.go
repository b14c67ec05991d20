package triggers_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fcd/fc"
	"fcd/ram"
	"fcd/store"
	"fcd/triggers"
)

func (h *house) history() *triggers.History {
	return &triggers.History{Record: h.store, Triggers: h.catalog, Bridge: h.bridge}
}

// notes writes what was noted.
func (h *house) writeNotes() {
	h.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	h.must(h.bridge.Run(ctx))
}

func all(*fc.Trigger) error { return nil }

// path is that of ossTrigger(id).
func path(id string) string { return "svc/fn/t_" + id }

// document is an event as it is recorded.
func document(key string) []byte {
	return []byte(`{"events":[{"eventName":"ObjectCreated:PutObject","oss":{"object":{"key":"` + key + `"}}}]}`)
}

// states are the steps of an event on its way to a trigger.
func (h *house) states(trigger string) string {
	h.t.Helper()
	fs := h.fates(trigger)
	if len(fs) != 1 {
		h.t.Fatalf("trigger %s has %d events", trigger, len(fs))
	}
	var all []string
	for _, s := range fs[0].Steps {
		all = append(all, s.State)
	}
	return strings.Join(all, " ")
}

func (h *house) replay(event, trigger string) []fc.Replayed {
	h.t.Helper()
	done, err := h.history().Replay(context.Background(), event, trigger, all)
	h.must(err)
	for i := range done {
		if (done[i].RequestID != "") != (done[i].State == "queued") {
			h.t.Errorf("request id %q of an event that is %s", done[i].RequestID, done[i].State)
		}
		done[i].RequestID = ""
	}
	return done
}

func TestADeniedEventIsDeliveredAgainOnceItsRoleMay(t *testing.T) {
	h := newHouse(t, nil)
	h.start()
	h.furnish(ossTrigger("t1", "no-policy"), ossTrigger("t2", "good"))
	ctx := context.Background()
	ev := ossEvent("t1", 1)
	ev.Payload = document("a.jpg")
	if err := h.bridge.Dispatch(ctx, ev); !errors.Is(err, triggers.ErrDenied) {
		t.Fatal(err)
	}
	good := ossEvent("t2", 1)
	h.must(h.bridge.Dispatch(ctx, good))
	letter := h.fates("t1")[0].Last().RequestID

	want := []fc.Replayed{{Trigger: path("t1"), State: "denied", Reason: "policy", Detail: h.fates("t1")[0].Last().Detail}}
	if diff := cmp.Diff(want, h.replay(ev.ID, "")); diff != "" {
		t.Errorf("while it may not: %s", diff)
	}
	allowed := roles()
	allowed.Roles[2].Policies = []ram.Policy{{Name: "AliyunFCInvocationAccess"}}
	h.must(h.roles.Replace(allowed))
	if diff := cmp.Diff([]fc.Replayed{{Trigger: path("t1"), State: "queued"}}, h.replay(ev.ID, "")); diff != "" {
		t.Error(diff)
	}
	if got := h.states("t1"); got != "denied redriven denied redriven queued" {
		t.Errorf("steps %s", got)
	}
	for _, m := range h.queued() {
		if m.Trigger == "t1" && (!strings.Contains(string(m.Payload), `"key":"a.jpg"`) || m.EventID != ev.ID) {
			t.Errorf("queued %+v %s", m, m.Payload)
		}
	}
	if _, err := h.store.Find(ctx, letter); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("its dead letter is left: %v", err)
	}
	_, err := h.history().Replay(ctx, ev.ID, "", all)
	if fc.CodeOf(err) != fc.InvalidArgument {
		t.Errorf("with nothing left to do: %v", err)
	}
}

func TestAnEventIsDeliveredAgainByTheRulesOfToday(t *testing.T) {
	h := newHouse(t, nil)
	jpg := ossTrigger("t1", "good")
	jpg.Config = []byte(`{"events":["oss:ObjectCreated:*"],"filter":{"key":{"suffix":".jpg"}}}`)
	h.start()
	h.furnish(jpg)
	note := func(trigger, reason string) {
		h.bridge.Note(store.Fate{EventID: "e", Trigger: trigger, Type: "oss", Source: photos, State: "unmatched", Reason: reason, Payload: document("a.png")})
		h.writeNotes()
	}
	note("t1", "suffix")
	refused := []fc.Replayed{{Trigger: path("t1"), State: "unmatched", Reason: "suffix", Detail: "the key 'a.png' does not end with '.jpg'"}}
	if diff := cmp.Diff(refused, h.replay("e", "")); diff != "" {
		t.Error(diff)
	}
	png := *jpg
	png.Config = []byte(`{"events":["oss:ObjectCreated:*"],"filter":{"key":{"suffix":".png"}}}`)
	h.keep(&png, ossTrigger("t2", "good"))
	if diff := cmp.Diff([]fc.Replayed{{Trigger: path("t1"), State: "queued"}}, h.replay("e", "")); diff != "" {
		t.Errorf("with another suffix: %s", diff)
	}
	if diff := cmp.Diff([]fc.Replayed{{Trigger: path("t2"), State: "queued"}}, h.replay("e", path("t2"))); diff != "" {
		t.Errorf("to a trigger that came later: %s", diff)
	}
	if diff := cmp.Diff([]fc.Replayed{{Trigger: path("t1"), State: "queued"}}, h.replay("e", path("t1"))); diff != "" {
		t.Errorf("once more, by name: %s", diff)
	}
	h.writeNotes()
	if got := h.states("t1"); got != "unmatched redriven queued redriven queued redriven unmatched" && got != "unmatched redriven unmatched redriven queued redriven queued" {
		t.Errorf("steps %s", got)
	}
}

func TestAnEventThatMetNoTriggerIsDeliveredToThoseThatCameSince(t *testing.T) {
	h := newHouse(t, nil)
	h.start()
	h.furnish()
	h.bridge.Note(store.Fate{EventID: "e", Type: "oss", Source: photos, State: "unmatched", Reason: "no-trigger", Payload: document("a.png")})
	h.writeNotes()
	ctx := context.Background()
	if _, err := h.history().Replay(ctx, "e", "", all); fc.CodeOf(err) != fc.InvalidArgument {
		t.Errorf("without any: %v", err)
	}
	h.keep(ossTrigger("t1", "good"), ossTrigger("t2", "no-policy"))
	denied := errors.New("not that one")
	if _, err := h.history().Replay(ctx, "e", "", func(t *fc.Trigger) error {
		if t.ID == "t2" {
			return denied
		}
		return nil
	}); !errors.Is(err, denied) || len(h.queued()) != 0 {
		t.Errorf("by somebody who may not: %v", err)
	}
	got := h.replay("e", "")
	if len(got) != 2 || got[0] != (fc.Replayed{Trigger: path("t1"), State: "queued"}) || got[1].State != "denied" {
		t.Errorf("got %+v", got)
	}
	for name, c := range map[string]struct {
		event, trigger string
		want           fc.Code
	}{
		"an event that nobody knows":  {"x", "", fc.EventNotFound},
		"a trigger of another source": {"e", "svc/fn/other", fc.TriggerNotFound},
	} {
		if _, err := h.history().Replay(ctx, c.event, c.trigger, all); fc.CodeOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatIsNotKeptIsNotDeliveredAgain(t *testing.T) {
	h := newHouse(t, nil)
	h.start()
	h.furnish(ossTrigger("t1", "good"))
	h.bridge.Note(store.Fate{EventID: "e", Trigger: "t1", State: "unmatched", Reason: "suffix"})
	h.writeNotes()
	if got := h.replay("e", ""); len(got) != 1 || got[0].Reason != "forgotten" || len(h.queued()) != 0 {
		t.Errorf("got %+v", got)
	}
	if b, err := h.history().Payload(context.Background(), &h.fates("t1")[0]); b != nil || err != nil {
		t.Errorf("payload %q, %v", b, err)
	}
	// A queued one is found where its invocation has it.
	h.must(h.bridge.Dispatch(context.Background(), ossEvent("t1", 1)))
	e := h.fates("t1")[0]
	if b, err := h.history().Payload(context.Background(), &e); string(b) != `{"n":1}` || err != nil {
		t.Errorf("payload %q, %v", b, err)
	}
}

func TestAnInstantThatWasLeftOutIsDelivered(t *testing.T) {
	h := newHouse(t, nil)
	h.start()
	tr := &fc.Trigger{ServiceName: "svc", FunctionName: "fn", Name: "t_t1", ID: "t1", Type: fc.TriggerTimer, Enabled: true, Config: []byte(`{}`)}
	h.furnish(tr)
	event := `{"triggerTime":"2026-01-05T08:00:00Z","triggerName":"t_t1","payload":""}`
	h.bridge.Note(store.Fate{EventID: "timer/t1/1767600000", Trigger: "t1", Subject: "2026-01-05T08:00:00Z", State: store.FateExpired, Reason: "misfire", Payload: []byte(event)})
	h.writeNotes()
	if diff := cmp.Diff([]fc.Replayed{{Trigger: path("t1"), State: "queued"}}, h.replay("timer/t1/1767600000", "")); diff != "" {
		t.Error(diff)
	}
	if q := h.queued(); len(q) != 1 || string(q[0].Payload) != event || h.states("t1") != "expired redriven queued" {
		t.Errorf("queued %+v, steps %s", q, h.states("t1"))
	}
}

// once is a store that dies behind its first commit, as in a crash.
type once struct {
	triggers.Applier
	commits int
}

func (o *once) Apply(ctx context.Context, b store.Batch) (store.Applied, error) {
	if o.commits++; o.commits > 1 {
		return store.Applied{}, store.ErrFatal
	}
	return o.Applier.Apply(ctx, b)
}

func TestADeniedEventIsADeadLetterAfterOneCommit(t *testing.T) {
	dying := &once{}
	h := newHouse(t, func(o *triggers.BridgeOptions) {
		dying.Applier = o.Store
		o.Store = dying
	})
	h.start()
	h.furnish(ossTrigger("t1", "no-policy"))
	if err := h.bridge.Dispatch(context.Background(), ossEvent("t1", 1)); !errors.Is(err, triggers.ErrDenied) {
		t.Fatal(err)
	}
	inv, err := h.store.Find(context.Background(), h.fates("t1")[0].Last().RequestID)
	depths, derr := h.store.Depths(context.Background())
	if err != nil || derr != nil || inv.State != store.StateDead || len(depths) != 0 || dying.commits != 1 {
		t.Errorf("after %d commits: %+v, %v, queue %v", dying.commits, inv, err, depths)
	}
}
