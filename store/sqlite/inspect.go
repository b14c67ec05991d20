package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"fcd/store"
)

// Inspection is a look at a store from outside: beside the daemon that has it open, or without one. It takes no lock on the
// data directory and writes nothing there.
type Inspection struct {
	dir string
	c   *conn
}

// Inspect opens the database of the data directory for reading. One of a newer schema than this binary knows is refused.
func Inspect(ctx context.Context, dir string) (*Inspection, error) {
	file := filepath.Join(dir, fileName)
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s holds no store", dir)
	} else if err != nil {
		return nil, err
	}
	c, err := connect(ctx, "file:"+uriPath(file)+"?_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, fmt.Errorf("open the store in %s: %w", dir, err)
	}
	i := &Inspection{dir: dir, c: c}
	if _, err := i.Schema(); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return i, nil
}

// Schema is the version of the database's tables.
func (i *Inspection) Schema() (int, error) {
	text, found, err := i.c.text(sqlMetaGet, "schema")
	if err != nil || !found {
		return 0, errors.Join(fmt.Errorf("%s is no database of fcd's", filepath.Join(i.dir, fileName)), err)
	}
	version, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("schema %q: %w", text, err)
	}
	return version, tooNew(version)
}

// Copy writes a copy of the store to file, as one database, as Store.Backup does.
func (i *Inspection) Copy(ctx context.Context, file string) error {
	return copyInto(ctx, i.c, i.dir, file)
}

// Check reads the whole database and the burst log, and reports everything that does not fit together.
func (i *Inspection) Check() (problems []string, err error) {
	err = i.c.query(func(v []driver.Value) error {
		if line := fmt.Sprint(v[0]); line != "ok" {
			problems = append(problems, line)
		}
		return nil
	}, "PRAGMA integrity_check")
	if err != nil {
		return problems, err
	}
	version, err := i.Schema()
	if err != nil {
		return problems, err
	}
	count := sqlQueueCount
	if version == 4 {
		count = sqlQueueCount4
	}
	// One statement, so that it is one moment, whatever a daemon does beside it.
	err = i.c.query(func(v []driver.Value) error {
		n, err := parseCounters(fmt.Sprint(v[0]))
		if err == nil && (n.messages != v[1].(int64) || n.bytes != v[2].(int64)) {
			problems = append(problems, fmt.Sprintf("the queue holds %d messages of %d bytes, counted are %d of %d", v[1], v[2], n.messages, n.bytes))
		}
		return err
	}, count)
	if err != nil || version < 5 {
		return problems, err
	}
	problem, err := i.checkLog()
	if problem != nil {
		problems = append(problems, problem.Error())
	}
	return problems, err
}

// checkLog reads every frame of the burst log.
func (i *Inspection) checkLog() (problem, err error) {
	id, _, err := i.c.text(sqlMetaGet, "bursts")
	if err != nil {
		return nil, err
	}
	l, err := holdLog(i.dir)
	if err != nil || l == nil {
		return nil, err
	}
	defer l.Close()
	return l.each(id, func(f frame, b []byte) error {
		head, payloads := f.parts(b)
		return readBurst(head, payloads, func(*store.Msg) error { return nil })
	}), nil
}

// Records calls do for every record whose key begins with prefix.
func (i *Inspection) Records(prefix string, do func(store.Record) error) error {
	return i.c.query(func(v []driver.Value) error {
		key := v[0].(string)
		if len(key) < len(prefix) || key[:len(prefix)] != prefix {
			return errStop
		}
		value, _ := v[2].([]byte)
		return do(store.Record{Key: key, Rev: store.Rev(v[1].(int64)), Value: value})
	}, sqlRecList, prefix, "", int64(1)<<40)
}

// Close lets go of the database.
func (i *Inspection) Close() error { return i.c.close() }

// tooNew refuses a schema of a newer binary.
func tooNew(version int) error {
	if version > schemaVersion {
		return fmt.Errorf("the database has schema %d and this binary knows up to %d: run a newer fcd", version, schemaVersion)
	}
	return nil
}
