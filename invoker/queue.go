package invoker

import (
	"context"
	"slices"
	"sync"
	"time"

	"fcd/fc"
)

// A want is what a request asks of the instance that it gets.
type want struct {
	warm  bool // there is no request: one instance serves all of these and one with a request
	alone bool // it must not stand behind another request of a lane, nor another behind it
	first bool // it has waited before: it goes before the others, and an instance should be started for it at once
}

// A waiter is a request without an instance.
type waiter struct {
	want
	pool  *pool
	eager bool        // an instance should be started for it; otherwise it still hopes for a busy one
	ready chan grant  // capacity 1; written at most once, by whoever removes the waiter from the queue
	timer *time.Timer // runs only while it waits
}

// waiters are those that nobody has in hand or in a queue: under load most requests wait, for a moment.
var waiters = sync.Pool{New: func() any {
	w := &waiter{ready: make(chan grant, 1), timer: time.NewTimer(time.Hour)}
	w.timer.Stop()
	return w
}}

// newWaiter makes a waiter that wait gives back.
func newWaiter(p *pool, want want, eager bool) *waiter {
	w := waiters.Get().(*waiter)
	w.want, w.pool, w.eager = want, p, eager
	return w
}

type grant struct {
	inst *instance
	err  error
}

// wait blocks until w is served, the waiting time is over or ctx ends.
func (fn *function) wait(ctx context.Context, w *waiter) (*instance, error) {
	fn.v.waiting.Add(1)
	defer fn.v.waiting.Add(-1)
	patience, limit := fn.v.opt.Patience, fn.v.opt.MaxWait
	impatient := patience >= limit // it is not to become eager any more
	w.timer.Reset(min(patience, limit))
	defer func() {
		w.timer.Stop()
		w.pool = nil
		waiters.Put(w)
	}()
	for {
		select {
		case g := <-w.ready:
			return g.inst, g.err
		case <-w.timer.C:
			if impatient {
				return fn.giveUp(w, nil)
			}
			impatient = true
			w.timer.Reset(limit - patience)
			fn.mu.Lock()
			w.eager = true
			fn.grow()
			fn.mu.Unlock()
		case <-ctx.Done():
			return fn.giveUp(w, ctx.Err())
		}
	}
}

// giveUp takes w out of the queue, unless it was served at the last moment. A nil cause means that the time is over.
func (fn *function) giveUp(w *waiter, cause error) (*instance, error) {
	fn.mu.Lock()
	defer fn.mu.Unlock()
	i := slices.Index(fn.waiting, w)
	if i < 0 {
		g := <-w.ready
		return g.inst, g.err
	}
	fn.waiting = slices.Delete(fn.waiting, i, i+1)
	if len(fn.waiting) == 0 {
		fn.v.budget.forget(fn)
	}
	if cause != nil {
		e := fc.Errorf(fc.ResourceThrottled, "the request was cancelled while it waited for an instance of %s", fn.name)
		e.Err = cause
		return nil, e
	}
	return nil, fn.refusal()
}

// refusal is the error for a request that finds no instance. Called with mu held.
func (fn *function) refusal() error {
	if fn.live >= fn.v.opt.FunctionConcurrency {
		return fc.Errorf(fc.ResourceExhausted, "function %s has reached its concurrency limit of %d", fn.name, fn.v.opt.FunctionConcurrency)
	}
	return fc.Errorf(fc.ResourceThrottled, "no capacity for another instance of function %s", fn.name)
}

// queue puts w at its place in the queue. Called with mu held.
func (fn *function) queue(w *waiter) {
	at := len(fn.waiting)
	if w.first {
		at = slices.IndexFunc(fn.waiting, func(other *waiter) bool { return !other.first })
		at = max(at, 0)
	}
	fn.waiting = slices.Insert(fn.waiting, at, w)
}

// next removes the first waiter of p from the queue, unless it wants an instance that serves nobody and busy says that
// this is not so. Called with mu held.
func (p *pool) next(busy bool) *waiter {
	for i, w := range p.fn.waiting {
		if w.pool == p {
			if busy && w.alone && p.lanes {
				return nil
			}
			p.fn.waiting = slices.Delete(p.fn.waiting, i, i+1)
			return w
		}
	}
	return nil
}

// wanted counts the waiters of p for which an instance should start.
func (p *pool) wanted() (n int) {
	warm := 0
	for _, w := range p.fn.waiting {
		switch {
		case w.pool != p:
		case !w.eager && p.busy > 0: // one comes back
		case w.warm && p.busy > 0: // one comes back
		case w.warm:
			warm = 1
		default:
			n++
		}
	}
	return max(n, warm)
}

func (p *pool) coming() int {
	return p.starting*p.concurrency + p.closed*(p.concurrency-1) + p.warming
}

// coming is how many requests can be lent to what starts now. Called with mu held.
func (fn *function) coming() (n int) {
	for _, p := range fn.pools {
		n += p.coming()
	}
	return n
}
