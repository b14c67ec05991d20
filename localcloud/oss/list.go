package oss

import (
	"encoding/base64"
	"encoding/xml"
	"strconv"

	"fcd/localcloud/oss/disk"
)

type contentXML struct {
	Key          string
	LastModified string
	ETag         string
	Type         string
	Size         int64
	StorageClass string
	Owner        *ownerXML `xml:",omitempty"`
}

type prefixXML struct {
	Prefix string
}

// listXML is the document of both versions of the listing; what one of them lacks is left out by omitempty.
type listXML struct {
	XMLName               xml.Name `xml:"ListBucketResult"`
	Name                  string
	Prefix                string
	Marker                *string
	StartAfter            string `xml:",omitempty"`
	ContinuationToken     string `xml:",omitempty"`
	MaxKeys               int
	Delimiter             string
	EncodingType          string `xml:",omitempty"`
	IsTruncated           bool
	NextMarker            string       `xml:",omitempty"`
	NextContinuationToken string       `xml:",omitempty"`
	KeyCount              *int         `xml:",omitempty"`
	Contents              []contentXML `xml:"Contents"`
	CommonPrefixes        []prefixXML  `xml:"CommonPrefixes"`
}

// listObjects serves both versions: list-type=2 has tokens where the first has markers.
func (c *call) listObjects() error {
	enc, err := c.encoding()
	if err != nil {
		return err
	}
	most, err := c.number("max-keys", 100, 1, 1000)
	if err != nil {
		return err
	}
	v2, err := c.listVersion()
	if err != nil {
		return err
	}
	q := disk.ListQuery{
		Bucket: c.bucket, Prefix: c.query.Get("prefix"), Delimiter: c.query.Get("delimiter"), Max: most, After: c.query.Get("marker"),
	}
	if v2 {
		if q.After, err = c.startAfter(); err != nil {
			return err
		}
	}
	page, err := c.s.disk.List(c.ctx(), q)
	if err != nil {
		return err
	}
	doc := c.listing(q, page, enc, v2 && c.query.Get("fetch-owner") != "true")
	if v2 {
		c.continuation(&doc, page, enc)
	} else {
		marker := enc(q.After)
		doc.Marker = &marker
		if page.Truncated {
			doc.NextMarker = enc(page.Last)
		}
	}
	return c.xml(doc)
}

func (c *call) listVersion() (v2 bool, err error) {
	switch t := c.query.Get("list-type"); t {
	case "", "1":
		return false, nil
	case "2":
		return true, nil
	default:
		return false, invalidArgument("list-type %q is not 1 or 2", t)
	}
}

// startAfter is where a listing of version 2 goes on: the token's key, else start-after.
func (c *call) startAfter() (string, error) {
	token := c.query.Get("continuation-token")
	if token == "" {
		return c.query.Get("start-after"), nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return "", invalidArgument("the continuation token %q is not one of ours", token)
	}
	return string(raw), nil
}

func (c *call) continuation(doc *listXML, page disk.Listing, enc func(string) string) {
	n := len(page.Objects) + len(page.Prefixes)
	doc.KeyCount = &n
	doc.StartAfter = enc(c.query.Get("start-after"))
	doc.ContinuationToken = c.query.Get("continuation-token")
	if page.Truncated {
		doc.NextContinuationToken = base64.RawURLEncoding.EncodeToString([]byte(page.Last))
	}
}

// listing is what both versions have in common.
func (c *call) listing(q disk.ListQuery, page disk.Listing, enc func(string) string, anonymous bool) listXML {
	doc := listXML{
		Name: c.bucket, Prefix: enc(q.Prefix), MaxKeys: q.Max, Delimiter: enc(q.Delimiter),
		EncodingType: c.query.Get("encoding-type"), IsTruncated: page.Truncated,
	}
	var owner *ownerXML
	if !anonymous {
		o := c.s.owner()
		owner = &o
	}
	for _, o := range page.Objects {
		doc.Contents = append(doc.Contents, contentXML{
			Key: enc(o.Key), LastModified: stamp(o.Modified), ETag: quote(o.ETag), Type: o.Type, Size: o.Size,
			StorageClass: "Standard", Owner: owner,
		})
	}
	for _, p := range page.Prefixes {
		doc.CommonPrefixes = append(doc.CommonPrefixes, prefixXML{enc(p)})
	}
	return doc
}

// encoding is how names are written into documents: as they are, or percent-encoded as encoding-type asks.
func (c *call) encoding() (func(string) string, error) {
	switch t := c.query.Get("encoding-type"); t {
	case "":
		return func(s string) string { return s }, nil
	case "url":
		return percentEncode, nil
	default:
		return nil, invalidArgument("the encoding type %q is not url", t)
	}
}

// percentEncode writes every byte but A-Za-z0-9-_.~ as %XX, which every client's decoder reads.
func percentEncode(s string) string {
	const hex = "0123456789ABCDEF"
	out := make([]byte, 0, len(s))
	for _, b := range []byte(s) {
		switch {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b >= '0' && b <= '9', b == '-', b == '_', b == '.', b == '~':
			out = append(out, b)
		default:
			out = append(out, '%', hex[b>>4], hex[b&15])
		}
	}
	return string(out)
}

// number is a query parameter within bounds.
func (c *call) number(name string, otherwise, low, high int) (int, error) {
	text := c.query.Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		return 0, invalidArgument("%s %q is not a whole number from %d to %d", name, text, low, high)
	}
	return n, nil
}

func quote(etag string) string { return `"` + etag + `"` }
