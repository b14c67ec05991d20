package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Backup writes a consistent copy of the store to file, which must not exist, while the store stays in use: one database,
// with the messages of the burst log in its queue. It has all that was accepted before Backup began, and may have messages
// that come while it works. The copy is flushed to disk when Backup returns; it opens as fileName of a new data directory.
// Code packages are not in it.
func (s *Store) Backup(ctx context.Context, file string) error {
	if err := s.usable(); err != nil {
		return err
	}
	c, err := connect(ctx, "file:"+uriPath(s.file())+"?_pragma=busy_timeout(5000)")
	if err != nil {
		return err
	}
	err = copyInto(ctx, c, s.opt.Dir, file)
	if broken(err) {
		err = s.fail(err)
	}
	return errors.Join(err, c.close())
}

// copyInto writes a consistent copy of a store to a new file and flushes it. c has the database open, dir is where it lies.
func copyInto(ctx context.Context, c *conn, dir, file string) (err error) {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("copy the store: %w", err)
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			err = errors.Join(fmt.Errorf("copy the store to %s: %w", file, err), os.Remove(file))
		}
	}()
	log, err := holdLog(dir)
	if err != nil {
		return err
	}
	if log != nil {
		defer log.Close()
	}
	if _, err := c.c.(driver.ExecerContext).ExecContext(ctx, "VACUUM INTO ?", []driver.NamedValue{{Ordinal: 1, Value: file}}); err != nil {
		return err
	}
	if err := completeCopy(ctx, file, log); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(file))
}

// Check reads the whole database and reports everything that does not fit together.
func (s *Store) Check(ctx context.Context) error {
	found, err := collect(ctx, s, func(r *sql.Rows) (line string, err error) { return line, r.Scan(&line) },
		"PRAGMA integrity_check")
	if err != nil {
		return fmt.Errorf("check the store: %w", err)
	}
	if len(found) == 1 && found[0] == "ok" {
		return nil
	}
	return fmt.Errorf("check the store: %s", strings.Join(found, "; "))
}
