package sls

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"strings"

	_ "modernc.org/sqlite" // registers the driver "sqlite" with database/sql
)

// meta keeps small JSON documents under keys "kind/part/part" in SQLite. Names hold no slash.
type meta struct{ db *sql.DB }

// change is one document to write; a nil value deletes the key and everything below it ("key/...").
type change struct {
	key   string
	value any
}

func openMeta(path string) (*meta, error) {
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)" +
		"&_pragma=cache_size(-2048)"
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(`CREATE TABLE IF NOT EXISTS doc (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID`); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	var mode string
	var sync int
	err = errors.Join(db.QueryRow("PRAGMA journal_mode").Scan(&mode), db.QueryRow("PRAGMA synchronous").Scan(&sync))
	if err == nil && (mode != "wal" || sync != 2) {
		err = fmt.Errorf("journal mode is %s and synchronous %d, want wal and 2", mode, sync)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &meta{db}, nil
}

// apply makes all changes or none, durably.
func (m *meta) apply(ctx context.Context, changes ...change) error {
	tx, err := m.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, c := range changes {
		if err := applyOne(ctx, tx, c); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func applyOne(ctx context.Context, tx *sql.Tx, c change) error {
	if c.value == nil {
		// "0" follows "/" in byte order: the range holds exactly the keys that begin with key + "/"
		_, err := tx.ExecContext(ctx, `DELETE FROM doc WHERE key = ? OR key > ? AND key < ?`, c.key, c.key+"/", c.key+"0")
		return err
	}
	b, err := json.Marshal(c.value)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO doc VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value`, c.key, b)
	return err
}

// all gives the parts of every key of a kind with its document.
func (m *meta) all(kind string) iter.Seq2[[]string, document] {
	return func(yield func([]string, document) bool) {
		rows, err := m.db.Query(`SELECT key, value FROM doc WHERE key > ? AND key < ? ORDER BY key`, kind+"/", kind+"0")
		if err != nil {
			yield(nil, document{err: err})
			return
		}
		defer rows.Close()
		for rows.Next() {
			var key string
			var d document
			d.err = rows.Scan(&key, &d.json)
			if !yield(strings.Split(key, "/")[1:], d) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(nil, document{err: err})
		}
	}
}

// document is the stored JSON, or why it could not be read.
type document struct {
	json []byte
	err  error
}

func (d document) decode(into any) error {
	if d.err != nil {
		return d.err
	}
	return json.Unmarshal(d.json, into)
}

func (m *meta) close() error { return m.db.Close() }
