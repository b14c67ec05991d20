package invoker

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

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
	waiting []*waiter
	gone    bool // without pools and removed; look the function up again
}

// A pool holds the instances of one generation of a function.
type pool struct {
	fn          *function
	target      *fc.Target
	concurrency int // how many requests an instance serves at a time

	idle     []*instance // the most recently used last
	roomy    []*instance // busy ones that have room for another request, the most recently used last
	busy     int
	starting int
	closed   int  // busy instances that serve one request until they are open to as many as concurrency says
	live     int  // idle, busy, starting, and those that are being killed
	stale    bool // the target has changed: no instance is kept once it has served its request
	gone     bool // removed from the function; look the pool up again
}

// A waiter is a request without an instance.
type waiter struct {
	pool  *pool
	eager bool       // an instance should be started for it; otherwise it still hopes for a busy one
	warm  bool       // it has no request: one instance serves all of these and a waiter with a request
	ready chan grant // capacity 1; written at most once, by whoever removes the waiter from the queue
}

type grant struct {
	inst *instance
	err  error
}

var errPoolGone = errors.New("the pool was removed")

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
	p := &pool{fn: fn, target: t, concurrency: fn.v.concurrency(t)}
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

// acquire finds an instance for a call: an idle one, the most recently used first, else the least busy one with room for
// another request, else one that gets room, else a fresh one. ctx bounds the waiting. warm: see waiter.
func (v *Invoker) acquire(ctx context.Context, t *fc.Target, warm bool) (*instance, error) {
	for {
		p := v.pool(t)
		inst, w, err := p.take(warm)
		if errors.Is(err, errPoolGone) {
			continue
		}
		if inst != nil || err != nil {
			return inst, err
		}
		return p.fn.wait(ctx, w)
	}
}

// take lends an instance or queues a waiter.
func (p *pool) take(warm bool) (*instance, *waiter, error) {
	fn := p.fn
	fn.mu.Lock()
	defer fn.mu.Unlock()
	switch {
	case p.gone:
		return nil, nil, errPoolGone
	case fn.v.closing.Load():
		return nil, nil, errClosing()
	case len(p.idle) > 0:
		inst := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		inst.idle = false
		p.lend(inst)
		return inst, nil, nil
	case len(p.roomy) > 0:
		inst := p.leastBusy()
		p.lend(inst)
		return inst, nil, nil
	case len(fn.waiting)-fn.coming() >= fn.v.opt.MaxWaiting:
		return nil, nil, fn.refusal()
	}
	w := &waiter{pool: p, warm: warm, eager: p.busy == 0, ready: make(chan grant, 1)}
	fn.waiting = append(fn.waiting, w)
	fn.grow()
	return nil, w, nil
}

// leastBusy is the instance with room that has the fewest requests, among equals the most recently used. Called with mu
// held.
func (p *pool) leastBusy() *instance {
	best := p.roomy[0]
	for _, inst := range p.roomy {
		if inst.load <= best.load {
			best = inst
		}
	}
	return best
}

// lend counts one more request of an instance that has room. Called with mu held.
func (p *pool) lend(inst *instance) {
	if inst.load == 0 {
		p.busy++
	}
	inst.load++
	inst.requests.Add(1)
	p.sort(inst)
}

// returned counts one request less. Called with mu held.
func (p *pool) returned(inst *instance) {
	inst.load--
	inst.requests.Done()
	if inst.load == 0 && !inst.leaving {
		p.busy--
	}
	p.sort(inst)
}

// sort puts an instance at the end of roomy or out of it. Called with mu held.
func (p *pool) sort(inst *instance) {
	if p.concurrency == 1 {
		return
	}
	if i := slices.Index(p.roomy, inst); i >= 0 {
		p.roomy = slices.Delete(p.roomy, i, i+1)
	}
	if inst.load > 0 && inst.load < inst.room && !inst.leaving && !inst.retiring && !p.stale {
		p.roomy = append(p.roomy, inst)
	}
}

// widen opens an instance to as many requests as its function allows.
func (p *pool) widen(inst *instance) {
	if p.concurrency == 1 {
		return
	}
	p.fn.mu.Lock()
	defer p.fn.mu.Unlock()
	if inst.leaving {
		return
	}
	inst.room = p.concurrency
	p.closed--
	p.sort(inst)
	p.fill(inst)
}

// fill lends an instance to waiters until it has no room. Called with mu held.
func (p *pool) fill(inst *instance) {
	for inst.load < inst.room && !inst.leaving && !inst.retiring && (inst.load == 0 || !p.stale) {
		w := p.next()
		if w == nil {
			return
		}
		p.lend(inst)
		w.ready <- grant{inst: inst}
	}
}

// wait blocks until w is served, the waiting time is over or ctx ends.
func (fn *function) wait(ctx context.Context, w *waiter) (*instance, error) {
	fn.v.metrics.waiting.Inc()
	defer fn.v.metrics.waiting.Dec()
	patience := time.NewTimer(fn.v.opt.Patience)
	defer patience.Stop()
	limit := time.NewTimer(fn.v.opt.MaxWait)
	defer limit.Stop()
	for {
		select {
		case g := <-w.ready:
			return g.inst, g.err
		case <-patience.C:
			fn.mu.Lock()
			w.eager = true
			fn.grow()
			fn.mu.Unlock()
		case <-limit.C:
			return fn.giveUp(w, nil)
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

// coming is how many requests can be lent to what starts now. Called with mu held.
func (fn *function) coming() (n int) {
	for _, p := range fn.pools {
		n += p.coming()
	}
	return n
}

func (p *pool) coming() int {
	return p.starting*p.concurrency + p.closed*(p.concurrency-1)
}

// grow starts instances for eager waiters as far as the limits allow. Called with mu held.
func (fn *function) grow() {
	for _, p := range fn.pools {
		for p.wanted() > p.coming() {
			if fn.live >= fn.v.opt.FunctionConcurrency {
				if !fn.evictOther(p) {
					break
				}
				return // its end calls grow again
			}
			if !fn.v.budget.reserve(fn, p.target.Function.MemorySizeMB) {
				fn.v.wakeJanitor()
				return
			}
			fn.live++
			p.live++
			p.starting++
			fn.v.work.Go(p.start)
		}
	}
}

// wanted counts the waiters of p for which an instance should start.
func (p *pool) wanted() (n int) {
	warm := 0
	for _, w := range p.fn.waiting {
		switch {
		case w.pool != p || !w.eager:
		case w.warm:
			warm = 1
		default:
			n++
		}
	}
	return max(n, warm)
}

// evictOther retires an idle instance of another generation of the function. Called with mu held.
func (fn *function) evictOther(p *pool) bool {
	for _, other := range fn.pools {
		if other != p && len(other.idle) > 0 {
			other.retire(other.idle[0])
			return true
		}
	}
	return false
}

// start makes one instance and serves a waiter with it.
func (p *pool) start() {
	inst, err := p.fn.v.launch(p)
	fn := p.fn
	fn.mu.Lock()
	p.starting--
	if err != nil {
		if w := p.next(); w != nil {
			w.ready <- grant{err: err}
		}
		fn.mu.Unlock()
		p.left()
		return
	}
	if p.concurrency > 1 {
		p.closed++
	}
	p.place(inst)
	fn.mu.Unlock()
}

// next removes the first waiter of p from the queue. Called with mu held.
func (p *pool) next() *waiter {
	for i, w := range p.fn.waiting {
		if w.pool == p {
			p.fn.waiting = slices.Delete(p.fn.waiting, i, i+1)
			return w
		}
	}
	return nil
}

// put gives back an instance that has served a request and can serve another.
func (p *pool) put(inst *instance) {
	p.fn.mu.Lock()
	defer p.fn.mu.Unlock()
	p.returned(inst)
	p.place(inst)
}

// place lends a usable instance to waiters, and without any request keeps it idle or retires it. Called with mu held.
func (p *pool) place(inst *instance) {
	if inst.leaving {
		return
	}
	if inst.exited() {
		p.discard(inst)
		return
	}
	p.fill(inst)
	if inst.load > 0 {
		return
	}
	fn := p.fn
	crowded := len(fn.waiting) > 0 && fn.live >= fn.v.opt.FunctionConcurrency
	if inst.retiring || p.stale || crowded || fn.v.closing.Load() || fn.v.budget.scarce.Load() {
		p.retire(inst)
		return
	}
	inst.idle, inst.idleSince = true, fn.v.opt.Now()
	p.idle = append(p.idle, inst)
}

// retire ends an instance in good order: hook, end of input, kill. Called with mu held.
func (p *pool) retire(inst *instance) { p.end(inst, inst.stop) }

// discard kills an instance that must not serve again. Called with mu held.
func (p *pool) discard(inst *instance) { p.end(inst, inst.destroy) }

// end takes an instance out of the pool and ends it. Requests that are still in flight on it fail. Called with mu held.
func (p *pool) end(inst *instance, how func()) {
	if inst.leaving {
		return
	}
	inst.leaving = true
	if inst.idle {
		inst.idle = false
		p.idle = slices.DeleteFunc(p.idle, func(i *instance) bool { return i == inst })
	}
	if inst.load > 0 {
		p.busy--
	}
	if inst.room < p.concurrency {
		p.closed--
	}
	p.sort(inst)
	p.fn.v.dying.Add(1)
	go func() {
		defer p.fn.v.work.Done() // of bind
		how()
		inst.requests.Wait()
		p.fn.v.dying.Add(-1)
		p.left()
	}()
}

// drop gives back an instance that must not serve again: it is ended at once.
func (p *pool) drop(inst *instance, how func()) {
	p.fn.mu.Lock()
	defer p.fn.mu.Unlock()
	p.returned(inst)
	p.end(inst, how)
}

// expel gives back an instance that takes no further request: it retires when those in flight have been answered.
func (p *pool) expel(inst *instance) {
	p.fn.mu.Lock()
	defer p.fn.mu.Unlock()
	inst.retiring = true
	p.returned(inst)
	p.place(inst)
}

// lost is told that an instance has ended by itself. One that serves a request is its server's to drop.
func (p *pool) lost(inst *instance) {
	p.fn.mu.Lock()
	defer p.fn.mu.Unlock()
	if inst.idle {
		p.discard(inst)
	}
}

// left gives back what an instance that is gone had reserved.
func (p *pool) left() {
	fn := p.fn
	fn.mu.Lock()
	p.live--
	fn.live--
	short := fn.v.budget.release(p.target.Function.MemorySizeMB)
	fn.grow()
	fn.removeIfEmpty(p)
	fn.mu.Unlock()
	for _, f := range short {
		f.mu.Lock()
		f.grow()
		f.mu.Unlock()
	}
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

// retireAll makes p stale: idle instances go now, busy ones after their request. Called with mu held.
func (p *pool) retireAll() {
	p.stale, p.roomy = true, nil
	for _, inst := range slices.Clone(p.idle) {
		p.retire(inst)
	}
}
