package sqlite

import (
	"sync"
	"time"
)

// claims is who works on which message. It lives in memory: one process has the queue, and its end frees everything.
type claims struct {
	mu   sync.Mutex // held across the reading of candidates, so that no ended message can be claimed
	byID map[int64]*claim
	byFn map[string]int // claims per function, expired ones included
	last int64          // message id up to which the queue is on disk; later ones cannot be claimed yet
}

type claim struct {
	fn      string
	owner   string
	expires time.Time
	ending  bool // a group is about to commit its end; nobody may take it
	ghost   bool // made by end for a message that nobody had claimed
}

func newClaims() *claims { return &claims{byID: map[int64]*claim{}, byFn: map[string]int{}} }

// take claims a message unless somebody holds it. mu must be held.
func (c *claims) take(id int64, fn, owner string, now, expires time.Time) bool {
	if id > c.last {
		return false
	}
	if old := c.byID[id]; old != nil {
		if old.ending || old.expires.After(now) {
			return false
		}
		old.owner, old.expires = owner, expires
		return true
	}
	c.byID[id] = &claim{fn: fn, owner: owner, expires: expires}
	c.byFn[fn]++
	return true
}

// free tells whether a message could be claimed. mu must be held.
func (c *claims) free(id int64, now time.Time) bool {
	old := c.byID[id]
	return old == nil || !old.ending && !old.expires.After(now)
}

// end reserves a message for a group that ends it or puts it back. With an owner, that owner must hold the claim, which
// may have expired as long as nobody took it; without one, nobody may.
func (c *claims) end(id int64, owner string, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.byID[id]
	switch {
	case old == nil && owner != "":
		return false
	case old == nil:
		c.byID[id] = &claim{ending: true, ghost: true}
		c.byFn[""]++
		return true
	case old.ending, owner != "" && old.owner != owner, owner == "" && old.expires.After(now):
		return false
	}
	old.ending = true
	return true
}

// release takes back what end did for a group that did not commit.
func (c *claims) release(ids []int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		old := c.byID[id]
		old.ending = false
		if old.ghost {
			c.drop(id)
		}
	}
}

// flushed opens the messages of a group to claims, up to id last, and forgets the claims of those that it ended or put
// back.
func (c *claims) flushed(last int64, ended []int64) {
	c.mu.Lock()
	c.last = last
	c.mu.Unlock()
	c.settle(ended)
}

// flushedTo is the message id up to which messages are on disk.
func (c *claims) flushedTo() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// settle forgets claims.
func (c *claims) settle(ids []int64) {
	if len(ids) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		c.drop(id)
	}
}

// drop forgets a claim. mu must be held.
func (c *claims) drop(id int64) {
	old := c.byID[id]
	if old == nil {
		return
	}
	delete(c.byID, id)
	if c.byFn[old.fn]--; c.byFn[old.fn] <= 0 {
		delete(c.byFn, old.fn)
	}
}

// count is how many claims there are.
func (c *claims) count() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int64(len(c.byID))
}

// running counts the live claims of each function.
func (c *claims) running(now time.Time) map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := map[string]int64{}
	for _, cl := range c.byID {
		if !cl.ghost && cl.expires.After(now) {
			n[cl.fn]++
		}
	}
	return n
}

// extend renews the claims that owner still holds and tells the others.
func (c *claims) extend(owner string, ids []int64, expires time.Time) (lost []int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		cl := c.byID[id]
		if cl == nil || cl.owner != owner || cl.ghost {
			lost = append(lost, id)
			continue
		}
		cl.expires = expires
	}
	return lost
}
