package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fcd/store"
)

func named(fn, id string) store.Msg {
	m := msg(fn)
	m.InvocationID = id
	return m
}

// testInvocationIDs: a caller's id makes a repeated request the same invocation, for as long as the store knows it.
func testInvocationIDs(t *testing.T, d Driver) {
	s := open(t, d)
	ctx := bounded(t)
	first := named("f//f", "order 7")
	a := apply(t, s, store.Batch{Enqueue: []store.Msg{first, named("f//f", "order 7"), named("g//g", "order 7"), msg("f//f")}})
	if diff := cmp.Diff([]int{1}, a.Duplicates); diff != "" || a.IDs[0] == 0 || a.IDs[2] == 0 || a.IDs[3] == 0 {
		t.Errorf("in one batch: %+v", a)
	}
	again := func(when string) {
		t.Helper()
		if a := apply(t, s, store.Batch{Enqueue: []store.Msg{named("f//f", "order 7")}}); len(a.Duplicates) != 1 || a.IDs[0] != 0 {
			t.Errorf("%s the same id was taken again: %+v", when, a)
		}
		inv, err := s.FindByID(ctx, "f//f", "order 7")
		if err != nil || inv.RequestID != first.RequestID || inv.InvocationID != "order 7" {
			t.Errorf("%s it is %+v, %v", when, inv, err)
		}
	}
	again("while queued")
	got := claim(t, s, "w", "f//f", 1)
	again("while running")
	apply(t, s, store.Batch{Owner: "w", Done: []store.Outcome{{ID: got[0].ID, State: store.StateDead, Keep: true}}})
	again("when dead")
	apply(t, s, store.Batch{Redrive: []store.Redrive{{RequestID: first.RequestID}}})
	again("when redriven")
	if _, err := s.FindByID(ctx, "f//f", "order 8"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown id: %v", err)
	}
	plain := msg("f//f")
	enqueue(t, s, plain)
	if inv, err := s.FindByID(ctx, "f//f", plain.RequestID); err != nil || inv.RequestID != plain.RequestID {
		t.Errorf("by its request id: %+v, %v", inv, err)
	}
	if _, err := s.FindByID(ctx, "g//g", plain.RequestID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("by its request id under another function: %v", err)
	}
	// A batch that is refused takes its ids back.
	applyErr(t, s, store.ErrConflict, store.Batch{Enqueue: []store.Msg{named("f//f", "order 9")}, Guards: []store.Guard{{Key: "none", If: store.IfExists}}})
	if a := apply(t, s, store.Batch{Enqueue: []store.Msg{named("f//f", "order 9")}}); len(a.Duplicates) != 0 {
		t.Error("an id stays taken by a refused batch")
	}
}

// testInvocations: a function's invocations of all states, in order of acceptance, by pages.
func testInvocations(t *testing.T, d Driver) {
	s := open(t, d)
	ctx := bounded(t)
	begin := storeNow(t, s).Truncate(time.Second).UTC()
	var all []string
	states := []string{store.StateSucceeded, store.StateDead, store.StateStopped, store.StateRunning, store.StateQueued}
	for i := range 10 {
		m := named("f//f", fmt.Sprintf("id-%02d", i))
		m.Enqueued = begin.Add(time.Duration(i/2) * time.Second) // two share an instant
		m.ID = enqueue(t, s, m)[0]
		all = append(all, m.InvocationID)
		switch state := states[i%5]; state {
		case store.StateQueued:
		case store.StateRunning:
			claim(t, s, "w", "f//f", 1)
		default:
			claim(t, s, "w", "f//f", 1)
			apply(t, s, store.Batch{Owner: "w", Done: []store.Outcome{{ID: m.ID, State: state}}})
		}
		if i == 4 { // the one that stays queued is out of the way of the later claims
			claim(t, s, "other", "f//f", 1)
			apply(t, s, store.Batch{Owner: "other", Retry: []store.Retry{{ID: m.ID, Due: begin.Add(time.Hour)}}})
		}
	}
	enqueue(t, s, msg("other//f"))
	list := func(q store.InvocationQuery) (ids []string) {
		t.Helper()
		q.Fn = "f//f"
		for {
			page, err := s.Invocations(ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range page {
				ids = append(ids, i.InvocationID)
				q.After = store.Place{Enqueued: i.Enqueued, RequestID: i.RequestID}
			}
			if len(page) < q.Limit || q.Limit == 0 {
				return ids
			}
		}
	}
	reversed := make([]string, len(all))
	for i, id := range all {
		reversed[len(all)-1-i] = id
	}
	for _, c := range []struct {
		name string
		q    store.InvocationQuery
		want []string
	}{
		{"all", store.InvocationQuery{}, all},
		{"by pages", store.InvocationQuery{Limit: 3}, all},
		{"latest first, by pages", store.InvocationQuery{Limit: 3, Newest: true}, reversed},
		{"dead", store.InvocationQuery{State: store.StateDead, Limit: 1}, []string{"id-01", "id-06"}},
		{"running", store.InvocationQuery{State: store.StateRunning, Limit: 1}, []string{"id-03", "id-08"}},
		{"queued", store.InvocationQuery{State: store.StateQueued, Limit: 1}, []string{"id-04", "id-09"}},
		{"a time", store.InvocationQuery{From: begin.Add(time.Second), To: begin.Add(3 * time.Second)}, all[2:6]},
		{"a prefix", store.InvocationQuery{IDPrefix: "id-0", Limit: 4}, all},
		{"a whole id", store.InvocationQuery{IDPrefix: "id-07"}, []string{"id-07"}},
		{"no such prefix", store.InvocationQuery{IDPrefix: "x"}, nil},
	} {
		if diff := cmp.Diff(c.want, list(c.q)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

// testDeadLetters: a dead letter goes back into the queue whole, or away, in one batch with other things.
func testDeadLetters(t *testing.T, d Driver) {
	s := open(t, d)
	ctx := bounded(t)
	die := func(payload string) store.Msg {
		m := msg("f//f")
		m.Payload, m.Trigger = []byte(payload), "trigger"
		m.ID = enqueue(t, s, m)[0]
		claim(t, s, "w", "f//f", 1)
		apply(t, s, store.Batch{Owner: "w", Done: []store.Outcome{{ID: m.ID, State: store.StateDead, Cause: "why", Keep: true, Attempts: 4}}})
		return m
	}
	size := func(letters, bytes int64) {
		t.Helper()
		if got, err := s.DeadSize(ctx); err != nil || got != (store.DeadSize{Letters: letters, Bytes: bytes}) {
			t.Errorf("got %+v, %v, want %d letters of %d bytes", got, err, letters, bytes)
		}
	}
	a, b := die("four"), die("")
	size(2, 4)
	applyErr(t, s, store.ErrNotFound, store.Batch{Redrive: []store.Redrive{{RequestID: a.RequestID}, {RequestID: "unknown"}}})
	applyErr(t, s, store.ErrNotFound, store.Batch{Redrive: []store.Redrive{{RequestID: a.RequestID}, {RequestID: a.RequestID}}})
	size(2, 4)
	until := storeNow(t, s).Add(time.Hour).Truncate(time.Microsecond)
	apply(t, s, store.Batch{Redrive: []store.Redrive{{RequestID: a.RequestID, NotAfter: until}, {RequestID: b.RequestID}}})
	size(0, 0)
	got := claim(t, s, "w", "f//f", 10)
	if len(got) != 2 || got[0].RequestID != a.RequestID || string(got[0].Payload) != "four" || got[0].Attempt != 0 ||
		!got[0].NotAfter.Equal(until) || got[0].Trigger != "trigger" || len(got[1].Payload) != 0 || got[1].Enqueued.Before(a.Enqueued) {
		t.Errorf("redriven: %+v", got)
	}
	for _, m := range got {
		apply(t, s, store.Batch{Owner: "w", Done: []store.Outcome{{ID: m.ID, State: store.StateDead, Keep: true}}})
	}
	live := msg("f//f")
	enqueue(t, s, live)
	apply(t, s, store.Batch{Purge: []string{a.RequestID, a.RequestID, "unknown", live.RequestID}})
	size(1, 0)
	if _, err := s.Find(ctx, a.RequestID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a purged letter: %v", err)
	}
	if inv, err := s.Find(context.Background(), live.RequestID); err != nil || inv.State != store.StateQueued {
		t.Errorf("what is no dead letter: %+v, %v", inv, err)
	}
	applyErr(t, s, store.ErrNotFound, store.Batch{Redrive: []store.Redrive{{RequestID: live.RequestID}}})
}
