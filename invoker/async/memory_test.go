package async

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"fcd/fc"
	"fcd/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a queue for tests on synthetic time, where a database cannot go along.
type memory struct {
	store.Store
	store.Queue
	mu      sync.Mutex
	wake    chan struct{}
	queued  map[int64]store.Msg
	claimed map[int64]bool
	batches []store.Batch
	lost    []int64
	extends int
	fail    func(try int) error
	tries   int
	done    chan struct{} // a message reached a final state
}

func newMemory(msgs ...store.Msg) *memory {
	m := &memory{wake: make(chan struct{}, 1), queued: map[int64]store.Msg{}, claimed: map[int64]bool{}, done: make(chan struct{}, 100)}
	for i, msg := range msgs {
		msg.ID, msg.Enqueued = int64(i+1), time.Now()
		m.queued[msg.ID] = msg
	}
	return m
}

func (m *memory) Wake() <-chan struct{} { return m.wake }

func (m *memory) Ready(context.Context, time.Time) ([]store.FnDue, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	first := map[string]time.Time{}
	for id, msg := range m.queued {
		if t, ok := first[msg.Fn]; !m.claimed[id] && (!ok || msg.Due.Before(t)) {
			first[msg.Fn] = msg.Due
		}
	}
	var all []store.FnDue
	for fn, t := range first {
		all = append(all, store.FnDue{Fn: fn, Earliest: t})
	}
	return all, nil
}

func (m *memory) Claim(_ context.Context, _ string, want map[string]int, _ time.Duration) (msgs []store.Msg, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	want = maps.Clone(want)
	for id, msg := range m.queued {
		if !m.claimed[id] && want[msg.Fn] > 0 && !msg.Due.After(time.Now()) {
			want[msg.Fn]--
			m.claimed[id] = true
			msgs = append(msgs, msg)
		}
	}
	slices.SortFunc(msgs, func(a, b store.Msg) int { return cmp.Compare(a.ID, b.ID) })
	return msgs, nil
}

func (m *memory) Find(_ context.Context, requestID string) (store.Invocation, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, msg := range m.queued {
		if msg.RequestID == requestID {
			return store.Invocation{Msg: msg, State: store.StateQueued}, nil
		}
	}
	return store.Invocation{}, store.ErrNotFound
}

func (m *memory) Extend(context.Context, string, []int64, time.Duration) ([]int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.extends++
	return m.lost, nil
}

func (m *memory) Apply(_ context.Context, b store.Batch) (store.Applied, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tries++
	if len(b.Done) == 1 && b.Done[0].ID == 0 {
		panic("an outcome without a message")
	}
	if m.fail != nil {
		if err := m.fail(m.tries); err != nil {
			return store.Applied{}, err
		}
	}
	m.batches = append(m.batches, b)
	for _, o := range b.Done {
		delete(m.queued, o.ID)
		m.done <- struct{}{}
	}
	for _, r := range b.Retry {
		msg := m.queued[r.ID]
		msg.Due = r.Due
		if r.Counted {
			msg.Attempt++
		}
		m.queued[r.ID] = msg
		delete(m.claimed, r.ID)
		select { // what is put back wakes, as store.Waker says
		case m.wake <- struct{}{}:
		default:
		}
	}
	return store.Applied{}, nil
}

// invokerFunc is an Invoker of one function.
type invokerFunc func(ctx context.Context, c fc.Call) (fc.Result, error)

func (f invokerFunc) Invoke(ctx context.Context, c fc.Call) (fc.Result, error) { return f(ctx, c) }

// run starts a Dispatcher; stop ends it and gives Run's error.
func run(t *testing.T, o Options) (stop func() error) {
	t.Helper()
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	var once sync.Once
	var result error
	stop = func() error {
		once.Do(func() { cancel(); result = <-ended })
		return result
	}
	t.Cleanup(func() { stop() })
	return stop
}

var errDown = errors.New("down")
