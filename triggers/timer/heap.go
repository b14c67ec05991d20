package timer

import (
	"container/heap"
	"time"

	"fcd/fc"
	"fcd/triggers"
)

// entry is one enabled timer, kept small because there may be many: instants are Unix seconds, 0 for none. All but gate
// is guarded by the source's mutex while the entry is in the heap, and belongs to the worker while it is dispatched.
type entry struct {
	trigger  *fc.Trigger
	schedule schedule
	gate     triggers.Gate

	at        int64 // when to dispatch, Unix nanoseconds: scheduled, or later when an attempt failed
	scheduled int64 // the instant to dispatch next
	last      int64 // the last instant that was dispatched
	backoff   time.Duration
	index     int32 // in the heap; -1 while it is dispatched or never due again
	lastKnown bool  // the checkpoint was read
}

// set sets the instant to dispatch next; the zero time is never.
func (e *entry) set(t time.Time) {
	e.scheduled, e.at = 0, 0
	if !t.IsZero() {
		e.scheduled, e.at = t.Unix(), t.UnixNano()
	}
}

func instant(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }

// dueHeap orders entries by when they are due.
type dueHeap []*entry

var _ heap.Interface = (*dueHeap)(nil)

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = int32(i), int32(j)
}

// Push is for package heap.
func (h *dueHeap) Push(x any) {
	e := x.(*entry)
	e.index = int32(len(*h))
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
