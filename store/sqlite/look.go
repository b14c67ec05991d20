package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"sync"

	"fcd/store"
)

// A looker answers what is asked with every message or event: the dispatcher's questions, and checkpoints. It has a connection of its own, whose
// statements stay prepared, and asks the driver itself, like the writer: database/sql would cost more than the answers.
type looker struct {
	mu sync.Mutex
	c  *conn // nil once it is closed
}

func newLooker(ctx context.Context, s *Store) (*looker, error) {
	c, err := connect(ctx, readerFile(s.file()))
	if err != nil {
		return nil, err
	}
	err = durable(func(pragma string) (got string, err error) {
		got, _, err = c.text("PRAGMA " + pragma)
		return got, err
	}, "2")
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return &looker{c: c}, nil
}

func (l *looker) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.c == nil {
		return nil
	}
	err := l.c.close()
	l.c = nil
	return err
}

// look reads all rows of a query. Nothing cuts it, so it is for those that are a few steps in an index.
func look[T any](s *Store, scan func([]driver.Value) T, query string, args ...driver.Value) (all []T, err error) {
	if err := s.usable(); err != nil {
		return nil, err
	}
	s.looker.mu.Lock()
	defer s.looker.mu.Unlock()
	if s.looker.c == nil {
		return nil, store.ErrClosed
	}
	err = s.looker.c.query(func(v []driver.Value) error {
		all = append(all, scan(v))
		return nil
	}, query, args...)
	return all, s.readError(err)
}

// head is a message, or a function, and when it is due.
type head struct {
	id  int64
	fn  string
	due int64
}

func headOf(v []driver.Value) head { return head{id: v[0].(int64), due: v[1].(int64)} }

func functionOf(v []driver.Value) head { return head{fn: v[0].(string), due: v[1].(int64)} }

// msgOf reads sqlMsgColumns, as scanMsg does.
func msgOf(v []driver.Value) store.Msg {
	payload, _ := v[11].([]byte) // nil if it is empty
	return store.Msg{ID: v[0].(int64), RequestID: v[1].(string), Fn: v[2].(string), Trigger: v[3].(string), EventID: v[4].(string),
		DedupKey: v[5].(string), Enqueued: fromMicros(v[6].(int64)), Due: fromMicros(v[7].(int64)), NotAfter: fromMicros(v[8].(int64)),
		Attempt: int(v[9].(int64)), InvocationID: v[10].(string), Payload: payload}
}
