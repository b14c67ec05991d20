package logs

import (
	"container/heap"
	"context"
	"time"
)

// parked is what a run tells for an item that waits for its trigger to be switched on again; never, for one that is done
// for good.
const (
	parked = time.Duration(-1)
	never  = time.Duration(-2)
)

// item is something to be done when its time has come, by one goroutine at a time. Source.mu guards its fields. Its time is
// that of the machine, not of Source.now: intervals do not follow a clock that is set.
type item struct {
	job   *job // nil: of no trigger
	run   func(context.Context) time.Duration
	at    time.Time
	index int // in the agenda, -1 outside
	busy  bool
	gone  bool
}

// agenda is a heap of items by their time.
type agenda []*item

var _ heap.Interface = (*agenda)(nil)

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].at.Before(a[j].at) }
func (a agenda) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].index, a[j].index = i, j
}

// Push is for package heap.
func (a *agenda) Push(x any) {
	it := x.(*item)
	it.index = len(*a)
	*a = append(*a, it)
}

// Pop is for package heap.
func (a *agenda) Pop() any {
	old := *a
	it := old[len(old)-1]
	old[len(old)-1] = nil
	*a = old[:len(old)-1]
	it.index = -1
	return it
}

// planLocked puts an item on the agenda, or moves it nearer. The caller holds mu.
func (s *Source) planLocked(it *item, at time.Time) {
	switch {
	case it.busy || it.gone:
		return
	case it.index < 0:
		it.at = at
		heap.Push(&s.due, it)
	case at.Before(it.at):
		it.at = at
		heap.Fix(&s.due, it.index)
	}
	if it.index == 0 {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// dropLocked takes an item off the agenda. The caller holds mu.
func (s *Source) dropLocked(it *item) {
	if it.index >= 0 {
		heap.Remove(&s.due, it.index)
	}
}

// next takes the first item that is due, or tells how long there is none.
func (s *Source) next() (*item, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.due) == 0 {
		return nil, maxSleep
	}
	if wait := time.Until(s.due[0].at); wait > 0 {
		return nil, min(wait, maxSleep)
	}
	it := heap.Pop(&s.due).(*item)
	it.busy = true
	return it, 0
}

// done puts an item back after its run.
func (s *Source) done(it *item, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it.busy = false
	it.gone = it.gone || wait == never
	switch j := it.job; {
	case j == nil && wait >= 0, j != nil && j.enabled && wait >= 0:
		s.planLocked(it, time.Now().Add(wait))
	case j != nil && j.enabled && wait == parked: // switched off and on again meanwhile
		s.planLocked(it, time.Now())
	case j != nil && j.removed && !j.busyLocked():
		s.planLocked(s.cleanup(j), time.Now())
	}
}
