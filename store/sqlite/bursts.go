package sqlite

import (
	"cmp"
	"hash/maphash"
	"slices"
	"sync"

	"fcd/store"
)

// burst is what is remembered of a row of the table burst.
type burst struct {
	id, last int64 // of its first and last message
	n, bytes int64 // messages, and bytes of their payloads
	shares   []share
	rids     []uint64 // of the request ids
}

// share is what a function has in a burst: so many messages, of which the first is due then.
type share struct {
	fn string
	n  int
	place
	row *burst
}

// place is where a message stands in the order of claims.
type place struct{ due, id int64 }

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.due, q.due), cmp.Compare(p.id, q.id))
}

// add counts a message in, with a payload of size bytes. index finds the function's share.
func (b *burst) add(m *store.Msg, size int64, rid uint64, index map[string]int) {
	if b.n == 0 {
		b.id = m.ID
	}
	b.last = m.ID
	b.n++
	b.bytes += size
	b.rids = append(b.rids, rid)
	at := place{micros(m.Due), m.ID}
	i, ok := index[m.Fn]
	if !ok {
		index[m.Fn] = len(b.shares)
		b.shares = append(b.shares, share{fn: m.Fn, n: 1, place: at, row: b})
		return
	}
	s := &b.shares[i]
	s.n++
	if at.compare(s.place) < 0 {
		s.place = at
	}
}

// bursts knows all burst rows: those that are committed, whether they are on disk or not. A row is added after the commit
// that made it and removed after the one that moved its messages into the queue, and a message never goes back. So whoever
// asks here first and then reads the queue misses nothing. Only the writer's goroutine changes it.
type bursts struct {
	seed maphash.Seed

	mu       sync.RWMutex
	rows     []*burst           // by id
	byFn     map[string][]share // in the order of claims
	rids     map[uint64]int64   // the row of a request id; those of a group before its commit included
	messages int64
	bytes    int64
}

func newBursts() *bursts {
	return &bursts{seed: maphash.MakeSeed(), byFn: map[string][]share{}, rids: map[uint64]int64{}}
}

func (r *bursts) hash(requestID string) uint64 { return maphash.String(r.seed, requestID) }

// add makes a committed row known.
func (r *bursts) add(b *burst) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rows = append(r.rows, b)
	r.messages += b.n
	r.bytes += b.bytes
	for _, rid := range b.rids {
		r.rids[rid] = b.id
	}
	for _, s := range b.shares {
		of := r.byFn[s.fn]
		i, _ := slices.BinarySearchFunc(of, s.place, compareShare)
		r.byFn[s.fn] = slices.Insert(of, i, s)
	}
}

func compareShare(s share, p place) int { return s.place.compare(p) }

// remove forgets a row whose messages are in the queue.
func (r *bursts) remove(id int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i, ok := slices.BinarySearchFunc(r.rows, id, func(b *burst, id int64) int { return cmp.Compare(b.id, id) })
	if !ok {
		return
	}
	b := r.rows[i]
	r.rows = slices.Delete(r.rows, i, i+1)
	r.messages -= b.n
	r.bytes -= b.bytes
	r.release(b)
	for _, s := range b.shares {
		of := r.byFn[s.fn]
		if i, ok := slices.BinarySearchFunc(of, s.place, compareShare); ok {
			of = slices.Delete(of, i, i+1)
		}
		if r.byFn[s.fn] = of; len(of) == 0 {
			delete(r.byFn, s.fn)
		}
	}
	if len(r.rows) == 0 { // a map keeps the room that it once took
		r.rows, r.byFn, r.rids = nil, map[string][]share{}, map[uint64]int64{}
	}
}

// reserve makes the request ids known of a row that is being made.
func (r *bursts) reserve(rid uint64, row int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rids[rid] = row
}

// giveBack is for a row that has not come to be.
func (r *bursts) giveBack(b *burst) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.release(b)
}

// release forgets a row's request ids. mu must be held.
func (r *bursts) release(b *burst) {
	for _, rid := range b.rids {
		if r.rids[rid] == b.id {
			delete(r.rids, rid)
		}
	}
}

// row is where a message with that request id may be.
func (r *bursts) row(requestID string) (id int64, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if len(r.rids) == 0 {
		return 0, false
	}
	id, ok = r.rids[r.hash(requestID)]
	return id, ok
}

// around is the row that may have the message with that id.
func (r *bursts) around(id int64) (row int64, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	i, ok := slices.BinarySearchFunc(r.rows, id, func(b *burst, id int64) int { return cmp.Compare(b.last, id) })
	if !ok && (i == len(r.rows) || r.rows[i].id > id) {
		return 0, false
	}
	return r.rows[i].id, true
}

// first is where the earliest message of a function stands that a burst holds, of those up to message id last.
func (r *bursts) first(fn string, last int64) (place, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, s := range r.byFn[fn] {
		if s.row.last <= last {
			return s.place, true
		}
	}
	return place{}, false
}

// earliest tells of each function when the first of its messages is due that a burst holds.
func (r *bursts) earliest() map[string]int64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if len(r.byFn) == 0 {
		return nil
	}
	all := make(map[string]int64, len(r.byFn))
	for fn, of := range r.byFn {
		all[fn] = of[0].due
	}
	return all
}

// of names rows with messages of a function up to message id last, the earliest first, as many as a slice takes.
func (r *bursts) of(fn string, last int64) (rows []int64) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	sum := int64(0)
	for _, s := range r.byFn[fn] {
		if s.row.last > last {
			continue
		}
		rows = append(rows, s.row.id)
		if sum += s.row.n; sum >= sliceMessages {
			break
		}
	}
	return rows
}

// oldest names the first rows, as many as a slice takes.
func (r *bursts) oldest() (rows []int64) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	sum := int64(0)
	for _, b := range r.rows {
		rows = append(rows, b.id)
		if sum += b.n; sum >= sliceMessages {
			break
		}
	}
	return rows
}

// last is the id of the latest message.
func (r *bursts) last() int64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if len(r.rows) == 0 {
		return 0
	}
	return r.rows[len(r.rows)-1].last
}

// size is how much all rows hold.
func (r *bursts) size() (messages, bytes int64) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.messages, r.bytes
}
