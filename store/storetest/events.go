package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fcd/store"
)

// event is the first fate of an event on its way to a trigger of a function.
func event(id, trigger, function, state string) store.Fate {
	return store.Fate{EventID: id, Trigger: trigger, Type: "oss", Function: function, Name: "n-" + trigger,
		Source: "acs:oss:r:1:b", Subject: "ObjectCreated:PutObject b/" + id, State: state}
}

func testEvents(t *testing.T, d Driver) {
	s := open(t, d)
	ctx := bounded(t)
	at := storeNow(t, s).Truncate(time.Microsecond).UTC()
	first := event("1", "t", "s/f", store.FateQueued)
	first.RequestID, first.At = "r1", at
	denied := event("1", "u", "s/g", store.FateDenied)
	denied.Reason, denied.Detail, denied.At, denied.Payload = "policy", "role 'x' does not\nallow it", at, []byte("{}")
	apply(t, s, store.Batch{Fates: []store.Fate{first, denied}})
	apply(t, s, store.Batch{Fates: []store.Fate{
		{EventID: "1", Trigger: "t", State: store.FateAttempt, Reason: "E", Detail: "boom", RequestID: "r1", Attempt: 1, Status: 200, At: at.Add(1e9)},
		{EventID: "1", Trigger: "t", State: store.FateSucceeded, RequestID: "r1", Attempt: 2, Status: 200, At: at.Add(2e9)},
		{EventID: "1", Trigger: "t", State: store.FateDuplicate, At: at.Add(3e9)},
	}})
	lost := store.Fate{EventID: "2", Type: "oss", Source: "acs:oss:r:1:c", State: store.FateUnmatched, Reason: "no-trigger", At: at.Add(4e9)}
	apply(t, s, store.Batch{Fates: []store.Fate{lost}})

	all := events(t, s, store.EventFilter{}, 0, 0)
	want := []store.Event{
		{EventID: "2", Type: "oss", Source: "acs:oss:r:1:c", Received: at.Add(4e9), State: store.FateUnmatched,
			Steps: []store.Step{{State: store.FateUnmatched, Reason: "no-trigger", At: at.Add(4e9)}}},
		{EventID: "1", Trigger: "u", Type: "oss", Function: "s/g", Name: "n-u", Source: "acs:oss:r:1:b",
			Subject: "ObjectCreated:PutObject b/1", Received: at, State: store.FateDenied,
			Steps: []store.Step{{State: store.FateDenied, Reason: "policy", Detail: "role 'x' does not\nallow it", At: at}}},
		{EventID: "1", Trigger: "t", Type: "oss", Function: "s/f", Name: "n-t", Source: "acs:oss:r:1:b",
			Subject: "ObjectCreated:PutObject b/1", Received: at, State: store.FateSucceeded,
			Steps: []store.Step{
				{State: store.FateQueued, RequestID: "r1", At: at},
				{State: store.FateAttempt, Reason: "E", Detail: "boom", RequestID: "r1", Attempt: 1, Status: 200, At: at.Add(1e9)},
				{State: store.FateSucceeded, RequestID: "r1", Attempt: 2, Status: 200, At: at.Add(2e9)},
				{State: store.FateDuplicate, RequestID: "r1", At: at.Add(3e9)},
			}},
	}
	for i := range all {
		want[i].ID = all[i].ID
	}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Fatal(diff)
	}
	if last := all[2].Last(); last.State != store.FateSucceeded {
		t.Errorf("the last step is %+v", last)
	}
	for _, c := range []struct {
		f    store.EventFilter
		want string
	}{
		{store.EventFilter{EventID: "1"}, "1u 1t"},
		{store.EventFilter{EventID: "1", State: store.FateDenied}, "1u"},
		{store.EventFilter{Function: "s/f"}, "1t"},
		{store.EventFilter{Function: "s/f", Name: "n-t"}, "1t"},
		{store.EventFilter{Function: "s/f", Name: "n-u"}, ""},
		{store.EventFilter{State: store.FateUnmatched}, "2"},
		{store.EventFilter{State: store.FateSucceeded}, "1t"},
		{store.EventFilter{State: store.FateDenied, Function: "s/f"}, ""},
		{store.EventFilter{Since: at.Add(time.Microsecond)}, "2"},
		{store.EventFilter{Function: "s/f", Since: at.Add(1e9)}, ""},
	} {
		if got := names(events(t, s, c.f, 0, 0)); got != c.want {
			t.Errorf("%+v: %q", c.f, got)
		}
	}
	// What is written late takes its place.
	apply(t, s, store.Batch{Fates: []store.Fate{{EventID: "4", Trigger: "t", State: store.FateFailed, Attempt: 2, At: at.Add(2e9)}}})
	apply(t, s, store.Batch{Fates: []store.Fate{{EventID: "4", Trigger: "t", State: store.FateAttempt, Attempt: 1, At: at.Add(1e9)}}})
	if e := events(t, s, store.EventFilter{EventID: "4"}, 0, 0)[0]; e.State != store.FateFailed || e.Last().Attempt != 2 || len(e.Steps) != 2 {
		t.Errorf("with a late step: %+v", e)
	}
	// What is said to be queued and is a duplicate is recorded as what it is.
	m := msg("f//f")
	m.DedupKey = "t/3"
	enqueue(t, s, m)
	again := event("3", "t", "s/f", store.FateQueued)
	m.RequestID += "/again"
	again.RequestID = m.RequestID
	apply(t, s, store.Batch{Enqueue: []store.Msg{m}, Fates: []store.Fate{again}})
	if e := events(t, s, store.EventFilter{EventID: "3"}, 0, 0)[0]; e.State != store.FateDuplicate || e.Last().RequestID != "" {
		t.Errorf("a duplicate: %+v", e)
	}
	if page := events(t, s, store.EventFilter{}, all[0].ID, 1); names(page) != "1u" {
		t.Errorf("the second page is %q", names(page))
	}
	if b, err := s.EventPayload(ctx, all[1].ID); err != nil || string(b) != "{}" {
		t.Errorf("payload %q, %v", b, err)
	}
	if _, err := s.EventPayload(ctx, all[2].ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the payload of an event without one: %v", err)
	}
}

// testManyEvents records more in one Batch than a statement takes, some of it about the same event.
func testManyEvents(t *testing.T, d Driver) {
	s := open(t, d)
	at := storeNow(t, s).Truncate(time.Microsecond)
	var b store.Batch
	for i := range 40 {
		f := event(fmt.Sprint(i/2), "t", "s/f", []string{store.FateQueued, store.FateDenied}[i%2])
		f.At = at.Add(time.Duration(i) * time.Second)
		if i%10 == 3 {
			f.Payload = fmt.Append(nil, "payload ", i)
		}
		b.Fates = append(b.Fates, f)
		if i%7 == 0 {
			b.Fates = append(b.Fates, store.Fate{EventID: "other", Trigger: "t", State: store.FateAttempt, Attempt: i + 1, At: f.At})
		}
	}
	apply(t, s, b)
	all := events(t, s, store.EventFilter{Function: "s/f"}, 0, 0)
	if len(all) != 20 {
		t.Fatalf("%d events", len(all))
	}
	for i, e := range all {
		n := 19 - i
		if e.EventID != fmt.Sprint(n) || e.State != store.FateDenied || len(e.Steps) != 2 || e.Steps[0].State != store.FateQueued || !e.Received.Equal(at.Add(time.Duration(2*n)*time.Second)) {
			t.Errorf("event %d is %+v", n, e)
		}
		payload, err := s.EventPayload(bounded(t), e.ID)
		if has := n%5 == 1; has && string(payload) != fmt.Sprint("payload ", 2*n+1) || has != (err == nil) {
			t.Errorf("event %d has the payload %q, %v", n, payload, err)
		}
	}
	if e := events(t, s, store.EventFilter{EventID: "other"}, 0, 0); len(e) != 1 || len(e[0].Steps) != 6 || e[0].Last().Attempt != 36 {
		t.Errorf("between them: %+v", e)
	}
}

func testEventBounds(t *testing.T, d Driver) {
	s := open(t, d)
	ctx := bounded(t)
	at := storeNow(t, s)
	// Very many steps: the newest stay.
	apply(t, s, store.Batch{Fates: []store.Fate{event("long", "t", "s/f", store.FateQueued)}})
	for range 2 {
		var b store.Batch
		for i := range 200 {
			b.Fates = append(b.Fates, store.Fate{EventID: "long", Trigger: "t", State: store.FateAttempt, Attempt: i + 1,
				Detail: strings.Repeat("x", 2000)})
		}
		apply(t, s, b)
	}
	long := events(t, s, store.EventFilter{EventID: "long"}, 0, 0)[0]
	if n := len(long.Steps); n < 10 || n > 100 || long.Last().Attempt != 200 || len(long.Last().Detail) != 1024 {
		t.Errorf("%d steps, the last is attempt %d with %d bytes", n, long.Last().Attempt, len(long.Last().Detail))
	}
	// Too old: nothing is left, and what comes then is a new event.
	d.Advance(25 * time.Hour)
	if err := s.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	if left := events(t, s, store.EventFilter{}, 0, 0); len(left) != 0 {
		t.Errorf("after a day: %v", names(left))
	}
	apply(t, s, store.Batch{Fates: []store.Fate{{EventID: "long", Trigger: "t", State: store.FateFailed, At: at.Add(25 * time.Hour)}}})
	if got := names(events(t, s, store.EventFilter{}, 0, 0)); got != "longt" {
		t.Errorf("a late step: %q", got)
	}
	if _, err := s.EventPayload(ctx, events(t, s, store.EventFilter{}, 0, 0)[0].ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("it has a payload: %v", err)
	}
}

// testEnded inserts dead letters that were never queued.
func testEnded(t *testing.T, d Driver) {
	s := open(t, d)
	ctx := bounded(t)
	m := msg("f//f")
	m.Trigger, m.EventID, m.DedupKey = "t", "e", "t/e"
	over := store.Ended{Msg: m, State: store.StateDead, Cause: "policy"}
	apply(t, s, store.Batch{Ended: []store.Ended{over}, Fates: []store.Fate{event("e", "t", "s/f", store.FateDenied)}})
	inv, err := s.Find(ctx, m.RequestID)
	if err != nil || inv.State != store.StateDead || inv.Cause != "policy" || string(inv.Payload) != "event" || inv.EventID != "e" ||
		inv.Trigger != "t" || inv.Ended.IsZero() || inv.Enqueued.IsZero() {
		t.Errorf("it is %+v, %v", inv, err)
	}
	if depths, err := s.Depths(ctx); err != nil || len(depths) != 0 {
		t.Errorf("it stands in the queue: %v %v", depths, err)
	}
	again := over
	again.RequestID += "/again"
	apply(t, s, store.Batch{Ended: []store.Ended{again}})
	if _, err := s.Find(ctx, again.RequestID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a duplicate: %v", err)
	}
	m.RequestID += "/queued"
	if a := apply(t, s, store.Batch{Enqueue: []store.Msg{m}}); len(a.Duplicates) != 1 {
		t.Error("its key does not count for the queue")
	}
	// Going back into the queue is a step of its event.
	apply(t, s, store.Batch{Redrive: []store.Redrive{{RequestID: over.RequestID}}})
	if e := events(t, s, store.EventFilter{EventID: "e"}, 0, 0)[0]; e.State != store.FateRedriven || len(e.Steps) != 2 || e.Last().RequestID != over.RequestID {
		t.Errorf("redriven: %+v", e)
	}
	if ms := claim(t, s, "w", "f//f", 1); len(ms) != 1 || ms[0].EventID != "e" || ms[0].Trigger != "t" {
		t.Errorf("redriven: %+v", ms)
	}
	// All or nothing, with a condition that does not hold.
	third := over
	third.RequestID, third.DedupKey = "third", "third"
	applyErr(t, s, store.ErrConflict, store.Batch{Ended: []store.Ended{third}, Fates: []store.Fate{event("x", "t", "s/f", "denied")},
		Guards: []store.Guard{{Key: "none", If: store.IfExists}}})
	if _, err := s.Find(ctx, "third"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("of a refused batch: %v", err)
	}
	if got := names(events(t, s, store.EventFilter{}, 0, 0)); got != "et" {
		t.Errorf("events %q", got)
	}
	apply(t, s, store.Batch{Ended: []store.Ended{third}})
	if _, err := s.Apply(ctx, store.Batch{Ended: []store.Ended{{Msg: msg("f"), State: store.StateQueued}}}); err == nil {
		t.Error("an ended invocation that is queued was taken")
	}
}

func events(t testing.TB, s Opened, f store.EventFilter, before int64, limit int) []store.Event {
	t.Helper()
	es, err := s.Events(bounded(t), f, before, limit)
	if err != nil {
		t.Fatalf("events %+v: %v", f, err)
	}
	return es
}

func names(es []store.Event) string {
	var all []string
	for _, e := range es {
		all = append(all, e.EventID+e.Trigger)
	}
	return strings.Join(all, " ")
}
