package oss

import (
	"net/http"

	"fcd/localcloud/oss/disk"
)

func (c *call) appendObject() error {
	position, ok := digits(c.query.Get("position"))
	if !ok {
		return invalidArgument("the append position %q is not a number of bytes", c.query.Get("position"))
	}
	attrs, err := c.attrs()
	if err != nil {
		return err
	}
	if err := c.precheck(positioned(position)); err != nil {
		return err
	}
	s, err := c.stage()
	if err != nil {
		return err
	}
	o, err := c.s.disk.Append(c.ctx(), disk.Object{Bucket: c.bucket, Key: c.key, Attrs: attrs}, s, position,
		c.write("ObjectCreated:AppendObject", nil))
	if err != nil {
		return err
	}
	c.sums(o)
	c.w.Header().Set("x-oss-next-append-position", decimal(o.Size))
	return c.empty(http.StatusOK)
}

// positioned refuses an append early; the transaction decides again.
func positioned(position int64) func(*disk.Object) error {
	return func(old *disk.Object) error {
		switch {
		case old == nil && position != 0:
			return &disk.PositionError{}
		case old != nil && old.Type != disk.Appendable:
			return &disk.PositionError{Next: old.Size, NotAppendable: true}
		case old != nil && old.Size != position:
			return &disk.PositionError{Next: old.Size}
		}
		return nil
	}
}
