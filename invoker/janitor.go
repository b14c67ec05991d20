package invoker

import (
	"slices"
	"time"
)

// sweep looks at the pools from time to time and when woken: it retires what is idle for too long, what belongs to a
// target that has changed, and, when some function finds no room, what was used the longest time ago.
func (v *Invoker) sweep() {
	tick := time.NewTicker(min(max(v.opt.IdleTimeout/8, time.Millisecond), 15*time.Second))
	defer tick.Stop()
	for {
		select {
		case <-v.quit:
			return
		case <-tick.C:
		case <-v.janitor:
		}
		for _, fn := range v.all() {
			fn.tidy()
		}
		v.makeRoom()
	}
}

// tidy retires the stale and the too long idle instances of a function.
func (fn *function) tidy() {
	fn.mu.Lock()
	defer fn.mu.Unlock()
	oldest := fn.v.opt.Now().Add(-fn.v.opt.IdleTimeout)
	for _, p := range fn.pools {
		if now, err := fn.v.opt.Functions.Target(p.target.Ref); err != nil || now.Generation != p.target.Generation {
			p.retireAll()
		}
		for len(p.idle) > 0 && !p.idle[0].idleSince.After(oldest) {
			p.retire(p.idle[0])
		}
		fn.removeIfEmpty(p)
	}
}

// makeRoom retires idle instances, the least recently used first, for functions that wait for room.
func (v *Invoker) makeRoom() {
	missing := 0
	for _, fn := range v.budget.waiting() {
		missing += fn.missing()
	}
	missing -= int(v.dying.Load())
	if missing <= 0 {
		return
	}
	type candidate struct {
		inst  *instance
		since time.Time
	}
	var idle []candidate
	for _, fn := range v.all() {
		fn.mu.Lock()
		for _, p := range fn.pools {
			for _, inst := range p.idle {
				idle = append(idle, candidate{inst, inst.idleSince})
			}
		}
		fn.mu.Unlock()
	}
	slices.SortFunc(idle, func(a, b candidate) int { return a.since.Compare(b.since) })
	for _, c := range idle[:min(missing, len(idle))] {
		c.inst.pool.evict(c.inst)
	}
}

// missing is the number of instances that the function's eager waiters still lack.
func (fn *function) missing() (n int) {
	fn.mu.Lock()
	defer fn.mu.Unlock()
	for _, p := range fn.pools {
		n += max(0, (p.wanted()-p.coming()+p.concurrency-1)/p.concurrency)
	}
	return n
}

// evict retires the instance if it is idle still.
func (p *pool) evict(inst *instance) {
	p.fn.mu.Lock()
	defer p.fn.mu.Unlock()
	if inst.idle {
		p.retire(inst)
	}
}
