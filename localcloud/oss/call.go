package oss

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"go.uber.org/zap"

	"fcd/fc"
	"fcd/localcloud/oss/disk"
	"fcd/ram"
)

// call is one request on its way.
type call struct {
	s      *Server
	w      *answer
	r      *http.Request
	query  url.Values
	body   *counter
	id     string // request id, 24 upper-case hex digits
	start  time.Time
	op     *operation
	bucket string
	key    string
	who    ram.Principal // the zero value: anonymous
	anon   bool
}

func newCall(s *Server, w http.ResponseWriter, r *http.Request) *call {
	var id [12]byte
	rand.Read(id[:]) // never fails
	c := &call{s: s, w: &answer{ResponseWriter: w}, r: r, query: r.URL.Query(), id: fmt.Sprintf("%X", id[:]), start: s.opts.Now(), op: unknownOperation}
	c.body = &counter{r: r.Body}
	h := w.Header()
	h.Set("x-oss-request-id", c.id)
	h.Set("Date", c.start.UTC().Format(http.TimeFormat))
	h.Set("Server", "fcd")
	c.w.before = func() { h.Set("x-oss-server-time", strconv.FormatInt(s.opts.Now().Sub(c.start).Milliseconds(), 10)) }
	return c
}

func (c *call) ctx() context.Context { return c.r.Context() }

// serve finds the operation, checks the caller and runs it.
func (c *call) serve() error {
	if err := c.locate(); err != nil {
		return err
	}
	if err := c.authenticate(); err != nil {
		return err
	}
	if err := c.checkNames(); err != nil {
		return err
	}
	if err := c.authorize(); err != nil {
		return err
	}
	return c.op.serve(c)
}

// locate finds what the request is about.
func (c *call) locate() (err error) {
	if c.bucket, c.key, err = c.s.address(c.r); err != nil {
		return err
	}
	op, err := c.route()
	if err == nil {
		c.op = op
	}
	return err
}

func (c *call) checkNames() error {
	if c.bucket == "" {
		return nil
	}
	if err := checkBucketName(c.bucket); err != nil || c.key == "" {
		return err
	}
	return checkKey(c.key)
}

// fail answers an error, or breaks the connection when an answer is already under way.
func (c *call) fail(err error) {
	e := asError(err)
	if e.Status >= http.StatusInternalServerError && e.Status != http.StatusNotImplemented {
		c.s.opts.Log.Error("object request", zap.String("requestId", c.id), zap.String("operation", c.op.name),
			zap.String("bucket", c.bucket), zap.Error(err))
	}
	if c.w.status != 0 {
		if c.w.status < 300 {
			panic(http.ErrAbortHandler) // the only way to tell a client that a body is cut short
		}
		return
	}
	h := c.w.Header()
	for k, v := range e.Header {
		h.Set(k, v)
	}
	if e.Status == http.StatusNotModified {
		c.w.WriteHeader(e.Status)
		return
	}
	c.writeError(e)
}

// errorBody is the service's error document.
type errorBody struct {
	XMLName   xml.Name `xml:"Error"`
	Code      string
	Message   string
	RequestID string `xml:"RequestId"`
	HostID    string `xml:"HostId"`
}

// writeError writes the document as the body or, for HEAD, in a header.
func (c *call) writeError(e *Error) {
	doc, _ := xml.Marshal(errorBody{Code: e.Code, Message: e.Message, RequestID: c.id, HostID: hostname(c.r.Host)}) // strings only
	doc = append([]byte(xml.Header), doc...)
	h := c.w.Header()
	h.Del("ETag")
	h.Set("Content-Type", "application/xml")
	if c.r.Method == http.MethodHead {
		h.Set("x-oss-err", base64.StdEncoding.EncodeToString(doc))
		h.Set("Content-Length", "0")
		c.w.WriteHeader(e.Status)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(doc)))
	c.w.WriteHeader(e.Status)
	c.w.Write(doc)
}

// xml answers 200 with a document.
func (c *call) xml(v any) error { return c.xmlStatus(http.StatusOK, v) }

func (c *call) xmlStatus(status int, v any) error {
	doc, err := xml.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	h := c.w.Header()
	h.Set("Content-Type", "application/xml")
	h.Set("Content-Length", strconv.Itoa(len(xml.Header)+len(doc)))
	c.w.WriteHeader(status)
	io.WriteString(c.w, xml.Header)
	c.w.Write(doc)
	return nil
}

// empty answers a status without a body.
func (c *call) empty(status int) error {
	if status != http.StatusNoContent {
		c.w.Header().Set("Content-Length", "0")
	}
	c.w.WriteHeader(status)
	return nil
}

// document reads a small XML body into v.
func (c *call) document(v any, limit int64) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(c.body, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(raw)) > limit {
		return nil, badRequest("MalformedXML", "the XML body is larger than %d bytes", limit)
	}
	if err := c.checkMD5(raw); err != nil {
		return nil, err
	}
	if err := unmarshal(raw, v); err != nil {
		return nil, badRequest("MalformedXML", "the XML you provided was not well-formed: %v", err)
	}
	return raw, nil
}

// write is the event of this request for package disk, with a guard.
func (c *call) write(event string, guard func(*disk.Object) error) disk.Write {
	return disk.Write{Guard: guard, Event: fc.ObjectEvent{
		Name: event, SourceIP: c.ip(), RequestID: c.id, PrincipalID: principalID(c.who),
	}}
}

func (c *call) ip() string { return hostname(c.r.RemoteAddr) }

// principalID is how events name a requester: the account's number for its own key, else the user's or role's name.
func principalID(p ram.Principal) string {
	switch {
	case p.Kind == ram.KindRoot:
		return p.Account
	case p.Session != "":
		return p.Name + ":" + p.Session
	}
	return p.Name
}
