package disk

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Bucket finds a bucket in memory; ErrNoBucket.
func (d *Disk) Bucket(name string) (Bucket, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	b, ok := d.buckets[name]
	if !ok {
		return Bucket{}, ErrNoBucket
	}
	return b, nil
}

// Buckets are all buckets by name.
func (d *Disk) Buckets() []Bucket {
	d.mu.RLock()
	defer d.mu.RUnlock()
	all := make([]Bucket, 0, len(d.buckets))
	for _, b := range d.buckets {
		all = append(all, b)
	}
	slices.SortFunc(all, func(a, b Bucket) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// CreateBucket makes a bucket, or sets the ACL of the one there is unless acl is empty. Created says which. The name is
// not checked. acl "" is private.
func (d *Disk) CreateBucket(ctx context.Context, name, acl string) (created bool, err error) {
	err = d.index.apply(ctx, func(t *txn) error {
		b := Bucket{Name: name}
		made := d.now().UnixMilli()
		ok, err := t.row("SELECT created, acl FROM bucket WHERE name = ?", []any{name}, &made, &b.ACL)
		if err != nil {
			return err
		}
		if created = !ok; created {
			b.ACL = "private"
		}
		if acl != "" {
			b.ACL = acl
		}
		b.Created = fromMillis(made)
		t.then(func() { d.setBucket(b) })
		return t.exec("INSERT OR REPLACE INTO bucket (name, created, acl) VALUES (?, ?, ?)", name, made, b.ACL)
	})
	return created, wrap(err, "create bucket", name)
}

func (d *Disk) setBucket(b Bucket) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.buckets[b.Name] = b
}

// DeleteBucket removes an empty bucket: ErrNoBucket, ErrBucketNotEmpty. Its unfinished uploads count as content.
func (d *Disk) DeleteBucket(ctx context.Context, name string) error {
	err := d.index.apply(ctx, func(t *txn) error {
		if err := t.bucket(name); err != nil {
			return err
		}
		var one int
		used, err := t.row(`SELECT 1 WHERE EXISTS (SELECT 1 FROM object WHERE bucket = ?1)
			OR EXISTS (SELECT 1 FROM upload WHERE bucket = ?1)`, []any{name}, &one)
		if err != nil {
			return err
		}
		if used {
			return refuse(ErrBucketNotEmpty)
		}
		t.then(func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			delete(d.buckets, name)
		})
		return t.exec("DELETE FROM bucket WHERE name = ?", name)
	})
	return wrap(err, "delete bucket", name)
}

// bucket refuses the operation if there is no such bucket, earlier operations of this group included.
func (t *txn) bucket(name string) error {
	var one int
	ok, err := t.row("SELECT 1 FROM bucket WHERE name = ?", []any{name}, &one)
	if err == nil && !ok {
		err = refuse(ErrNoBucket)
	}
	return err
}

// wrap names the operation and its subject in an error.
func wrap(err error, op, subject string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %q: %w", op, subject, err)
}
