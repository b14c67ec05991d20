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
	for range hotMessages / 1000 {
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
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("behind %d messages of another function a claim took %v", hotMessages, took)
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
