package oss

import (
	"encoding/xml"
	"net/http"
	"net/url"

	"fcd/localcloud/oss/disk"
)

const maxTagBody = 64 << 10

func (c *call) objectACL() error {
	o, err := c.s.disk.Stat(c.ctx(), c.bucket, c.key)
	if err != nil {
		return err
	}
	acl := o.Attrs.ACL
	if acl == "" {
		acl = "default"
	}
	return c.xml(aclXML{Owner: c.s.owner(), AccessControlList: grantXML{acl}})
}

func (c *call) putObjectACL() error {
	acl := c.r.Header.Get("x-oss-object-acl")
	if err := checkACL(acl, "default"); err != nil {
		return err
	}
	err := c.s.disk.Change(c.ctx(), c.bucket, c.key, func(o disk.Object) (disk.Attrs, error) {
		o.Attrs.ACL = acl
		return o.Attrs, nil
	})
	if err != nil {
		return err
	}
	return c.empty(http.StatusOK)
}

// putSymlink makes an object without bytes that names another.
func (c *call) putSymlink() error {
	target, err := url.QueryUnescape(c.r.Header.Get("x-oss-symlink-target"))
	if err != nil {
		return invalidArgument("the symlink target %q is not percent-encoded correctly", c.r.Header.Get("x-oss-symlink-target"))
	}
	if err := checkKey(target); err != nil {
		return err
	}
	attrs, err := c.attrs()
	if err != nil {
		return err
	}
	attrs.Target = target
	s, err := c.s.disk.Stage(c.ctx(), http.NoBody, 0)
	if err != nil {
		return err
	}
	o, err := c.s.disk.Put(c.ctx(), disk.Object{Bucket: c.bucket, Key: c.key, Type: disk.Symlink, Attrs: attrs}, s,
		c.write("ObjectCreated:PutSymlink", c.guard()))
	if err != nil {
		return err
	}
	c.w.Header().Set("ETag", quote(o.ETag))
	return c.empty(http.StatusOK)
}

func (c *call) getSymlink() error {
	o, err := c.s.disk.Stat(c.ctx(), c.bucket, c.key)
	if err != nil {
		return err
	}
	if o.Type != disk.Symlink {
		return badRequest("NotSymlink", "the object %q is not a symlink", c.key)
	}
	h := c.w.Header()
	h.Set("ETag", quote(o.ETag))
	h.Set("Last-Modified", o.Modified.Format(http.TimeFormat))
	h.Set("x-oss-symlink-target", percentEncode(o.Attrs.Target))
	return c.empty(http.StatusOK)
}

type taggingXML struct {
	XMLName xml.Name   `xml:"Tagging"`
	Tags    []disk.Tag `xml:"TagSet>Tag"`
}

func (c *call) tagging() error {
	o, err := c.s.disk.Stat(c.ctx(), c.bucket, c.key)
	if err != nil {
		return err
	}
	return c.xml(taggingXML{Tags: o.Attrs.Tags})
}

func (c *call) putTagging() error {
	var doc taggingXML
	if _, err := c.document(&doc, maxTagBody); err != nil {
		return err
	}
	if err := checkTags(doc.Tags); err != nil {
		return err
	}
	if err := c.setTags(doc.Tags); err != nil {
		return err
	}
	return c.empty(http.StatusOK)
}

func (c *call) deleteTagging() error {
	if err := c.setTags(nil); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}

func (c *call) setTags(tags []disk.Tag) error {
	return c.s.disk.Change(c.ctx(), c.bucket, c.key, func(o disk.Object) (disk.Attrs, error) {
		o.Attrs.Tags = tags
		return o.Attrs, nil
	})
}
