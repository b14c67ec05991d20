package oss

import (
	"encoding/xml"

	"fcd/localcloud/oss/disk"
)

type uploadXML struct {
	Key          string
	UploadID     string `xml:"UploadId"`
	StorageClass string
	Initiated    string
}

type uploadsXML struct {
	XMLName            xml.Name `xml:"ListMultipartUploadsResult"`
	EncodingType       string   `xml:",omitempty"`
	Bucket             string
	KeyMarker          string
	UploadIDMarker     string `xml:"UploadIdMarker"`
	NextKeyMarker      string
	NextUploadIDMarker string `xml:"NextUploadIdMarker"`
	Delimiter          string
	Prefix             string
	MaxUploads         int
	IsTruncated        bool
	Upload             []uploadXML
	CommonPrefixes     []prefixXML
}

// listUploads lists unfinished uploads by key and id.
func (c *call) listUploads() error {
	enc, err := c.encoding()
	if err != nil {
		return err
	}
	most, err := c.number("max-uploads", 1000, 1, 1000)
	if err != nil {
		return err
	}
	q := disk.UploadQuery{
		Bucket: c.bucket, Prefix: c.query.Get("prefix"), Delimiter: c.query.Get("delimiter"),
		AfterKey: c.query.Get("key-marker"), AfterID: c.query.Get("upload-id-marker"), Max: most,
	}
	page, err := c.s.disk.Uploads(c.ctx(), q)
	if err != nil {
		return err
	}
	doc := uploadsXML{
		EncodingType: c.query.Get("encoding-type"), Bucket: c.bucket, KeyMarker: enc(q.AfterKey), UploadIDMarker: q.AfterID,
		Delimiter: enc(q.Delimiter), Prefix: enc(q.Prefix), MaxUploads: most, IsTruncated: page.Truncated,
	}
	if page.Truncated {
		doc.NextKeyMarker, doc.NextUploadIDMarker = enc(page.LastKey), page.LastID
	}
	for _, u := range page.Uploads {
		doc.Upload = append(doc.Upload, uploadXML{enc(u.Key), u.ID, "Standard", stamp(u.Started)})
	}
	for _, p := range page.Prefixes {
		doc.CommonPrefixes = append(doc.CommonPrefixes, prefixXML{enc(p)})
	}
	return c.xml(doc)
}
