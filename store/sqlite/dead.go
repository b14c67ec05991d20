package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"time"

	"go.uber.org/zap"

	"fcd/store"
)

// Why dead letters are dropped.
const (
	droppedForAge  = "age"
	droppedForSize = "size"
)

// letters takes dead letters away: back into the queue, or for good.
func (g *group) letters(b *store.Batch, _ *store.Applied) (refusal, err error) {
	for _, r := range b.Redrive {
		size, found, err := g.letter(r.RequestID)
		if err != nil {
			return nil, err
		}
		if !found {
			return fmt.Errorf("dead letter %s: %w", r.RequestID, store.ErrNotFound), nil
		}
		if refusal := g.room(1, size); refusal != nil {
			return refusal, nil
		}
		g.counters.id++
		g.counters.messages++
		g.counters.bytes += size
		g.redrives = append(g.redrives, redriveRow{r, g.counters.id})
	}
	for _, id := range b.Purge {
		_, found, err := g.letter(id)
		if err != nil {
			return nil, err
		}
		if found {
			g.purged = append(g.purged, id)
		}
	}
	return nil, nil
}

// letter reserves a dead letter for this group and tells the size of its payload.
func (g *group) letter(requestID string) (size int64, found bool, err error) {
	if g.dead[requestID] {
		return 0, false, nil
	}
	size, found, err = g.w.c.number(sqlDeadBytes, requestID)
	if found {
		set(g, g.dead, requestID, true)
	}
	return size, found, err
}

func (g *group) writeDead() error {
	now := micros(g.now)
	for _, r := range g.redrives[g.written.redrives:] {
		if err := g.free(r.RequestID); err != nil {
			return err
		}
		g.w.highest = max(g.w.highest, r.RequestID)
		if _, err := g.w.c.exec(sqlRedrive, r.id, now, micros(r.NotAfter), r.RequestID); err != nil {
			return err
		}
		if err := g.redriven(r.RequestID); err != nil {
			return err
		}
		if _, err := g.w.c.exec(sqlDeadDrop, r.RequestID); err != nil {
			return err
		}
	}
	for _, id := range g.purged[g.written.purged:] {
		if _, err := g.w.c.exec(sqlDeadDrop, id); err != nil {
			return err
		}
	}
	return nil
}

// redriven adds the step to the event that made the dead letter, if one did.
func (g *group) redriven(requestID string) error {
	return g.w.c.query(func(v []driver.Value) error {
		trigger, event := v[0].(string), v[1].(string)
		if event != "" {
			g.fates = append(g.fates, store.Fate{Trigger: trigger, EventID: event, State: store.FateRedriven, RequestID: requestID, At: g.now})
		}
		return errStop
	}, sqlDeadEvent, requestID)
}

// DeadSize counts the dead letters by an index, without reading them.
func (s *Store) DeadSize(ctx context.Context) (store.DeadSize, error) {
	return first(ctx, s, func(r *sql.Rows) (d store.DeadSize, err error) { return d, r.Scan(&d.Letters, &d.Bytes) }, sqlDeadSize)
}

// sweepDead drops dead letters that are too old or too many, the oldest first, and says how many. It is the last of the
// sweeps: what people may still want to redo goes after everything else.
func (s *Store) sweepDead(ctx context.Context) error {
	var old, many int64
	err := s.sweepAll(ctx, counting(&old, s.expire(sqlSweepDead, s.opt.DeadFor)))
	for err == nil {
		var size store.DeadSize
		if size, err = s.DeadSize(ctx); err != nil || size.Letters <= s.opt.MaxDead && size.Bytes <= s.opt.MaxDeadBytes {
			break
		}
		var n int64
		n, err = s.upkeep(ctx, func(c *conn) (int64, error) { return s.dropOldest(c, size) })
		many += n
		if n == 0 {
			break
		}
	}
	if old+many > 0 {
		s.met.dropped.WithLabelValues(droppedForAge).Add(float64(old))
		s.met.dropped.WithLabelValues(droppedForSize).Add(float64(many))
		s.log.Warn("dead letters dropped", zap.Int64("age", old), zap.Int64("size", many))
	}
	return err
}

// counting adds up what a turn removes.
func counting(sum *int64, t turn) turn {
	return func(c *conn, now time.Time) (n int64, err error) {
		n, err = t(c, now)
		*sum += n
		return n, err
	}
}

// dropOldest drops as many of the oldest dead letters as it takes to come within the bounds, at most sweepRows.
func (s *Store) dropOldest(c *conn, size store.DeadSize) (n int64, err error) {
	var gone []string
	err = c.query(func(v []driver.Value) error {
		if size.Letters <= s.opt.MaxDead && size.Bytes <= s.opt.MaxDeadBytes {
			return errStop
		}
		gone = append(gone, v[0].(string))
		size.Letters--
		size.Bytes -= v[1].(int64)
		return nil
	}, sqlDeadOldest, int64(sweepRows))
	for _, id := range gone {
		if err != nil {
			return n, err
		}
		var dropped int64
		dropped, err = c.exec(sqlDeadDrop, id)
		n += dropped
	}
	return n, err
}
