package disk

import (
	"context"
	"fmt"
	"hash/crc64"
	"io"
	"os"
	"sync"
)

// Append adds s behind the object's end, which must be at position, and uses s up. An absent object is made, with o's
// Attrs; an existing one keeps its own. Refusals: ErrNoBucket, *PositionError.
func (d *Disk) Append(ctx context.Context, o Object, s *Staged, position int64, w Write) (Object, error) {
	defer d.keys.lock(o.Bucket + "/" + o.Key)()
	w.Event.Position = &position
	cur, err := d.Stat(ctx, o.Bucket, o.Key)
	switch {
	case err == ErrNoObject && position == 0:
		o.Type = Appendable
		w.Guard = func(old *Object) error { return atPosition(old, nil, 0) }
		return d.Put(ctx, o, s, w)
	case err == nil:
		err = atPosition(&cur, &cur, position)
	case err == ErrNoObject:
		err = &PositionError{}
	}
	if err != nil {
		s.Discard()
		return Object{}, wrap(err, "append to object", o.Key)
	}
	return d.extend(ctx, cur, s, w)
}

// atPosition refuses unless old is still the object that was seen and ends at position.
func atPosition(old, seen *Object, position int64) error {
	switch {
	case old == nil && seen == nil:
		return nil
	case old == nil:
		return &PositionError{}
	case old.Type != Appendable:
		return &PositionError{Next: old.Size, NotAppendable: true}
	case seen == nil || old.blob != seen.blob || old.Size != position:
		return &PositionError{Next: old.Size}
	}
	return nil
}

// extend writes s behind the committed bytes of cur and commits the new end.
func (d *Disk) extend(ctx context.Context, cur Object, s *Staged, w Write) (Object, error) {
	next := cur
	x, err := d.join(&next, s)
	if err == nil {
		err = d.index.apply(ctx, func(t *txn) error { return t.extend(d, cur, &next, x, w) })
	}
	if err != nil {
		s.drop(err)
		return Object{}, wrap(err, "append to object", cur.Key)
	}
	if cur.chunks == 0 {
		s.keep()
		return next, nil
	}
	s.Size = 0 // the bytes stay counted
	s.Discard()
	return next, nil
}

func (t *txn) extend(d *Disk, cur Object, next *Object, x []extent, w Write) error {
	if err := t.bucket(cur.Bucket); err != nil {
		return err
	}
	old, err := t.object(cur.Bucket, cur.Key)
	if err != nil {
		return err
	}
	if err := atPosition(old, &cur, cur.Size); err != nil {
		return refuse(err)
	}
	next.Attrs, next.Modified = old.Attrs, d.now()
	if err := t.place(next, x); err != nil {
		return err
	}
	return t.add(d.event(w.Event, *next, next.Size-cur.Size))
}

// join moves next's sums on over the staged bytes and makes them part of its content: an object without bytes takes the
// staged file over, any other has them written behind its end.
func (d *Disk) join(next *Object, s *Staged) ([]extent, error) {
	if next.chunks == 0 {
		next.Size, next.CRC, next.ETag, next.state = s.Size, s.CRC, s.ETag(), s.state
		return s.extents(), s.settle()
	}
	if err := d.writeBehind(next, s); err != nil {
		return nil, err
	}
	return oneExtent(*next), nil
}

// writeBehind copies the staged bytes into next's file, cutting first what a crash left behind its end.
func (d *Disk) writeBehind(next *Object, s *Staged) error {
	sum, err := resumeMD5(next.state)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(d.files.path(next.blob), os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("append: %w", err)
	}
	defer f.Close()
	if err := f.Truncate(next.Size); err != nil {
		return fmt.Errorf("append: %w", err)
	}
	crc := next.CRC
	to := io.MultiWriter(io.NewOffsetWriter(f, next.Size), sum, crcWriter{&crc})
	if _, err := io.Copy(to, s.reader()); err != nil {
		return fmt.Errorf("append: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("flush an append: %w", err)
	}
	next.Size += s.Size
	next.CRC, next.ETag, next.state = crc, upperHex(sum.Sum(nil)), md5State(sum)
	return nil
}

// reader reads the staged bytes from their beginning.
func (s *Staged) reader() io.Reader { return io.NewSectionReader(s.file, 0, s.Size) }

// crcWriter continues a CRC-64.
type crcWriter struct{ sum *uint64 }

func (c crcWriter) Write(p []byte) (int, error) {
	*c.sum = crc64.Update(*c.sum, ecma, p)
	return len(p), nil
}

// keyLocks serialises appends to one object.
type keyLocks struct {
	mu    sync.Mutex
	locks map[string]*keyLock // guarded by mu
}

type keyLock struct {
	sync.Mutex
	users int // guarded by keyLocks.mu
}

func (k *keyLocks) lock(key string) (unlock func()) {
	k.mu.Lock()
	if k.locks == nil {
		k.locks = map[string]*keyLock{}
	}
	l := k.locks[key]
	if l == nil {
		l = &keyLock{}
		k.locks[key] = l
	}
	l.users++
	k.mu.Unlock()
	l.Lock()
	return func() {
		l.Unlock()
		k.mu.Lock()
		defer k.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(k.locks, key)
		}
	}
}
