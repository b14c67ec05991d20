package sqlite

import (
	"context"
	"errors"
	"fmt"

	msqlite "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"fcd/store"
)

// primary is SQLite's result code without its extension, 0 for any other error.
func primary(err error) int {
	var e *msqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

// broken tells errors after which nothing on this disk can be trusted until the store is opened anew.
func broken(err error) bool {
	if errors.Is(err, errLog) {
		return true
	}
	switch primary(err) {
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return true
	}
	return false
}

// busy tells that another process held the database for longer than busy_timeout. Nothing has happened.
func busy(err error) bool {
	code := primary(err)
	return code == sqlite3.SQLITE_BUSY || code == sqlite3.SQLITE_LOCKED
}

// translate turns an error of a statement before its commit into the store's.
func translate(err error) error {
	switch primary(err) {
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("%w: %w", store.ErrNoSpace, err)
	case sqlite3.SQLITE_CONSTRAINT:
		return fmt.Errorf("%w: %w", store.ErrConflict, err)
	case sqlite3.SQLITE_TOOBIG:
		return fmt.Errorf("%w: %w", store.ErrTooLarge, err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return err
}

// readError is for the readers' side: it notices a broken disk.
func (s *Store) readError(err error) error {
	switch {
	case err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return err
	case broken(err):
		return s.fail(err)
	}
	return translate(err)
}

// fail makes the store refuse everything from now on. The first cause stays.
func (s *Store) fail(cause error) error {
	s.failOnce.Do(func() {
		s.cause = fmt.Errorf("%w: %w", store.ErrFatal, translate(cause))
		s.log.Error("the store failed", errField(cause))
		close(s.failed)
	})
	<-s.failed
	return s.cause
}

// Failed is closed when the disk has failed the store. The process must then end: a flush that failed cannot be tried
// again, and only a new Open finds out what is really there.
func (s *Store) Failed() <-chan struct{} { return s.failed }

// failure is the fatal error, if there was one: a closed store still serves what it took before.
func (s *Store) failure() error {
	select {
	case <-s.failed:
		return s.cause
	default:
		return nil
	}
}

// usable is nil while the store works.
func (s *Store) usable() error {
	select {
	case <-s.failed:
		return s.cause
	case <-s.closing:
		return store.ErrClosed
	default:
		return nil
	}
}
