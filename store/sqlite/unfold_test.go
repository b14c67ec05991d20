package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"fcd/store"
)

// TestClaimsTakeTheEarliestFirst, whether it stands in the queue or in a burst.
func TestClaimsTakeTheEarliestFirst(t *testing.T) {
	now := time.Now()
	s := folding(t, t.TempDir(), func(o *Options) { o.Now = func() time.Time { return now } })
	plain := func(id string, ago time.Duration) store.Msg {
		m := message("f", id)
		m.InvocationID, m.Due = id, now.Add(-ago) // a name keeps it out of bursts
		return m
	}
	old := message("f", "folded, long due")
	old.Due = now.Add(-time.Hour)
	accept(t, s, plain("10 s", 10*time.Second), plain("now, before", 0))
	accept(t, s, append(messages("f", 3), old)...)
	accept(t, s, plain("2 h", 2*time.Hour), plain("now, behind", 0))
	now = now.Add(time.Second)
	accept(t, s, message("f", "a second later"))
	accept(t, s, plain("half a second later", 500*time.Millisecond)) // than now was
	folded(t, s, 5)
	if got := take(t, s, "f", 1); got[0] != "2 h" {
		t.Errorf("first %v", got)
	}
	folded(t, s, 5) // it stood in the queue
	want := []string{"folded, long due", "10 s", "now, before", "f/0", "f/1", "f/2", "now, behind", "half a second later", "a second later"}
	if diff := cmp.Diff(want, take(t, s, "f", 20)); diff != "" {
		t.Error(diff)
	}
	folded(t, s, 0)
}

// TestOneBehindManyOfAnother: nothing of the other function is unfolded for it.
func TestOneBehindManyOfAnother(t *testing.T) {
	s := folding(t, t.TempDir())
	for i := range 100 {
		accept(t, s, messages(fmt.Sprintf("hot%d", i), 100)...)
	}
	accept(t, s, message("lone", "lone"))
	ready, err := s.Ready(t.Context(), s.opt.Now())
	if err != nil || len(ready) != 101 || ready[100].Fn != "lone" || !slices.IsSortedFunc(ready, func(a, b store.FnDue) int { return strings.Compare(a.Fn, b.Fn) }) {
		t.Errorf("ready %v, %v", ready, err)
	}
	folded(t, s, 10_001)
	if got := take(t, s, "lone", 5); fmt.Sprint(got) != "[lone]" {
		t.Errorf("claimed %v", got)
	}
	folded(t, s, 10_000)
	if got := take(t, s, "hot50", 1); fmt.Sprint(got) != "[hot50/0]" {
		t.Errorf("claimed %v", got)
	}
	folded(t, s, 9_900)
}

// TestAHotFunctionIsUnfoldedBySlices as it is claimed.
func TestAHotFunctionIsUnfoldedBySlices(t *testing.T) {
	s := folding(t, t.TempDir(), func(o *Options) { *o = Unflushed(*o) })
	for i := range 50 {
		accept(t, s, messages(fmt.Sprint("hot", i), 1)[0])
	}
	for i := range 10 {
		var ms []store.Msg
		for j := range 100 {
			ms = append(ms, message("hot", fmt.Sprintf("%04d", i*100+j)))
		}
		accept(t, s, ms...)
	}
	var got []string
	for n := int64(1050); len(got) < 1000; {
		got = append(got, take(t, s, "hot", 25)...)
		now := s.bursts.held()
		if n-now > 300 {
			t.Errorf("%d were unfolded for 25", n-now)
		}
		n = now
	}
	if !slices.IsSorted(got) || len(got) != 1000 {
		t.Errorf("claimed %v", got)
	}
	folded(t, s, 50)
}

// TestAMessageWhoseIDIsTakenAfterAll cannot happen unless somebody writes into the database. Then the others of its burst
// come into the queue, and the counts are right.
func TestAMessageWhoseIDIsTakenAfterAll(t *testing.T) {
	dir := t.TempDir()
	s := folding(t, dir)
	ids := accept(t, s, messages("f", 20)...)
	if _, err := s.upkeep(t.Context(), func(c *conn) (int64, error) {
		return c.exec(sqlQueuePut, int64(1000), "f/9", "g", "", "", "", int64(1), int64(1), int64(0), int64(0), "", []byte("event of f/9"))
	}); err != nil {
		t.Fatal(err)
	}
	// A group that meets it is refused: it could not tell of the loss.
	refuse409(t, s, store.Batch{Done: []store.Outcome{{ID: ids[3], State: store.StateStopped}}})
	folded(t, s, 20)
	if got := take(t, s, "f", 30); len(got) != 19 || slices.Contains(got, "f/9") {
		t.Errorf("claimed %v", got)
	}
	folded(t, s, 0)
	if _, err := s.upkeep(t.Context(), func(c *conn) (int64, error) { return c.exec(sqlQueueEnd, int64(1000)) }); err != nil {
		t.Fatal(err)
	}
	sound(t, dir)
}

// TestAGroupThatEndsAFoldedMessage unfolds its burst in the same transaction, or not at all.
func TestAGroupThatEndsAFoldedMessage(t *testing.T) {
	dir := t.TempDir()
	s := folding(t, dir)
	ids := accept(t, s, messages("f", 10)...)
	stop := store.Batch{Done: []store.Outcome{{ID: ids[4], State: store.StateStopped}}}
	refused := stop
	refused.Owner = "w" // has no claim
	if _, err := s.Apply(t.Context(), refused); !errors.Is(err, store.ErrFenced) {
		t.Errorf("got %v", err)
	}
	for _, id := range []int64{ids[0] - 1, ids[9] + 1, 1 << 50} {
		if _, err := s.Apply(t.Context(), store.Batch{Done: []store.Outcome{{ID: id, State: store.StateStopped}}}); !errors.Is(err, store.ErrFenced) {
			t.Errorf("message %d: %v", id, err)
		}
	}
	folded(t, s, 10)
	if _, err := s.Apply(t.Context(), stop); err != nil {
		t.Fatal(err)
	}
	folded(t, s, 0)
	if inv, err := s.Find(t.Context(), "f/4"); err != nil || inv.State != store.StateStopped {
		t.Errorf("it is %+v, %v", inv, err)
	}
	if got := take(t, s, "f", 10); len(got) != 9 || slices.Contains(got, "f/4") {
		t.Errorf("claimed %v", got)
	}
	sound(t, dir)
}

// TestAFullDiskLeavesBurstsWhole: a claim that finds no room to unfold takes what stands in the queue; later it goes on.
func TestAFullDiskLeavesBurstsWhole(t *testing.T) {
	dir := t.TempDir()
	s := folding(t, dir)
	first := message("f", "first")
	first.InvocationID = "first"
	other := message("g", "other")
	other.InvocationID = "other"
	accept(t, s, first, other)
	accept(t, s, append(messages("f", 200), messages("e", 10)...)...)
	bound := func(pages string) {
		t.Helper()
		if _, err := s.upkeep(t.Context(), func(c *conn) (int64, error) { return 0, c.script("PRAGMA max_page_count = " + pages) }); err != nil {
			t.Fatal(err)
		}
	}
	bound("1") // as many as there are
	ms, err := s.Claim(t.Context(), "w", map[string]int{"e": 1, "f": 300, "g": 1}, time.Minute)
	if err != nil || len(ms) != 2 || ms[0].RequestID != "first" || ms[1].RequestID != "other" {
		t.Errorf("claimed %v, %v", ms, err)
	}
	if _, err := s.Claim(t.Context(), "w", map[string]int{"f": 1}, time.Minute); !errors.Is(err, store.ErrNoSpace) {
		t.Errorf("got %v", err)
	}
	folded(t, s, 210)
	if inv, err := s.Find(t.Context(), "f/77"); err != nil || inv.State != store.StateQueued {
		t.Errorf("find: %+v, %v", inv, err)
	}
	bound("1073741823")
	if got := take(t, s, "f", 300); len(got) != 200 {
		t.Errorf("claimed %v", got)
	}
	folded(t, s, 0)
	sound(t, dir)
}

// TestWhatFoldsIsClaimedAfterItsFlush, and never if that fails.
func TestWhatFoldsIsClaimedAfterItsFlush(t *testing.T) {
	g := newGate()
	s := folding(t, t.TempDir(), func(o *Options) { o.flush = g.flush })
	one := enqueue(s, "one")
	<-g.begun
	g.pass <- nil
	if err := <-one; err != nil {
		t.Fatal(err)
	}
	two := enqueue(s, "two")
	<-g.begun
	if ids := claimed(t, s); fmt.Sprint(ids) != "[one]" {
		t.Errorf("before the second flush %v could be claimed", ids)
	}
	if ids := claimed(t, s); len(ids) > 0 {
		t.Errorf("before the second flush %v could be claimed", ids)
	}
	g.pass <- errors.New("input/output error")
	if err := <-two; !errors.Is(err, store.ErrFatal) {
		t.Errorf("answered with %v", err)
	}
	if _, err := s.Claim(t.Context(), "w", map[string]int{"f": 10}, time.Minute); !errors.Is(err, store.ErrFatal) {
		t.Errorf("claim: %v", err)
	}
}

// TestBurstsUnfoldAtRest, and not while messages come.
func TestBurstsUnfoldAtRest(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		s, err := Open(ctx, Options{Dir: dir, foldFrom: -1})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			for j := range 10 {
				if _, err := s.Apply(ctx, store.Batch{Enqueue: messages(fmt.Sprintf("%d/%d", i, j), 30)}); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(99 * time.Millisecond)
			synctest.Wait()
			if n := s.bursts.held(); n != int64(300*(i+1)) {
				t.Errorf("%d are folded", n)
			}
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if n := s.bursts.held(); n != 0 {
			t.Errorf("at rest %d are folded", n)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	sound(t, dir)
}

// TestAClaimMissesNothingThatIsUnfoldedMeanwhile: the burst of each round is moved by the store itself just then.
func TestAClaimMissesNothingThatIsUnfoldedMeanwhile(t *testing.T) {
	s := folding(t, t.TempDir(), func(o *Options) { *o = Unflushed(*o); o.restAfter = time.Microsecond })
	for round := range 200 {
		fn := fmt.Sprint(round)
		accept(t, s, messages(fn, 3)...)
		if got := take(t, s, fn, 4); len(got) != 3 {
			t.Errorf("round %d: claimed %v", round, got)
		}
	}
}
