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

// Backup writes a consistent copy of the database to file, which must not exist, while the store stays in use. The copy
// is flushed to disk when Backup returns; it opens as fileName of a new data directory. Code packages are not in it.
func (s *Store) Backup(ctx context.Context, file string) (err error) {
	if err := s.usable(); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("back up the store: %w", err)
	}
	if err := f.Close(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("back up the store to %s: %w", file, err), os.Remove(file))
		}
	}()
	c, err := connect(ctx, "file:"+uriPath(s.file()))
	if err != nil {
		return err
	}
	_, err = c.c.(driver.ExecerContext).ExecContext(ctx, "VACUUM INTO ?", []driver.NamedValue{{Ordinal: 1, Value: file}})
	if err := errors.Join(s.readError(err), c.close()); err != nil {
		return err
	}
	if f, err = os.OpenFile(file, os.O_RDWR, 0); err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
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
