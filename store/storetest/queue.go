package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"fcd/store"
)

// storeNow is the store's time as a message shows it.
func storeNow(t testing.TB, s Opened) time.Time {
	t.Helper()
	m := msg("clock//clock")
	id := enqueue(t, s, m)
	inv, err := s.Find(bounded(t), m.RequestID)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, s, store.Batch{Done: []store.Outcome{{ID: id[0], State: store.StateStopped}}})
	return inv.Enqueued
}

func testQueue(t *testing.T, d Driver) {
	s := open(t, d)
	ctx := bounded(t)
	now := storeNow(t, s)
	late, soon, first, empty, big := msg("f//f"), msg("f//f"), msg("f//f"), msg("f//f"), msg("f//f")
	late.Due, soon.Due, first.Due = now.Add(time.Hour), now.Add(-time.Minute), now.Add(-time.Hour)
	empty.Payload, big.Payload = nil, bytes.Repeat([]byte("x"), 128<<10)
	first.NotAfter, first.Trigger, first.DedupKey, first.Attempt = now.Add(time.Hour), "trigger", "key", 2
	first.Enqueued = now.Add(-2 * time.Hour)
	given := enqueue(t, s, late, soon, first, empty, big)
	if !slices.IsSorted(given) || given[0] == 0 {
		t.Errorf("ids %v", given)
	}

	ready, err := s.Ready(ctx, now)
	want := []store.FnDue{{Fn: "f//f", Earliest: first.Due.Truncate(time.Microsecond).UTC()}}
	if diff := cmp.Diff(want, ready); diff != "" || err != nil {
		t.Errorf("ready: %v %s", err, diff)
	}
	got := claim(t, s, "w", "f//f", 100)
	if diff := cmp.Diff([]int64{given[2], given[1], given[3], given[4]}, ids(got)); diff != "" {
		t.Errorf("claimed: %s", diff)
	}
	first.ID = given[2]
	if diff := cmp.Diff(first, got[0], cmpopts.EquateApproxTime(time.Microsecond)); diff != "" {
		t.Errorf("a message reads back differently: %s", diff)
	}
	if len(got[2].Payload) != 0 || !bytes.Equal(got[3].Payload, big.Payload) {
		t.Errorf("payloads of %d and %d bytes", len(got[2].Payload), len(got[3].Payload))
	}
	ready, err = s.Ready(ctx, now)
	if err != nil || len(ready) != 1 || !ready[0].Earliest.Equal(late.Due.Truncate(time.Microsecond)) {
		t.Errorf("with the due ones claimed, ready is %v, %v", ready, err)
	}
	if again := claim(t, s, "w", "f//f", 100); len(again) != 0 {
		t.Errorf("claimed twice: %v", ids(again))
	}
	depths, err := s.Depths(ctx)
	if diff := cmp.Diff(map[string]store.Depth{"f//f": {Waiting: 1, Running: 4}}, depths); diff != "" || err != nil {
		t.Errorf("depths: %v %s", err, diff)
	}
	inv, err := s.Find(ctx, soon.RequestID)
	if err != nil || inv.State != store.StateRunning || inv.ID != given[1] {
		t.Errorf("find a running one: %+v, %v", inv, err)
	}
	if inv, err = s.Find(ctx, late.RequestID); err != nil || inv.State != store.StateQueued {
		t.Errorf("find a waiting one: %+v, %v", inv, err)
	}
	if _, err := s.Find(ctx, "no such request"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("find nothing: %v", err)
	}
	d.Advance(time.Hour + time.Minute)
	if got := claim(t, s, "v", "f//f", 1); len(got) != 1 || got[0].ID != given[2] {
		t.Errorf("an hour later the first claim is %v", ids(got))
	}
	if got := claim(t, s, "v", "f//f", 10); !slices.Contains(ids(got), given[0]) {
		t.Errorf("the late one is not due: %v", ids(got))
	}
}

func testFairness(t *testing.T, d Driver) {
	s := open(t, d)
	ctx := bounded(t)
	for range 100 {
		var b store.Batch
		for range 1000 {
			b.Enqueue = append(b.Enqueue, msg("hot//f"))
		}
		apply(t, s, b)
	}
	lone := enqueue(t, s, msg("lone//f"))[0]
	start := time.Now()
	ready, err := s.Ready(ctx, start)
	if err != nil || len(ready) != 2 {
		t.Fatalf("ready: %v, %v", ready, err)
	}
	got, err := s.Claim(ctx, "w", map[string]int{"hot//f": 5, "lone//f": 5, "absent//f": 5}, time.Minute)
	if err != nil || len(got) != 6 || !slices.Contains(ids(got), lone) {
		t.Errorf("claimed %v, %v", ids(got), err)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("behind 100,000 messages of another function a claim took %v", took)
	}

	// Claimers in parallel never share a message.
	var mu sync.Mutex
	var wg sync.WaitGroup
	seen := map[int64]bool{}
	for w := range 8 {
		wg.Go(func() {
			for range 20 {
				got, err := s.Claim(ctx, fmt.Sprint("w", w), map[string]int{"hot//f": 7}, time.Minute)
				if err != nil || len(got) != 7 {
					t.Errorf("claimed %d, %v", len(got), err)
				}
				mu.Lock()
				for _, m := range got {
					if seen[m.ID] {
						t.Errorf("message %d has two claims", m.ID)
					}
					seen[m.ID] = true
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

func testBound(t *testing.T, d Driver) {
	dir := t.TempDir()
	s := d.Open(t, dir, 3)
	enqueue(t, s, msg("f//f"), msg("f//f"))
	applyErr(t, s, store.ErrFull, store.Batch{
		Enqueue: []store.Msg{msg("f//f"), msg("f//f")}, Puts: []store.Put{{Key: "a", If: store.IfAny}}})
	if got := value(t, s, "a"); got != "(none)" {
		t.Error("a refused batch left a record")
	}
	id := enqueue(t, s, msg("f//f"))[0]
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = d.Open(t, dir, 3)
	defer s.Close()
	applyErr(t, s, store.ErrFull, store.Batch{Enqueue: []store.Msg{msg("f//f")}})
	apply(t, s, put("a", "records go on", store.IfAbsent))
	apply(t, s, store.Batch{Done: []store.Outcome{{ID: id, State: store.StateStopped}}})
	if next := enqueue(t, s, msg("f//f"))[0]; next <= id {
		t.Errorf("id %d is used again as %d", id, next)
	}
}

func testClaims(t *testing.T, d Driver) {
	s := open(t, d)
	ctx := bounded(t)
	m := msg("f//f")
	enqueue(t, s, m)
	held := claim(t, s, "a", "f//f", 1)[0]
	done := func(owner string) store.Batch {
		return store.Batch{Owner: owner, Done: []store.Outcome{{ID: held.ID, State: store.StateSucceeded}}}
	}
	extend := func(owner string, id int64) []int64 {
		t.Helper()
		lost, err := s.Extend(ctx, owner, []int64{id}, 30*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		return lost
	}
	applyErr(t, s, store.ErrFenced, done("b"))
	applyErr(t, s, store.ErrFenced, done("")) // running: nobody may stop it from outside
	for range 3 {
		d.Advance(20 * time.Second)
		if lost := extend("a", held.ID); len(lost) != 0 {
			t.Errorf("a live claim is lost: %v", lost)
		}
	}
	if got := claim(t, s, "b", "f//f", 1); len(got) != 0 {
		t.Errorf("an extended claim was taken: %v", ids(got))
	}
	d.Advance(31 * time.Second)
	if got := claim(t, s, "b", "f//f", 1); len(got) != 1 || got[0].ID != held.ID {
		t.Errorf("an expired claim did not come back: %v", ids(got))
	}
	if lost := extend("a", held.ID); len(lost) != 1 {
		t.Error("the loser of a claim is not told")
	}
	applyErr(t, s, store.ErrFenced, done("a"))
	retry := func(counted bool) store.Msg {
		t.Helper()
		apply(t, s, store.Batch{Owner: "b", Retry: []store.Retry{{ID: held.ID, Counted: counted}}})
		got := claim(t, s, "b", "f//f", 1)
		if len(got) != 1 {
			t.Fatalf("after a retry there are %v", ids(got))
		}
		return got[0]
	}
	if m := retry(false); m.Attempt != 0 {
		t.Errorf("an attempt cut short counts: %d", m.Attempt)
	}
	if m := retry(true); m.Attempt != 1 {
		t.Errorf("attempts after a counted retry: %d", m.Attempt)
	}
	later := storeNow(t, s).Add(time.Minute)
	apply(t, s, store.Batch{Owner: "b", Retry: []store.Retry{{ID: held.ID, Due: later, Counted: true}}})
	if got := claim(t, s, "b", "f//f", 1); len(got) != 0 {
		t.Error("a retry is not put off")
	}
	d.Advance(2 * time.Minute)
	if got := claim(t, s, "b", "f//f", 1); len(got) != 1 || got[0].Attempt != 2 {
		t.Errorf("the retry did not come: %+v", got)
	}
	apply(t, s, done("b"))
	applyErr(t, s, store.ErrFenced, done("b"))
	if lost := extend("b", held.ID); len(lost) != 1 {
		t.Error("an ended message can be extended")
	}
	queued := enqueue(t, s, msg("f//f"))[0]
	apply(t, s, store.Batch{Done: []store.Outcome{{ID: queued, State: store.StateStopped, Cause: "by hand"}}})
	if got := claim(t, s, "b", "f//f", 9); len(got) != 0 {
		t.Errorf("a stopped message was claimed: %v", ids(got))
	}
	testStopRace(t, s)
}

// testStopRace lets a claimer and a stopper fight for messages: each message goes to one of them.
func testStopRace(t *testing.T, s Opened) {
	ctx := bounded(t)
	var ms []store.Msg
	for range 200 {
		ms = append(ms, msg("race//f"))
	}
	all := enqueue(t, s, ms...)
	var wg sync.WaitGroup
	claimed, stopped := map[int64]bool{}, map[int64]bool{}
	wg.Go(func() {
		for range 100 {
			for _, m := range claim(t, s, "w", "race//f", 2) {
				claimed[m.ID] = true
			}
		}
	})
	wg.Go(func() {
		for _, id := range slices.Backward(all) {
			_, err := s.Apply(ctx, store.Batch{Done: []store.Outcome{{ID: id, State: store.StateStopped}}})
			if err == nil {
				stopped[id] = true
			} else if !errors.Is(err, store.ErrFenced) {
				t.Errorf("stop: %v", err)
			}
		}
	})
	wg.Wait()
	for _, id := range all {
		if claimed[id] == stopped[id] {
			t.Errorf("message %d: claimed %v, stopped %v", id, claimed[id], stopped[id])
		}
	}
}

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

func testFates(t *testing.T, d Driver) {
	s := open(t, d)
	ctx := bounded(t)
	at := storeNow(t, s).Truncate(time.Microsecond).UTC()
	f := func(trigger, event string, after time.Duration) store.Fate {
		return store.Fate{Trigger: trigger, EventID: event, State: "queued", Reason: "why", RequestID: "r", At: at.Add(after)}
	}
	a, b, c := f("t", "1", 0), f("", "2", time.Second), f("t", "3", 2*time.Second)
	apply(t, s, store.Batch{Fates: []store.Fate{a, b}})
	apply(t, s, store.Batch{Fates: []store.Fate{c}})
	for _, q := range []struct {
		trigger string
		limit   int
		want    []store.Fate
	}{{"t", 10, []store.Fate{c, a}}, {"", 10, []store.Fate{c, b, a}}, {"t", 1, []store.Fate{c}}, {"x", 10, nil}} {
		got, err := s.Fates(ctx, q.trigger, q.limit)
		if diff := cmp.Diff(q.want, got); diff != "" || err != nil {
			t.Errorf("fates of %q: %v %s", q.trigger, err, diff)
		}
	}
	d.Advance(25 * time.Hour)
	if err := s.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Fates(ctx, "", 10); err != nil || len(got) != 0 {
		t.Errorf("after a day: %v, %v", got, err)
	}
}

func testDedup(t *testing.T, d Driver) {
	s := open(t, d)
	keyed := func(key string) store.Msg {
		m := msg("f//f")
		m.DedupKey = key
		return m
	}
	a := apply(t, s, store.Batch{
		Enqueue: []store.Msg{keyed("k"), keyed("k"), keyed(""), keyed("")},
		Puts:    []store.Put{{Key: "with it", If: store.IfAbsent}},
	})
	if len(a.Duplicates) != 1 || a.Duplicates[0] != 1 || a.IDs[1] != 0 || a.IDs[0] == 0 || a.IDs[3] == 0 || a.Rev == 0 {
		t.Errorf("twice in one batch: %+v", a)
	}
	dup := func() bool { return len(apply(t, s, store.Batch{Enqueue: []store.Msg{keyed("k")}}).Duplicates) == 1 }
	if !dup() {
		t.Error("not seen in a second batch")
	}
	apply(t, s, store.Batch{Done: []store.Outcome{{ID: a.IDs[0], State: store.StateSucceeded}}})
	if !dup() {
		t.Error("forgotten when the message ended")
	}
	d.Advance(23 * time.Hour)
	if err := s.Sweep(bounded(t)); err != nil {
		t.Fatal(err)
	}
	if !dup() {
		t.Error("forgotten before its time")
	}
	d.Advance(2 * time.Hour)
	if dup() {
		t.Error("remembered after its time")
	}
	if !dup() {
		t.Error("a new life of a key is not remembered")
	}
	applyErr(t, s, store.ErrConflict, store.Batch{
		Enqueue: []store.Msg{keyed("of a batch that fails")}, Puts: []store.Put{{Key: "with it", If: store.IfAbsent}}})
	if a := apply(t, s, store.Batch{Enqueue: []store.Msg{keyed("of a batch that fails")}}); len(a.Duplicates) != 0 {
		t.Error("a failed batch left its key")
	}

	var wg sync.WaitGroup
	var mu sync.Mutex
	fresh := 0
	for range 64 {
		wg.Go(func() {
			a, err := s.Apply(context.Background(), store.Batch{Enqueue: []store.Msg{keyed("everybody's")}})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("apply: %v", err)
			} else if len(a.Duplicates) == 0 {
				fresh++
			}
		})
	}
	wg.Wait()
	if fresh != 1 {
		t.Errorf("%d of 64 callers were first", fresh)
	}
}
