package sqlite

import (
	"fmt"
	"os"
)

// A flusher makes committed groups durable: it flushes the write-ahead log, then answers. Meanwhile the writer checks and
// writes the next group, and only commits it; a third gathers. SQLite itself flushes where one part of a file must be on
// disk before another (synchronous = NORMAL).
type flusher struct {
	s      *Store
	log    *os.File // the write-ahead log, which stays the same file while a connection is open
	groups chan *group
	done   chan struct{} // closed when run has ended
}

func newFlusher(s *Store) (*flusher, error) {
	log, err := os.Open(s.file() + "-wal")
	if err != nil {
		return nil, fmt.Errorf("write-ahead log: %w", err)
	}
	return &flusher{s: s, log: log, groups: make(chan *group), done: make(chan struct{})}, nil
}

// run works until groups is closed.
func (f *flusher) run() {
	defer close(f.done)
	for g := range f.groups {
		if err := f.flush(); err != nil {
			refuse(g.jobs, err)
			continue
		}
		g.publish()
	}
}

// flush returns when all that has been committed is on disk. An error is final, and stays.
func (f *flusher) flush() error {
	if err := f.s.failure(); err != nil {
		return err
	}
	if err := f.s.opt.flush(f.log); err != nil {
		return f.s.fail(fmt.Errorf("flush the write-ahead log: %w", err))
	}
	return nil
}

// end waits for the groups that were handed over.
func (f *flusher) end() error {
	close(f.groups)
	<-f.done
	return f.log.Close()
}
