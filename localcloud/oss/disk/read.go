package disk

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"fcd/fc"
)

const objectColumns = "bucket, key, size, modified, etag, crc, type, blob, chunks, attrs, state"

// scanner is a *sql.Row or *sql.Rows.
type scanner interface{ Scan(...any) error }

func scanObject(s scanner) (Object, error) {
	var o Object
	var key []byte
	var modified, crc int64
	var attrs string
	err := s.Scan(&o.Bucket, &key, &o.Size, &modified, &o.ETag, &crc, &o.Type, &o.blob, &o.chunks, &attrs, &o.state)
	if err != nil {
		return Object{}, err
	}
	o.Key, o.Modified, o.CRC = string(key), fromMillis(modified), uint64(crc)
	o.Attrs, err = decodeAttrs(attrs)
	return o, err
}

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// Stat is the object's row; ErrNoBucket or ErrNoObject if there is none.
func (d *Disk) Stat(ctx context.Context, bucket, key string) (Object, error) {
	if _, err := d.Bucket(bucket); err != nil {
		return Object{}, err
	}
	row := d.index.readers.QueryRowContext(context.WithoutCancel(ctx),
		"SELECT "+objectColumns+" FROM object WHERE bucket = ? AND key = ?", bucket, []byte(key))
	o, err := scanObject(row)
	if errors.Is(err, sql.ErrNoRows) {
		return Object{}, ErrNoObject
	}
	if err != nil {
		return Object{}, fmt.Errorf("read object %s/%q: %w", bucket, key, err)
	}
	return o, nil
}

func (ix *index) readBuckets(ctx context.Context) ([]Bucket, error) {
	rows, err := ix.readers.QueryContext(ctx, "SELECT name, created, acl FROM bucket ORDER BY name")
	if err != nil {
		return nil, fmt.Errorf("read buckets: %w", err)
	}
	return collect(rows, func(s scanner) (Bucket, error) {
		var b Bucket
		var created int64
		err := s.Scan(&b.Name, &created, &b.ACL)
		b.Created = fromMillis(created)
		return b, err
	})
}

// collect scans all rows and closes them.
func collect[T any](rows *sql.Rows, scan func(scanner) (T, error)) ([]T, error) {
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

func (ix *index) readTotal(ctx context.Context) (int64, error) {
	var n int64
	err := ix.readers.QueryRowContext(ctx,
		"SELECT (SELECT coalesce(sum(size), 0) FROM object) + (SELECT coalesce(sum(size), 0) FROM part)").Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("sum up objects: %w", err)
	}
	return n, nil
}

// Usage is what a bucket holds.
type Usage struct {
	Bytes, Objects, Uploads int64
}

// Usage counts a bucket's objects; its cost grows with their number.
func (d *Disk) Usage(ctx context.Context, bucket string) (Usage, error) {
	if _, err := d.Bucket(bucket); err != nil {
		return Usage{}, err
	}
	var u Usage
	err := d.index.readers.QueryRowContext(ctx, `SELECT (SELECT coalesce(sum(size), 0) FROM object WHERE bucket = ?1),
		(SELECT count(*) FROM object WHERE bucket = ?1), (SELECT count(*) FROM upload WHERE bucket = ?1)`,
		bucket).Scan(&u.Bytes, &u.Objects, &u.Uploads)
	return u, err
}

func (ix *index) outboxBuckets(ctx context.Context) ([]string, error) {
	rows, err := ix.readers.QueryContext(ctx, "SELECT DISTINCT bucket FROM outbox")
	if err != nil {
		return nil, err
	}
	return collect(rows, func(s scanner) (b string, err error) { return b, s.Scan(&b) })
}

// outboxEvents is a page of a bucket's events after a sequence.
func (ix *index) outboxEvents(ctx context.Context, bucket string, after uint64) ([]fc.ObjectEvent, error) {
	rows, err := ix.readers.QueryContext(context.WithoutCancel(ctx),
		"SELECT seq, event FROM outbox WHERE bucket = ? AND seq > ? ORDER BY seq LIMIT 64", bucket, int64(after))
	if err != nil {
		return nil, err
	}
	return collect(rows, func(s scanner) (e fc.ObjectEvent, err error) {
		var seq int64
		var body string
		if err := s.Scan(&seq, &body); err != nil {
			return e, err
		}
		err = json.Unmarshal([]byte(body), &e)
		e.Sequence = uint64(seq)
		return e, err
	})
}

// extents are the files an object's bytes stand in.
func (ix *index) extents(ctx context.Context, o Object) ([]extent, error) {
	if o.chunks <= 1 {
		return oneExtent(o), nil
	}
	rows, err := ix.readers.QueryContext(context.WithoutCancel(ctx),
		"SELECT file, size FROM chunk WHERE blob = ? ORDER BY n", o.blob)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanExtent)
}

func oneExtent(o Object) []extent {
	if o.chunks == 0 {
		return nil
	}
	return []extent{{file: o.blob, size: o.Size}}
}

func scanExtent(s scanner) (x extent, err error) {
	err = s.Scan(&x.file, &x.size)
	return x, err
}
