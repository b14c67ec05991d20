package oss

import (
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"
	"time"

	"fcd/localcloud/oss/disk"
)

type copyXML struct {
	XMLName      xml.Name
	ETag         string
	LastModified string
}

func copyResult(name, etag string, modified time.Time) copyXML {
	return copyXML{XMLName: xml.Name{Local: name}, ETag: quote(etag), LastModified: stamp(modified)}
}

// source opens the object that x-oss-copy-source names, once its conditions hold and the caller may read it.
func (c *call) source() (*disk.Reader, error) {
	bucket, key, err := copySource(c.r.Header.Get("x-oss-copy-source"))
	if err != nil {
		return nil, err
	}
	if err := c.allowed("oss:GetObject", bucket, key); err != nil {
		return nil, err
	}
	r, err := c.s.disk.Open(c.ctx(), bucket, key)
	if err != nil {
		return nil, err
	}
	if err := conditionsOf(c.r.Header, "x-oss-copy-source-").read(r.Object); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// copySource takes /bucket/key apart, which clients encode as a query value ("+" for a blank) or as a path.
func copySource(text string) (bucket, key string, err error) {
	text, version, _ := strings.Cut(text, "?")
	if strings.HasPrefix(version, "versionId=") {
		return "", "", notImplemented("the sub-resource versionId")
	}
	plain, err := url.QueryUnescape(text)
	if err != nil {
		return "", "", invalidArgument("the copy source %q is not percent-encoded correctly", text)
	}
	bucket, key, _ = strings.Cut(strings.TrimPrefix(plain, "/"), "/")
	if err := checkBucketName(bucket); err != nil {
		return "", "", err
	}
	return bucket, key, checkKey(key)
}

func (c *call) copyObject() error {
	guard := c.guard()
	if err := c.precheck(guard); err != nil {
		return err
	}
	src, err := c.source()
	if err != nil {
		return err
	}
	defer src.Close()
	attrs, err := c.copiedAttrs(src.Object)
	if err != nil {
		return err
	}
	o, err := c.s.disk.Copy(c.ctx(), src, disk.Object{Bucket: c.bucket, Key: c.key, Attrs: attrs},
		c.write("ObjectCreated:CopyObject", guard))
	if err != nil {
		return err
	}
	c.sums(o)
	return c.xml(copyResult("CopyObjectResult", o.ETag, o.Modified))
}

// copiedAttrs are the source's attributes, or the request's where it asks to replace them. The access control list is
// never copied.
func (c *call) copiedAttrs(src disk.Object) (disk.Attrs, error) {
	own, err := c.attrs()
	if err != nil {
		return own, err
	}
	a := disk.Attrs{Header: src.Attrs.Header, Tags: src.Attrs.Tags, Target: src.Attrs.Target, ACL: own.ACL}
	replaceMeta, err := directive(c.r.Header, "x-oss-metadata-directive")
	if err != nil {
		return a, err
	}
	replaceTags, err := directive(c.r.Header, "x-oss-tagging-directive")
	if err != nil {
		return a, err
	}
	if replaceMeta {
		a.Header = own.Header
	}
	if replaceTags {
		a.Tags = own.Tags
	}
	return a, nil
}

// directive tells REPLACE from COPY, the default.
func directive(h http.Header, name string) (replace bool, err error) {
	switch v := strings.ToUpper(h.Get(name)); v {
	case "", "COPY":
		return false, nil
	case "REPLACE":
		return true, nil
	default:
		return false, invalidArgument("%s %q is neither COPY nor REPLACE", name, v)
	}
}
