package disk

import (
	"context"
	"fmt"
)

// UploadQuery asks for a page of a bucket's unfinished uploads in order of key and id.
type UploadQuery struct {
	Bucket, Prefix, Delimiter string
	// AfterKey alone lists keys behind it; with AfterID also later uploads of that key.
	AfterKey, AfterID string
	Max               int
}

// UploadListing is a page.
type UploadListing struct {
	Uploads   []Upload
	Prefixes  []string // as in Listing
	Truncated bool
	LastKey   string // where the next page goes on behind; a common prefix has no LastID
	LastID    string
}

// Uploads is a page of unfinished uploads: ErrNoBucket.
func (d *Disk) Uploads(ctx context.Context, q UploadQuery) (UploadListing, error) {
	if _, err := d.Bucket(q.Bucket); err != nil {
		return UploadListing{}, err
	}
	w := walk{q: ListQuery{Bucket: q.Bucket, Prefix: q.Prefix, Delimiter: q.Delimiter, Max: q.Max}, end: successor(q.Prefix)}
	var page UploadListing
	key, id := q.AfterKey, q.AfterID
	if id == "" && key != "" {
		id = "~" // behind all ids, which are hex
	}
	if p, ok := w.common(key); ok && p == key {
		key, id = successor(p), ""
	}
	if key < q.Prefix {
		key, id = q.Prefix, ""
	}
	for {
		some, err := d.uploadsFrom(ctx, q.Bucket, key, id, w.end, q.Max+1)
		if err != nil {
			return page, fmt.Errorf("list uploads of bucket %q: %w", q.Bucket, err)
		}
		var more bool
		if key, more = page.take(&w, some); !more {
			return page, nil
		}
		id = ""
	}
}

// take adds uploads to the page. When it met a common prefix it says where to read on.
func (p *UploadListing) take(w *walk, some []Upload) (from string, more bool) {
	for _, u := range some {
		if len(p.Uploads)+len(p.Prefixes) == w.q.Max {
			p.Truncated = true
			return "", false
		}
		if prefix, ok := w.common(u.Key); ok {
			p.Prefixes = append(p.Prefixes, prefix)
			p.LastKey, p.LastID = prefix, ""
			from = successor(prefix)
			return from, from != ""
		}
		p.Uploads = append(p.Uploads, u)
		p.LastKey, p.LastID = u.Key, u.ID
	}
	return "", false
}

func (d *Disk) uploadsFrom(ctx context.Context, bucket, key, id, end string, limit int) ([]Upload, error) {
	query, args := "SELECT "+uploadColumns+" FROM upload WHERE bucket = ? AND (key, id) > (?, ?)", []any{bucket, []byte(key), id}
	if end != "" {
		query, args = query+" AND key < ?", append(args, []byte(end))
	}
	rows, err := d.index.readers.QueryContext(context.WithoutCancel(ctx), query+" ORDER BY key, id LIMIT ?", append(args, limit)...)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanUpload)
}
