package disk

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"go.uber.org/zap"
)

// refusal marks an error that do returned by its own decision, so that the rest of the group goes on.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

// refuse makes err an answer to this operation alone.
func refuse(err error) error {
	if err == nil {
		return nil
	}
	return refusal{err}
}

// write is the writer goroutine: it takes what has gathered, commits it in one flush and answers.
func (ix *index) write() {
	defer close(ix.done)
	for {
		var group []*op
		select {
		case o, ok := <-ix.ops:
			if !ok {
				ix.commit(nil)
				return
			}
			group = ix.gather(o)
		case <-ix.flush:
		}
		ix.commit(group)
	}
}

func (ix *index) gather(first *op) []*op {
	group := []*op{first}
	for len(group) < maxInFlush {
		select {
		case o, ok := <-ix.ops:
			if !ok {
				return group
			}
			group = append(group, o)
		default:
			return group
		}
	}
	return group
}

// commit runs a group in one transaction. When SQLite itself fails one of them, each is tried alone, so that only the
// guilty one is refused.
func (ix *index) commit(group []*op) {
	err := ix.transact(group)
	if err != nil && len(group) > 1 && !ix.isBroken() {
		for _, o := range group {
			ix.commit([]*op{o})
		}
		return
	}
	for _, o := range group {
		if err != nil {
			o.err = err
		} else if o.err == nil {
			for _, f := range o.after {
				f()
			}
		}
		close(o.done)
	}
}

func (ix *index) transact(group []*op) error {
	acked := ix.outbox.takeAcked()
	if len(group) == 0 && len(acked) == 0 {
		return nil
	}
	t := &txn{ix: ix, ctx: context.Background()}
	err := ix.fill(t, group, acked)
	if err == nil {
		if _, err = ix.conn.ExecContext(t.ctx, "COMMIT"); err != nil {
			err = fmt.Errorf("%w: commit: %w", ErrBroken, err)
			ix.breakDown(err)
		}
	}
	if err != nil {
		ix.conn.ExecContext(t.ctx, "ROLLBACK")
		ix.outbox.putBack(acked)
		return err
	}
	ix.outbox.committed(t.buckets, len(acked))
	return nil
}

func (ix *index) fill(t *txn, group []*op, acked []int64) error {
	if _, err := ix.conn.ExecContext(t.ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	for _, seq := range acked {
		if err := t.exec("DELETE FROM outbox WHERE seq = ?", seq); err != nil {
			return err
		}
	}
	for _, o := range group {
		t.op, o.err, o.after = o, nil, nil
		err := o.do(t)
		if r := (refusal{}); errors.As(err, &r) {
			o.err = r.error
		} else if err != nil {
			return err
		}
	}
	return nil
}

func (ix *index) isBroken() bool {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	return ix.broken != nil
}

// breakDown ends all writing: after a failed flush nobody knows what the disk holds.
func (ix *index) breakDown(err error) {
	ix.mu.Lock()
	first := ix.broken == nil
	if first {
		ix.broken = err
	}
	ix.mu.Unlock()
	if !first {
		return
	}
	ix.log.Error("object index cannot be written any more", zap.Error(err))
	if ix.failed != nil {
		ix.failed(err)
	}
}

// txn is the writer's open transaction as one operation sees it.
type txn struct {
	ix      *index
	ctx     context.Context // never ends: a transaction is short
	op      *op
	buckets []string // buckets with a new event, one entry per event
}

// then runs f after the commit and before the operation is answered.
func (t *txn) then(f func()) { t.op.after = append(t.op.after, f) }

func (t *txn) stmt(query string) (*sql.Stmt, error) {
	if s, ok := t.ix.stmts[query]; ok {
		return s, nil
	}
	s, err := t.ix.conn.PrepareContext(t.ctx, query)
	if err == nil {
		t.ix.stmts[query] = s
	}
	return s, err
}

func (t *txn) exec(query string, args ...any) error {
	s, err := t.stmt(query)
	if err != nil {
		return err
	}
	_, err = s.ExecContext(t.ctx, args...)
	return err
}

// row reads one row; ok is false if there is none.
func (t *txn) row(query string, args []any, into ...any) (ok bool, err error) {
	s, err := t.stmt(query)
	if err != nil {
		return false, err
	}
	err = s.QueryRowContext(t.ctx, args...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

func (t *txn) rows(query string, args ...any) (*sql.Rows, error) {
	s, err := t.stmt(query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(t.ctx, args...)
}
