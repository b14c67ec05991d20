package oss_test

import (
	"strings"
	"testing"

	sdk "github.com/aliyun/aliyun-oss-go-sdk/oss"

	"fcd/localcloud/oss/disk"
)

func TestCopyKeepsOrReplacesMetadata(t *testing.T) {
	b := bucketOf(t)
	for _, key := range hostileKeys() {
		must(t, b.PutObject(key, strings.NewReader("bytes"), sdk.Meta("a", "1"), sdk.ContentType("text/a")))
		_, err := b.CopyObject(key, "kept", sdk.Meta("a", "2"))
		must(t, err)
		h, err := b.GetObjectDetailedMeta("kept")
		must(t, err)
		if h.Get("x-oss-meta-a") != "1" || h.Get("Content-Type") != "text/a" || read(t, b, "kept") != "bytes" {
			t.Errorf("%q: the copy has %v", key, h)
		}
	}
	_, err := b.CopyObject("a", "a", sdk.Meta("b", "2"), sdk.MetadataDirective(sdk.MetaReplace)) // onto itself
	must(t, err)
	h, err := b.GetObjectDetailedMeta("a")
	must(t, err)
	if h.Get("x-oss-meta-a") != "" || h.Get("x-oss-meta-b") != "2" || read(t, b, "a") != "bytes" {
		t.Errorf("replaced metadata: %v", h)
	}
}

func TestAppend(t *testing.T) {
	b := bucketOf(t)
	next, err := b.AppendObject("log", strings.NewReader("one,"), 0, sdk.Meta("a", "b"))
	must(t, err)
	next, err = b.AppendObject("log", strings.NewReader("two"), next)
	must(t, err)
	h, err := b.GetObjectDetailedMeta("log")
	must(t, err)
	if next != 7 || read(t, b, "log") != "one,two" || h.Get("x-oss-object-type") != "Appendable" ||
		h.Get("x-oss-next-append-position") != "7" || h.Get("x-oss-meta-a") != "b" {
		t.Errorf("after two appends: next %d, %v", next, h)
	}
	_, err = b.AppendObject("log", strings.NewReader("x"), 3)
	wantCode(t, err, 409, "PositionNotEqualToLength")
	_, err = b.AppendObject("absent", strings.NewReader("x"), 3)
	wantCode(t, err, 409, "PositionNotEqualToLength")
	must(t, b.PutObject("plain", strings.NewReader("x")))
	_, err = b.AppendObject("plain", strings.NewReader("x"), 1)
	wantCode(t, err, 409, "ObjectNotAppendable")
}

func TestMultipartRefusals(t *testing.T) {
	b := bucketOf(t)
	u, err := b.InitiateMultipartUpload("k", sdk.Meta("a", "b"))
	must(t, err)
	big := strings.Repeat("x", disk.MinPart)
	one, err := b.UploadPart(u, strings.NewReader(big), int64(len(big)), 1)
	must(t, err)
	two, err := b.UploadPart(u, strings.NewReader("end"), 3, 2)
	must(t, err)
	_, err = b.UploadPart(u, strings.NewReader("x"), 1, 10000)
	must(t, err)
	parts, err := b.ListUploadedParts(u, sdk.MaxParts(2))
	must(t, err)
	if len(parts.UploadedParts) != 2 || !parts.IsTruncated || parts.NextPartNumberMarker != "2" {
		t.Errorf("parts %+v", parts)
	}
	_, err = b.CompleteMultipartUpload(u, []sdk.UploadPart{{PartNumber: 1, ETag: `"00"`}})
	wantCode(t, err, 400, "InvalidPart")
	_, err = b.CompleteMultipartUpload(u, []sdk.UploadPart{one, {PartNumber: 7, ETag: two.ETag}})
	wantCode(t, err, 400, "InvalidPart")
	_, err = b.CompleteMultipartUpload(u, nil)
	wantCode(t, err, 400, "MalformedXML")
	small, err := b.UploadPart(u, strings.NewReader("x"), 1, 3)
	must(t, err)
	_, err = b.CompleteMultipartUpload(u, []sdk.UploadPart{one, small, {PartNumber: 10000, ETag: small.ETag}})
	wantCode(t, err, 400, "EntityTooSmall")
	if list, err := b.ListMultipartUploads(); err != nil || len(list.Uploads) != 1 || list.Uploads[0].UploadID != u.UploadID {
		t.Errorf("uploads %+v, %v", list, err)
	}
	_, err = b.CompleteMultipartUpload(u, []sdk.UploadPart{one, two})
	must(t, err)
	if read(t, b, "k") != big+"end" {
		t.Error("the completed object differs")
	}
	_, err = b.CompleteMultipartUpload(u, []sdk.UploadPart{one, two})
	wantCode(t, err, 404, "NoSuchUpload")
	u, err = b.InitiateMultipartUpload("k")
	must(t, err)
	c, err := b.UploadPartCopy(u, "bucket", "k", 2, disk.MinPart, 1)
	must(t, err)
	_, err = b.CompleteMultipartUpload(u, []sdk.UploadPart{c})
	must(t, err)
	if read(t, b, "k") != (big + "end")[2:2+disk.MinPart] {
		t.Error("the copied range differs")
	}
	u, err = b.InitiateMultipartUpload("gone")
	must(t, err)
	must(t, b.AbortMultipartUpload(u))
	wantCode(t, b.AbortMultipartUpload(u), 404, "NoSuchUpload")
}
