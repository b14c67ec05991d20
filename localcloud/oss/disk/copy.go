package disk

import (
	"context"
	"fmt"
)

// Copy makes o an object with the bytes src has, by hard links: nothing is read. Of o it takes Bucket, Key and Attrs;
// the entity tag is the source's. The caller keeps src. Refusals: ErrNoBucket, ErrFull, w.Guard's.
func (d *Disk) Copy(ctx context.Context, src *Reader, o Object, w Write) (Object, error) {
	from := src.Object
	o.Size, o.ETag, o.CRC, o.Type = from.Size, from.ETag, from.CRC, from.Type
	if o.Type == Appendable {
		o.Type = Normal
	}
	if err := d.reserve(o.Size); err != nil {
		return Object{}, err
	}
	x, err := d.linkAll(src.x)
	if err == nil {
		var stored Object
		if stored, err = d.store(ctx, o, x, w); err == nil {
			return stored, nil
		}
	}
	d.release(o.Size)
	if !d.index.isBroken() {
		d.files.unlink(fileNames(x))
	}
	return Object{}, wrap(err, "copy to object", o.Key)
}

// linkAll links every extent to a fresh, durable name. It returns those it made, also with an error.
func (d *Disk) linkAll(from []extent) ([]extent, error) {
	var made []extent
	for _, x := range from {
		id, err := d.files.link(x.file)
		if err != nil {
			return made, fmt.Errorf("copy object: %w", err)
		}
		made = append(made, extent{file: id, size: x.size})
	}
	return made, d.files.settle(fileNames(made))
}
