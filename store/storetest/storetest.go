// Package storetest is the suite that every driver of package store passes. A driver's own test file is little more
// than:
//
//	func TestStore(t *testing.T) { storetest.Run(t, storetest.Driver{Open: open, Advance: clock.advance}) }
//
// It covers records and guards, paging, atomicity, the change feed, the queue with claims, quotas and retries,
// deduplication, leases and fences, cancelled contexts and closing, and a random walk compared with a model in memory
// across reopenings. What needs the driver's files or a process to kill (crashes, damage, locks) stays with the driver.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"fcd/store"
)

// Opened is an open store with all its sides.
type Opened interface {
	store.Store
	store.Queue
	store.Ledger
	store.Leases
	store.Events
	// Sweep removes what has outlived its time, as the store also does by itself.
	Sweep(ctx context.Context) error
}

// Driver tells the suite how to get at a store.
type Driver struct {
	// Open opens the store that lives in dir, which exists and is empty at first. Retention times must be the
	// driver's defaults, and MaxMessages of the queue messages.
	Open func(tb testing.TB, dir string, maxMessages int64) Opened
	// Advance makes the store's time pass. Claims, leases and deduplication keys live by it.
	Advance func(d time.Duration)
}

// manyMessages is a bound that no test reaches but the one about the bound.
const manyMessages = 1_000_000

// Run runs the suite.
func Run(t *testing.T, d Driver) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Driver)
	}{
		{"records", testRecords},
		{"guards", testGuards},
		{"list", testList},
		{"batches are all or nothing", testAtomicity},
		{"checkpoints", testCheckpoints},
		{"limits", testLimits},
		{"neighbours in a group", testNeighbours},
		{"one request id for many", testSameRequest},
		{"feed", testFeed},
		{"feed resync", testResync},
		{"queue", testQueue},
		{"queue fairness", testFairness},
		{"queue bound", testBound},
		{"claims", testClaims},
		{"outcomes", testOutcomes},
		{"events", testEvents},
		{"many events", testManyEvents},
		{"events are bounded", testEventBounds},
		{"ended before it was queued", testEnded},
		{"invocation ids", testInvocationIDs},
		{"invocations", testInvocations},
		{"dead letters", testDeadLetters},
		{"deduplication", testDedup},
		{"leases", testLeases},
		{"contexts and closing", testClosing},
		{"random walk", testModel},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			t.Cleanup(func() { goleak.VerifyNone(t, before) }) // after the closing of stores
			c.test(t, d)
		})
	}
}

// open opens a store that the test closes.
func open(t *testing.T, d Driver) Opened {
	t.Helper()
	s := d.Open(t, t.TempDir(), manyMessages)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// bounded is a context that ends before the test binary gives up.
func bounded(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func apply(t testing.TB, s store.Store, b store.Batch) store.Applied {
	t.Helper()
	a, err := s.Apply(bounded(t), b)
	if err != nil {
		t.Fatalf("apply %+v: %v", b, err)
	}
	return a
}

func applyErr(t testing.TB, s store.Store, want error, b store.Batch) {
	t.Helper()
	if _, err := s.Apply(bounded(t), b); !errors.Is(err, want) {
		t.Fatalf("apply %+v: got %v, want %v", b, err, want)
	}
}

func put(key, value string, cond store.Rev) store.Batch {
	return store.Batch{Puts: []store.Put{{Key: key, Value: []byte(value), If: cond}}}
}

func drop(key string, cond store.Rev) store.Batch {
	return store.Batch{Puts: []store.Put{{Key: key, If: cond, Delete: true}}}
}

var lastRequest atomic.Int64

// msg is a message with a request id of its own.
func msg(fn string) store.Msg {
	return store.Msg{RequestID: fmt.Sprintf("r-%06d", lastRequest.Add(1)), Fn: fn, Payload: []byte("event")}
}

func enqueue(t testing.TB, s store.Store, ms ...store.Msg) []int64 {
	t.Helper()
	return apply(t, s, store.Batch{Enqueue: ms}).IDs
}

func claim(t testing.TB, s Opened, owner, fn string, n int) []store.Msg {
	t.Helper()
	ms, err := s.Claim(bounded(t), owner, map[string]int{fn: n}, 30*time.Second)
	if err != nil {
		t.Fatalf("claim: %v", err)
	}
	return ms
}

func ids(ms []store.Msg) []int64 {
	var all []int64
	for _, m := range ms {
		all = append(all, m.ID)
	}
	return all
}

func value(t testing.TB, s store.Store, key string) string {
	t.Helper()
	r, err := s.Get(bounded(t), key)
	if errors.Is(err, store.ErrNotFound) {
		return "(none)"
	}
	if err != nil {
		t.Fatalf("get %q: %v", key, err)
	}
	return string(r.Value)
}
