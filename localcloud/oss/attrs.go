package oss

import (
	"net/http"
	"net/url"
	"strings"

	"fcd/localcloud/oss/disk"
)

const (
	metaPrefix   = "x-oss-meta-"
	maxMetaBytes = 8 << 10
	maxTags      = 10
	defaultType  = "application/octet-stream"
)

// keptHeaders are the headers of a write that its reads give back, besides the user's own.
var keptHeaders = []string{
	"content-type", "cache-control", "content-disposition", "content-encoding", "content-language", "expires",
}

// attrs are the attributes that a write's headers give its object.
func (c *call) attrs() (disk.Attrs, error) {
	a := disk.Attrs{Header: map[string]string{}}
	for _, name := range keptHeaders {
		if v := c.r.Header.Get(name); v != "" {
			a.Header[name] = v
		}
	}
	total := 0
	for name, values := range c.r.Header {
		if low := strings.ToLower(name); strings.HasPrefix(low, metaPrefix) && len(values) > 0 {
			a.Header[low] = values[0]
			total += len(low) - len(metaPrefix) + len(values[0])
		}
	}
	if total > maxMetaBytes {
		return a, badRequest("MetadataTooLarge", "your metadata headers have %d bytes, more than the maximum of %d", total, maxMetaBytes)
	}
	if a.ACL = c.r.Header.Get("x-oss-object-acl"); a.ACL != "" {
		if err := checkACL(a.ACL, "default"); err != nil {
			return a, err
		}
	}
	var err error
	a.Tags, err = headerTags(c.r.Header)
	return a, err
}

// headerTags reads x-oss-tagging: a=1&b=2, percent-encoded.
func headerTags(h http.Header) ([]disk.Tag, error) {
	text := h.Get("x-oss-tagging")
	if text == "" {
		return nil, nil
	}
	var tags []disk.Tag
	for pair := range strings.SplitSeq(text, "&") {
		k, v, _ := strings.Cut(pair, "=")
		key, err1 := url.QueryUnescape(k)
		value, err2 := url.QueryUnescape(v)
		if err1 != nil || err2 != nil {
			return nil, badRequest("InvalidTag", "the tags %q are not percent-encoded correctly", text)
		}
		tags = append(tags, disk.Tag{Key: key, Value: value})
	}
	return tags, checkTags(tags)
}

// checkTags holds tags against the service's limits: at most 10, keys of 1 to 128 and values of up to 256 bytes, each
// key once.
func checkTags(tags []disk.Tag) error {
	if len(tags) > maxTags {
		return badRequest("InvalidTag", "an object has at most %d tags, not %d", maxTags, len(tags))
	}
	seen := map[string]bool{}
	for _, t := range tags {
		if t.Key == "" || len(t.Key) > 128 || len(t.Value) > 256 || seen[t.Key] {
			return badRequest("InvalidTag", "the tag %q=%q is not valid", t.Key, t.Value)
		}
		seen[t.Key] = true
	}
	return nil
}

// objectHeaders are what a read says about an object besides its length.
func (c *call) objectHeaders(o disk.Object) {
	h := c.w.Header()
	h.Set("Content-Type", defaultType)
	for name, v := range o.Attrs.Header {
		h.Set(name, v)
	}
	c.sums(o)
	h.Set("Last-Modified", o.Modified.Format(http.TimeFormat))
	h.Set("Accept-Ranges", "bytes")
	h.Set("x-oss-object-type", o.Type)
	h.Set("x-oss-storage-class", "Standard")
	if o.Type == disk.Appendable {
		h.Set("x-oss-next-append-position", decimal(o.Size))
	}
	if n := len(o.Attrs.Tags); n > 0 {
		h.Set("x-oss-tagging-count", decimal(int64(n)))
	}
}

// overrides are the response-* parameters of a read.
func (c *call) overrides() {
	for _, name := range keptHeaders {
		if v := c.query.Get("response-" + name); v != "" {
			c.w.Header().Set(name, v)
		}
	}
}
