package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fcd/store"
)

// line is a change as text: key=value@rev, or key-@rev for a deletion.
func line(r store.Record) string {
	if r.Value == nil {
		return fmt.Sprintf("%s-@%d", r.Key, r.Rev)
	}
	return fmt.Sprintf("%s=%s@%d", r.Key, r.Value, r.Rev)
}

func changes(t testing.TB, s store.Store, since store.Rev) store.Feed {
	t.Helper()
	f, err := s.Changes(context.Background(), since)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// read takes changes until the revision is reached.
func read(t testing.TB, f store.Feed, until store.Rev) (lines []string) {
	t.Helper()
	for {
		page, err := f.Next(bounded(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page {
			lines = append(lines, line(r))
		}
		if page[len(page)-1].Rev >= until {
			return lines
		}
	}
}

func testFeed(t *testing.T, d Driver) {
	dir := t.TempDir()
	s := d.Open(t, dir, manyMessages)
	if rev, err := s.Rev(bounded(t)); err != nil || rev != 0 {
		t.Fatalf("revision of an empty store: %d, %v", rev, err)
	}
	live := changes(t, s, 0)
	var want []string
	var revs []store.Rev
	do := func(b store.Batch) {
		a := apply(t, s, b)
		for i, rev := range a.Revs {
			r := store.Record{Key: b.Puts[i].Key, Value: b.Puts[i].Value, Rev: rev}
			if b.Puts[i].Delete {
				r.Value = nil
			}
			want, revs = append(want, line(r)), append(revs, rev)
		}
	}
	do(put("a", "1", store.IfAbsent))
	do(put("b", "1", store.IfAbsent))
	do(put("a", "2", store.IfExists))
	do(drop("b", store.IfExists))
	do(store.Batch{Puts: []store.Put{{Key: "c", Value: []byte("1")}, {Key: "d", Value: []byte{}}}})
	last := revs[len(revs)-1]
	if diff := cmp.Diff(want, read(t, live, last)); diff != "" {
		t.Errorf("from the start: %s", diff)
	}
	if rev, err := s.Rev(bounded(t)); err != nil || rev != last {
		t.Errorf("revision %d, %v, want %d", rev, err, last)
	}
	for i, since := range revs[:len(revs)-1] {
		if diff := cmp.Diff(want[i+1:], read(t, changes(t, s, since), last)); diff != "" {
			t.Errorf("since %d: %s", since, diff)
		}
	}
	testConcurrentFeed(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := live.Next(bounded(t)); err == nil {
		if _, err = live.Next(bounded(t)); !errors.Is(err, store.ErrClosed) {
			t.Errorf("a feed of a closed store: %v", err)
		}
	}

	// What is read again from disk leaves out the writes that later ones replaced.
	s = d.Open(t, dir, manyMessages)
	defer s.Close()
	last, err := s.Rev(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	again := read(t, changes(t, s, 0), last)
	if diff := cmp.Diff([]string{want[2], want[3], want[4], want[5]}, again[:4]); diff != "" {
		t.Errorf("after reopening: %s", diff)
	}
}

// testConcurrentFeed lets feeds follow writers: each change once, in order.
func testConcurrentFeed(t *testing.T, s Opened) {
	before, err := s.Rev(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	const writers, each = 8, 100
	var wg sync.WaitGroup
	for range 4 {
		f := changes(t, s, before)
		wg.Go(func() {
			next, count := before+1, map[string]int{}
			for next <= before+writers*each {
				page, err := f.Next(bounded(t))
				if err != nil {
					t.Errorf("feed: %v", err)
					return
				}
				for _, r := range page {
					if r.Rev != next {
						t.Errorf("revision %d where %d was due", r.Rev, next)
						return
					}
					next++
					count[r.Key]++
				}
			}
			if len(count) != writers*each {
				t.Errorf("%d different keys", len(count))
			}
		})
	}
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if _, err := s.Apply(bounded(t), put(fmt.Sprintf("w/%d/%d", w, i), "", store.IfAbsent)); err != nil {
					t.Errorf("writer: %v", err)
				}
			}
		})
	}
	wg.Wait()
}

func testResync(t *testing.T, d Driver) {
	s := open(t, d)
	first := apply(t, s, put("a", "1", store.IfAbsent)).Rev
	apply(t, s, put("b", "1", store.IfAbsent))
	gone := apply(t, s, drop("b", store.IfExists)).Rev
	kept := apply(t, s, put("c", "1", store.IfAbsent)).Rev
	if err := s.Sweep(bounded(t)); err != nil {
		t.Fatal(err)
	}
	read(t, changes(t, s, first), kept) // the deletion is young
	d.Advance(25 * time.Hour)
	if err := s.Sweep(bounded(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Changes(bounded(t), first); !errors.Is(err, store.ErrResync) {
		t.Errorf("from before the forgotten deletion: %v", err)
	}
	read(t, changes(t, s, 0), kept)
	read(t, changes(t, s, gone), kept)
	last := apply(t, s, drop("c", store.IfExists)).Rev
	d.Advance(25 * time.Hour)
	if err := s.Sweep(bounded(t)); err != nil {
		t.Fatal(err)
	}
	read(t, changes(t, s, 0), last) // the latest write stays, deletion or not
	if again := apply(t, s, put("b", "2", store.IfAbsent)).Rev; again <= last {
		t.Errorf("revision %d after %d", again, last)
	}
}
