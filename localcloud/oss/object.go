package oss

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"

	"fcd/localcloud/oss/disk"
)

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// sums are the headers that clients hold the bytes against.
func (c *call) sums(o disk.Object) {
	c.w.Header().Set("ETag", quote(o.ETag))
	c.w.Header().Set("x-oss-hash-crc64ecma", strconv.FormatUint(o.CRC, 10))
}

// stage takes the request's body to disk and holds it against its Content-MD5.
func (c *call) stage() (*disk.Staged, error) {
	if c.r.ContentLength > disk.MaxObject {
		return nil, disk.ErrTooLarge
	}
	s, err := c.s.disk.Stage(c.ctx(), c.body, disk.MaxObject)
	if err != nil {
		return nil, err
	}
	if err := matchMD5(c.r.Header.Get("Content-MD5"), s.MD5[:]); err != nil {
		s.Discard()
		return nil, err
	}
	return s, nil
}

func (c *call) checkMD5(body []byte) error {
	sum := md5.Sum(body)
	return matchMD5(c.r.Header.Get("Content-MD5"), sum[:])
}

// matchMD5 refuses a sum that is not the one the client sent; "" is none.
func matchMD5(sent string, sum []byte) error {
	if sent == "" || sent == base64.StdEncoding.EncodeToString(sum) {
		return nil
	}
	return badRequest("InvalidDigest", "the Content-MD5 %q you specified does not match the body's", sent)
}

// precheck refuses a write before its body is read when it will certainly be refused after.
func (c *call) precheck(guard func(*disk.Object) error) error {
	o, err := c.s.disk.Stat(c.ctx(), c.bucket, c.key)
	switch {
	case err == nil:
		return guard(&o)
	case err == disk.ErrNoObject:
		return guard(nil)
	}
	return err
}

func (c *call) putObject() error {
	attrs, err := c.attrs()
	if err != nil {
		return err
	}
	guard := c.guard()
	if err := c.precheck(guard); err != nil {
		return err
	}
	s, err := c.stage()
	if err != nil {
		return err
	}
	o, err := c.s.disk.Put(c.ctx(), disk.Object{Bucket: c.bucket, Key: c.key, Attrs: attrs}, s,
		c.write("ObjectCreated:PutObject", guard))
	if err != nil {
		return err
	}
	c.sums(o)
	c.w.Header().Set("Content-MD5", base64.StdEncoding.EncodeToString(s.MD5[:]))
	return c.empty(http.StatusOK)
}

func (c *call) deleteObject() error {
	w := c.write("ObjectRemoved:DeleteObject", conditionsOf(c.r.Header, "").write)
	if _, err := c.s.disk.Delete(c.ctx(), c.bucket, []string{c.key}, w); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}

// getObject serves GET and HEAD.
func (c *call) getObject() error {
	r, o, err := c.open()
	if err != nil {
		return err
	}
	defer r.Close()
	if err := conditionsOf(c.r.Header, "").read(o); err != nil {
		if err == errNotModified {
			c.objectHeaders(o)
		}
		return err
	}
	part, partial, err := rangeOf(c.r.Header, o.Size)
	if err != nil {
		return err
	}
	c.objectHeaders(o)
	c.overrides()
	h := c.w.Header()
	h.Set("Content-Length", decimal(part.size))
	status := http.StatusOK
	if partial {
		status = http.StatusPartialContent
		h.Set("Content-Range", "bytes "+decimal(part.offset)+"-"+decimal(part.offset+part.size-1)+"/"+decimal(o.Size))
	} else if sum, err := hex.DecodeString(o.ETag); err == nil {
		h.Set("Content-MD5", base64.StdEncoding.EncodeToString(sum))
	}
	c.w.WriteHeader(status)
	if c.r.Method == http.MethodHead || part.size == 0 {
		return nil
	}
	return r.Copy(c.w, part.offset, part.size)
}

// open opens the request's object, or what it links to: the bytes are then the target's and all else the link's own.
func (c *call) open() (*disk.Reader, disk.Object, error) {
	r, err := c.s.disk.Open(c.ctx(), c.bucket, c.key)
	if err != nil || r.Object.Type != disk.Symlink {
		return r, objectOf(r), err
	}
	link := r.Object
	r.Close()
	if err := c.allowed("oss:GetObject", c.bucket, link.Attrs.Target); err != nil {
		return nil, link, err
	}
	r, err = c.s.disk.Open(c.ctx(), c.bucket, link.Attrs.Target)
	if err == disk.ErrNoObject {
		return nil, link, refuse(http.StatusNotFound, "SymlinkTargetNotExist", "the symlink target %q does not exist", link.Attrs.Target)
	}
	if err != nil {
		return nil, link, err
	}
	if r.Object.Type == disk.Symlink {
		r.Close()
		return nil, link, badRequest("InvalidTargetType", "the symlink target %q is a symlink", link.Attrs.Target)
	}
	link.Size, link.ETag, link.CRC = r.Object.Size, r.Object.ETag, r.Object.CRC
	if r.Object.Modified.After(link.Modified) {
		link.Modified = r.Object.Modified
	}
	return r, link, nil
}

func objectOf(r *disk.Reader) disk.Object {
	if r == nil {
		return disk.Object{}
	}
	return r.Object
}

// objectMeta is the short form of HEAD.
func (c *call) objectMeta() error {
	o, err := c.s.disk.Stat(c.ctx(), c.bucket, c.key)
	if err != nil {
		return err
	}
	c.sums(o)
	h := c.w.Header()
	h.Set("Last-Modified", o.Modified.Format(http.TimeFormat))
	h.Set("Content-Length", decimal(o.Size))
	if c.r.Method != http.MethodHead {
		h.Set("Content-Length", "0")
		h.Set("x-oss-object-size", decimal(o.Size))
	}
	c.w.WriteHeader(http.StatusOK)
	return nil
}
