package sqlite

import (
	"database/sql/driver"
	"time"

	"go.uber.org/zap"
)

// maxAhead is how far in the future a message can be due for a reason: no backoff is longer by default.
const maxAhead = 5 * time.Minute

// fetchAhead makes messages due now that are due in a future too far: the clock was ahead when they were queued, or when
// they failed, and has been set back while the store was closed. They would wait as long as it was ahead. An open store's
// clock does not go back. A longer backoff, where one is configured, is cut short by a new start; that does no harm.
func (s *Store) fetchAhead(c *conn) error {
	var fns []string
	err := c.query(func(v []driver.Value) error {
		fns = append(fns, v[0].(string))
		return nil
	}, sqlQueueReady)
	now, all := s.opt.Now(), int64(0)
	for _, fn := range fns {
		if err != nil {
			return err
		}
		var n int64
		n, err = c.exec(sqlQueueFetch, micros(now), fn, micros(now.Add(maxAhead)))
		all += n
	}
	if all > 0 {
		s.log.Warn("the clock has been set back: messages that were due in the future are due now", zap.Int64("messages", all))
	}
	return err
}
