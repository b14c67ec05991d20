package sqlite

import (
	"database/sql/driver"
	"fmt"
	"slices"

	"fcd/store"
)

// Bounds of what bursts hold.
const (
	maxFolded      = 100_000
	maxFoldedBytes = 128 << 20
)

// fold is the burst that a group gathers. The writer has one, whose buffers every group uses.
type fold struct {
	*burst
	frame, payloads []byte         // frame: room for its first bytes, and the head
	before          string         // function of the last message
	index           map[string]int // into burst.shares
}

// begin decides whether a group folds, and makes room for its burst.
func (f *fold) begin(w *writer) (folding bool) {
	from := w.s.opt.foldFrom
	if from >= 0 && w.counters.messages-w.s.claims.count() < from || !w.logRoom() {
		return false
	}
	const kept = 1 << 20 // bytes of a buffer that stay for the next group
	if cap(f.frame) > kept {
		f.frame, f.payloads = nil, nil
	}
	f.frame = append(append(f.frame[:0], make([]byte, frameHead)...), burstForm)
	f.burst, f.before, f.payloads = &burst{}, "", f.payloads[:0]
	if f.index == nil {
		f.index = map[string]int{}
	}
	clear(f.index)
	return true
}

// logRoom tells whether the burst log takes another frame. It lets it begin again if it can.
func (w *writer) logRoom() bool {
	l := w.s.burstLog
	if l.end > max(logHead, w.s.opt.passBytes) && w.s.bursts.held() == 0 && w.beginAgain() != nil {
		return false
	}
	return l.end < maxLogBytes
}

// beginAgain lets the burst log begin again unless somebody reads it for a copy. An error is final.
func (w *writer) beginAgain() error {
	err := w.s.burstLog.beginAgain(w.flushes.database)
	if broken(err) {
		err = w.s.fail(err)
	}
	return err
}

// add takes a message into the burst.
func (f *fold) add(m *store.Msg) {
	f.frame = appendHead(f.frame, m, f.before)
	f.payloads = append(f.payloads, m.Payload...)
	f.before = m.Fn
	f.burst.add(m, int64(len(m.Payload)), f.index)
}

// head is what the burst's head is so far.
func (f *fold) head() []byte { return f.frame[frameHead:] }

// folds takes a job into the burst whole, or leaves it to the database. It has nothing but messages that are due and that no
// index must keep apart, with request ids that no other message has; and bursts do not hold too much.
func (g *group) folds(j *job) (folded bool, err error) {
	ms := j.batch.Enqueue
	if !g.folding || j.lease != nil || j.batch.Fence != nil || len(ms) == 0 || j.ops != len(ms) {
		return false, nil
	}
	size := int64(0)
	for i := range ms {
		if m := &ms[i]; m.InvocationID != "" || m.DedupKey != "" || m.Due.After(g.now) {
			return false, nil
		}
		size += int64(len(ms[i].Payload))
	}
	n := &g.counters
	if n.folded+int64(len(ms)) > maxFolded || n.foldedBytes+size > maxFoldedBytes {
		return false, nil
	}
	if refusal := g.room(len(ms), size); refusal != nil {
		j.result = result{err: refusal}
		return true, nil
	}
	if free, err := g.reserve(ms); err != nil || !free {
		return false, err
	}
	n.messages, n.folded = n.messages+int64(len(ms)), n.folded+int64(len(ms))
	n.bytes, n.foldedBytes = n.bytes+size, n.foldedBytes+size
	ids := make([]int64, len(ms))
	for i := range ms {
		n.id++
		m := ms[i]
		m.ID, ids[i] = n.id, n.id
		if m.Enqueued.IsZero() {
			m.Enqueued = g.now
		}
		if m.Due.IsZero() {
			m.Due = g.now
		}
		g.w.fold.add(&m)
	}
	j.result = result{applied: store.Applied{IDs: ids}}
	return true, nil
}

// reserve takes the request ids of a job's messages for the burst, all of them or none. They are not free if a burst or the
// queue has one of them, or a burst one with the same hash.
func (g *group) reserve(ms []store.Msg) (free bool, err error) {
	f, known := &g.w.fold, g.w.s.bursts
	id, had := f.id, len(f.rids)
	if f.n == 0 {
		id = g.counters.id + 1
	}
	for i := range ms {
		rid := known.hash(ms[i].RequestID)
		if free = known.reserve(rid, id); free {
			f.rids = append(f.rids, rid)
			free, err = g.w.unqueued(ms[i].RequestID)
		}
		if !free || err != nil {
			known.giveBack(id, f.rids[had:])
			f.rids = f.rids[:had]
			return false, err
		}
	}
	return true, nil
}

// unqueued tells whether the queue has no message of that request id. It need not be asked about one above all that it has had.
func (w *writer) unqueued(requestID string) (bool, error) {
	if requestID > w.highest {
		return true, nil
	}
	taken, _, err := w.c.number(sqlQueueTaken, requestID)
	return taken == 0, err
}

// free is an error if a burst has a message with that request id, for one that goes into the queue.
func (g *group) free(requestID string) (err error) {
	id := g.w.s.bursts.holder(requestID)
	if id == 0 {
		return nil
	}
	var head []byte
	if f := &g.w.fold; g.hasBurst() && id == f.id {
		head = f.head()
	} else if b := g.w.s.bursts.get(id); b == nil || slices.Contains(g.unfolded, id) {
		return nil
	} else if head, _, err = g.w.frame(b); err != nil {
		return err
	}
	return readHead(head, func(m *store.Msg, _, _ int64) error {
		if m.RequestID == requestID {
			return fmt.Errorf("request id %q is that of a queued message: %w", requestID, store.ErrConflict)
		}
		return nil
	})
}

// hasBurst tells whether the group has folded anything.
func (g *group) hasBurst() bool { return g.folding && g.w.fold.n > 0 }

// writeBurst appends what the group has folded to the log.
func (g *group) writeBurst() error {
	f := &g.w.fold
	head := len(f.head())
	f.frame = append(f.frame, f.payloads...)
	return g.w.s.burstLog.append(f.frame, head, f.burst)
}

// dropFold ends a burst that does not come to be.
func (g *group) dropFold() {
	if g.folding {
		g.w.s.bursts.giveBack(g.w.fold.id, g.w.fold.rids)
		g.folding = false
	}
}

// put writes messages into the queue, most of them in statements of many rows, which cost less each.
func (w *writer) put(ms []store.Msg) error {
	for ; len(ms) >= putMany; ms = ms[putMany:] {
		if err := w.putRows(sqlQueuePut8, ms[:putMany]); err != nil {
			return err
		}
	}
	for i := range ms {
		if err := w.putRows(sqlQueuePut, ms[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

// putMany is how many rows a statement of many has.
const putMany = 8

func (w *writer) putRows(query string, ms []store.Msg) error {
	args := w.args[:0]
	for i := range ms {
		w.highest = max(w.highest, ms[i].RequestID)
		args = appendMsg(args, &ms[i])
	}
	_, err := w.c.exec(query, args...)
	clear(args)
	w.args = args
	return err
}

// appendMsg appends the values of a row of the queue.
func appendMsg(args []driver.Value, m *store.Msg) []driver.Value {
	return append(args, m.ID, m.RequestID, m.Fn, m.Trigger, m.EventID, m.DedupKey, micros(m.Enqueued),
		micros(m.Due), micros(m.NotAfter), int64(m.Attempt), m.InvocationID, m.Payload)
}
