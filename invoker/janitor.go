package invoker

import (
	"slices"
	"time"

	"go.uber.org/zap"
)

// A janitor is woken by whoever finds that something is to be done; further words until it looks are one.
type janitor struct {
	changed chan struct{} // capacity 1: targets may have changed
	room    chan struct{} // capacity 1: some function finds no room
}

func newJanitor() janitor {
	return janitor{changed: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// wake tells a receiver that has not been told yet.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// needRoom says that some function finds no room.
func (v *Invoker) needRoom() { wake(v.janitor.room) }

// pressEvery is how often memory is looked at while the machine is short of it.
const pressEvery = time.Second

// sweep looks at the pools from time to time and when woken: it retires what is idle for too long, what belongs to a
// target that has changed, and, when some function finds no room or the machine is short of memory, what was used the
// longest time ago. Busy instances are never touched.
func (v *Invoker) sweep() {
	every := min(max(v.opt.IdleTimeout/8, time.Millisecond), 15*time.Second)
	timer := time.NewTimer(every)
	defer timer.Stop()
	for {
		select {
		case <-v.quit:
			return
		case <-v.janitor.room:
		case <-v.janitor.changed:
			v.tidy()
		case <-timer.C:
			v.tidy()
			v.stock.tidy(v.opt.Now())
			timer.Reset(every)
			if v.relieve() {
				timer.Reset(min(every, pressEvery))
			}
		}
		v.makeRoom()
	}
}

func (v *Invoker) tidy() {
	for _, fn := range v.all() {
		fn.tidy()
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
	idle := v.leastRecentlyUsed()
	for _, inst := range idle[:min(missing, len(idle))] {
		inst.pool.evict(inst)
	}
}

// relieve gives memory back to a machine that is short of it, and tells whether it is. Generic processes go first, then
// as many idle instances, the least recently used first, as may hold what is missing.
func (v *Invoker) relieve() bool {
	missing := float64(v.opt.LowMemoryMB - v.opt.AvailableMB())
	if missing <= 0 {
		return false
	}
	v.stock.empty()
	n := 0
	for _, inst := range v.leastRecentlyUsed() {
		if missing <= 0 {
			break
		}
		missing -= max(inst.memory(), 1)
		inst.pool.evict(inst)
		n++
	}
	if n > 0 {
		v.opt.Log.Warn("the machine is short of memory, idle instances were retired", zap.Int("instances", n),
			zap.Int("availableMB", v.opt.AvailableMB()), zap.Int("lowMemoryMB", v.opt.LowMemoryMB))
	}
	return true
}

// leastRecentlyUsed are the idle instances of all functions, those first that were used the longest time ago.
func (v *Invoker) leastRecentlyUsed() []*instance {
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
	all := make([]*instance, len(idle))
	for i, c := range idle {
		all[i] = c.inst
	}
	return all
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
