package oss

import (
	"bytes"
	"encoding/xml"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDeleteBody is enough for 1000 keys of 1023 bytes with every byte written as a character reference.
const maxDeleteBody = 8 << 20

const maxDeleteKeys = 1000

type deleteXML struct {
	XMLName xml.Name `xml:"Delete"`
	Quiet   bool
	Object  []struct {
		Key       string
		VersionID string `xml:"VersionId"`
	}
}

type deletedXML struct {
	XMLName      xml.Name `xml:"DeleteResult"`
	EncodingType string   `xml:",omitempty"`
	Deleted      []deletedKeyXML
}

type deletedKeyXML struct {
	Key string
}

// deleteMany removes up to 1000 objects in one transaction. Absent keys count as deleted. One key that the caller may
// not delete refuses all.
func (c *call) deleteMany() error {
	if _, err := c.exists(); err != nil {
		return err
	}
	enc, err := c.encoding()
	if err != nil {
		return err
	}
	var doc deleteXML
	if _, err := c.document(&doc, maxDeleteBody); err != nil {
		return err
	}
	keys, err := c.deletable(doc)
	if err != nil {
		return err
	}
	if _, err := c.s.disk.Delete(c.ctx(), c.bucket, keys, c.write("ObjectRemoved:DeleteObjects", nil)); err != nil {
		return err
	}
	if doc.Quiet {
		return c.empty(http.StatusOK)
	}
	answer := deletedXML{EncodingType: c.query.Get("encoding-type")}
	for _, k := range keys {
		answer.Deleted = append(answer.Deleted, deletedKeyXML{enc(k)})
	}
	return c.xml(answer)
}

// deletable are the document's keys once each of them is valid and allowed.
func (c *call) deletable(doc deleteXML) ([]string, error) {
	if len(doc.Object) == 0 || len(doc.Object) > maxDeleteKeys {
		return nil, badRequest("MalformedXML", "a delete names 1 to %d objects, not %d", maxDeleteKeys, len(doc.Object))
	}
	keys := make([]string, 0, len(doc.Object))
	for _, o := range doc.Object {
		if o.VersionID != "" && o.VersionID != "null" {
			return nil, notImplemented("the sub-resource versionId")
		}
		if err := checkKey(o.Key); err != nil {
			return nil, err
		}
		if err := c.allowed("oss:DeleteObject", c.bucket, o.Key); err != nil {
			return nil, err
		}
		keys = append(keys, o.Key)
	}
	return keys, nil
}

var controlRef = regexp.MustCompile(`&#(x[0-9A-Fa-f]{1,6}|[0-9]{1,7});`)

// unmarshal reads an XML document, an empty one as nothing. Clients write control characters of keys as references that
// XML does not allow; these travel as private characters that the document does not use otherwise.
func unmarshal(raw []byte, v any) error {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return nil
	}
	base := privateBase(raw)
	used := false
	raw = controlRef.ReplaceAllFunc(raw, func(ref []byte) []byte {
		n := controlNumber(string(ref[2 : len(ref)-1]))
		if n < 0 || base == 0 {
			return ref
		}
		used = true
		return utf8.AppendRune(nil, base+rune(n))
	})
	if err := xml.Unmarshal(raw, v); err != nil {
		return err
	}
	if d, ok := v.(*deleteXML); ok && used {
		restoreControls(d, base)
	}
	return nil
}

// controlNumber is the control character that a reference names, -1 if it names another one.
func controlNumber(text string) int {
	radix := 10
	if hex, ok := strings.CutPrefix(text, "x"); ok {
		text, radix = hex, 16
	}
	n, err := strconv.ParseUint(text, radix, 32)
	if err != nil || n >= 0x20 || n == '\t' || n == '\n' || n == '\r' {
		return -1
	}
	return int(n)
}

// privateBase begins a run of 32 private characters that raw has none of; 0 if there is no such run.
func privateBase(raw []byte) rune {
	for base := rune(0xF0000); base < 0xF0400; base += 32 {
		if !bytes.ContainsFunc(raw, func(r rune) bool { return r >= base && r < base+32 }) {
			return base
		}
	}
	return 0
}

func restoreControls(d *deleteXML, base rune) {
	for i := range d.Object {
		d.Object[i].Key = strings.Map(func(r rune) rune {
			if r >= base && r < base+32 {
				return r - base
			}
			return r
		}, d.Object[i].Key)
	}
}
