package timer

import (
	"container/heap"
	"time"

	"fcd/fc"
	"fcd/triggers"
)

// entry is one enabled timer. All but gate is guarded by the source's mutex.
type entry struct {
	trigger  *fc.Trigger
	payload  string
	expr     string
	schedule schedule
	gate     triggers.Gate

	scheduled time.Time     // the instant to dispatch next
	at        time.Time     // when to do so: scheduled, or later when an attempt failed
	backoff   time.Duration // before the next attempt; 0 after a success
	last      time.Time     // the last instant that was dispatched
	lastKnown bool          // the checkpoint was read
	index     int           // in the heap; -1 while it is dispatched or never due again
}

// dueHeap orders entries by when they are due.
type dueHeap []*entry

var _ heap.Interface = (*dueHeap)(nil)

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push is for package heap.
func (h *dueHeap) Push(x any) {
	e := x.(*entry)
	e.index = len(*h)
	*h = append(*h, e)
}

// Pop is for package heap.
func (h *dueHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	e.index = -1
	return e
}
