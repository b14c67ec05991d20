package oss

import (
	"encoding/xml"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"path"
	"slices"
	"strings"

	"fcd/localcloud/oss/disk"
)

const maxFormBytes = 1 << 20 // of all fields before the file

type postedXML struct {
	XMLName  xml.Name `xml:"PostResponse"`
	Bucket   string
	Location string
	Key      string
	ETag     string
}

// form is a form upload: its fields, names lower-cased, and the file that ends it.
type form struct {
	fields map[string]string
	file   *multipart.Part
}

// postObject stores the file of a form that a browser sent; the form carries its own signature and policy.
func (c *call) postObject() error {
	if !isForm(c.r) {
		return badRequest("MalformedPOSTRequest", "the body of your POST request is not multipart/form-data")
	}
	f, err := c.readForm()
	if err != nil {
		return err
	}
	defer f.file.Close()
	c.key = strings.ReplaceAll(f.fields["key"], "${filename}", path.Base(f.file.FileName()))
	if err := checkKey(c.key); err != nil {
		return err
	}
	limits, err := c.admitForm(f)
	if err != nil {
		return err
	}
	f.toHeader(c.r.Header)
	o, err := c.storeForm(f, limits)
	if err != nil {
		return err
	}
	return c.answerForm(f, o)
}

// readForm reads the fields up to the file.
func (c *call) readForm() (form, error) {
	c.r.Body = io.NopCloser(c.body)
	parts, err := c.r.MultipartReader()
	if err != nil {
		return form{}, badRequest("MalformedPOSTRequest", "the form: %v", err)
	}
	f := form{fields: map[string]string{}}
	left := int64(maxFormBytes)
	for {
		p, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return form{}, badRequest("IncorrectNumberOfFilesInPOSTRequest", "the form has no field named file")
		}
		if err != nil {
			return form{}, badRequest("MalformedPOSTRequest", "the form: %v", err)
		}
		name := strings.ToLower(p.FormName())
		if name == "callback" {
			return form{}, notImplemented("the form field callback")
		}
		if name == "file" {
			f.file = p
			return f, nil
		}
		v, err := io.ReadAll(io.LimitReader(p, left+1))
		if left -= int64(len(v)); err != nil || left < 0 {
			return form{}, badRequest("FieldItemTooLong", "the form's fields before the file are cut short or larger than %d bytes", maxFormBytes)
		}
		f.fields[name] = string(v)
	}
}

// toHeader says in headers what stands in fields here, so that a form's object is made as a put's is.
func (f form) toHeader(h http.Header) {
	for name, v := range f.fields {
		if strings.HasPrefix(name, "x-oss-") || slices.Contains(keptHeaders, name) {
			h.Set(name, v)
		}
	}
	h.Set("Content-Type", f.contentType())
}

func (f form) contentType() string {
	for _, t := range []string{f.fields["x-oss-content-type"], f.fields["content-type"], f.file.Header.Get("Content-Type")} {
		if t != "" {
			return t
		}
	}
	return defaultType
}

func (c *call) storeForm(f form, limits span) (disk.Object, error) {
	attrs, err := c.attrs()
	if err != nil {
		return disk.Object{}, err
	}
	guard := c.guard()
	if err := c.precheck(guard); err != nil {
		return disk.Object{}, err
	}
	s, err := c.s.disk.Stage(c.ctx(), f.file, min(limits.size, disk.MaxObject))
	if err != nil {
		return disk.Object{}, err
	}
	if s.Size < limits.offset {
		s.Discard()
		return disk.Object{}, badRequest("EntityTooSmall", "the file has %d bytes, the policy wants at least %d", s.Size, limits.offset)
	}
	return c.s.disk.Put(c.ctx(), disk.Object{Bucket: c.bucket, Key: c.key, Attrs: attrs}, s,
		c.write("ObjectCreated:PostObject", guard))
}

func (c *call) answerForm(f form, o disk.Object) error {
	c.sums(o)
	if to := f.fields["success_action_redirect"]; to != "" {
		c.w.Header().Set("Location", to)
		return c.empty(http.StatusSeeOther)
	}
	switch f.fields["success_action_status"] {
	case "200":
		return c.empty(http.StatusOK)
	case "201":
		location := "http://" + c.r.Host + "/" + percentEncode(c.key)
		return c.xmlStatus(http.StatusCreated, postedXML{Bucket: c.bucket, Location: location, Key: c.key, ETag: quote(o.ETag)})
	}
	return c.empty(http.StatusNoContent)
}
