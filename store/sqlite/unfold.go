package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"time"

	"go.uber.org/zap"
	sqlite3 "modernc.org/sqlite/lib"

	"fcd/store"
)

// sliceMessages is about how many messages are moved at a time, so that nobody waits long behind it. A row is moved whole.
const sliceMessages = 256

// unfold moves the messages of rows into the queue for who needs them there. It need not be flushed: after a power cut
// they are in their rows again, with all that was built upon the move undone as well.
func (s *Store) unfold(ctx context.Context, rows []int64) error {
	if len(rows) == 0 {
		return nil // somebody else has
	}
	r := s.submit(&job{ctx: ctx, alone: func(w *writer) (int64, error) { return w.unfold(rows) }})
	return translate(r.err)
}

// unfoldOf moves all messages of a function that are known now.
func (s *Store) unfoldOf(ctx context.Context, fn string) error {
	last := s.bursts.last()
	for {
		rows := s.bursts.of(fn, last)
		if len(rows) == 0 {
			return nil
		}
		if err := s.unfold(ctx, rows); err != nil {
			return err
		}
	}
}

// unfold moves the messages of rows into the queue, in a transaction of its own. Rows that are gone are passed by.
func (w *writer) unfold(rows []int64) (n int64, err error) {
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
	for _, row := range rows {
		m, err := w.move(row)
		if err != nil {
			return 0, fmt.Errorf("burst %d: %w", row, err)
		}
		n += m.n
		bytes += m.bytes
		for _, lost := range m.lost {
			counters.messages--
			counters.bytes -= int64(len(lost.Payload))
			w.s.log.Error("a message of a burst is dropped: the queue has another one with its request id",
				zap.String("requestId", lost.RequestID), zap.String("function", lost.Fn))
		}
	}
	if counters != w.counters {
		if _, err := w.c.exec(sqlMetaSet, "counters", counters.String()); err != nil {
			return 0, err
		}
	}
	if _, err := w.c.exec("COMMIT"); err != nil {
		return 0, w.s.fail(err)
	}
	w.counters = counters
	for _, row := range rows {
		w.s.bursts.remove(row)
	}
	return n + bytes/pageBytes, nil
}

// moved is what became of a row.
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

// move moves a row's messages inside the transaction that is open. The registry is told after its commit.
func (w *writer) move(row int64) (m moved, err error) {
	var head, payloads []byte
	err = w.c.query(func(v []driver.Value) error {
		head, _ = v[0].([]byte)
		payloads, _ = v[1].([]byte)
		return errStop
	}, sqlBurstGet, row)
	if err != nil || head == nil {
		return m, err
	}
	if m, err = w.moveIn(head, payloads); err != nil {
		return m, err
	}
	_, err = w.c.exec(sqlBurstDrop, row)
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
	row, ok := g.w.s.bursts.around(id)
	if !ok {
		return nil
	}
	m, err := g.w.move(row)
	if err != nil {
		return err
	}
	if err := m.whole(); err != nil { // left to a transaction that can tell of it
		return err
	}
	g.unfolded = append(g.unfolded, row)
	g.ops, g.size = g.ops+int(m.n), g.size+int(m.bytes)
	return nil
}

// loadBursts learns of the bursts that a database has. Those whose messages are due in a future too far are unfolded at once,
// for fetchAhead.
func (w *writer) loadBursts() error {
	s, far := w.s, []int64(nil)
	bound := micros(s.opt.Now().Add(maxAhead))
	index := map[string]int{}
	err := w.c.query(func(v []driver.Value) error {
		id, n, bytes := v[0].(int64), v[1].(int64), v[2].(int64)
		head, _ := v[3].([]byte)
		b, due := &burst{}, int64(math.MinInt64)
		clear(index)
		err := readHead(head, func(m *store.Msg, from, to int64) error {
			b.add(m, to-from, s.bursts.hash(m.RequestID), index)
			due = max(due, micros(m.Due))
			return nil
		})
		if err == nil && (b.id != id || b.n != n || b.bytes != bytes) {
			err = fmt.Errorf("it has %d messages of %d bytes from %d on, and counts %d of %d", b.n, b.bytes, b.id, n, bytes)
		}
		if err != nil {
			return fmt.Errorf("burst %d: %w", id, err)
		}
		s.bursts.add(b)
		if due > bound {
			far = append(far, id)
		}
		return nil
	}, sqlBurstHeads)
	if err == nil && len(far) > 0 {
		_, err = w.unfold(far)
	}
	return err
}

// unfoldAtRest moves the next slice when no message has come for a while. It tells whether there was something to do.
func (w *writer) unfoldAtRest() bool {
	if w.busy || w.s.failure() != nil {
		return false
	}
	rows := w.s.bursts.oldest()
	if len(rows) == 0 {
		return false
	}
	r := w.upkeep(func(w *writer) (int64, error) { return w.unfold(rows) })
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
