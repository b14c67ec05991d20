package invoker

import (
	"errors"
	"slices"
	"time"

	"fcd/fc"
)

// A pool holds the instances of one generation of a function.
type pool struct {
	fn          *function
	target      *fc.Target
	concurrency int  // how many requests an instance serves at a time
	lanes       bool // while it serves one, others may stand behind that

	idle     []*instance // the most recently used last
	roomy    []*instance // busy ones that have room for another request, the most recently used last
	busy     int
	starting int
	warming  int           // lent to nobody's request, so that they come back at once
	pace     time.Duration // how long quick requests have taken of late; see paced
	closed   int           // busy instances that serve one request until they are open to as many as concurrency says
	live     int           // idle, busy, starting, and those that are being killed
	stale    bool          // the target has changed: no instance is kept once it has served its request
	gone     bool          // removed from the function; look the pool up again
}

// How quick a function must be for requests to stand behind others. Its pace is the time that a quarter of its requests
// stay below: what most take where processors are scarce is a matter of the machine.
const (
	inLine      = 2 * time.Millisecond // how long a request may expect to stand behind others
	paceUnknown = 2 * inLine
	paceLeast   = 10 * time.Microsecond
	paceMost    = 16 * time.Millisecond
)

// paced is the pace after a further request: a step down for one below it, a third of a step up for one above.
func paced(pace, took time.Duration) time.Duration {
	if took < pace {
		return max(pace-pace*3/40, paceLeast)
	}
	return min(pace+pace/40, paceMost)
}

var errPoolGone = errors.New("the pool was removed")

// take lends an instance or queues a waiter.
func (p *pool) take(want want) (*instance, *waiter, error) {
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
		p.lend(inst, want)
		return inst, nil, nil
	case len(p.roomy) > 0 && !(p.lanes && (want.alone || len(fn.waiting) > 0)): // who waits already is not overtaken
		inst := p.leastBusy()
		p.lend(inst, want)
		return inst, nil, nil
	case len(fn.waiting)-fn.coming() >= fn.v.opt.MaxWaiting:
		return nil, nil, fn.refusal()
	}
	w := newWaiter(p, want, want.first || p.busy == 0)
	fn.queue(w)
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
func (p *pool) lend(inst *instance, want want) {
	if inst.load == 0 {
		p.busy++
		if p.lanes {
			inst.room = p.room(inst, want)
		}
	}
	if want.warm {
		p.warming++
	}
	inst.load++
	inst.rested = false
	inst.requests.Add(1)
	p.sort(inst)
}

// room is how many requests may be in the lane of an instance that want comes to first. Called with mu held.
func (p *pool) room(inst *instance, want want) int {
	if want.alone || !inst.proven {
		return 1
	}
	return min(1+int(p.fn.v.inLine/p.pace), maxFlight)
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
	if p.concurrency == 1 && !p.lanes {
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
		w := p.next(inst.load > 0)
		if w == nil {
			return
		}
		p.lend(inst, w.want)
		w.ready <- grant{inst: inst}
	}
}

// start makes one instance and serves a waiter with it.
func (p *pool) start() {
	inst, err := p.fn.v.launch(p)
	fn := p.fn
	fn.mu.Lock()
	p.starting--
	if err != nil {
		if w := p.next(false); w != nil {
			w.ready <- grant{err: err}
		}
		fn.mu.Unlock()
		p.left(0)
		return
	}
	if p.concurrency > 1 {
		p.closed++
	}
	p.place(inst)
	fn.mu.Unlock()
}

// served is put for a request that has told something about the function's pace.
func (p *pool) served(inst *instance, took time.Duration) {
	p.fn.mu.Lock()
	defer p.fn.mu.Unlock()
	p.pace = paced(p.pace, took)
	inst.proven = true
	if p.lanes {
		inst.room = min(inst.room, p.room(inst, want{}))
	}
	p.returned(inst)
	p.place(inst)
}

// narrow is put for a request that was withdrawn: nobody else is to stand behind the one that is slow.
func (p *pool) narrow(inst *instance) {
	p.fn.mu.Lock()
	defer p.fn.mu.Unlock()
	inst.room = 1
	p.returned(inst)
	p.place(inst)
}

// warmed is put for an instance that was lent to no request.
func (p *pool) warmed(inst *instance) {
	p.fn.mu.Lock()
	defer p.fn.mu.Unlock()
	p.warming--
	p.returned(inst)
	p.place(inst)
}

// put gives back an instance that has served a request and can serve another.
func (p *pool) put(inst *instance) {
	p.fn.mu.Lock()
	defer p.fn.mu.Unlock()
	p.returned(inst)
	p.place(inst)
}

// place lends a usable instance to waiters, and without any request keeps it idle, unless it must not serve again. Where
// room is needed, another one goes before it. Called with mu held.
func (p *pool) place(inst *instance) {
	if inst.leaving {
		return
	}
	if inst.exited() {
		inst.retiring = true
		if p.sort(inst); inst.load == 0 {
			p.discard(inst)
		} // else an answer may stand in the pipe
		return
	}
	p.fill(inst)
	if inst.load > 0 {
		return
	}
	fn := p.fn
	if inst.retiring || p.stale || fn.v.closing.Load() {
		p.retire(inst)
		return
	}
	inst.idle = true
	if !inst.rested {
		inst.idleSince = fn.v.opt.Now()
	}
	p.idle = append(p.idle, inst)
	for at := len(p.idle) - 1; at > 0 && p.idle[at-1].idleSince.After(inst.idleSince); at-- {
		p.idle[at-1], p.idle[at] = inst, p.idle[at-1]
	}
	p.restSoon(inst)
	switch {
	case len(fn.waiting) > 0 && fn.live >= fn.v.opt.FunctionConcurrency:
		fn.grow() // evicts
	case fn.v.budget.scarce.Load():
		fn.v.needRoom() // what has been idle longest goes, which is seldom this one
	}
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
	p.fn.leaving++
	if inst.idle {
		p.unidle(inst)
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
		p.left(1)
	}()
}

// unidle takes an instance out of the idle ones. Called with mu held.
func (p *pool) unidle(inst *instance) {
	inst.idle = false
	p.idle = slices.DeleteFunc(p.idle, func(i *instance) bool { return i == inst })
}

// left gives back what an instance that is gone had reserved. ended is 1 if end has ended it, 0 if it never started.
func (p *pool) left(ended int) {
	fn := p.fn
	fn.mu.Lock()
	fn.leaving -= ended
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

// retireAll makes p stale: idle instances go now, busy ones after their request. Called with mu held.
func (p *pool) retireAll() {
	p.stale, p.roomy = true, nil
	for _, inst := range slices.Clone(p.idle) {
		p.retire(inst)
	}
}
