package oss

import (
	"encoding/xml"
	"net/http"
	"strings"

	"fcd/localcloud/oss/disk"
)

// maxCompleteBody is enough for 10000 parts.
const maxCompleteBody = 4 << 20

type startedXML struct {
	XMLName      xml.Name `xml:"InitiateMultipartUploadResult"`
	EncodingType string   `xml:",omitempty"`
	Bucket       string
	Key          string
	UploadID     string `xml:"UploadId"`
}

func (c *call) startUpload() error {
	enc, err := c.encoding()
	if err != nil {
		return err
	}
	attrs, err := c.attrs()
	if err != nil {
		return err
	}
	if err := c.precheck(c.guard()); err != nil {
		return err
	}
	u, err := c.s.disk.StartUpload(c.ctx(), c.bucket, c.key, attrs, c.write("ObjectCreated:InitiateMultipartUpload", nil))
	if err != nil {
		return err
	}
	return c.xml(startedXML{EncodingType: c.query.Get("encoding-type"), Bucket: c.bucket, Key: enc(c.key), UploadID: u.ID})
}

// upload is the upload that the request names.
func (c *call) upload() (disk.Upload, error) {
	return c.s.disk.Upload(c.ctx(), c.bucket, c.key, c.query.Get("uploadId"))
}

func (c *call) partNumber() (int, error) {
	if c.query.Get("partNumber") == "" {
		return 0, invalidArgument("partNumber is missing")
	}
	return c.number("partNumber", 0, 1, disk.MaxParts)
}

func (c *call) putPart() error {
	n, err := c.partNumber()
	if err != nil {
		return err
	}
	u, err := c.upload()
	if err != nil {
		return err
	}
	s, err := c.stage()
	if err != nil {
		return err
	}
	p, err := c.s.disk.PutPart(c.ctx(), u, n, s, c.write("ObjectCreated:UploadPart", nil))
	if err != nil {
		return err
	}
	c.sums(disk.Object{ETag: p.ETag, CRC: p.CRC})
	return c.empty(http.StatusOK)
}

func (c *call) putPartCopy() error {
	n, err := c.partNumber()
	if err != nil {
		return err
	}
	u, err := c.upload()
	if err != nil {
		return err
	}
	src, err := c.source()
	if err != nil {
		return err
	}
	defer src.Close()
	part, err := sourceRange(c.r.Header, src.Object.Size)
	if err != nil {
		return err
	}
	body := src.Pipe(part.offset, part.size)
	s, err := c.s.disk.Stage(c.ctx(), body, disk.MaxObject)
	body.Close()
	if err != nil {
		return err
	}
	p, err := c.s.disk.PutPart(c.ctx(), u, n, s, c.write("ObjectCreated:UploadPartCopy", nil))
	if err != nil {
		return err
	}
	c.sums(disk.Object{ETag: p.ETag, CRC: p.CRC})
	return c.xml(copyResult("CopyPartResult", p.ETag, p.Modified))
}

// sourceRange is the part of the source to copy. Unlike a read, a copy refuses a range outside the object.
func sourceRange(h http.Header, size int64) (span, error) {
	text := h.Get("x-oss-copy-source-range")
	if text == "" {
		return span{0, size}, nil
	}
	first, last, ok := parseRange(text, size)
	if !ok || first < 0 || first >= size {
		return span{}, refuse(http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "the copy source range %q lies outside of the object's %d bytes", text, size)
	}
	return span{first, min(last, size-1) - first + 1}, nil
}

type partXML struct {
	PartNumber   int
	LastModified string
	ETag         string
	HashCRC      uint64 `xml:"HashCrc64ecma"`
	Size         int64
}

type partsXML struct {
	XMLName              xml.Name `xml:"ListPartsResult"`
	EncodingType         string   `xml:",omitempty"`
	Bucket               string
	Key                  string
	UploadID             string `xml:"UploadId"`
	StorageClass         string
	PartNumberMarker     int
	NextPartNumberMarker int // some clients cannot do without
	MaxParts             int
	IsTruncated          bool
	Part                 []partXML
}

func (c *call) listParts() error {
	enc, err := c.encoding()
	if err != nil {
		return err
	}
	most, err := c.number("max-parts", 1000, 1, 1000)
	if err != nil {
		return err
	}
	after, err := c.number("part-number-marker", 0, 0, 1<<31-1)
	if err != nil {
		return err
	}
	u, err := c.upload()
	if err != nil {
		return err
	}
	parts, more, err := c.s.disk.Parts(c.ctx(), u, after, most)
	if err != nil {
		return err
	}
	doc := partsXML{
		EncodingType: c.query.Get("encoding-type"), Bucket: c.bucket, Key: enc(c.key), UploadID: u.ID, StorageClass: "Standard",
		PartNumberMarker: after, NextPartNumberMarker: after, MaxParts: most, IsTruncated: more,
	}
	for _, p := range parts {
		doc.NextPartNumberMarker = p.Number
		doc.Part = append(doc.Part, partXML{p.Number, stamp(p.Modified), quote(p.ETag), p.CRC, p.Size})
	}
	return c.xml(doc)
}

type completeXML struct {
	XMLName xml.Name `xml:"CompleteMultipartUpload"`
	Part    []struct {
		PartNumber int
		ETag       string
	}
}

type completedXML struct {
	XMLName      xml.Name `xml:"CompleteMultipartUploadResult"`
	EncodingType string   `xml:",omitempty"`
	Location     string
	Bucket       string
	Key          string
	ETag         string
}

func (c *call) completeUpload() error {
	enc, err := c.encoding()
	if err != nil {
		return err
	}
	chosen, err := c.chosenParts()
	if err != nil {
		return err
	}
	o, err := c.s.disk.CompleteUpload(c.ctx(), c.bucket, c.key, c.query.Get("uploadId"), chosen,
		c.write("ObjectCreated:CompleteMultipartUpload", c.guard()))
	if err != nil {
		return err
	}
	c.sums(o)
	return c.xml(completedXML{
		EncodingType: c.query.Get("encoding-type"), Location: "http://" + c.r.Host + c.r.URL.EscapedPath(),
		Bucket: c.bucket, Key: enc(c.key), ETag: quote(o.ETag),
	})
}

// chosenParts are the parts the body names; nil, for all there are, with x-oss-complete-all.
func (c *call) chosenParts() ([]disk.Chosen, error) {
	if strings.EqualFold(c.r.Header.Get("x-oss-complete-all"), "yes") {
		return nil, nil
	}
	var doc completeXML
	if _, err := c.document(&doc, maxCompleteBody); err != nil {
		return nil, err
	}
	if len(doc.Part) == 0 || len(doc.Part) > disk.MaxParts {
		return nil, badRequest("MalformedXML", "an upload is completed with 1 to %d parts, not %d", disk.MaxParts, len(doc.Part))
	}
	chosen := make([]disk.Chosen, len(doc.Part))
	for i, p := range doc.Part {
		chosen[i] = disk.Chosen{Number: p.PartNumber, ETag: strings.Trim(strings.TrimSpace(p.ETag), `"`)}
	}
	return chosen, nil
}

func (c *call) abortUpload() error {
	w := c.write("ObjectRemoved:AbortMultipartUpload", nil)
	if err := c.s.disk.AbortUpload(c.ctx(), c.bucket, c.key, c.query.Get("uploadId"), w); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}
