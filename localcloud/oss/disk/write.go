package disk

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"fcd/fc"
)

// Put makes s the object's bytes and uses s up. Of o it takes Bucket, Key, Type ("" is Normal) and Attrs; it returns
// the object as stored. When it returns, object and event are durable. Refusals: ErrNoBucket, w.Guard's.
func (d *Disk) Put(ctx context.Context, o Object, s *Staged, w Write) (Object, error) {
	if err := s.settle(); err != nil {
		s.Discard()
		return Object{}, err
	}
	o.Size, o.ETag, o.CRC, o.state = s.Size, s.ETag(), s.CRC, nil
	if o.Type == Appendable {
		o.state = s.state
	}
	stored, err := d.store(ctx, o, s.extents(), w)
	if err != nil {
		s.drop(err)
		return Object{}, wrap(err, "put object", o.Key)
	}
	s.keep()
	return stored, nil
}

// store commits an object whose bytes are durable and counted, and removes what it replaced.
func (d *Disk) store(ctx context.Context, o Object, x []extent, w Write) (Object, error) {
	var old removed
	err := d.index.apply(ctx, func(t *txn) (err error) {
		old, err = t.replace(d, &o, x, w)
		return err
	})
	if err != nil {
		return Object{}, err
	}
	d.discard(old)
	return o, nil
}

// removed is content that no row names any more.
type removed struct {
	blob  string
	files []string
	size  int64
}

func (d *Disk) discard(r removed) {
	d.release(r.size)
	d.files.remove(r.blob, r.files)
}

// replace writes o's row over the one there is, with its event.
func (t *txn) replace(d *Disk, o *Object, x []extent, w Write) (removed, error) {
	if err := t.bucket(o.Bucket); err != nil {
		return removed{}, err
	}
	old, err := t.object(o.Bucket, o.Key)
	if err != nil {
		return removed{}, err
	}
	if err := w.guard(old); err != nil {
		return removed{}, refuse(err)
	}
	gone, err := t.forget(old)
	if err != nil {
		return removed{}, err
	}
	o.Modified = d.now()
	if o.Type == "" {
		o.Type = Normal
	}
	if err := t.place(o, x); err != nil {
		return removed{}, err
	}
	return gone, t.add(d.event(w.Event, *o, o.Size-gone.size))
}

// object is the current row, nil if there is none.
func (t *txn) object(bucket, key string) (*Object, error) {
	s, err := t.stmt("SELECT " + objectColumns + " FROM object WHERE bucket = ? AND key = ?")
	if err != nil {
		return nil, err
	}
	o, err := scanObject(s.QueryRowContext(t.ctx, bucket, []byte(key)))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &o, nil
}

// forget deletes the chunk rows of an object that is replaced or deleted and names its files.
func (t *txn) forget(old *Object) (removed, error) {
	if old == nil {
		return removed{}, nil
	}
	r := removed{blob: old.blob, size: old.Size}
	if old.chunks <= 1 {
		r.files = fileNames(oneExtent(*old))
		return r, nil
	}
	rows, err := t.rows("SELECT file, size FROM chunk WHERE blob = ? ORDER BY n", old.blob)
	if err != nil {
		return removed{}, err
	}
	x, err := collect(rows, scanExtent)
	if err != nil {
		return removed{}, err
	}
	r.files = fileNames(x)
	return r, t.exec("DELETE FROM chunk WHERE blob = ?", old.blob)
}

// place writes the object's row and its chunks.
func (t *txn) place(o *Object, x []extent) error {
	o.chunks = len(x)
	switch len(x) {
	case 0:
		o.blob = ""
	case 1:
		o.blob = x[0].file
	default:
		o.blob = newID()
		for n, c := range x {
			if err := t.exec("INSERT INTO chunk (blob, n, file, size) VALUES (?, ?, ?, ?)", o.blob, n, c.file, c.size); err != nil {
				return err
			}
		}
	}
	return t.exec("INSERT OR REPLACE INTO object ("+objectColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		o.Bucket, []byte(o.Key), o.Size, o.Modified.UnixMilli(), o.ETag, int64(o.CRC), o.Type, o.blob, o.chunks,
		o.Attrs.encode(), o.state)
}

// event completes an event with the object it is about.
func (d *Disk) event(e fc.ObjectEvent, o Object, delta int64) fc.ObjectEvent {
	e.Bucket, e.Key, e.Size, e.ETag, e.Delta, e.Time = o.Bucket, o.Key, o.Size, o.ETag, delta, d.now()
	if d.opts.EventMeta {
		e.MimeType, e.UserMeta = o.Attrs.Header["content-type"], map[string]string{}
		for name, value := range o.Attrs.Header {
			if strings.HasPrefix(name, "x-oss-meta-") {
				e.UserMeta[name] = value
			}
		}
	}
	return e
}

// Delete removes the objects that exist of those named, in one transaction, with one event for each, and returns their
// number. Absent keys are no error. Refusals: ErrNoBucket, w.Guard's (which is not asked about absent keys).
func (d *Disk) Delete(ctx context.Context, bucket string, keys []string, w Write) (int, error) {
	var gone []removed
	err := d.index.apply(ctx, func(t *txn) error {
		gone = nil
		if err := t.bucket(bucket); err != nil {
			return err
		}
		var events []fc.ObjectEvent
		for i, key := range keys {
			r, e, err := t.delete(d, bucket, key, w, i == 0)
			if err != nil {
				return err
			}
			if e != nil {
				gone = append(gone, r)
				events = append(events, *e)
			}
		}
		return t.addAll(events, max(d.opts.EventsTogether, 1))
	})
	if err != nil {
		return 0, wrap(err, "delete from bucket", bucket)
	}
	for _, r := range gone {
		d.discard(r)
	}
	return len(gone), nil
}

// delete removes one object and returns its event, nil if there was no such object.
func (t *txn) delete(d *Disk, bucket, key string, w Write, first bool) (removed, *fc.ObjectEvent, error) {
	old, err := t.object(bucket, key)
	if err != nil || old == nil {
		return removed{}, nil, err
	}
	if first { // a guard goes with one key only: nothing is written when it refuses
		if err := w.guard(old); err != nil {
			return removed{}, nil, refuse(err)
		}
	}
	r, err := t.forget(old)
	if err != nil {
		return removed{}, nil, err
	}
	if err := t.exec("DELETE FROM object WHERE bucket = ? AND key = ?", bucket, []byte(key)); err != nil {
		return removed{}, nil, err
	}
	e := d.event(w.Event, *old, -old.Size)
	e.Size = 0
	return r, &e, nil
}

// Change rewrites an object's attributes without touching its bytes or its time of modification. It records no event.
// change gets the current attributes and returns new ones, or an error to refuse.
func (d *Disk) Change(ctx context.Context, bucket, key string, change func(Object) (Attrs, error)) error {
	err := d.index.apply(ctx, func(t *txn) error {
		if err := t.bucket(bucket); err != nil {
			return err
		}
		o, err := t.object(bucket, key)
		if err != nil {
			return err
		}
		if o == nil {
			return refuse(ErrNoObject)
		}
		a, err := change(*o)
		if err != nil {
			return refuse(err)
		}
		return t.exec("UPDATE object SET attrs = ? WHERE bucket = ? AND key = ?", a.encode(), bucket, []byte(key))
	})
	return wrap(err, "change object", key)
}
