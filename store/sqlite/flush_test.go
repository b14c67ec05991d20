package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"fcd/store"
)

// gate stands in for the disk: each flush waits until the test lets it pass, with an error or without.
type gate struct {
	begun chan struct{}
	pass  chan error
}

func newGate() gate { return gate{make(chan struct{}), make(chan error)} }

func (g gate) flush(*os.File) error {
	g.begun <- struct{}{}
	return <-g.pass
}

func gated(t *testing.T) (*Store, gate) {
	t.Helper()
	g := newGate()
	s, err := Open(t.Context(), Options{Dir: t.TempDir(), flush: g.flush})
	if err != nil {
		t.Fatal(err)
	}
	return s, g
}

// enqueue applies a message in the background.
func enqueue(s *Store, id string) <-chan error {
	answered := make(chan error, 1)
	go func() {
		_, err := s.Apply(context.Background(), store.Batch{
			Puts:    []store.Put{{Key: "p/" + id, Value: []byte("v"), If: store.IfAbsent}},
			Enqueue: []store.Msg{{RequestID: id, Fn: "f"}}})
		answered <- err
	}()
	return answered
}

func claimed(t *testing.T, s *Store) []string {
	t.Helper()
	ms, err := s.Claim(t.Context(), "w", map[string]int{"f": 10}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{}
	for _, m := range ms {
		ids = append(ids, m.RequestID)
	}
	return ids
}

// TestNothingIsAnsweredClaimedOrFedBeforeItsFlush stops the disk while the writer goes on with a second group.
func TestNothingIsAnsweredClaimedOrFedBeforeItsFlush(t *testing.T) {
	s, g := gated(t)
	defer s.Close()
	feed, err := s.Changes(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer feed.Close()
	one := enqueue(s, "one")
	<-g.begun
	two := enqueue(s, "two") // the writer checks and commits it, and waits to hand it over
	select {
	case <-one:
		t.Error("answered before the flush")
	case <-two:
		t.Error("the second group overtook the first")
	default:
	}
	if ids := claimed(t, s); len(ids) > 0 {
		t.Errorf("%v could be claimed before the flush", ids)
	}
	if page, _, _, _ := s.feed.after(0); len(page) > 0 {
		t.Errorf("%d changes were fed before the flush", len(page))
	}
	g.pass <- nil
	if err := <-one; err != nil {
		t.Error(err)
	}
	<-g.begun
	if ids := claimed(t, s); fmt.Sprint(ids) != "[one]" {
		t.Errorf("after the first flush %v could be claimed", ids)
	}
	if page, err := feed.Next(t.Context()); err != nil || len(page) != 1 || page[0].Key != "p/one" {
		t.Errorf("after the first flush the feed has %v, %v", page, err)
	}
	g.pass <- nil
	if err := <-two; err != nil {
		t.Error(err)
	}
	if ids := claimed(t, s); fmt.Sprint(ids) != "[two]" {
		t.Errorf("after the second flush %v could be claimed", ids)
	}
}

// TestAFlushThatFailsIsFinal fails one flush while others wait for theirs: all of them are refused, and nothing is tried
// again.
func TestAFlushThatFailsIsFinal(t *testing.T) {
	s, g := gated(t)
	first := enqueue(s, "first")
	<-g.begun
	var others []<-chan error
	for i := range 5 {
		others = append(others, enqueue(s, fmt.Sprint("other", i)))
	}
	g.pass <- errors.New("input/output error")
	for _, answered := range append(others, first) {
		if err := <-answered; !errors.Is(err, store.ErrFatal) {
			t.Errorf("answered with %v", err)
		}
	}
	select {
	case <-s.Failed():
	default:
		t.Error("the store did not say that it failed")
	}
	if ids := s.claims.last; ids != 0 {
		t.Errorf("messages up to %d can be claimed", ids)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestTheLogBeginsAnewUnderLoad writes more than the write-ahead log may hold without a pause.
func TestTheLogBeginsAnewUnderLoad(t *testing.T) {
	s, err := Open(t.Context(), Unflushed(Options{Dir: t.TempDir()}))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	value := make([]byte, 1<<20)
	const producers, each = 4, 100 // MiB
	var wg sync.WaitGroup
	for p := range producers {
		wg.Go(func() {
			for range each {
				if _, err := s.Apply(context.Background(), store.Batch{
					Puts: []store.Put{{Key: fmt.Sprint(p), Value: value, If: store.IfAny}}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	info, err := os.Stat(s.file() + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	if bound := int64(2*restartPages*4096 + 2*maxBytes); info.Size() > bound {
		t.Errorf("the log has %d MiB after %d MiB were written", info.Size()>>20, producers*each)
	}
}
