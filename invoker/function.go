package invoker

import (
	"context"
	"errors"
	"slices"
	"sync"

	"fcd/fc"
)

// A function is what the invoker holds for one function name: the pools of its generations, which share one limit and
// one queue. Different functions share no lock on the way of a warm request.
type function struct {
	v    *Invoker
	name string // "service/function", for messages

	mu      sync.Mutex // guards all below, the pools' fields and the instances' place in them
	pools   map[string]*pool
	live    int // instances, those that start or are being killed included
	leaving int // those that are being ended
	waiting []*waiter
	gone    bool // without pools and removed; look the function up again
}

// pool finds or makes the pool of a target.
func (v *Invoker) pool(t *fc.Target) *pool {
	for {
		if p, ok := v.pools.Load(t.Generation); ok {
			return p.(*pool)
		}
		name := t.Function.ServiceName + "/" + t.Function.Name
		f, _ := v.functions.LoadOrStore(name, &function{v: v, name: name, pools: make(map[string]*pool)})
		if p := f.(*function).add(t); p != nil {
			return p
		}
	}
}

// add makes the pool of a new generation; what it replaces becomes stale. It returns nil if the function is gone.
func (fn *function) add(t *fc.Target) *pool {
	fn.mu.Lock()
	defer fn.mu.Unlock()
	if fn.gone {
		return nil
	}
	if p, ok := fn.pools[t.Generation]; ok {
		return p
	}
	for _, old := range fn.pools {
		if old.target.Ref == t.Ref {
			old.retireAll()
		}
	}
	p := &pool{fn: fn, target: t, concurrency: fn.v.concurrency(t), lanes: fn.v.lanes(t), pace: paceUnknown}
	fn.pools[t.Generation] = p
	fn.v.pools.Store(t.Generation, p)
	return p
}

// concurrency is how many requests an instance of a target serves at a time.
func (v *Invoker) concurrency(t *fc.Target) int {
	rt, err := v.opt.Runtimes.Get(t.Function.Runtime)
	if err != nil {
		return 1 // no instance will start
	}
	return rt.Concurrency(t.Function)
}

// lanes tells whether requests of a target may stand one behind the other in an instance.
func (v *Invoker) lanes(t *fc.Target) bool {
	rt, err := v.opt.Runtimes.Get(t.Function.Runtime)
	return err == nil && !rt.ServesHTTP() && v.concurrency(t) == 1 && !v.caps.OwnKernel
}

// acquire finds an instance for a call: an idle one, the most recently used first, else the least busy one with room for
// another request, else one that gets room, else a fresh one. ctx bounds the waiting.
func (v *Invoker) acquire(ctx context.Context, t *fc.Target, want want) (*instance, error) {
	for {
		p := v.pool(t)
		inst, w, err := p.take(want)
		if errors.Is(err, errPoolGone) {
			continue
		}
		if inst != nil || err != nil {
			return inst, err
		}
		return p.fn.wait(ctx, w)
	}
}

// grow starts instances for eager waiters as far as the limits allow. Called with mu held.
func (fn *function) grow() {
	for _, p := range fn.pools {
		for p.wanted() > p.coming() {
			if fn.live >= fn.v.opt.FunctionConcurrency {
				for fn.leaving < p.wanted()-p.coming() && fn.evictOther(p) {
				}
				break // the end of one that leaves calls grow again
			}
			if !fn.v.budget.reserve(fn, p.target.Function.MemorySizeMB) {
				fn.v.needRoom()
				return
			}
			fn.live++
			p.live++
			p.starting++
			fn.v.work.Go(p.start)
		}
	}
}

// evictOther retires the instance of another generation of the function that has been idle longest. Called with mu held.
func (fn *function) evictOther(p *pool) bool {
	var oldest *instance
	for _, other := range fn.pools {
		if other == p || len(other.idle) == 0 {
			continue
		}
		if inst := other.idle[0]; oldest == nil || inst.idleSince.Before(oldest.idleSince) {
			oldest = inst
		}
	}
	if oldest != nil {
		oldest.pool.retire(oldest)
	}
	return oldest != nil
}

// removeIfEmpty forgets a pool that nobody uses any more, so that the invoker holds nothing for functions at rest.
// Called with mu held.
func (fn *function) removeIfEmpty(p *pool) {
	if p.live > 0 || p.gone || slices.ContainsFunc(fn.waiting, func(w *waiter) bool { return w.pool == p }) {
		return
	}
	p.gone = true
	delete(fn.pools, p.target.Generation)
	fn.v.pools.CompareAndDelete(p.target.Generation, p)
	if len(fn.pools) == 0 {
		fn.gone = true
		fn.v.functions.CompareAndDelete(fn.name, fn)
	}
}
