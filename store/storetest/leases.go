package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"fcd/store"
)

func testLeases(t *testing.T, d Driver) {
	dir := t.TempDir()
	s := d.Open(t, dir, manyMessages)
	ctx := bounded(t)
	const ttl = 15 * time.Second
	a, err := s.Acquire(ctx, "shard/1", "a", ttl)
	if err != nil || a.Token == 0 || a.Name != "shard/1" || a.Owner != "a" || a.Expires.IsZero() {
		t.Fatalf("acquire: %+v, %v", a, err)
	}
	if _, err := s.Acquire(ctx, "shard/1", "b", ttl); !errors.Is(err, store.ErrConflict) {
		t.Errorf("two holders: %v", err)
	}
	if other, err := s.Acquire(ctx, "shard/2", "b", ttl); err != nil || other.Name != "shard/2" {
		t.Errorf("another name: %+v, %v", other, err)
	}
	for range 3 {
		d.Advance(10 * time.Second)
		renewed, err := s.Renew(ctx, a, ttl)
		if err != nil || renewed.Token != a.Token {
			t.Fatalf("renew: %+v, %v", renewed, err)
		}
	}
	fenced := func(l store.Lease) store.Batch {
		b := put("tick", l.Owner, store.IfAny)
		b.Fence = &l
		return b
	}
	apply(t, s, fenced(a))
	d.Advance(16 * time.Second)
	apply(t, s, fenced(a)) // expired, but nobody else can have fired
	b, err := s.Acquire(ctx, "shard/1", "b", ttl)
	if err != nil || b.Token <= a.Token {
		t.Fatalf("take over: %+v, %v", b, err)
	}
	applyErr(t, s, store.ErrFenced, fenced(a))
	apply(t, s, fenced(b))
	if _, err := s.Renew(ctx, a, ttl); !errors.Is(err, store.ErrFenced) {
		t.Errorf("renew a lost lease: %v", err)
	}
	if err := s.Release(ctx, a); !errors.Is(err, store.ErrFenced) {
		t.Errorf("release a lost lease: %v", err)
	}
	if err := s.Release(ctx, b); err != nil {
		t.Errorf("release: %v", err)
	}
	c, err := s.Acquire(ctx, "shard/1", "c", ttl)
	if err != nil || c.Token <= b.Token {
		t.Fatalf("acquire a released one: %+v, %v", c, err)
	}
	again, err := s.Acquire(ctx, "shard/1", "c", ttl)
	if err != nil || again.Token <= c.Token {
		t.Errorf("its own holder: %+v, %v", again, err)
	}
	applyErr(t, s, store.ErrFenced, fenced(c))
	applyErr(t, s, store.ErrFenced, fenced(store.Lease{Name: "never", Owner: "x", Token: 1}))
	testTakeOver(t, s)

	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = d.Open(t, dir, manyMessages)
	defer s.Close()
	d.Advance(2 * ttl)
	after, err := s.Acquire(ctx, "shard/1", "d", ttl)
	if err != nil || after.Token <= again.Token {
		t.Errorf("after reopening: %+v, %v", after, err)
	}
	applyErr(t, s, store.ErrFenced, fenced(again))
}

// testTakeOver lets owners take a name from one another while they all write under it: no write of an older token comes
// after one of a newer.
func testTakeOver(t *testing.T, s Opened) {
	ctx := context.Background()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 25 {
				l, err := s.Acquire(ctx, "contested", "same owner", time.Minute)
				if err != nil {
					t.Errorf("acquire: %v", err)
					return
				}
				b := put("contested", fmt.Sprintf("%09d", l.Token), store.IfAny)
				b.Fence = &l
				if _, err := s.Apply(ctx, b); err != nil && !errors.Is(err, store.ErrFenced) {
					t.Errorf("apply: %v", err)
				}
			}
		})
	}
	f := changes(t, s, 0)
	wg.Wait()
	last := apply(t, s, put("contested", "~end", store.IfAny)).Rev
	newest := ""
	for {
		page, err := f.Next(bounded(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page {
			if r.Key != "contested" {
				continue
			}
			if string(r.Value) <= newest {
				t.Errorf("token %s wrote after %s", r.Value, newest)
			}
			newest = string(r.Value)
		}
		if page[len(page)-1].Rev >= last {
			return
		}
	}
}

func testClosing(t *testing.T, d Driver) {
	s := d.Open(t, t.TempDir(), manyMessages)
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Apply(cancelled, put("never", "", store.IfAny)); !errors.Is(err, context.Canceled) {
		t.Errorf("with a cancelled context: %v", err)
	}
	if got := value(t, s, "never"); got != "(none)" {
		t.Error("a cancelled batch was applied")
	}
	feed := changes(t, s, 0)
	short, cancel := context.WithCancel(context.Background())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := feed.Next(short); !errors.Is(err, context.Canceled) {
		t.Errorf("next with a cancelled context: %v", err)
	}
	waiting := make(chan error, 1)
	go func() {
		_, err := feed.Next(context.Background())
		for err == nil {
			_, err = feed.Next(context.Background())
		}
		waiting <- err
	}()

	// Callers come and go, some with contexts that end at any moment, while the store closes under them.
	var wg sync.WaitGroup
	var mu sync.Mutex
	acked := map[string]bool{}
	started := make(chan struct{}, 64)
	for w := range 16 {
		wg.Go(func() {
			for i := 0; ; i++ {
				ctx, cancel := context.WithCancel(context.Background())
				if i%3 == 0 {
					go cancel()
				}
				key := fmt.Sprintf("close/%d/%d", w, i)
				_, err := s.Apply(ctx, put(key, "", store.IfAbsent))
				cancel()
				switch {
				case err == nil:
					mu.Lock()
					acked[key] = true
					mu.Unlock()
				case errors.Is(err, store.ErrClosed):
					return
				case !errors.Is(err, context.Canceled):
					t.Errorf("apply: %v", err)
				}
				if i == 20 {
					started <- struct{}{}
				}
			}
		})
	}
	<-started
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	wg.Wait()
	if err := <-waiting; !errors.Is(err, store.ErrClosed) {
		t.Errorf("a waiting feed: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("close again: %v", err)
	}
	if len(acked) == 0 {
		t.Error("nothing was applied before the close")
	}
	for name, err := range map[string]error{
		"apply":  second(s.Apply(context.Background(), put("late", "", store.IfAny))),
		"get":    second(s.Get(context.Background(), "late")),
		"list":   second(s.List(context.Background(), "", "", 1)),
		"feed":   second(s.Changes(context.Background(), 0)),
		"claim":  second(s.Claim(context.Background(), "w", map[string]int{"f": 1}, time.Second)),
		"lease":  second(s.Acquire(context.Background(), "n", "o", time.Second)),
		"extend": second(s.Extend(context.Background(), "w", nil, time.Second)),
	} {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("%s on a closed store: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }
