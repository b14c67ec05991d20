package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strconv"
	"time"

	"go.uber.org/zap"

	"fcd/store"
)

const sweepRows = 1000

func errField(err error) zap.Field { return zap.NamedError("err", err) }

func (s *Store) sweepLoop(ctx context.Context) {
	tick := time.NewTicker(s.opt.SweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrClosed) {
			s.log.Warn("sweep", errField(err))
		}
	}
}

// turn removes at most sweepRows rows and tells how many; it runs in the writer's goroutine.
type turn func(c *conn, now time.Time) (int64, error)

// Sweep removes what has outlived its time: deduplication keys, outcomes, events and deletions. It works in short turns
// between the writers' groups, and gives freed pages back to the file system. The store does it by itself each minute.
func (s *Store) Sweep(ctx context.Context) error {
	for _, t := range []turn{
		s.expire(sqlSweepDedup, 0), s.expire(sqlSweepEnded, s.opt.OutcomesFor),
		s.expire(sqlSweepEvents, s.opt.EventsFor), s.atMost(sqlSweepEventCap, s.opt.MaxEvents),
		s.expire(sqlSweepBodies, s.opt.EventsFor), s.atMost(sqlSweepBodyCap, s.opt.MaxEventBytes), s.sweepTombstones,
	} {
		if err := s.sweepAll(ctx, t); err != nil {
			return err
		}
	}
	if err := s.sweepMany(ctx); err != nil {
		return err
	}
	if err := s.sweepDead(ctx); err != nil {
		return err
	}
	_, err := s.upkeep(ctx, func(c *conn) (int64, error) { return 0, c.script("PRAGMA incremental_vacuum(256)") })
	return err
}

func (s *Store) sweepAll(ctx context.Context, t turn) error {
	for {
		n, err := s.upkeep(ctx, func(c *conn) (int64, error) { return t(c, s.opt.Now()) })
		if err != nil || n < sweepRows {
			return err
		}
	}
}

// upkeep lets do use the writer's connection between two groups, outside any transaction.
func (s *Store) upkeep(ctx context.Context, do func(*conn) (int64, error)) (int64, error) {
	return s.alone(ctx, func(w *writer) (int64, error) { return do(w.c) })
}

func (s *Store) expire(query string, after time.Duration) turn {
	return func(c *conn, now time.Time) (int64, error) {
		return c.exec(query, micros(now.Add(-after)), int64(sweepRows))
	}
}

// sweepMany keeps the number of outcomes bounded. A reader counts them, since that takes a while.
func (s *Store) sweepMany(ctx context.Context) error {
	n, err := first(ctx, s, func(r *sql.Rows) (n int64, err error) { return n, r.Scan(&n) }, sqlCountEnded)
	for excess := n - s.opt.MaxOutcomes; err == nil && excess > 0; excess -= sweepRows {
		_, err = s.upkeep(ctx, func(c *conn) (int64, error) { return c.exec(sqlSweepMany, min(excess, sweepRows)) })
	}
	return err
}

// atMost keeps the newest rows up to a bound of their number or their bytes.
func (s *Store) atMost(query string, bound int64) turn {
	return func(c *conn, _ time.Time) (int64, error) { return c.exec(query, bound, int64(sweepRows)) }
}

// sweepTombstones forgets deletions. The revision up to which they are forgotten goes into the same transaction.
func (s *Store) sweepTombstones(c *conn, now time.Time) (n int64, err error) {
	type tombstone struct {
		key string
		rev int64
	}
	var gone []tombstone
	err = c.query(func(v []driver.Value) error {
		gone = append(gone, tombstone{v[0].(string), v[1].(int64)})
		return nil
	}, sqlTombstones, micros(now.Add(-s.opt.TombstonesFor)), int64(sweepRows))
	if err != nil || len(gone) == 0 {
		return 0, err
	}
	floor := int64(s.feed.resyncFloor())
	if _, err := c.exec("BEGIN IMMEDIATE"); err != nil {
		return 0, err
	}
	for _, t := range gone {
		if _, err := c.exec(sqlRecDrop, t.key, t.rev); err != nil {
			return 0, errors.Join(err, c.script("ROLLBACK"))
		}
		floor = max(floor, t.rev)
	}
	if _, err := c.exec(sqlMetaSet, "resync", strconv.FormatInt(floor, 10)); err != nil {
		return 0, errors.Join(err, c.script("ROLLBACK"))
	}
	// Before the commit: a feed must not read the table without them and find the old floor.
	s.feed.forget(store.Rev(floor))
	if _, err := c.exec("COMMIT"); err != nil {
		return 0, s.fail(err)
	}
	return int64(len(gone)), nil
}
