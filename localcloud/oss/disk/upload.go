package disk

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"
)

// Upload is a multipart upload that is neither completed nor aborted.
type Upload struct {
	ID, Bucket, Key string
	Started         time.Time // UTC, whole milliseconds
	Attrs           Attrs
}

// Part is one part of an upload.
type Part struct {
	Number   int // 1 to MaxParts
	Size     int64
	ETag     string // upper-case hex, unquoted
	CRC      uint64
	Modified time.Time

	file string
}

// StartUpload begins an upload: ErrNoBucket.
func (d *Disk) StartUpload(ctx context.Context, bucket, key string, a Attrs, w Write) (Upload, error) {
	u := Upload{ID: strings.ToUpper(newID()), Bucket: bucket, Key: key, Attrs: a, Started: d.now()}
	err := d.index.apply(ctx, func(t *txn) error {
		if err := t.bucket(bucket); err != nil {
			return err
		}
		err := t.exec("INSERT INTO upload (bucket, key, id, started, attrs) VALUES (?, ?, ?, ?, ?)",
			bucket, []byte(key), u.ID, u.Started.UnixMilli(), a.encode())
		if err != nil {
			return err
		}
		return t.add(d.event(w.Event, Object{Bucket: bucket, Key: key}, 0))
	})
	return u, wrap(err, "start upload to", key)
}

const uploadColumns = "bucket, key, id, started, attrs"

func scanUpload(s scanner) (Upload, error) {
	var u Upload
	var key []byte
	var started int64
	var attrs string
	if err := s.Scan(&u.Bucket, &key, &u.ID, &started, &attrs); err != nil {
		return Upload{}, err
	}
	u.Key, u.Started = string(key), fromMillis(started)
	a, err := decodeAttrs(attrs)
	u.Attrs = a
	return u, err
}

// Upload finds an upload by its id, bucket and key: ErrNoBucket, ErrNoUpload.
func (d *Disk) Upload(ctx context.Context, bucket, key, id string) (Upload, error) {
	if _, err := d.Bucket(bucket); err != nil {
		return Upload{}, err
	}
	u, err := scanUpload(d.index.readers.QueryRowContext(context.WithoutCancel(ctx),
		"SELECT "+uploadColumns+" FROM upload WHERE bucket = ? AND key = ? AND id = ?", bucket, []byte(key), id))
	if errors.Is(err, sql.ErrNoRows) {
		return Upload{}, ErrNoUpload
	}
	return u, err
}

func (t *txn) upload(bucket, key, id string) (Upload, error) {
	s, err := t.stmt("SELECT " + uploadColumns + " FROM upload WHERE bucket = ? AND key = ? AND id = ?")
	if err != nil {
		return Upload{}, err
	}
	u, err := scanUpload(s.QueryRowContext(t.ctx, bucket, []byte(key), id))
	if errors.Is(err, sql.ErrNoRows) {
		err = refuse(ErrNoUpload)
	}
	return u, err
}

// PutPart makes s a part of the upload, in place of an earlier one of that number, and uses s up: ErrNoUpload.
func (d *Disk) PutPart(ctx context.Context, u Upload, number int, s *Staged, w Write) (Part, error) {
	if err := s.settle(); err != nil {
		s.Discard()
		return Part{}, err
	}
	p := Part{Number: number, Size: s.Size, ETag: s.ETag(), CRC: s.CRC, Modified: d.now(), file: s.id}
	var old removed
	err := d.index.apply(ctx, func(t *txn) (err error) {
		old, err = t.putPart(d, u, p, w)
		return err
	})
	if err != nil {
		s.drop(err)
		return Part{}, wrap(err, "put part of", u.Key)
	}
	s.keep()
	d.discard(old)
	return p, nil
}

func (t *txn) putPart(d *Disk, u Upload, p Part, w Write) (removed, error) {
	if _, err := t.upload(u.Bucket, u.Key, u.ID); err != nil {
		return removed{}, err
	}
	var old removed
	if _, err := t.row("SELECT file, size FROM part WHERE upload = ? AND n = ?", []any{u.ID, p.Number}, &old.blob, &old.size); err != nil {
		return removed{}, err
	}
	if old.blob != "" {
		old.files = []string{old.blob}
	}
	err := t.exec("INSERT OR REPLACE INTO part (upload, n, file, size, etag, crc, modified) VALUES (?, ?, ?, ?, ?, ?, ?)",
		u.ID, p.Number, p.file, p.Size, p.ETag, int64(p.CRC), p.Modified.UnixMilli())
	if err != nil {
		return removed{}, err
	}
	return old, t.add(d.event(w.Event, Object{Bucket: u.Bucket, Key: u.Key, Size: p.Size, ETag: p.ETag}, 0))
}

const partColumns = "n, file, size, etag, crc, modified"

func scanPart(s scanner) (Part, error) {
	var p Part
	var crc, modified int64
	err := s.Scan(&p.Number, &p.file, &p.Size, &p.ETag, &crc, &modified)
	p.CRC, p.Modified = uint64(crc), fromMillis(modified)
	return p, err
}

// Parts is a page of an upload's parts with numbers above after, and whether there are more.
func (d *Disk) Parts(ctx context.Context, u Upload, after, most int) ([]Part, bool, error) {
	rows, err := d.index.readers.QueryContext(context.WithoutCancel(ctx),
		"SELECT "+partColumns+" FROM part WHERE upload = ? AND n > ? ORDER BY n LIMIT ?", u.ID, after, most+1)
	if err != nil {
		return nil, false, fmt.Errorf("list parts of %q: %w", u.Key, err)
	}
	parts, err := collect(rows, scanPart)
	if len(parts) > most {
		return parts[:most], true, err
	}
	return parts, false, err
}

// AbortUpload removes an upload and its parts: ErrNoUpload.
func (d *Disk) AbortUpload(ctx context.Context, bucket, key, id string, w Write) error {
	var gone []removed
	err := d.index.apply(ctx, func(t *txn) error {
		u, err := t.upload(bucket, key, id)
		if err != nil {
			return err
		}
		parts, err := t.parts(id)
		if err != nil {
			return err
		}
		gone = partFiles(parts)
		if err := t.endUpload(u); err != nil {
			return err
		}
		return t.add(d.event(w.Event, Object{Bucket: bucket, Key: key}, 0))
	})
	if err != nil {
		return wrap(err, "abort upload to", key)
	}
	for _, r := range gone {
		d.discard(r)
	}
	return nil
}

func (t *txn) parts(id string) ([]Part, error) {
	rows, err := t.rows("SELECT "+partColumns+" FROM part WHERE upload = ? ORDER BY n", id)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanPart)
}

// endUpload deletes the rows of an upload.
func (t *txn) endUpload(u Upload) error {
	if err := t.exec("DELETE FROM part WHERE upload = ?", u.ID); err != nil {
		return err
	}
	return t.exec("DELETE FROM upload WHERE bucket = ? AND key = ? AND id = ?", u.Bucket, []byte(u.Key), u.ID)
}

func partFiles(parts []Part) []removed {
	var gone []removed
	for _, p := range parts {
		r := removed{size: p.Size}
		if p.file != "" {
			r.blob, r.files = p.file, []string{p.file}
		}
		gone = append(gone, r)
	}
	return gone
}

// expireUploads aborts uploads older than UploadTTL, at start and every hour.
func (d *Disk) expireUploads(ctx context.Context) {
	for {
		if err := d.expireOnce(ctx); err != nil && ctx.Err() == nil {
			d.opts.Log.Warn("expired uploads stay for now", zap.Error(err))
		}
		if !pause(ctx, time.Hour) {
			return
		}
	}
}

func (d *Disk) expireOnce(ctx context.Context) error {
	limit := d.now().Add(-d.opts.UploadTTL).UnixMilli()
	rows, err := d.index.readers.QueryContext(ctx, "SELECT "+uploadColumns+" FROM upload WHERE started < ?", limit)
	if err != nil {
		return err
	}
	old, err := collect(rows, scanUpload)
	if err != nil {
		return err
	}
	for _, u := range old {
		err := d.AbortUpload(ctx, u.Bucket, u.Key, u.ID, Write{})
		if err != nil && !errors.Is(err, ErrNoUpload) {
			return err
		}
		d.opts.Log.Info("unfinished upload expired", zap.String("bucket", u.Bucket), zap.String("uploadId", u.ID))
	}
	return nil
}
