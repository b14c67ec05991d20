package invoker

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"fcd/fc"
	"fcd/invoker/runtimes"
	"fcd/invoker/sandbox"
)

// A kind is what generic processes have in common: all that is fixed when an interpreter starts.
type kind struct {
	runtime *runtimes.Runtime
	network sandbox.NetMode
	heapMB  int // runtimes.Runtime.HeapMB
}

// A stock holds the generic processes that wait to be claimed: interpreters with their bootstraps, in sandboxes without
// code. A function that has no instance claims one of its kind in a few milliseconds, where a fresh start takes as long
// as its interpreter does.
//
// There is nothing for kinds that nobody uses. A first use, or a new function, puts one process on the shelf of its kind,
// a second use as many as the runtime says; where the operator says how many, the first does. Each call that finds
// the shelf empty doubles that, up to a bound; each shelfPatience in which none did lessens it by one again; a shelf that
// nobody uses for the idle timeout is emptied. It is filled by the restockers.
type stock struct {
	v     *Invoker
	sizes map[*runtimes.Runtime]int // as configured
	wake  chan struct{}             // capacity 1: some shelf lacks something

	mu      sync.Mutex // guards the rest; taken by cold calls alone
	shelves map[kind]*shelf
	closed  bool
}

// A shelf is the generic processes of one kind.
type shelf struct {
	ready    []*process // the newest last
	starting int
	base     int       // how many there are at least, while the kind is used
	target   int       // how many there should be
	taken    int       // calls that wanted one
	stocked  bool      // there was something on it since it was last found empty
	used     time.Time // by a call, or by a new function
	missed   time.Time // when it was found empty, or was last made smaller
	lacks    time.Time // since when it is not full; zero if it is
	due      time.Time // not to be filled before
	failures int       // starts that failed in a row
}

const (
	shelfPatience = 30 * time.Second
	// answerWait is how long filling waits for the answer of the call that made it necessary, settle how much longer it
	// lets that answer go its way.
	answerWait = 100 * time.Millisecond
	settle     = 2 * time.Millisecond
	// expectWait is for the answer of the request that made a function.
	expectWait = 10 * time.Millisecond
	// failureWait doubles with each start that fails in a row, up to maxFailureWait.
	failureWait    = time.Second
	maxFailureWait = 5 * time.Minute
	// stockBound is, in sizes of the largest shelf, how many generic processes of all kinds there are; leastBound is how
	// many there may be in any case.
	stockBound, leastBound = 4, 16
)

// newStock makes an empty stock. It refuses sizes for runtimes that are not in the table.
func newStock(v *Invoker) (*stock, error) {
	s := &stock{v: v, wake: make(chan struct{}, 1), sizes: map[*runtimes.Runtime]int{}, shelves: map[kind]*shelf{}}
	for name, n := range v.opt.PoolSizes {
		rt, err := v.opt.Runtimes.Get(name)
		if err != nil {
			return nil, fmt.Errorf("pool size of %q: %w", name, err)
		}
		s.sizes[rt] = n
	}
	return s, nil
}

// off tells why there is no stock, "" if there is one.
func (s *stock) off() string {
	switch {
	case s.v.opt.PoolMax < 0:
		return "pool.max is below 0"
	case !s.v.caps.Claim:
		return cmp.Or(s.v.caps.Missing["Claim"], "the sandbox driver "+s.v.opt.Driver.Name()+" cannot claim")
	}
	return ""
}

// size is how many generic processes of a runtime are to wait while it is used.
func (s *stock) size(rt *runtimes.Runtime) int {
	n, ok := s.sizes[rt]
	if !ok {
		n = rt.Spare()
	}
	return min(n, s.v.opt.PoolMax)
}

// kind is what a target could be served by. ok is false if nothing generic can: what its instances need is fixed when they
// start.
func (s *stock) kind(t *fc.Target, rt *runtimes.Runtime) (k kind, ok bool) {
	if s.off() != "" || rt.Ready() != nil || s.size(rt) <= 0 || s.v.debug(t) != nil ||
		rt.FixedAtStart(s.v.binding(t, "")) != "" {
		return kind{}, false
	}
	return kind{rt, s.v.network(t.Service), rt.HeapMB(t.Function.MemorySizeMB, s.v.caps.HardMemory)}, true
}

// take gives a generic process that lives, nil if there is none; either way more will be wanted.
func (s *stock) take(k kind) *process {
	now := s.v.opt.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	sh := s.shelf(k)
	if sh == nil {
		return nil
	}
	sh.used = now
	if sh.taken++; sh.taken > 1 {
		sh.base = s.size(k.runtime)
	}
	sh.want(now, answerWait)
	sh.target = max(sh.base, sh.target)
	if last := len(sh.ready) - 1; last >= 0 {
		p := sh.ready[last]
		sh.ready, sh.failures = slices.Delete(sh.ready, last, last+1), 0
		return p
	}
	if sh.stocked {
		sh.target = min(2*sh.target, s.v.opt.PoolMax)
	}
	sh.missed, sh.stocked = now, false
	return nil
}

// want notes that the shelf lacks something, to be brought after a while.
func (sh *shelf) want(now time.Time, after time.Duration) {
	if sh.lacks.IsZero() {
		sh.lacks = now
	}
	if due := now.Add(after); due.After(sh.due) {
		sh.due = due
	}
}

// expect makes sure that there is something on the shelf of a kind that is about to be used.
func (s *stock) expect(k kind) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sh := s.shelf(k)
	if sh == nil {
		return
	}
	now := s.v.opt.Now()
	sh.used = now
	if len(sh.ready)+sh.starting < sh.target {
		sh.want(now, expectWait)
		wake(s.wake)
	}
}

// shelf finds or makes the shelf of a kind; nil when the stock is closed. Called with mu held.
func (s *stock) shelf(k kind) *shelf {
	if s.closed {
		return nil
	}
	sh, ok := s.shelves[k]
	if !ok {
		sh = &shelf{base: s.size(k.runtime), missed: s.v.opt.Now()}
		if _, told := s.sizes[k.runtime]; !told {
			sh.base = min(sh.base, 1)
		}
		sh.target = sh.base
		s.shelves[k] = sh
	}
	return sh
}

// answered is told when a call that needed an instance of its own has been answered: now is the time to fill up.
func (s *stock) answered() {
	now := s.v.opt.Now()
	s.mu.Lock()
	for _, sh := range s.shelves {
		if sh.failures == 0 && sh.due.After(now.Add(settle)) {
			sh.due = now.Add(settle)
		}
	}
	s.mu.Unlock()
	wake(s.wake)
}

// lacking gives the kind of a shelf that is to be filled now and counts a start for it. Without one, it tells when there
// will be: the zero time if that is not known.
func (s *stock) lacking() (k kind, ok bool, next time.Time) {
	now := s.v.opt.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.total() >= max(stockBound*s.v.opt.PoolMax, leastBound) || s.v.budget.scarce.Load() {
		return kind{}, false, time.Time{}
	}
	var most *shelf
	for other, sh := range s.shelves {
		switch missing := sh.target - len(sh.ready) - sh.starting; {
		case missing <= 0:
		case s.dueAt(sh).After(now):
			if due := s.dueAt(sh); next.IsZero() || due.Before(next) {
				next = due
			}
		case most == nil || len(sh.ready) < len(most.ready):
			k, most = other, sh
		}
	}
	if most == nil {
		return kind{}, false, next
	}
	most.starting++
	return k, true, time.Time{}
}

// dueAt is when a shelf may be filled: while calls wait for instances not at once, but not much later either. Called with
// mu held.
func (s *stock) dueAt(sh *shelf) time.Time {
	if at := sh.lacks.Add(answerWait); s.v.waiting.Load() > 0 && at.After(sh.due) {
		return at
	}
	return sh.due
}

// total is the number of generic processes. Called with mu held.
func (s *stock) total() (n int) {
	for _, sh := range s.shelves {
		n += len(sh.ready) + sh.starting
	}
	return n
}

// started puts a new process on its shelf, or notes that its start failed. It tells whether the process was kept.
func (s *stock) started(k kind, p *process, err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	sh, ok := s.shelves[k]
	if !ok {
		return false // emptied meanwhile
	}
	sh.starting--
	if err != nil {
		sh.failed(s.v.opt.Now())
		return false
	}
	if s.closed || len(sh.ready) >= sh.target {
		return false
	}
	sh.ready, sh.stocked = append(sh.ready, p), true
	if len(sh.ready) >= sh.target {
		sh.lacks = time.Time{}
	}
	p.onEnd(func() { s.lost(k, p) })
	return true
}

// failed puts the next start off, each time longer.
func (sh *shelf) failed(now time.Time) {
	sh.want(now, min(failureWait<<min(sh.failures, 16), maxFailureWait))
	sh.failures++
}

// lost is told that a process has ended where it stood.
func (s *stock) lost(k kind, p *process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sh := s.shelves[k]
	if sh == nil {
		return
	}
	if i := slices.Index(sh.ready, p); i >= 0 {
		sh.ready = slices.Delete(sh.ready, i, i+1)
		sh.failed(s.v.opt.Now())
		s.v.work.Go(p.discard)
		wake(s.wake)
	}
}

// tidy lets shelves shrink that are larger than needed, and removes those that nobody uses.
func (s *stock) tidy(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, sh := range s.shelves {
		if sh.target > sh.base && now.Sub(sh.missed) >= shelfPatience {
			sh.target, sh.missed = sh.target-1, now
		}
		if now.Sub(sh.used) >= s.v.opt.IdleTimeout && sh.starting == 0 {
			sh.target = 0
			delete(s.shelves, k)
		}
		for len(sh.ready) > sh.target {
			s.v.work.Go(sh.ready[0].discard)
			sh.ready = slices.Delete(sh.ready, 0, 1)
		}
	}
}

// empty takes everything from the shelves: the memory is needed. A shelf is filled again when its kind is used.
func (s *stock) empty() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, sh := range s.shelves {
		for _, p := range sh.ready {
			s.v.work.Go(p.discard)
		}
		sh.ready, sh.target = nil, 0
		if sh.starting == 0 {
			delete(s.shelves, k)
		}
	}
}

// close empties the stock for ever.
func (s *stock) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.empty()
}

// waiting are the generic processes by runtime.
func (s *stock) waiting() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := map[string]int{}
	for k, sh := range s.shelves {
		n[k.runtime.Name] += len(sh.ready)
	}
	return n
}
