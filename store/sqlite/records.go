package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"net/url"
	"os"

	"fcd/store"
)

// Get reads a record; ErrNotFound if there is none.
func (s *Store) Get(ctx context.Context, key string) (store.Record, error) {
	return first(ctx, s, func(rows *sql.Rows) (store.Record, error) {
		r := store.Record{Key: key}
		err := rows.Scan(&r.Rev, &r.Value)
		return present(r), err
	}, sqlRecGet, key)
}

// List reads a page of records in byte order of their keys.
func (s *Store) List(ctx context.Context, prefix, after string, limit int) ([]store.Record, error) {
	if end, ok := prefixEnd(prefix); ok {
		return collect(ctx, s, scanRecord, sqlRecListTo, prefix, after, end, pageSize(limit))
	}
	return collect(ctx, s, scanRecord, sqlRecList, prefix, after, pageSize(limit))
}

// prefixEnd is the first key after all that begin with prefix; ok is false if there is no such bound.
func prefixEnd(prefix string) (string, bool) {
	b := []byte(prefix)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] != 0xFF {
			b[i]++
			return string(b[:i+1]), true
		}
	}
	return "", false
}

func scanRecord(rows *sql.Rows) (store.Record, error) {
	var r store.Record
	err := rows.Scan(&r.Key, &r.Rev, &r.Value)
	return present(r), err
}

// present gives an empty value its bytes back, which the driver reads as nil.
func present(r store.Record) store.Record {
	if r.Value == nil {
		r.Value = []byte{}
	}
	return r
}

// Checkpoint reads what a Batch wrote; ErrNotFound if nothing did.
func (s *Store) Checkpoint(_ context.Context, key string) ([]byte, error) {
	all, err := look(s, func(v []driver.Value) []byte {
		b, _ := v[0].([]byte)
		return append([]byte{}, b...) // empty is not absent
	}, sqlCurGet, key)
	if err == nil && len(all) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// Rev is the revision of the latest committed write.
func (s *Store) Rev(context.Context) (store.Rev, error) {
	if err := s.usable(); err != nil {
		return 0, err
	}
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	return s.feed.last, nil
}

func uriPath(file string) string { return (&url.URL{Path: file}).EscapedPath() }

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
