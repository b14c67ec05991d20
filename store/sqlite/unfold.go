package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"
	sqlite3 "modernc.org/sqlite/lib"

	"fcd/store"
)

// sliceMessages is about how many messages are moved at a time, so that nobody waits long behind it. A burst is moved whole.
const sliceMessages = 256

// unfold moves the messages of bursts into the queue for who needs them there. It need not be flushed: after a power cut
// they are in their bursts again, with all that was built upon the move undone as well.
func (s *Store) unfold(ctx context.Context, ids []int64) error {
	if len(ids) == 0 {
		return nil // somebody else has
	}
	_, err := s.alone(ctx, func(w *writer) (int64, error) { return w.unfold(ids) })
	return translate(err)
}

// unfoldOf moves all messages of a function that are known now.
func (s *Store) unfoldOf(ctx context.Context, fn string) error {
	last := s.bursts.last()
	for {
		ids := s.bursts.of(fn, last)
		if len(ids) == 0 {
			return nil
		}
		if err := s.unfold(ctx, ids); err != nil {
			return err
		}
	}
}

// unfold moves the messages of bursts into the queue, in a transaction of its own. Bursts that are gone are passed by.
func (w *writer) unfold(ids []int64) (n int64, err error) {
	counters, bytes := w.counters, int64(0)
	if _, err := w.c.exec("BEGIN IMMEDIATE"); err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			if rerr := w.c.script("ROLLBACK"); rerr != nil && broken(rerr) {
				err = rerr
			}
		}
	}()
	for _, id := range ids {
		m, err := w.move(w.s.bursts.get(id))
		if err != nil {
			return 0, fmt.Errorf("burst %d: %w", id, err)
		}
		n, bytes = n+m.n, bytes+m.bytes
		counters.folded, counters.foldedBytes = counters.folded-m.n, counters.foldedBytes-m.bytes
		for _, lost := range m.lost {
			counters.messages--
			counters.bytes -= int64(len(lost.Payload))
			w.s.log.Error("a message of a burst is dropped: the queue has another one with its request id",
				zap.String("requestId", lost.RequestID), zap.String("function", lost.Fn))
		}
	}
	forgotten, err := w.forgetMarks()
	if err != nil {
		return 0, err
	}
	if err := w.putCounters(counters); err != nil {
		return 0, err
	}
	if err := w.commitMove(ids); err != nil {
		return 0, w.s.fail(err)
	}
	w.counters, w.standing = counters, counters.standing()
	if forgotten {
		w.s.burstLog.marks = false
	}
	return n + bytes/pageBytes, nil
}

// commitMove commits a transaction that moves the messages of bursts into the queue, and forgets those.
func (w *writer) commitMove(ids []int64) error {
	known := w.s.bursts
	known.moves.Lock()
	defer known.moves.Unlock()
	if _, err := w.c.exec("COMMIT"); err != nil {
		return err
	}
	w.s.burstLog.unfolds = true
	for _, id := range ids {
		known.remove(id)
	}
	return nil
}

// forgetMarks deletes the marks of frames that an earlier pass through the log has left, once one of the present pass is
// on disk in their place.
func (w *writer) forgetMarks() (done bool, err error) {
	l := w.s.burstLog
	if !l.marks || l.first == 0 || l.opened > w.s.claims.flushedTo() {
		return false, nil
	}
	_, err = w.c.exec(sqlUnfoldedForget, l.first)
	return err == nil, err
}

// moved is what became of a burst.
type moved struct {
	n, bytes int64
	lost     []store.Msg // whose request ids the queue has already
}

// whole is an error if a message was lost.
func (m moved) whole() error {
	if len(m.lost) == 0 {
		return nil
	}
	return fmt.Errorf("request id %q is that of another message as well: %w", m.lost[0].RequestID, store.ErrConflict)
}

// frame reads the frame of a burst. It is valid until the next call.
func (w *writer) frame(b *burst) (head, payloads []byte, err error) {
	head, payloads, w.buf, err = w.s.burstLog.read(b, w.buf)
	return head, payloads, err
}

// move moves a burst's messages inside the transaction that is open, and marks its frame. The registry is told after the
// commit.
func (w *writer) move(b *burst) (m moved, err error) {
	if b == nil {
		return m, nil
	}
	head, payloads, err := w.frame(b)
	if err != nil {
		return m, err
	}
	if m, err = w.moveIn(head, payloads); err != nil {
		return m, err
	}
	_, err = w.c.exec(sqlUnfoldedPut, b.seq)
	return m, err
}

// moveIn puts the messages of a burst into the queue.
func (w *writer) moveIn(head, payloads []byte) (m moved, err error) {
	some := make([]store.Msg, 0, putMany)
	err = readBurst(head, payloads, func(msg *store.Msg) error {
		m.n++
		m.bytes += int64(len(msg.Payload))
		if some = append(some, *msg); len(some) < putMany {
			return nil
		}
		err := w.putRows(sqlQueuePut8, some)
		if primary(err) == sqlite3.SQLITE_CONSTRAINT { // none of them is there
			err = w.putEach(some, &m)
		}
		some = some[:0]
		return err
	})
	if err == nil {
		err = w.putEach(some, &m)
	}
	return m, err
}

// putEach puts each message into the queue whose request id is free.
func (w *writer) putEach(ms []store.Msg, m *moved) error {
	for i := range ms {
		switch err := w.putRows(sqlQueuePut, ms[i:i+1]); {
		case primary(err) == sqlite3.SQLITE_CONSTRAINT:
			m.lost = append(m.lost, ms[i])
		case err != nil:
			return err
		}
	}
	return nil
}

// unfold moves the burst that has a message into the queue, as part of the group.
func (g *group) unfold(id int64) error {
	b := g.w.s.bursts.around(id)
	if b == nil || slices.Contains(g.unfolded, b.id) {
		return nil
	}
	m, err := g.w.move(b)
	if err != nil {
		return err
	}
	if err := m.whole(); err != nil { // left to a transaction that can tell of it
		return err
	}
	g.unfolded = append(g.unfolded, b.id)
	g.moved.n, g.moved.bytes = g.moved.n+m.n, g.moved.bytes+m.bytes
	return nil
}

// loadBursts opens the burst log and learns of the bursts that it has. Those with messages that are not due yet, since the
// clock has been set back, are unfolded at once: all others are due, now and later.
func (w *writer) loadBursts() (err error) {
	s, far := w.s, []int64(nil)
	id, _, err := w.c.text(sqlMetaGet, "bursts")
	if err != nil {
		return err
	}
	if s.burstLog, err = openLog(s.opt.Dir, id, s.log); err != nil {
		return err
	}
	unfolded, err := marks(w.c)
	if err != nil {
		return err
	}
	l := s.burstLog
	frames := l.scan()
	for {
		f, b, ok, err := frames.next()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if l.first == 0 {
			l.first = f.seq
		}
		if unfolded[f.seq] {
			continue
		}
		burst, due, err := s.learn(f, b)
		if err != nil {
			return fmt.Errorf("%w: frame %d: %w", errLog, f.seq, err)
		}
		burst.at, burst.before = frames.end-f.size(), frames.before
		s.bursts.add(burst)
		w.counters.id = max(w.counters.id, burst.last)
		w.counters.messages, w.counters.folded = w.counters.messages+burst.n, w.counters.folded+burst.n
		w.counters.bytes, w.counters.foldedBytes = w.counters.bytes+burst.bytes, w.counters.foldedBytes+burst.bytes
		if due.After(s.opt.Now()) {
			far = append(far, burst.id)
		}
	}
	l.seq, l.sum, l.end = frames.last, frames.sum, frames.end
	for seq := range unfolded {
		l.seq = max(l.seq, seq)
		l.marks = l.marks || seq < l.first || l.first == 0
	}
	if len(far) > 0 {
		_, err = w.unfold(far)
	}
	return err
}

// learn is what is remembered of a frame that was read, and when the last of its messages is due.
func (s *Store) learn(f frame, b []byte) (_ *burst, due time.Time, err error) {
	of, index := &burst{seq: f.seq, size: f.size()}, map[string]int{}
	head, payloads := f.parts(b)
	err = readBurst(head, payloads, func(m *store.Msg) error {
		of.add(m, int64(len(m.Payload)), index)
		of.rids = append(of.rids, s.bursts.hash(m.RequestID))
		if m.Due.After(due) {
			due = m.Due
		}
		return nil
	})
	return of, due, err
}

// marks are the sequence numbers of the frames that a database says are unfolded.
func marks(c *conn) (map[int64]bool, error) {
	all := map[int64]bool{}
	err := c.query(func(v []driver.Value) error {
		all[v[0].(int64)] = true
		return nil
	}, sqlUnfolded)
	return all, err
}

// unfoldAtRest moves the next slice when no message has come for a while. It tells whether there was something to do.
func (w *writer) unfoldAtRest() bool {
	if w.busy || w.s.failure() != nil {
		return false
	}
	ids := w.s.bursts.oldest()
	if len(ids) == 0 {
		if w.s.burstLog.end > keptBytes && w.beginAgain() != nil {
			w.rest(w.s.opt.SweepEvery)
		}
		return false
	}
	r := w.upkeep(func(w *writer) (int64, error) { return w.unfold(ids) })
	if r.err != nil && !errors.Is(r.err, store.ErrFatal) {
		w.s.log.Warn("unfold", errField(r.err))
		w.rest(w.s.opt.SweepEvery)
	}
	return r.err == nil
}

// rest has bursts unfolded after so long without a message.
func (w *writer) rest(after time.Duration) {
	w.busy = true
	w.quiet.Reset(after)
}
