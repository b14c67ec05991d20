package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fcd/store"
)

// crowd is a store under everything that can be done to messages that fold and unfold.
type crowd struct {
	*testing.T
	s    *Store
	dir  string
	stop chan struct{} // closed when producers and claimers are through

	// A message counts as begun before it is handed over and as accepted when that is answered; likewise for its end.
	begun, accepted, ending, ended atomic.Int64

	mu     sync.Mutex
	known  []string       // request ids of accepted messages
	listed []string       // those of the function that nobody claims
	done   map[string]int // how often each was ended
}

const (
	crowdFns     = 5
	crowdProds   = 4
	crowdBatches = 20
)

// TestEveryMessageCanBeFoundAtAnyMoment has messages folded, unfolded, claimed, stopped, asked for, listed, counted and
// copied at once. Each accepted one is found at any moment, counted once, and done once.
func TestEveryMessageCanBeFoundAtAnyMoment(t *testing.T) {
	dir := t.TempDir()
	s := folding(t, dir, func(o *Options) { *o = Unflushed(*o); o.restAfter = time.Millisecond })
	c := &crowd{T: t, s: s, dir: dir, stop: make(chan struct{}), done: map[string]int{}}
	var work, asking sync.WaitGroup
	for p := range crowdProds {
		work.Go(func() { c.produce(p) })
	}
	var claimers sync.WaitGroup
	produced := make(chan struct{})
	for w := range 3 {
		claimers.Go(func() { c.claim(fmt.Sprint("w", w), produced) })
	}
	for _, ask := range []func(){c.find, c.find, c.count, c.list, c.copy, c.stopOne} {
		asking.Go(func() {
			for !isClosed(c.stop) {
				ask()
			}
		})
	}
	work.Wait()
	close(produced)
	claimers.Wait()
	close(c.stop)
	asking.Wait()
	for _, id := range c.known {
		inv, err := s.Find(t.Context(), id)
		if want := id[0] == 'l'; err != nil || want != inv.Ended.IsZero() || !want && c.done[id] != 1 {
			t.Errorf("%s is %s, %v, ended %d times", id, inv.State, err, c.done[id])
		}
	}
	sound(t, dir)
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (c *crowd) produce(p int) {
	for i := range crowdBatches {
		var ms []store.Msg
		for j := range 1 + rand.IntN(8) {
			id := fmt.Sprintf("%d/%d/%d", p, i, j)
			m := message(fmt.Sprint("f", rand.IntN(crowdFns)), "c"+id)
			switch rand.IntN(10) {
			case 0:
				m = message("listed", "l"+id)
			case 1:
				m.InvocationID = id
			}
			ms = append(ms, m)
		}
		c.begun.Add(int64(len(ms)))
		if _, err := c.s.Apply(context.Background(), store.Batch{Enqueue: ms}); err != nil {
			c.Error(err)
		}
		c.accepted.Add(int64(len(ms)))
		c.mu.Lock()
		for _, m := range ms {
			c.known = append(c.known, m.RequestID)
			if m.Fn == "listed" {
				c.listed = append(c.listed, m.RequestID)
			}
		}
		c.mu.Unlock()
	}
}

// claim takes and ends messages until there are none and no more come.
func (c *crowd) claim(owner string, produced <-chan struct{}) {
	for {
		last := isClosed(produced)
		want := map[string]int{}
		for fn := range crowdFns {
			want[fmt.Sprint("f", fn)] = rand.IntN(4)
			if last {
				want[fmt.Sprint("f", fn)] = 100
			}
		}
		ms, err := c.s.Claim(context.Background(), owner, want, time.Minute)
		if err != nil {
			c.Error(err)
			return
		}
		if len(ms) == 0 && last {
			return
		}
		b := store.Batch{Owner: owner}
		for _, m := range ms {
			if rand.IntN(5) == 0 {
				b.Retry = append(b.Retry, store.Retry{ID: m.ID})
				continue
			}
			b.Done = append(b.Done, store.Outcome{ID: m.ID, State: store.StateSucceeded})
			c.mu.Lock()
			c.done[m.RequestID]++
			c.mu.Unlock()
		}
		c.ending.Add(int64(len(b.Done)))
		if _, err := c.s.Apply(context.Background(), b); err != nil {
			c.Error(err)
		}
		c.ended.Add(int64(len(b.Done)))
	}
}

// stopOne ends a message that nobody has claimed.
func (c *crowd) stopOne() {
	id, ok := c.any()
	if !ok || id[0] == 'l' {
		return
	}
	inv, err := c.s.Find(context.Background(), id)
	if err != nil || !inv.Ended.IsZero() {
		return // find tells
	}
	c.ending.Add(1)
	_, err = c.s.Apply(context.Background(), store.Batch{Done: []store.Outcome{{ID: inv.ID, State: store.StateStopped}}})
	switch {
	case err == nil:
		c.mu.Lock()
		c.done[id]++
		c.mu.Unlock()
		c.ended.Add(1)
	case errors.Is(err, store.ErrFenced):
		c.ending.Add(-1)
	default:
		c.Error(err)
	}
}

func (c *crowd) any() (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) == 0 {
		return "", false
	}
	at := len(c.known) - 1 - min(rand.IntN(len(c.known)), rand.IntN(len(c.known))) // the later ones more often
	return c.known[at], true
}

func (c *crowd) find() {
	id, ok := c.any()
	if !ok {
		return
	}
	inv, err := c.s.Find(context.Background(), id)
	if err != nil || inv.RequestID != id {
		c.Errorf("%s is accepted, and found is %+v, %v", id, inv, err)
	}
	if inv.Ended.IsZero() && string(inv.Payload) != "event of "+id {
		c.Errorf("%s has the payload %q", id, inv.Payload)
	}
	if _, err := c.s.FindByID(context.Background(), inv.Fn, id); err != nil {
		c.Errorf("%s by its id: %v", id, err)
	}
}

// count compares the depths with what must be and what may be in the queue.
func (c *crowd) count() {
	c.mu.Lock()
	listed := len(c.listed) > 0
	c.mu.Unlock()
	accepted, ended := c.accepted.Load(), c.ended.Load()
	depths, err := c.s.Depths(context.Background())
	if err != nil {
		c.Error(err)
	}
	ending, begun := c.ending.Load(), c.begun.Load()
	all := int64(0)
	for _, d := range depths {
		all += d.Ready + d.Waiting + d.Running
	}
	if all < accepted-ending || all > begun-ended {
		c.Errorf("%d messages are counted, of %d to %d", all, accepted-ending, begun-ended)
	}
	ready, err := c.s.Ready(context.Background(), time.Now())
	if err != nil || listed && !slices.ContainsFunc(ready, func(f store.FnDue) bool { return f.Fn == "listed" }) {
		c.Errorf("ready are %v, %v, and what nobody claims is missing", ready, err)
	}
}

// list has all of the function that nobody claims, each once.
func (c *crowd) list() {
	c.mu.Lock()
	want := c.listed[:len(c.listed):len(c.listed)]
	c.mu.Unlock()
	got := map[string]int{}
	for q := (store.InvocationQuery{Fn: "listed", Limit: 100}); ; {
		page, err := c.s.Invocations(context.Background(), q)
		if err != nil {
			c.Error(err)
			return
		}
		for _, i := range page {
			got[i.RequestID]++
			q.After = store.Place{Enqueued: i.Enqueued, RequestID: i.RequestID}
		}
		if len(page) < q.Limit {
			break
		}
	}
	for _, id := range want {
		if got[id] != 1 {
			c.Errorf("%s is listed %d times", id, got[id])
		}
	}
}

// copy has a backup that is sound, by the store itself or from outside, with all that was accepted before, each once.
func (c *crowd) copy() {
	dir := c.TempDir()
	file := filepath.Join(dir, fileName)
	c.mu.Lock()
	before := c.known[:len(c.known):len(c.known)]
	c.mu.Unlock()
	backup := c.s.Backup
	if rand.IntN(2) == 0 {
		look, err := Inspect(context.Background(), c.dir)
		if err != nil {
			c.Error(err)
			return
		}
		defer look.Close()
		backup = look.Copy
	}
	if err := backup(context.Background(), file); err != nil {
		c.Error(err)
		return
	}
	sound(c.T, dir)
	db, err := connect(context.Background(), "file:"+uriPath(file))
	if err != nil {
		c.Error(err)
		return
	}
	defer db.close()
	for _, id := range before {
		if n, _, err := db.number(`SELECT (SELECT count(*) FROM q WHERE rid = ?1) + (SELECT count(*) FROM inv WHERE rid = ?1)`, id); err != nil || n != 1 {
			c.Errorf("%s was accepted before, and the copy has it %d times, %v", id, n, err)
		}
	}
}
