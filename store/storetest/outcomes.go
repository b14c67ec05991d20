package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fcd/store"
)

func testOutcomes(t *testing.T, d Driver) {
	s := open(t, d)
	ctx := bounded(t)
	end := func(fn, state string, keep bool) store.Msg {
		m := msg(fn)
		m.Trigger = "trigger"
		m.ID = enqueue(t, s, m)[0]
		claim(t, s, "w", fn, 1)
		apply(t, s, store.Batch{Owner: "w", Done: []store.Outcome{{ID: m.ID, State: state, Cause: "cause", Keep: keep, Attempts: 3}}})
		return m
	}
	good, dead, other := end("f//f", store.StateSucceeded, false), end("f//f", store.StateDead, true), end("g//g", store.StateDead, true)
	inv, err := s.Find(ctx, dead.RequestID)
	if err != nil || inv.State != store.StateDead || inv.Cause != "cause" || inv.Attempt != 3 || string(inv.Payload) != "event" ||
		inv.Trigger != "trigger" || inv.Fn != "f//f" || inv.Ended.IsZero() || inv.Enqueued.IsZero() {
		t.Errorf("a dead letter is %+v, %v", inv, err)
	}
	if inv, err = s.Find(ctx, good.RequestID); err != nil || inv.State != store.StateSucceeded || len(inv.Payload) != 0 {
		t.Errorf("a success is %+v, %v", inv, err)
	}
	requests := func(f store.InvocationFilter, after string, limit int) (all []string) {
		t.Helper()
		page, err := s.Outcomes(ctx, f, after, limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range page {
			all = append(all, i.RequestID)
		}
		return all
	}
	for _, c := range []struct {
		f     store.InvocationFilter
		after string
		limit int
		want  []string
	}{
		{store.InvocationFilter{}, "", 0, []string{good.RequestID, dead.RequestID, other.RequestID}},
		{store.InvocationFilter{}, good.RequestID, 1, []string{dead.RequestID}},
		{store.InvocationFilter{Fn: "f//f"}, "", 10, []string{good.RequestID, dead.RequestID}},
		{store.InvocationFilter{State: store.StateDead}, "", 10, []string{dead.RequestID, other.RequestID}},
		{store.InvocationFilter{State: store.StateDead, Fn: "g//g"}, "", 10, []string{other.RequestID}},
		{store.InvocationFilter{State: store.StateSucceeded, Fn: "f//f"}, "", 10, []string{good.RequestID}},
		{store.InvocationFilter{State: store.StateStopped}, "", 10, nil},
	} {
		if diff := cmp.Diff(c.want, requests(c.f, c.after, c.limit)); diff != "" {
			t.Errorf("outcomes %+v after %q: %s", c.f, c.after, diff)
		}
	}

	// A dead letter goes back into the queue under its own request id, and ends anew.
	again := dead
	again.ID = 0
	id := enqueue(t, s, again)[0]
	if inv, err = s.Find(ctx, dead.RequestID); err != nil || inv.State != store.StateQueued {
		t.Errorf("redriven: %+v, %v", inv, err)
	}
	apply(t, s, store.Batch{Done: []store.Outcome{{ID: id, State: store.StateSucceeded}}})
	if inv, err = s.Find(ctx, dead.RequestID); err != nil || inv.State != store.StateSucceeded {
		t.Errorf("redriven and ended: %+v, %v", inv, err)
	}
	d.Advance(8 * 24 * time.Hour)
	if err := s.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{other.RequestID}, requests(store.InvocationFilter{}, "", 0)); diff != "" {
		t.Errorf("after 8 days: %s", diff)
	}
	d.Advance(23 * 24 * time.Hour)
	if err := s.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	if left := requests(store.InvocationFilter{}, "", 0); len(left) != 0 {
		t.Errorf("after 31 days: %v", left)
	}
}
