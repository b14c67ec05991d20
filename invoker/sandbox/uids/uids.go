// Package uids hands out the user ids of instances.
package uids

import (
	"errors"
	"fmt"
	"sync"
)

var errNone = errors.New("every user id of the range is in use")

// Range hands out user ids so that no two living instances share one: a shared id could signal and trace the other.
type Range struct {
	first, last int

	mu   sync.Mutex // guards next and used
	next int
	used map[int]bool
}

// New starts to hand out at a place that depends on seed, so that two daemons with the same range seldom meet.
func New(first, last int, seed uint32) (*Range, error) {
	if first <= 0 || last < first {
		return nil, fmt.Errorf("user ids %d to %d: not a range of ordinary users", first, last)
	}
	start := first + int(seed%uint32(last-first+1))
	return &Range{first: first, last: last, next: start, used: map[int]bool{}}, nil
}

// Take gives an id that nobody has, as long as there is one.
func (r *Range) Take() (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for range r.last - r.first + 1 {
		uid := r.next
		if r.next++; r.next > r.last {
			r.next = r.first
		}
		if !r.used[uid] {
			r.used[uid] = true
			return uid, nil
		}
	}
	return 0, fmt.Errorf("%w: %d to %d", errNone, r.first, r.last)
}

// Give takes an id back: everything that ran under it is gone.
func (r *Range) Give(uid int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.used, uid)
}

// InUse is how many are given out.
func (r *Range) InUse() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.used)
}
