package native

import (
	"errors"
	"fmt"
	"sync"
)

var errNoUID = errors.New("every user id of the range is in use")

// uidRange hands out user ids so that no two living instances share one: a shared id could signal and trace the other.
type uidRange struct {
	first, last int

	mu   sync.Mutex // guards next and used
	next int
	used map[int]bool
}

// newUIDRange starts to hand out at a place that depends on seed, so that two daemons with the same range seldom meet.
func newUIDRange(first, last int, seed uint32) (*uidRange, error) {
	if first <= 0 || last < first {
		return nil, fmt.Errorf("user ids %d to %d: not a range of ordinary users", first, last)
	}
	start := first + int(seed%uint32(last-first+1))
	return &uidRange{first: first, last: last, next: start, used: map[int]bool{}}, nil
}

func (r *uidRange) take() (int, error) {
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
	return 0, fmt.Errorf("%w: %d to %d", errNoUID, r.first, r.last)
}

func (r *uidRange) give(uid int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.used, uid)
}

func (r *uidRange) inUse() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.used)
}
