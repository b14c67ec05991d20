package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fcd/store"
)

func testRecords(t *testing.T, d Driver) {
	s := open(t, d)
	first := apply(t, s, put("a", "1", store.IfAbsent))
	applyErr(t, s, store.ErrConflict, put("a", "2", store.IfAbsent))
	applyErr(t, s, store.ErrConflict, put("a", "2", first.Rev+1))
	applyErr(t, s, store.ErrConflict, put("b", "2", first.Rev))
	applyErr(t, s, store.ErrConflict, put("b", "2", store.IfExists))
	applyErr(t, s, store.ErrConflict, drop("b", store.IfExists))
	second := apply(t, s, put("a", "2", first.Rev))
	if second.Rev <= first.Rev {
		t.Errorf("revision %d does not follow %d", second.Rev, first.Rev)
	}
	apply(t, s, put("a", "3", store.IfAny))
	apply(t, s, put("a", "4", store.IfExists))
	apply(t, s, put("empty", "", store.IfAbsent))
	if r, err := s.Get(bounded(t), "empty"); err != nil || r.Value == nil || len(r.Value) != 0 {
		t.Errorf("an empty value reads as %#v, %v", r, err)
	}
	if got := value(t, s, "a"); got != "4" {
		t.Errorf("a is %q", got)
	}
	applyErr(t, s, store.ErrConflict, drop("a", second.Rev))
	apply(t, s, drop("a", store.IfAny))
	if got := value(t, s, "a"); got != "(none)" {
		t.Errorf("a deleted record reads as %q", got)
	}
	if a := apply(t, s, drop("a", store.IfAny)); a.Rev != 0 {
		t.Errorf("deleting nothing has revision %d", a.Rev)
	}
	applyErr(t, s, store.ErrConflict, put("a", "5", store.IfExists))
	if again := apply(t, s, put("a", "5", store.IfAbsent)); again.Rev <= second.Rev {
		t.Errorf("revision %d of a new life does not follow %d", again.Rev, second.Rev)
	}
	twice := apply(t, s, store.Batch{Puts: []store.Put{
		{Key: "c", Value: []byte("1"), If: store.IfAbsent}, {Key: "c", Value: []byte("2"), If: store.IfExists}}})
	if twice.Revs[0] >= twice.Revs[1] || value(t, s, "c") != "2" {
		t.Errorf("two puts of one key in a batch: %+v, %q", twice, value(t, s, "c"))
	}
}

func testGuards(t *testing.T, d Driver) {
	s := open(t, d)
	rev := apply(t, s, put("svc/a", "s", store.IfAbsent)).Rev
	guarded := func(g store.Guard) store.Batch {
		b := put("fn/a/x", "f", store.IfAny)
		b.Guards = []store.Guard{g}
		return b
	}
	apply(t, s, guarded(store.Guard{Key: "svc/a", If: store.IfExists}))
	apply(t, s, guarded(store.Guard{Key: "svc/a", If: rev}))
	apply(t, s, guarded(store.Guard{Key: "svc/b", If: store.IfAbsent}))
	applyErr(t, s, store.ErrConflict, guarded(store.Guard{Key: "svc/b", If: store.IfExists}))
	applyErr(t, s, store.ErrConflict, guarded(store.Guard{Key: "svc/a", If: store.IfAbsent}))
	applyErr(t, s, store.ErrConflict, guarded(store.Guard{Key: "svc/a", If: rev + 1000}))

	dropService := drop("svc/a", store.IfExists)
	dropService.Guards = []store.Guard{{Key: "fn/a/", If: store.IfAbsent, Prefix: true}}
	applyErr(t, s, store.ErrConflict, dropService)
	apply(t, s, put("fn/ab/x", "of another service", store.IfAbsent))
	apply(t, s, drop("fn/a/x", store.IfExists))
	apply(t, s, dropService)
}

func testList(t *testing.T, d Driver) {
	s := open(t, d)
	keys := []string{"A", "a", "a!", "a/", "a/b", "a/b/c", "a0", "aa", "b", "b\xff", "b\xff\xff", "c", "ä"}
	for i := len(keys) - 1; i >= 0; i-- {
		apply(t, s, put(keys[i], keys[i], store.IfAbsent))
	}
	apply(t, s, put("a/gone", "", store.IfAbsent))
	apply(t, s, drop("a/gone", store.IfExists))
	for _, c := range []struct {
		prefix, after string
		limit         int
		want          []string
	}{
		{"", "", 0, keys},
		{"a", "", 100, []string{"a", "a!", "a/", "a/b", "a/b/c", "a0", "aa"}},
		{"a/", "", 100, []string{"a/", "a/b", "a/b/c"}},
		{"a/", "a/", 100, []string{"a/b", "a/b/c"}},
		{"a/", "a/b", 1, []string{"a/b/c"}},
		{"a", "a!", 2, []string{"a/", "a/b"}},
		{"b\xff", "", 100, []string{"b\xff", "b\xff\xff"}},
		{"b\xff", "b\xff", 100, []string{"b\xff\xff"}},
		{"a", "z", 100, nil},
		{"b", "a", 1, []string{"b"}},
		{"\xff", "", 100, nil},
	} {
		got, err := s.List(bounded(t), c.prefix, c.after, c.limit)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, r := range got {
			if r.Key != string(r.Value) || r.Rev == 0 {
				t.Errorf("record %+v", r)
			}
			names = append(names, r.Key)
		}
		if diff := cmp.Diff(c.want, names); diff != "" {
			t.Errorf("list %q after %q limit %d: %s", c.prefix, c.after, c.limit, diff)
		}
	}
	testPaging(t, s)
}

// testPaging reads page by page while others write: what nobody touches is neither skipped nor repeated.
func testPaging(t *testing.T, s Opened) {
	var still []string
	for i := range 200 {
		key := fmt.Sprintf("page/%03d", i)
		still = append(still, key)
		apply(t, s, put(key, "", store.IfAbsent))
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			key := fmt.Sprintf("page/%03d+", i%200)
			_, _ = s.Apply(context.Background(), put(key, "", store.IfAny))
			_, _ = s.Apply(context.Background(), drop(key, store.IfAny))
		}
	})
	var seen []string
	for after := ""; ; {
		page, err := s.List(bounded(t), "page/", after, 7)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, r := range page {
			if after = r.Key; !strings.HasSuffix(r.Key, "+") {
				seen = append(seen, r.Key)
			}
		}
	}
	close(stop)
	wg.Wait()
	if diff := cmp.Diff(still, seen); diff != "" {
		t.Errorf("paging while writing: %s", diff)
	}
}

func testCheckpoints(t *testing.T, d Driver) {
	s := open(t, d)
	at := func(value string, token int64) store.Batch {
		return store.Batch{Checkpoints: []store.Checkpoint{{Key: "cur/t/0", Value: []byte(value), IfToken: token}}}
	}
	read := func() string {
		v, err := s.Checkpoint(bounded(t), "cur/t/0")
		if errors.Is(err, store.ErrNotFound) {
			return "(none)"
		}
		if err != nil {
			t.Fatal(err)
		}
		return string(v)
	}
	if got := read(); got != "(none)" {
		t.Errorf("before the first write: %q", got)
	}
	apply(t, s, at("1", 0))
	apply(t, s, at("2", 7))
	applyErr(t, s, store.ErrConflict, at("3", 6))
	if got := read(); got != "2" {
		t.Errorf("after a stale write: %q", got)
	}
	apply(t, s, at("", 7))
	if got := read(); got != "" {
		t.Errorf("an empty checkpoint reads as %q", got)
	}
	apply(t, s, store.Batch{Checkpoints: []store.Checkpoint{{Key: "cur/t/0"}}})
	if got := read(); got != "(none)" {
		t.Errorf("after deletion: %q", got)
	}
	if got, err := s.List(bounded(t), "cur/", "", 0); err != nil || len(got) != 0 {
		t.Errorf("checkpoints are among the records: %v, %v", got, err)
	}
}

func testAtomicity(t *testing.T, d Driver) {
	s := open(t, d)
	ctx := bounded(t)
	enqueue(t, s, msg("f//f"), msg("f//f"))
	held := claim(t, s, "w", "f//f", 2)
	apply(t, s, put("taken", "x", store.IfAbsent))
	lease, err := s.Acquire(ctx, "shard", "node", 1e10)
	if err != nil {
		t.Fatal(err)
	}
	full := func() store.Batch {
		return store.Batch{
			Puts:        []store.Put{{Key: "new", Value: []byte("1"), If: store.IfAbsent}},
			Guards:      []store.Guard{{Key: "taken", If: store.IfExists}},
			Checkpoints: []store.Checkpoint{{Key: "cur/t/0", Value: []byte("1"), IfToken: 5}},
			Enqueue:     []store.Msg{msg("g//g")},
			Done:        []store.Outcome{{ID: held[0].ID, State: store.StateSucceeded}},
			Retry:       []store.Retry{{ID: held[1].ID, Counted: true}},
			Ended:       []store.Ended{{Msg: msg("h//h"), State: store.StateDead}},
			Fates:       []store.Fate{{Trigger: "t", EventID: "e", State: "queued", Payload: []byte("x")}},
			Fence:       &lease,
			Owner:       "w",
		}
	}
	for name, spoil := range map[string]func(*store.Batch) error{
		"guard": func(b *store.Batch) error { b.Guards[0].If = store.IfAbsent; return store.ErrConflict },
		"put":   func(b *store.Batch) error { b.Puts = append(b.Puts, store.Put{Key: "taken"}); return store.ErrConflict },
		"owner": func(b *store.Batch) error { b.Owner = "other"; return store.ErrFenced },
		"done":  func(b *store.Batch) error { b.Done = append(b.Done, b.Done[0]); return store.ErrFenced },
		"retry": func(b *store.Batch) error { b.Retry[0].ID = 1e9; return store.ErrFenced },
		"fence": func(b *store.Batch) error {
			b.Fence = &store.Lease{Name: "shard", Owner: "node", Token: 99}
			return store.ErrFenced
		},
		"request id": func(b *store.Batch) error {
			b.Enqueue = append(b.Enqueue, store.Msg{RequestID: held[1].RequestID, Fn: "g//g"})
			return store.ErrConflict
		},
	} {
		b := full()
		want := spoil(&b)
		if _, err := s.Apply(ctx, b); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", name, err, want)
		}
		if got := value(t, s, "new"); got != "(none)" {
			t.Errorf("%s: the put happened", name)
		}
		if _, err := s.Checkpoint(ctx, "cur/t/0"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: the checkpoint happened", name)
		}
		depths, err := s.Depths(ctx)
		if diff := cmp.Diff(map[string]store.Depth{"f//f": {Running: 2}}, depths); diff != "" || err != nil {
			t.Errorf("%s: the queue changed: %v %s", name, err, diff)
		}
		if es := events(t, s, store.EventFilter{}, 0, 0); len(es) != 0 {
			t.Errorf("%s: the fate happened: %v", name, names(es))
		}
	}
	apply(t, s, full())
	depths, err := s.Depths(ctx)
	want := map[string]store.Depth{"f//f": {Ready: 1}, "g//g": {Ready: 1}}
	if diff := cmp.Diff(want, depths); diff != "" || err != nil {
		t.Errorf("the whole batch: %v %s", err, diff)
	}
}

func testLimits(t *testing.T, d Driver) {
	s := open(t, d)
	apply(t, s, put(strings.Repeat("k", 512), strings.Repeat("v", 1<<20), store.IfAbsent))
	applyErr(t, s, store.ErrTooLarge, put(strings.Repeat("k", 513), "", store.IfAny))
	applyErr(t, s, store.ErrTooLarge, put("k", strings.Repeat("v", 1<<20+1), store.IfAny))
	var many store.Batch
	for i := range 1000 {
		many.Puts = append(many.Puts, store.Put{Key: fmt.Sprint("many/", i), If: store.IfAbsent})
	}
	apply(t, s, many)
	many.Puts = append(many.Puts, store.Put{Key: "one more"})
	applyErr(t, s, store.ErrTooLarge, many)
	big := store.Batch{Enqueue: []store.Msg{msg("f//f")}}
	big.Enqueue[0].Payload = make([]byte, 8<<20)
	applyErr(t, s, store.ErrTooLarge, big)
	for name, b := range map[string]store.Batch{
		"an empty key":               put("", "v", store.IfAny),
		"a key with NUL":             put("a\x00b", "v", store.IfAny),
		"a message without a name":   {Enqueue: []store.Msg{{Fn: "f//f"}}},
		"an outcome that is no end":  {Done: []store.Outcome{{ID: 1, State: store.StateRunning}}},
		"a guard on a prefix's rev":  {Guards: []store.Guard{{Key: "a", If: 5, Prefix: true}}},
		"a message without function": {Enqueue: []store.Msg{{RequestID: "r"}}},
	} {
		if _, err := s.Apply(bounded(t), b); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// testNeighbours lets many callers fight for one key while others write their own: each round has one winner, and nobody
// else is hurt.
func testNeighbours(t *testing.T, d Driver) {
	s := open(t, d)
	ctx := bounded(t)
	for round := range 20 {
		var wg sync.WaitGroup
		var mu sync.Mutex
		won := 0
		start := make(chan struct{})
		for i := range 32 {
			wg.Go(func() {
				<-start
				b := put(fmt.Sprintf("race/%d", round), fmt.Sprint(i), store.IfAbsent)
				b.Puts = append(b.Puts, store.Put{Key: fmt.Sprintf("trace/%d/%d", round, i)})
				_, err := s.Apply(ctx, b)
				if err != nil && !errors.Is(err, store.ErrConflict) {
					t.Errorf("race: %v", err)
				}
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won++
				}
			})
			wg.Go(func() {
				<-start
				if _, err := s.Apply(ctx, put(fmt.Sprintf("own/%d/%d", round, i), "", store.IfAbsent)); err != nil {
					t.Errorf("neighbour: %v", err)
				}
			})
		}
		close(start)
		wg.Wait()
		traces, err := s.List(ctx, fmt.Sprintf("trace/%d/", round), "", 0)
		if won != 1 || len(traces) != 1 || err != nil {
			t.Fatalf("round %d: %d winners left %d traces, %v", round, won, len(traces), err)
		}
	}
}

// testSameRequest lets many callers queue a message under one request id while others end theirs: one is first, and the
// group that finds out late hurts nobody.
func testSameRequest(t *testing.T, d Driver) {
	s := open(t, d)
	ctx := bounded(t)
	for round := range 10 {
		var ms []store.Msg
		for range 16 {
			ms = append(ms, msg("f//f"))
		}
		enqueue(t, s, ms...)
		held := claim(t, s, "w", "f//f", 16)
		rid := fmt.Sprint("same/", round)
		var wg sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for _, m := range held {
			wg.Go(func() {
				b := store.Batch{Owner: "w", Done: []store.Outcome{{ID: m.ID, State: store.StateSucceeded}}}
				if _, err := s.Apply(ctx, b); err != nil {
					t.Errorf("neighbour: %v", err)
				}
			})
			wg.Go(func() {
				_, err := s.Apply(ctx, store.Batch{Enqueue: []store.Msg{{RequestID: rid, Fn: "g//g"}}})
				if err != nil && !errors.Is(err, store.ErrConflict) {
					t.Errorf("same request: %v", err)
				}
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won++
				}
			})
		}
		wg.Wait()
		if won != 1 {
			t.Errorf("%d callers were first", won)
		}
	}
	depths, err := s.Depths(ctx)
	if diff := cmp.Diff(map[string]store.Depth{"g//g": {Ready: 10}}, depths); diff != "" || err != nil {
		t.Errorf("depths: %v %s", err, diff)
	}
}
