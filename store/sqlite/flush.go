package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// A flusher makes committed groups durable: it flushes the write-ahead log, the burst log or both, then answers. Meanwhile
// the writer checks and writes the next group, which grows until the flusher is free. SQLite itself flushes where one part of
// a file must be on disk before another (synchronous = NORMAL).
type flusher struct {
	s      *Store
	log    *os.File // the write-ahead log, which stays the same file while a connection is open
	groups chan *group
	free   chan struct{} // holds one while run waits for a group
	done   chan struct{} // closed when run has ended
}

func newFlusher(s *Store) (*flusher, error) {
	log, err := os.Open(s.file() + "-wal")
	if err != nil {
		return nil, fmt.Errorf("write-ahead log: %w", err)
	}
	// What an earlier life has left to be flushed, and the id of the burst log, which must not be lost when that is in use.
	if err := datasync(log); err != nil {
		return nil, errors.Join(fmt.Errorf("flush the write-ahead log: %w", err), log.Close())
	}
	return &flusher{s: s, log: log, groups: make(chan *group), free: make(chan struct{}, 1), done: make(chan struct{})}, nil
}

// run works until groups is closed.
func (f *flusher) run() {
	defer close(f.done)
	f.free <- struct{}{}
	for g := range f.groups {
		err := f.flush(g)
		f.free <- struct{}{} // before the answers: the writer has the next group ready
		if err != nil {
			refuse(g.jobs, err)
		} else {
			g.publish()
		}
	}
}

// flush returns when a group is on disk. An error is final, and stays.
func (f *flusher) flush(g *group) error {
	bursts := f.s.burstLog.f
	switch {
	case !g.logged && !g.begun: // all of it was refused
		return nil
	case !g.logged:
		return f.database()
	case !g.begun:
		return f.file(bursts)
	}
	other := make(chan error, 1)
	go func() { other <- f.file(bursts) }()
	err := f.database()
	return errors.Join(err, <-other)
}

// database returns when all that has been committed is on disk. It may be called concurrently.
func (f *flusher) database() error { return f.file(f.log) }

func (f *flusher) file(file *os.File) error {
	if err := f.s.failure(); err != nil {
		return err
	}
	if err := f.s.opt.flush(file); err != nil {
		return f.s.fail(fmt.Errorf("flush %s: %w", filepath.Base(file.Name()), err))
	}
	return nil
}

// datasync puts a file's content and length on disk. Its times may come later: while the log is overwritten in place,
// they would be all that the file system has to put into its journal, with everything that other files have there.
func datasync(f *os.File) error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); err != unix.EINTR {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}

// end waits for the groups that were handed over.
func (f *flusher) end() error {
	close(f.groups)
	<-f.done
	return f.log.Close()
}
