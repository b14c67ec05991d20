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

// Inspection is a look at a store's database from outside: beside the daemon that has it open, or without one. It takes
// no lock on the data directory and writes nothing to the database.
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

// Copy writes a consistent copy of the database, as it is now, to file, which must not exist. It is on disk on return.
func (i *Inspection) Copy(ctx context.Context, file string) error { return copyInto(ctx, i.c, file) }

// Check reads the whole database and reports everything that does not fit together.
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
	if version < 4 {
		count = sqlQueueCount3
	} else if problems, err = i.checkBursts(problems); err != nil {
		return problems, err
	}
	// One statement, so that it is one moment, whatever a daemon does beside it.
	err = i.c.query(func(v []driver.Value) error {
		var n counters
		if _, err := fmt.Sscan(fmt.Sprint(v[0]), &n.rev, &n.id, &n.messages, &n.bytes); err != nil {
			return fmt.Errorf("counters %q: %w", v[0], err)
		}
		if n.messages != v[1].(int64) || n.bytes != v[2].(int64) {
			problems = append(problems, fmt.Sprintf("the queue holds %d messages of %d bytes, counted are %d of %d", v[1], v[2], n.messages, n.bytes))
		}
		return errStop
	}, count)
	return problems, err
}

// checkBursts reads every burst and adds what is wrong to problems.
func (i *Inspection) checkBursts(problems []string) ([]string, error) {
	err := i.c.query(func(v []driver.Value) error {
		id, n, bytes := v[0].(int64), v[1].(int64), v[2].(int64)
		head, _ := v[3].([]byte)
		payloads, _ := v[4].([]byte)
		found := int64(0)
		err := readBurst(head, payloads, func(*store.Msg) error { found++; return nil })
		if err == nil && (found != n || int64(len(payloads)) != bytes) {
			err = fmt.Errorf("it has %d messages of %d bytes, counted are %d of %d", found, len(payloads), n, bytes)
		}
		if err != nil {
			problems = append(problems, fmt.Sprintf("burst %d: %v", id, err))
		}
		return nil
	}, sqlBurstAll)
	return problems, err
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
