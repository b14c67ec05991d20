package sqlite

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fcd/store"
)

// folding opens a store that folds every message and unfolds none before it is asked. Its log begins again as soon as it can.
func folding(t *testing.T, dir string, with ...func(*Options)) *Store {
	t.Helper()
	o := Options{Dir: dir, foldFrom: -1, passBytes: -1, restAfter: time.Hour}
	for _, w := range with {
		w(&o)
	}
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func message(fn, id string) store.Msg {
	return store.Msg{RequestID: id, Fn: fn, Payload: []byte("event of " + id)}
}

// messages are n of a function, named fn/0 and so on.
func messages(fn string, n int) (ms []store.Msg) {
	for i := range n {
		ms = append(ms, message(fn, fmt.Sprintf("%s/%d", fn, i)))
	}
	return ms
}

func accept(t *testing.T, s *Store, ms ...store.Msg) []int64 {
	t.Helper()
	a, err := s.Apply(t.Context(), store.Batch{Enqueue: ms})
	if err != nil {
		t.Fatal(err)
	}
	return a.IDs
}

func refuse409(t *testing.T, s *Store, b store.Batch) {
	t.Helper()
	if _, err := s.Apply(t.Context(), b); !errors.Is(err, store.ErrConflict) {
		t.Errorf("got %v, want a conflict", err)
	}
}

// take claims and names what it got.
func take(t *testing.T, s *Store, fn string, n int) (rids []string) {
	t.Helper()
	ms, err := s.Claim(t.Context(), "w", map[string]int{fn: n}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range ms {
		if want := "event of " + m.RequestID; string(m.Payload) != want {
			t.Errorf("%s has the payload %q", m.RequestID, m.Payload)
		}
		rids = append(rids, m.RequestID)
	}
	return rids
}

// folded is how many messages stand in bursts, by the registry, by the counters and by the files.
func folded(t *testing.T, s *Store, want int64) {
	t.Helper()
	known, counted, stand := s.bursts.held(), int64(0), int64(0)
	s.alone(t.Context(), func(w *writer) (int64, error) {
		counted = w.counters.folded
		for _, b := range frames(t, w) {
			stand += b.n
		}
		return 0, nil
	})
	if known != want || stand != want || counted != want {
		t.Errorf("%d messages are folded, %d known to be, and %d counted, want %d", stand, known, counted, want)
	}
	if want == 0 && len(s.bursts.rids)+len(s.bursts.byFn)+len(s.bursts.all) > 0 {
		t.Errorf("of no bursts something is remembered: %+v", s.bursts)
	}
}

// frames reads those of the log that are not unfolded.
func frames(t *testing.T, w *writer) (all []*burst) {
	t.Helper()
	unfolded, err := marks(w.c)
	if err != nil {
		t.Fatal(err)
	}
	for s := newScan(w.s.burstLog.f, 1<<40, w.s.burstLog.seed); ; {
		f, b, ok, err := s.next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return all
		}
		if unfolded[f.seq] {
			continue
		}
		burst, _, err := w.s.learn(f, b)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, burst)
	}
}

// sound is what store check finds.
func sound(t *testing.T, dir string) {
	t.Helper()
	look, err := Inspect(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer look.Close()
	if problems, err := look.Check(); err != nil || len(problems) > 0 {
		t.Errorf("check: %v, %v", problems, err)
	}
}

func TestMessagesFoldWhileManyWait(t *testing.T) {
	s := folding(t, t.TempDir(), func(o *Options) { o.foldFrom = 20 })
	accept(t, s, messages("f", 20)...)
	folded(t, s, 0)
	named, late := message("g", "named"), message("g", "late")
	named.InvocationID, late.Due = "name", s.opt.Now().Add(time.Hour)
	accept(t, s, append(messages("g", 10), named)...) // whole or not at all
	accept(t, s, append(messages("h", 10), late)...)
	folded(t, s, 0)
	accept(t, s, messages("i", 10)...)
	accept(t, s, message("i", "another"))
	folded(t, s, 11)
	for fn, n := range map[string]int{"f": 20, "g": 11, "h": 10} { // what runs does not wait
		if got := take(t, s, fn, n); len(got) != n {
			t.Errorf("claimed %v", got)
		}
	}
	accept(t, s, messages("j", 10)...) // 12 wait
	folded(t, s, 11)
	accept(t, s, messages("k", 10)...)
	folded(t, s, 21)
}

func TestBurstsAreBounded(t *testing.T) {
	for what, fill := range map[string]func(*writer){
		"messages": func(w *writer) { w.counters.folded = maxFolded - 3 },
		"bytes":    func(w *writer) { w.counters.foldedBytes = maxFoldedBytes - 3*int64(len("event of f/0")) },
		"the file": func(w *writer) { w.s.burstLog.end = maxLogBytes - w.s.bursts.all[0].size*5/2 },
	} {
		s := folding(t, t.TempDir())
		accept(t, s, message("e", "e/0"))
		s.alone(t.Context(), func(w *writer) (int64, error) { fill(w); return 0, nil })
		before := s.bursts.held()
		for _, m := range messages("f", 10) {
			accept(t, s, m)
		}
		if n := s.bursts.held(); n-before != 3 {
			t.Errorf("%s: %d are folded where there is room for 3", what, n-before)
		}
		if got := take(t, s, "f", 10); len(got) != 10 || got[0] != "f/0" || got[9] != "f/9" {
			t.Errorf("%s: claimed %v", what, got)
		}
	}
}

func TestFoldedMessagesOutliveTheStore(t *testing.T) {
	dir := t.TempDir()
	s := folding(t, dir)
	accept(t, s, append(messages("f", 100), messages("g", 50)...)...)
	accept(t, s, messages("h", 30)...)
	before, err := s.Depths(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	sound(t, dir)
	s = folding(t, dir)
	folded(t, s, 180)
	after, err := s.Depths(t.Context())
	if diff := cmp.Diff(before, after); diff != "" || err != nil || after["f"].Ready != 100 {
		t.Errorf("depths %v: %s", err, diff)
	}
	refuse409(t, s, store.Batch{Enqueue: []store.Msg{message("x", "g/49")}})
	if inv, err := s.Find(t.Context(), "g/49"); err != nil || string(inv.Payload) != "event of g/49" || inv.State != store.StateQueued || inv.ID != 150 {
		t.Errorf("find: %+v, %v", inv, err)
	}
	if next := accept(t, s, message("f", "next"))[0]; next != 181 {
		t.Errorf("the next id is %d", next)
	}
	for fn, n := range map[string]int{"f": 101, "g": 50, "h": 30} {
		if got := take(t, s, fn, 1000); len(got) != n || got[0] != fn+"/0" {
			t.Errorf("of %s came %v", fn, got)
		}
	}
	folded(t, s, 0)
	sound(t, dir)
}

// TestFoldedInAFutureTooFar: the clock was ahead when they came, and has been set back.
func TestFoldedInAFutureTooFar(t *testing.T) {
	dir := t.TempDir()
	s := folding(t, dir, func(o *Options) { o.Now = func() time.Time { return time.Now().Add(time.Hour) } })
	accept(t, s, messages("f", 10)...)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = folding(t, dir)
	accept(t, s, messages("g", 10)...)
	if got := take(t, s, "f", 10); len(got) != 10 {
		t.Errorf("claimed %v", got)
	}
	folded(t, s, 10)
}

// TestARequestIDIsTakenWhereverItStands: in the same batch, in a burst, in the queue; and free again afterwards.
func TestARequestIDIsTakenWhereverItStands(t *testing.T) {
	s := folding(t, t.TempDir())
	plain := func(id string) store.Msg {
		m := message("p", id)
		m.InvocationID = fmt.Sprint("name of ", id, time.Now().UnixNano())
		return m
	}
	one := func(m store.Msg) store.Batch { return store.Batch{Enqueue: []store.Msg{m}} }
	refuse409(t, s, store.Batch{Enqueue: []store.Msg{message("f", "a"), message("g", "a")}})
	refuse409(t, s, store.Batch{Enqueue: []store.Msg{message("f", "a"), plain("a")}})
	refuse409(t, s, store.Batch{Enqueue: []store.Msg{plain("a"), message("f", "a")}})
	folded(t, s, 0)
	accept(t, s, plain("m"))
	refuse409(t, s, one(message("f", "m")))
	accept(t, s, message("f", "b"), message("f", "y"))
	refuse409(t, s, one(message("f", "y")))
	refuse409(t, s, one(plain("y")))
	folded(t, s, 2)

	// A dead letter does not come back beside one with its request id.
	if _, err := s.Apply(t.Context(), store.Batch{Ended: []store.Ended{{Msg: message("f", "dead"), State: store.StateDead}}}); err != nil {
		t.Fatal(err)
	}
	id := accept(t, s, message("f", "dead"))[0]
	redrive := store.Batch{Redrive: []store.Redrive{{RequestID: "dead"}}}
	refuse409(t, s, redrive)
	if _, err := s.Apply(t.Context(), store.Batch{Done: []store.Outcome{{ID: id, State: store.StateDead, Keep: true}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Apply(t.Context(), redrive); err != nil {
		t.Error(err)
	}
	refuse409(t, s, one(message("f", "dead")))
	if got := take(t, s, "f", 10); fmt.Sprint(got) != "[b y dead]" {
		t.Errorf("claimed %v", got)
	}
	refuse409(t, s, one(message("f", "b")))
	ms, err := s.Find(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Apply(t.Context(), store.Batch{Owner: "w", Done: []store.Outcome{{ID: ms.ID, State: store.StateSucceeded}}}); err != nil {
		t.Fatal(err)
	}
	accept(t, s, message("f", "b"))
	folded(t, s, 1)
}

// TestHashesThatMeet: the second of two request ids with one hash goes into the queue, where both are found.
func TestHashesThatMeet(t *testing.T) {
	s := folding(t, t.TempDir())
	accept(t, s, message("f", "first"))
	s.bursts.mu.Lock()
	s.bursts.rids[s.bursts.hash("second")] = s.bursts.rids[s.bursts.hash("first")]
	s.bursts.mu.Unlock()
	accept(t, s, message("f", "second"))
	accept(t, s, message("f", "third"))
	folded(t, s, 2)
	for _, id := range []string{"first", "second", "third"} {
		if inv, err := s.Find(t.Context(), id); err != nil || inv.RequestID != id {
			t.Errorf("%s: %+v, %v", id, inv, err)
		}
	}
	refuse409(t, s, store.Batch{Enqueue: []store.Msg{message("f", "second")}})
	if got := take(t, s, "f", 9); fmt.Sprint(got) != "[first second third]" {
		t.Errorf("claimed %v", got)
	}
}

func TestABackupHasFoldedMessages(t *testing.T) {
	s := folding(t, t.TempDir())
	accept(t, s, messages("f", 50)...)
	dir := t.TempDir()
	if err := s.Backup(t.Context(), filepath.Join(dir, fileName)); err != nil {
		t.Fatal(err)
	}
	take(t, s, "f", 50)
	sound(t, dir)
	copied := folding(t, dir)
	folded(t, copied, 0)
	if got := take(t, copied, "f", 100); len(got) != 50 {
		t.Errorf("claimed %v", got)
	}
}
