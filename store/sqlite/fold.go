package sqlite

import (
	"database/sql/driver"
	"errors"
	"fmt"

	"fcd/store"
)

// Bounds of what bursts hold, and the fewest messages that make one.
const (
	maxFolded      = 100_000
	maxFoldedBytes = 128 << 20
	fewFolded      = 4
)

// fold is the burst that a group gathers. The writer has one, whose buffers every group uses.
type fold struct {
	*burst
	head, payloads []byte
	before         string         // function of the last message
	index          map[string]int // into burst.shares

	plain  []store.Msg // of the messages at hand: those that go into the queue
	folded []*store.Msg
}

// begin decides whether a group folds, and makes room for its burst.
func (f *fold) begin(w *writer) (folding bool) {
	from := w.s.opt.foldFrom
	if from >= 0 && w.counters.messages-w.s.claims.count() < from {
		return false
	}
	const kept = 1 << 20 // bytes of a buffer that stay for the next group
	if cap(f.payloads) > kept {
		f.payloads = nil
	}
	f.burst, f.before, f.head, f.payloads = &burst{}, "", append(f.head[:0], burstForm), f.payloads[:0]
	if f.index == nil {
		f.index = map[string]int{}
	}
	clear(f.index)
	return true
}

// add takes a message into the burst.
func (f *fold) add(m *store.Msg, rid uint64) {
	f.head = appendHead(f.head, m, f.before)
	f.payloads = append(f.payloads, m.Payload...)
	f.before = m.Fn
	f.burst.add(m, int64(len(m.Payload)), rid, f.index)
}

// divide finds the messages that go into the group's burst: those that are due and that no index must keep apart, while
// bursts do not hold too much.
func (g *group) divide(ms []store.Msg) error {
	f := &g.w.fold
	messages, bytes := g.w.s.bursts.size()
	if g.folding {
		messages, bytes = messages+f.n, bytes+f.bytes
	}
	for i := range ms {
		m := &ms[i]
		size := int64(len(m.Payload))
		if g.folding && m.InvocationID == "" && !m.Due.After(g.now) && messages < maxFolded && bytes+size <= maxFoldedBytes {
			messages, bytes = messages+1, bytes+size
			f.folded = append(f.folded, m)
			continue
		}
		if _, err := g.free(m.RequestID); err != nil {
			return err
		}
		f.plain = append(f.plain, *m)
	}
	return nil
}

// writeMessages puts messages into the queue, or into the group's burst.
func (g *group) writeMessages() error {
	ms := g.messages[g.written.messages:]
	for i := range ms {
		if err := g.remember(ms[i].DedupKey); err != nil {
			return err
		}
	}
	f := &g.w.fold
	f.plain, f.folded = f.plain[:0], f.folded[:0]
	defer func() { clear(f.plain); clear(f.folded) }()
	if err := g.divide(ms); err != nil {
		return err
	}
	if err := g.w.put(f.plain); err != nil {
		return err
	}
	return g.fold(f.folded)
}

// fold takes messages into the burst, once the queue is known to have none of their request ids. It need not be asked
// about one that is above all that it has had.
func (g *group) fold(ms []*store.Msg) error {
	args := g.w.args[:0]
	for i, m := range ms {
		if m.RequestID <= g.w.highest {
			args = append(args, m.RequestID)
		}
		if len(args) == 0 || len(args) < putMany && i < len(ms)-1 {
			continue
		}
		for len(args) < putMany {
			args = append(args, args[0])
		}
		n, _, err := g.w.c.number(sqlQueueTaken8, args...)
		if err != nil {
			return err
		}
		if n != 0 {
			return fmt.Errorf("a request id is that of a queued message: %w", store.ErrConflict)
		}
		args = args[:0]
	}
	g.w.args = args
	for _, m := range ms {
		if err := g.foldOne(m); err != nil {
			return err
		}
	}
	return nil
}

func (g *group) foldOne(m *store.Msg) error {
	free, err := g.free(m.RequestID)
	if err != nil {
		return err
	}
	if !free {
		return g.w.put([]store.Msg{*m})
	}
	f, known := &g.w.fold, g.w.s.bursts
	rid := known.hash(m.RequestID)
	f.add(m, rid)
	known.reserve(rid, f.id)
	return nil
}

// free is an error if a burst has a message with that request id. It is false if there is none but the id's hash is
// taken, so that only the queue can keep the message.
func (g *group) free(requestID string) (free bool, err error) {
	row, known := g.w.s.bursts.row(requestID)
	if !known {
		return true, nil
	}
	head := g.w.fold.head
	if !g.folding || g.w.fold.n == 0 || row != g.w.fold.id {
		head = nil
		err := g.w.c.query(func(v []driver.Value) error {
			head, _ = v[0].([]byte)
			return errStop
		}, sqlBurstHead, row)
		if err != nil || head == nil { // unfolded in this transaction
			return false, err
		}
	}
	err = readHead(head, func(m *store.Msg, _, _ int64) error {
		if m.RequestID == requestID {
			return fmt.Errorf("request id %q is that of a queued message: %w", requestID, store.ErrConflict)
		}
		return nil
	})
	return false, err
}

// writeBurst writes what the group has folded.
func (g *group) writeBurst() error {
	f := &g.w.fold
	if !g.folding || f.n == 0 {
		return nil
	}
	if f.n < fewFolded && g.w.s.opt.foldFrom >= 0 {
		g.dropFold()
		m, err := g.w.moveIn(f.head, f.payloads)
		return errors.Join(err, m.whole())
	}
	_, err := g.w.c.exec(sqlBurstPut, f.id, f.n, f.bytes, f.head, f.payloads)
	return err
}

// dropFold ends a burst that does not come to be.
func (g *group) dropFold() {
	if g.folding {
		g.w.s.bursts.giveBack(g.w.fold.burst)
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
		m := &ms[i]
		w.highest = max(w.highest, m.RequestID)
		args = append(args, m.ID, m.RequestID, m.Fn, m.Trigger, m.EventID, m.DedupKey, micros(m.Enqueued),
			micros(m.Due), micros(m.NotAfter), int64(m.Attempt), m.InvocationID, m.Payload)
	}
	_, err := w.c.exec(query, args...)
	clear(args)
	w.args = args
	return err
}
