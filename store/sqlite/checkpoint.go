package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"sync"
	"sync/atomic"
)

// Pages of the write-ahead log, of 4 KiB each, by an estimate on the high side.
const (
	// checkpointPages is how many are new before the checkpointer copies them into the database.
	checkpointPages = 1000
	// restartPages is how many there are before the writer copies what is left, which is not much, and begins the log
	// anew. If the checkpointer is at work just then it waits for its end, but no longer than to twice as many pages.
	restartPages = 4000
	pageBytes    = 4096
)

// A checkpointer copies what the write-ahead log has gathered into the database beside the writer, whose callers would
// wait for it otherwise. It cannot begin the log anew, since the writer goes on: that is left to the writer.
type checkpointer struct {
	s      *Store
	c      *conn
	due    chan struct{} // holds one
	behind atomic.Int64  // pages written since the last checkpoint began
	log    int64         // pages written since the log began; only the writer uses it

	mu sync.Mutex // held by who copies
}

func newCheckpointer(ctx context.Context, s *Store) (*checkpointer, error) {
	c, err := connect(ctx, "file:"+uriPath(s.file())+"?_pragma=synchronous(2)&_pragma=wal_autocheckpoint(0)")
	if err != nil {
		return nil, err
	}
	return &checkpointer{s: s, c: c, due: make(chan struct{}, 1)}, nil
}

// run works until ctx ends, then closes the connection.
func (k *checkpointer) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			if err := k.c.close(); err != nil {
				k.s.log.Error("close the checkpointer's database", errField(err))
			}
			return
		case <-k.due:
		}
		k.mu.Lock()
		_, _, err := k.copy(k.c)
		k.mu.Unlock()
		if err != nil {
			k.s.log.Warn("checkpoint", errField(err))
		}
	}
}

// wrote tells of a group of so many rows and bytes that w, the writer, has committed.
func (k *checkpointer) wrote(w *conn, rows, bytes int) {
	const perGroup = 8
	pages := int64(perGroup + rows + bytes/pageBytes)
	if k.behind.Add(pages) >= checkpointPages {
		select {
		case k.due <- struct{}{}:
		default:
		}
	}
	if k.log += pages; k.log < restartPages {
		return
	}
	if !k.mu.TryLock() {
		if k.log < 2*restartPages {
			return
		}
		k.mu.Lock()
	}
	defer k.mu.Unlock()
	switch log, copied, err := k.copy(w); {
	case err != nil:
		k.s.log.Warn("checkpoint", errField(err))
		k.log = restartPages - checkpointPages // the next try
	case log == copied:
		k.log = 0
	default: // a reader is in the way
		k.log = restartPages
	}
}

// copy makes a passive checkpoint, which waits for nobody, and tells how many pages the log has and how many of them the
// database has as well. mu must be held.
func (k *checkpointer) copy(c *conn) (log, copied int64, err error) {
	k.behind.Store(0)
	err = c.query(func(v []driver.Value) error {
		log, copied = v[1].(int64), v[2].(int64)
		return nil
	}, "PRAGMA wal_checkpoint(PASSIVE)")
	if broken(err) {
		err = k.s.fail(fmt.Errorf("checkpoint: %w", err))
	}
	return log, copied, err
}
