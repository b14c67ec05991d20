package disk

import (
	"context"
	"fmt"
	"strings"
)

// ListQuery asks for a page of a bucket's objects in byte order of their keys.
type ListQuery struct {
	Bucket, Prefix, Delimiter string
	After                     string // only keys, and common prefixes, behind this one
	Max                       int    // at most this many objects and common prefixes together
}

// Listing is a page. Of its objects only Key, Size, Modified, ETag and Type are filled in.
type Listing struct {
	Objects   []Object
	Prefixes  []string // keys cut behind the first delimiter that follows the prefix, each once
	Truncated bool     // there is more behind Last
	Last      string   // the last object or common prefix of the page; "" if the page is empty
}

// List is a page of objects; ErrNoBucket. With a delimiter it jumps past each common prefix instead of reading through it.
func (d *Disk) List(ctx context.Context, q ListQuery) (Listing, error) {
	if _, err := d.Bucket(q.Bucket); err != nil {
		return Listing{}, err
	}
	w := walk{q: q, from: max(q.Prefix, q.After+"\x00"), end: successor(q.Prefix)}
	if q.After == "" {
		w.from = q.Prefix
	}
	if p, ok := w.common(q.After); ok && p == q.After {
		w.skip(p)
	}
	for !w.done {
		if err := ctx.Err(); err != nil {
			return Listing{}, err
		}
		if err := d.listSome(ctx, &w); err != nil {
			return Listing{}, fmt.Errorf("list bucket %q: %w", q.Bucket, err)
		}
	}
	return w.page, nil
}

// walk is a listing under way.
type walk struct {
	q         ListQuery
	from, end string // keys still to read: from <= key < end; end "" means no end
	page      Listing
	done      bool
}

// common is the prefix that key is listed under, if it is.
func (w *walk) common(key string) (string, bool) {
	rest, ok := strings.CutPrefix(key, w.q.Prefix)
	if !ok || w.q.Delimiter == "" {
		return "", false
	}
	i := strings.Index(rest, w.q.Delimiter)
	if i < 0 {
		return "", false
	}
	return w.q.Prefix + rest[:i+len(w.q.Delimiter)], true
}

// listSome reads a run of rows up to the first common prefix.
func (d *Disk) listSome(ctx context.Context, w *walk) error {
	want := w.q.Max + 1 - len(w.page.Objects) - len(w.page.Prefixes)
	limit := want
	if w.q.Delimiter != "" {
		limit = min(want, 64) // what stands behind a common prefix is read in vain
	}
	query, args := "SELECT key, size, modified, etag, type FROM object WHERE bucket = ? AND key >= ?", []any{w.q.Bucket, []byte(w.from)}
	if w.end != "" {
		query, args = query+" AND key < ?", append(args, []byte(w.end))
	}
	rows, err := d.index.readers.QueryContext(context.WithoutCancel(ctx), query+" ORDER BY key LIMIT ?", append(args, limit)...)
	if err != nil {
		return err
	}
	objects, err := collect(rows, scanListed)
	if err != nil {
		return err
	}
	w.done = len(objects) < limit
	for _, o := range objects {
		if !w.take(o) {
			break
		}
	}
	return nil
}

func scanListed(s scanner) (Object, error) {
	var o Object
	var key []byte
	var modified int64
	err := s.Scan(&key, &o.Size, &modified, &o.ETag, &o.Type)
	o.Key, o.Modified = string(key), fromMillis(modified)
	return o, err
}

// take adds an object to the page. It is false when the rows behind it are not to be read on.
func (w *walk) take(o Object) bool {
	if len(w.page.Objects)+len(w.page.Prefixes) == w.q.Max {
		w.page.Truncated, w.done = true, true
		return false
	}
	if p, ok := w.common(o.Key); ok {
		w.page.Prefixes = append(w.page.Prefixes, p)
		w.page.Last = p
		w.skip(p)
		return false
	}
	w.page.Objects = append(w.page.Objects, o)
	w.page.Last = o.Key
	w.from = o.Key + "\x00"
	return true
}

// skip goes on behind everything that begins with p.
func (w *walk) skip(p string) {
	w.from = successor(p)
	w.done = w.from == "" || w.end != "" && w.from >= w.end
}

// successor is the first string behind all that begin with p; "" if there is none.
func successor(p string) string {
	b := []byte(p)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] < 0xff {
			b[i]++
			return string(b[:i+1])
		}
	}
	return ""
}
