package oss_test

import (
	"crypto/md5"
	"fmt"
	"strings"
	"testing"
	"time"

	sdk "github.com/aliyun/aliyun-oss-go-sdk/oss"
)

func TestRanges(t *testing.T) {
	b := bucketOf(t)
	must(t, b.PutObject("k", strings.NewReader("0123456789")))
	must(t, b.PutObject("empty", strings.NewReader("")))
	for _, c := range []struct {
		key, ask, want string
		status         int
		part           string
	}{
		{"k", "bytes=2-4", "234", 206, "bytes 2-4/10"},
		{"k", "bytes=7-", "789", 206, "bytes 7-9/10"},
		{"k", "bytes=-3", "789", 206, "bytes 7-9/10"},
		{"k", "bytes=0-9", "0123456789", 206, "bytes 0-9/10"},
		{"k", "bytes=5-20", "0123456789", 200, ""},
		{"k", "bytes=10-", "0123456789", 200, ""},
		{"k", "bytes=0-1,3-4", "0123456789", 200, ""},
		{"empty", "bytes=0-", "", 200, ""},
	} {
		url, err := b.SignURL(c.key, sdk.HTTPGet, 60)
		must(t, err)
		res, body := send(t, "GET", url, "", "Range", c.ask)
		if res.StatusCode != c.status || body != c.want || res.Header.Get("Content-Range") != c.part {
			t.Errorf("%s %s: %d %q %q", c.key, c.ask, res.StatusCode, body, res.Header.Get("Content-Range"))
		}
	}
	got := read(t, b, "k", sdk.NormalizedRange("5-20"), sdk.RangeBehavior("standard"))
	if got != "56789" {
		t.Errorf("a range behind the end with the standard behaviour reads %q", got)
	}
	_, err := b.GetObject("k", sdk.NormalizedRange("10-"), sdk.RangeBehavior("standard"))
	wantCode(t, err, 416, "InvalidRange")
}

func TestConditions(t *testing.T) {
	b := bucketOf(t)
	must(t, b.PutObject("k", strings.NewReader("x")))
	h, err := b.GetObjectMeta("k")
	must(t, err)
	etag := h.Get("ETag")
	if want := fmt.Sprintf(`"%X"`, md5.Sum([]byte("x"))); etag != want || h.Get("Content-Length") != "1" {
		t.Errorf("object meta %v, want entity tag %s", h, want)
	}
	past, future := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	for name, c := range map[string]struct {
		opt    sdk.Option
		status int
	}{
		"if match, and it does":              {sdk.IfMatch(etag), 200},
		"if match, and it does not":          {sdk.IfMatch(`"00"`), 412},
		"if none match, and it does":         {sdk.IfNoneMatch(etag), 304},
		"if none match, and it does not":     {sdk.IfNoneMatch(`"00"`), 200},
		"if modified since, and it is":       {sdk.IfModifiedSince(past), 200},
		"if modified since, and it is not":   {sdk.IfModifiedSince(future), 304},
		"if unmodified since, and it is":     {sdk.IfUnmodifiedSince(future), 200},
		"if unmodified since, and it is not": {sdk.IfUnmodifiedSince(past), 412},
		"one of several entity tags":         {sdk.IfMatch(`"00", ` + etag), 200},
		"an entity tag without quotes":       {sdk.IfMatch(strings.Trim(etag, `"`)), 200},
		"any entity tag":                     {sdk.IfMatch("*"), 200},
	} {
		t.Run(name, func(t *testing.T) {
			for _, get := range []func() error{
				func() error {
					r, err := b.GetObject("k", c.opt)
					if err == nil {
						r.Close()
					}
					return err
				},
				func() error { _, err := b.GetObjectDetailedMeta("k", c.opt); return err },
			} {
				err := get()
				if c.status == 200 && err != nil || c.status != 200 && (err == nil || !strings.Contains(err.Error(), fmt.Sprint(c.status))) {
					t.Errorf("got %v, want %d", err, c.status)
				}
			}
		})
	}
	_, err = b.CopyObject("k", "copy", sdk.CopySourceIfMatch(`"00"`))
	wantCode(t, err, 412, "PreconditionFailed")
	_, err = b.CopyObject("k", "copy", sdk.CopySourceIfMatch(etag))
	must(t, err)
}

func TestSymlinksAndTags(t *testing.T) {
	b := bucketOf(t)
	must(t, b.PutObject("target 图", strings.NewReader("bytes"), sdk.SetTagging(sdk.Tagging{Tags: []sdk.Tag{{Key: "a", Value: "b c"}}})))
	must(t, b.PutSymlink("link", "target 图", sdk.Meta("own", "1")))
	h, err := b.GetSymlink("link")
	must(t, err)
	if got := h.Get(sdk.HTTPHeaderOssSymlinkTarget); got != "target 图" {
		t.Errorf("the link names %q", got)
	}
	h, err = b.GetObjectDetailedMeta("link")
	must(t, err)
	if read(t, b, "link") != "bytes" || h.Get("x-oss-object-type") != "Symlink" || h.Get("x-oss-meta-own") != "1" {
		t.Errorf("through the link: %v", h)
	}
	must(t, b.PutSymlink("dead", "nowhere"))
	_, err = b.GetObject("dead")
	wantCode(t, err, 404, "SymlinkTargetNotExist")
	tags, err := b.GetObjectTagging("target 图")
	must(t, err)
	if len(tags.Tags) != 1 || tags.Tags[0].Value != "b c" {
		t.Errorf("tags %+v", tags)
	}
	must(t, b.PutObjectTagging("target 图", sdk.Tagging{Tags: []sdk.Tag{{Key: "x", Value: "y"}, {Key: "z"}}}))
	h, err = b.GetObjectDetailedMeta("target 图")
	must(t, err)
	if h.Get("x-oss-tagging-count") != "2" {
		t.Errorf("tag count: %v", h)
	}
	must(t, b.DeleteObjectTagging("target 图"))
	tags, err = b.GetObjectTagging("target 图")
	must(t, err)
	if len(tags.Tags) != 0 {
		t.Errorf("tags after their deletion: %+v", tags)
	}
}
