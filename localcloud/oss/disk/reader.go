package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Reader reads the bytes an object had when it was opened, whatever happens to the object since. Close it. It is for
// one goroutine.
type Reader struct {
	Object Object

	disk   *Disk
	x      []extent
	first  *os.File // x[0], opened with the Reader
	pinned bool
}

// Open opens an object for reading: ErrNoBucket, ErrNoObject.
func (d *Disk) Open(ctx context.Context, bucket, key string) (*Reader, error) {
	for {
		o, err := d.Stat(ctx, bucket, key)
		if err != nil {
			return nil, err
		}
		r, err := d.reader(ctx, o)
		if !errors.Is(err, fs.ErrNotExist) {
			return r, err
		}
		again, err := d.Stat(ctx, bucket, key)
		if err == nil && again.blob == o.blob {
			return nil, fmt.Errorf("object %s/%q: data file %s is missing", bucket, key, o.blob)
		}
	}
}

// reader opens the bytes of a row; fs.ErrNotExist if they were replaced since the row was read.
func (d *Disk) reader(ctx context.Context, o Object) (*Reader, error) {
	r := &Reader{Object: o, disk: d}
	if o.chunks == 0 {
		return r, nil
	}
	d.files.pin(o.blob)
	r.pinned = true
	x, err := d.index.extents(ctx, o)
	if err == nil && len(x) != o.chunks {
		err = fs.ErrNotExist
	}
	if err == nil {
		r.x = x
		r.first, err = os.Open(d.files.path(x[0].file))
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Close lets the bytes go.
func (r *Reader) Close() {
	if r.first != nil {
		r.first.Close()
	}
	if r.pinned {
		r.disk.files.unpin(r.Object.blob)
	}
	r.first, r.pinned = nil, false
}

// Copy writes size bytes from offset on to w, file by file, so that a network connection can take them by sendfile.
// The range lies within the object.
func (r *Reader) Copy(w io.Writer, offset, size int64) error {
	for i := 0; i < len(r.x) && size > 0; i++ {
		x := r.x[i]
		if offset >= x.size {
			offset -= x.size
			continue
		}
		n := min(size, x.size-offset)
		if err := r.copyFrom(w, i, offset, n); err != nil {
			return err
		}
		offset, size = 0, size-n
	}
	return nil
}

func (r *Reader) copyFrom(w io.Writer, i int, offset, n int64) error {
	f := r.first
	if i > 0 {
		var err error
		if f, err = os.Open(r.disk.files.path(r.x[i].file)); err != nil {
			return err
		}
		defer f.Close()
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return err
	}
	_, err := io.CopyN(w, f, n)
	return err
}

// Pipe is a range of the object as a stream for another write.
func (r *Reader) Pipe(offset, size int64) io.ReadCloser {
	pr, pw := io.Pipe()
	go func() { pw.CloseWithError(r.Copy(pw, offset, size)) }()
	return pr
}
