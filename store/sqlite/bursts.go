package sqlite

import (
	"cmp"
	"hash/maphash"
	"slices"
	"sync"

	"fcd/store"
)

// burst is what is remembered of a frame of the burst log.
type burst struct {
	id, last int64 // of its first and last message
	n, bytes int64 // messages, and bytes of their payloads
	shares   []share
	rids     []uint64 // hashes of the request ids

	seq      int64  // sequence number
	at, size int64  // where the frame stands in the file
	before   uint32 // checksum of the frame before it
}

// share is what a function has in a burst: so many messages, all of them due, of which the first is due then.
type share struct {
	fn string
	n  int
	place
	of *burst
}

// place is where a message stands in the order of claims.
type place struct{ due, id int64 }

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.due, q.due), cmp.Compare(p.id, q.id))
}

// add counts a message in, with a payload of size bytes. index finds the function's share.
func (b *burst) add(m *store.Msg, size int64, index map[string]int) {
	if b.n == 0 {
		b.id = m.ID
	}
	b.last = m.ID
	b.n++
	b.bytes += size
	at := place{micros(m.Due), m.ID}
	i, ok := index[m.Fn]
	if !ok {
		index[m.Fn] = len(b.shares)
		b.shares = append(b.shares, share{fn: m.Fn, n: 1, place: at, of: b})
		return
	}
	s := &b.shares[i]
	s.n++
	if at.compare(s.place) < 0 {
		s.place = at
	}
}

// bursts knows all bursts whose messages are not in the queue yet, on disk or not. A burst is added when its group is
// written and removed after the commit that moved its messages into the queue, and a message never goes back. So whoever
// asks here first and then reads the queue misses nothing. Only the writer's goroutine changes it.
type bursts struct {
	seed maphash.Seed

	// moves is held while a commit moves messages and they are removed here. Who needs both sides as of one moment holds it
	// while he reads here and begins to read the database.
	moves sync.RWMutex

	mu       sync.RWMutex
	all      []*burst           // by id
	byFn     map[string][]share // in the order of claims
	rids     map[uint64]int64   // the burst of a request id; those of a group in the making included
	messages int64
}

func newBursts() *bursts {
	return &bursts{seed: maphash.MakeSeed(), byFn: map[string][]share{}, rids: map[uint64]int64{}}
}

func (r *bursts) hash(requestID string) uint64 { return maphash.String(r.seed, requestID) }

// add makes a burst known.
func (r *bursts) add(b *burst) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, b)
	r.messages += b.n
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

// remove forgets a burst whose messages are in the queue.
func (r *bursts) remove(id int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i, ok := slices.BinarySearchFunc(r.all, id, compareBurst)
	if !ok {
		return
	}
	b := r.all[i]
	r.all = without(r.all, i)
	r.messages -= b.n
	r.release(b.id, b.rids)
	for _, s := range b.shares {
		of := r.byFn[s.fn]
		if i, ok := slices.BinarySearchFunc(of, s.place, compareShare); ok {
			of = without(of, i)
		}
		if r.byFn[s.fn] = of; len(of) == 0 {
			delete(r.byFn, s.fn)
		}
	}
	if len(r.all) == 0 { // a map keeps the room that it once took
		r.all, r.byFn, r.rids = nil, map[string][]share{}, map[uint64]int64{}
	}
}

func compareBurst(b *burst, id int64) int { return cmp.Compare(b.id, id) }

// without drops an element: of the first, which mostly goes first, the others need not be moved.
func without[T any](s []T, i int) []T {
	if i > 0 {
		return slices.Delete(s, i, i+1)
	}
	clear(s[:1])
	return s[1:]
}

// reserve makes the hash of a request id known for a burst in the making. It is false if it is taken.
func (r *bursts) reserve(rid uint64, id int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, taken := r.rids[rid]; taken {
		return false
	}
	r.rids[rid] = id
	return true
}

// giveBack is for hashes of a burst in the making that does not get the messages.
func (r *bursts) giveBack(id int64, rids []uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.release(id, rids)
}

// release forgets hashes of a burst. mu must be held.
func (r *bursts) release(id int64, rids []uint64) {
	for _, rid := range rids {
		if r.rids[rid] == id {
			delete(r.rids, rid)
		}
	}
}

// holder is the burst where a message with that request id may be, 0 for none.
func (r *bursts) holder(requestID string) (id int64) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if len(r.rids) == 0 {
		return 0
	}
	return r.rids[r.hash(requestID)]
}

// get is a burst, nil if its messages are in the queue or it is still in the making.
func (r *bursts) get(id int64) *burst {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if i, ok := slices.BinarySearchFunc(r.all, id, compareBurst); ok {
		return r.all[i]
	}
	return nil
}

// around is the burst that may have the message with that id, nil for none.
func (r *bursts) around(id int64) *burst {
	r.mu.RLock()
	defer r.mu.RUnlock()
	i, _ := slices.BinarySearchFunc(r.all, id, func(b *burst, id int64) int { return cmp.Compare(b.last, id) })
	if i == len(r.all) || r.all[i].id > id {
		return nil
	}
	return r.all[i]
}

// first is where the earliest message of a function stands that a burst holds, of those up to message id last.
func (r *bursts) first(fn string, last int64) (place, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, s := range r.byFn[fn] {
		if s.of.last <= last {
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

// depths counts the messages of each function.
func (r *bursts) depths() map[string]int64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	all := make(map[string]int64, len(r.byFn))
	for fn, of := range r.byFn {
		for i := range of {
			all[fn] += int64(of[i].n)
		}
	}
	return all
}

// of names bursts with messages of a function up to message id last, the earliest first, as many as a slice takes.
func (r *bursts) of(fn string, last int64) (ids []int64) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	sum := int64(0)
	for _, s := range r.byFn[fn] {
		if s.of.last > last {
			continue
		}
		ids = append(ids, s.of.id)
		if sum += s.of.n; sum >= sliceMessages {
			break
		}
	}
	return ids
}

// oldest names the first bursts, as many as a slice takes.
func (r *bursts) oldest() (ids []int64) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	sum := int64(0)
	for _, b := range r.all {
		ids = append(ids, b.id)
		if sum += b.n; sum >= sliceMessages {
			break
		}
	}
	return ids
}

// last is the id of the latest message.
func (r *bursts) last() int64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if len(r.all) == 0 {
		return 0
	}
	return r.all[len(r.all)-1].last
}

// held is how many messages all bursts hold.
func (r *bursts) held() int64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.messages
}
