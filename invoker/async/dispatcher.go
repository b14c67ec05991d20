package async

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"fcd/fc"
	"fcd/store"
)

// LogSync makes the log lines that were written so far durable.
type LogSync interface {
	Sync(ctx context.Context) error
}

// Options configure a Dispatcher. Queue, Store and Invoker are required; zero values of the others give the stated
// defaults.
type Options struct {
	Queue   store.Queue
	Store   store.Store
	Invoker fc.Invoker
	// LogSync, if given, is asked before an invocation is marked as succeeded or dead, so that its log outlives it.
	LogSync LogSync
	// Configs, if given, say what functions want otherwise than the fields below.
	Configs Configs
	// Deliverer, if given, takes messages for destinations that are no functions.
	Deliverer Deliverer

	Owner               string // of the claims, unique among the daemons of a store; host name and process id
	Concurrency         int    // attempts at a time; 64
	FunctionConcurrency int    // attempts of one function at a time; 16

	Retries    int           // after errors of the function; 3. Negative: none
	Backoff    time.Duration // before the first retry; 0.5 s, doubling
	MaxBackoff time.Duration // between attempts that found no room; 5 min

	MaxAge          time.Duration // of a message to a destination; 5 h
	MaxPayloadBytes int64         // of a message to a destination; 128 KiB
	Region, Account string        // in the resource names that destinations are told

	Lease  time.Duration  // of a claim; 30 s. Extended each third of it
	Poll   time.Duration  // the queue is looked at so often, whatever the store's Waker says; 1 s
	Jitter func() float64 // in [0,1), spreads the backoff of function errors; math/rand

	Now        func() time.Time
	Log        *zap.Logger
	Registerer prometheus.Registerer
}

func (o *Options) setDefaults() error {
	if o.Queue == nil || o.Store == nil || o.Invoker == nil {
		return errors.New("async: Options.Queue, Store and Invoker are required")
	}
	if o.Owner == "" {
		host, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("async: owner of the claims: %w", err)
		}
		o.Owner = fmt.Sprintf("%s/%d", host, os.Getpid())
	}
	o.Concurrency = cmp.Or(o.Concurrency, 64)
	o.FunctionConcurrency = cmp.Or(o.FunctionConcurrency, 16)
	o.Retries = max(cmp.Or(o.Retries, 3), 0)
	o.Backoff = cmp.Or(o.Backoff, 500*time.Millisecond)
	o.MaxBackoff = cmp.Or(o.MaxBackoff, 5*time.Minute)
	o.MaxAge = cmp.Or(o.MaxAge, 5*time.Hour)
	o.MaxPayloadBytes = cmp.Or(o.MaxPayloadBytes, fc.DefaultLimits().MaxAsyncBodyBytes)
	o.Lease = cmp.Or(o.Lease, 30*time.Second)
	o.Poll = cmp.Or(o.Poll, time.Second)
	if o.Jitter == nil {
		o.Jitter = rand.Float64
	}
	if o.Now == nil {
		o.Now = store.SteadyClock()
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	return nil
}

// Dispatcher runs queued invocations. Make one with New and Run it once.
type Dispatcher struct {
	opt     Options
	metrics *metrics
	wake    <-chan struct{} // of the store; nil if it has none
	freed   chan struct{}   // capacity 1: an attempt has ended
	ending  chan struct{}   // closed when Run is to end
	fatal   chan error      // capacity 1: the store must not be used any more
	work    sync.WaitGroup
	left    bool // at the last look some work may have been left for want of a place; only Run's goroutine uses it

	mu        sync.Mutex // guards the rest
	running   map[int64]*attempt
	perFn     map[string]int    // running attempts
	throttled map[int64]refused // messages that found no room
}

// refused remembers how often a message found no room, for its backoff. It is memory only: after a restart the backoff
// begins anew.
type refused struct {
	times int
	last  time.Time
}

// New makes a Dispatcher. It claims nothing before Run.
func New(o Options) (*Dispatcher, error) {
	if err := o.setDefaults(); err != nil {
		return nil, err
	}
	d := &Dispatcher{
		opt: o, freed: make(chan struct{}, 1), ending: make(chan struct{}), fatal: make(chan error, 1),
		running: make(map[int64]*attempt), perFn: make(map[string]int), throttled: make(map[int64]refused),
	}
	if w, ok := o.Queue.(store.Waker); ok {
		d.wake = w.Wake()
	} else if w, ok := o.Store.(store.Waker); ok {
		d.wake = w.Wake()
	}
	m, err := newMetrics(o.Registerer, d.count)
	if err != nil {
		return nil, fmt.Errorf("async: metrics: %w", err)
	}
	d.metrics = m
	return d, nil
}

// Run claims and runs messages until ctx ends; then it claims no more, and returns when the running attempts are over.
// Those that still wait for an instance are put back at once, as are those that the Invoker cuts: close it with a
// deadline of its own to bound the drain. The error is nil after ctx has ended, or wraps store.ErrFatal.
func (d *Dispatcher) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	extending, stop := context.WithCancel(context.WithoutCancel(ctx))
	var extender sync.WaitGroup
	extender.Go(func() { d.extend(extending) })
	defer func() {
		close(d.ending)
		cancel()
		d.work.Wait()
		stop()
		extender.Wait()
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-d.fatal:
			return fmt.Errorf("async: %w", err)
		case <-d.wake:
		case <-d.freed:
			if !d.left && d.wake != nil {
				continue // nothing waits for the place, and what comes wakes by itself
			}
		case <-timer.C:
		}
		next, err := d.dispatch(ctx)
		if errors.Is(err, store.ErrFatal) {
			return fmt.Errorf("async: %w", err)
		}
		if err != nil && ctx.Err() == nil {
			d.opt.Log.Warn("the queue cannot be read", zap.Error(err))
		}
		timer.Reset(next)
	}
}

// dispatch claims what there is room for and starts it. next is when to look again at the latest.
func (d *Dispatcher) dispatch(ctx context.Context) (next time.Duration, err error) {
	d.left = true
	free := d.opt.Concurrency - d.count()
	if free <= 0 {
		return d.opt.Poll, nil // an end of an attempt comes first
	}
	now := d.opt.Now()
	ready, err := d.opt.Queue.Ready(ctx, now)
	if err != nil {
		return d.opt.Poll, fmt.Errorf("ready functions: %w", err)
	}
	next = d.opt.Poll
	due := ready[:0]
	for _, f := range ready {
		if wait := f.Earliest.Sub(now); wait > 0 {
			next = min(next, wait)
			continue
		}
		due = append(due, f)
	}
	want := d.share(due, free)
	if len(want) == 0 {
		d.left = len(due) > 0
		return next, nil
	}
	msgs, err := d.opt.Queue.Claim(ctx, d.opt.Owner, want, d.opt.Lease)
	if err != nil {
		return d.opt.Poll, fmt.Errorf("claim: %w", err)
	}
	d.left = len(want) < len(due)
	got := make(map[string]int, len(want))
	for _, m := range msgs {
		if got[m.Fn]++; got[m.Fn] == want[m.Fn] {
			d.left = true // there may be more
		}
		d.start(ctx, m)
	}
	return next, nil
}

// count is the number of running attempts.
func (d *Dispatcher) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.running)
}

// extend keeps the claims of running attempts. Attempts whose claim was lost are told.
func (d *Dispatcher) extend(ctx context.Context) {
	tick := time.NewTicker(d.opt.Lease / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		d.forgetOld()
		ids := d.ids()
		if len(ids) == 0 {
			continue
		}
		lost, err := d.opt.Queue.Extend(ctx, d.opt.Owner, ids, d.opt.Lease)
		if err != nil {
			d.opt.Log.Warn("claims cannot be extended", zap.Int("count", len(ids)), zap.Error(err))
			continue
		}
		d.lose(lost)
	}
}

func (d *Dispatcher) ids() (ids []int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id := range d.running {
		ids = append(ids, id)
	}
	return ids
}

func (d *Dispatcher) lose(ids []int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range ids {
		if a, ok := d.running[id]; ok {
			a.lost = true
			a.cancel()
		}
	}
}

// forgetOld drops what is remembered of messages that somebody else has ended.
func (d *Dispatcher) forgetOld() {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.opt.Now().Add(-3 * d.opt.MaxBackoff)
	for id, r := range d.throttled {
		if r.last.Before(old) {
			delete(d.throttled, id)
		}
	}
}
