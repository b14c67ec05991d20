package sls

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"fcd/fc"
	"fcd/ram"
	"fcd/sign"
)

// maxBodyBytes bounds a request as sent: a group that does not compress, and the compression's own bytes.
const maxBodyBytes = maxRawBytes + maxRawBytes/128 + 4096

// call is one request on its way through a handler.
type call struct {
	s       *Server
	w       http.ResponseWriter
	r       *http.Request
	body    []byte
	project string            // "" for requests to the endpoint itself
	parts   map[string]string // what stood for "{name}" in the route
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := requestID()
	w.Header().Set("x-log-requestid", id)
	c := &call{s: s, w: w, r: r, project: projectOf(r.Host, s.opts.Domain)}
	action := "unknown"
	rec := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	c.w = rec
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			s.log.Error("log service request panicked", zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))
			c.fail(refuse(http.StatusInternalServerError, "InternalServerError", "an internal error has occurred"))
		}
		s.metrics.requests.WithLabelValues(action, strconv.Itoa(rec.status)).Inc()
	}()
	rt, err := c.route()
	if err == nil {
		action = rt.action
		err = c.admit(rt)
	}
	if err == nil {
		err = rt.handle(c)
	}
	if err != nil {
		if _, ours := asAPIError(err); !ours && !errors.Is(err, context.Canceled) {
			s.log.Error("log service request failed", zap.String("action", action), zap.String("requestId", id), zap.Error(err))
		}
		c.fail(err)
	}
}

// statusWriter remembers the status for metrics, and whether an answer has begun.
type statusWriter struct {
	http.ResponseWriter
	status int
	begun  bool
}

func (w *statusWriter) WriteHeader(status int) {
	w.status, w.begun = status, true
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	w.begun = true
	return w.ResponseWriter.Write(b)
}

func requestID() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return strings.ToUpper(hex.EncodeToString(b[:]))
}

// projectOf tells the project of a request from its Host: the first label, unless the host is an endpoint as such (the
// configured domain, <region>.log.aliyuncs.com, an address or a bare name).
func projectOf(host, domain string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if host == strings.ToLower(domain) || net.ParseIP(host) != nil {
		return ""
	}
	if region, ok := strings.CutSuffix(host, ".log.aliyuncs.com"); ok && !strings.Contains(region, ".") {
		return ""
	}
	project, _, found := strings.Cut(host, ".")
	if !found {
		return ""
	}
	return project
}

// admit reads the body and checks signature and policy.
func (c *call) admit(rt *route) error {
	var err error
	c.body, err = io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, maxBodyBytes))
	var tooBig *http.MaxBytesError
	if errors.As(err, &tooBig) {
		return badRequest("PostBodyTooLarge", "the body has more than %d bytes", tooBig.Limit)
	}
	if err != nil {
		return badRequest("BadRequest", "the body could not be read: %v", err)
	}
	who, err := c.authenticate()
	if err != nil {
		return err
	}
	if rt.action == "CreateProject" && c.project == "" {
		if c.project, err = c.newProject(); err != nil {
			return err
		}
	}
	resource := fc.ARN{Service: "log", Region: c.s.opts.Region, Account: c.s.opts.AccountID, Resource: c.resource()}.String()
	source, _, _ := net.SplitHostPort(c.r.RemoteAddr)
	env := ram.Env{"acs:SourceIp": source, "acs:SecureTransport": strconv.FormatBool(c.r.TLS != nil)}
	if err := c.s.opts.Policy.Allowed(who, "log:"+rt.action, resource, env); err != nil {
		return refuse(http.StatusUnauthorized, "Unauthorized", "denied by sts or ram, action: log:%s, resource: %s", rt.action, resource)
	}
	return nil
}

func (c *call) authenticate() (ram.Principal, error) {
	sig, err := sign.ParseSLS(c.r, c.body)
	if err != nil {
		return ram.Principal{}, err
	}
	if sig.Skewed(c.s.opts.Clock()) {
		return ram.Principal{}, badRequest("RequestTimeTooSkewed", "the time of the request is more than 15 minutes from the server's")
	}
	id, err := c.s.opts.Keys.Authenticate(sig.AccessKeyID, sig.Token)
	if fc.CodeOf(err) == fc.AccessDenied {
		return ram.Principal{}, refuse(http.StatusUnauthorized, "Unauthorized", "the security token of access key ID %s is missing, wrong or expired", sig.AccessKeyID)
	}
	if err != nil {
		return ram.Principal{}, refuse(http.StatusUnauthorized, "Unauthorized", "access key ID %s is unknown", sig.AccessKeyID)
	}
	if !sig.Verify(id.Secret) {
		return ram.Principal{}, refuse(http.StatusUnauthorized, "SignatureNotMatch", "signature of access key ID %s does not match", sig.AccessKeyID)
	}
	return id.Principal, nil
}

// resource is the request's part of a resource name.
func (c *call) resource() string {
	if c.project == "" {
		return "project/*"
	}
	res := "project/" + c.project
	if l := c.parts["logstore"]; l != "" {
		res += "/logstore/" + l
	}
	if g := c.parts["group"]; g != "" {
		res += "/consumergroup/" + g
	}
	return res
}

// logstore is the one that the route names.
func (c *call) logstore() (*logstore, error) { return c.s.logstore(c.project, c.parts["logstore"]) }

// readJSON decodes the body.
func (c *call) readJSON(into any) error {
	if err := json.Unmarshal(c.body, into); err != nil {
		return badRequest("PostBodyInvalid", "the body is not the JSON expected here: %v", err)
	}
	return nil
}

// json answers 200 with v.
func (c *call) json(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return c.bytes("application/json", b)
}

// ok answers 200 with nothing, also no type: the Node client parses whatever is called JSON.
func (c *call) ok() error { return c.bytes("", nil) }

func (c *call) bytes(contentType string, b []byte) error {
	h := c.w.Header()
	if contentType != "" {
		h.Set("Content-Type", contentType)
	}
	h.Set("Content-Length", strconv.Itoa(len(b)))
	c.w.WriteHeader(http.StatusOK)
	_, _ = c.w.Write(b) // a client that has gone needs no answer
	return nil
}

func (c *call) fail(err error) {
	if rec, ok := c.w.(*statusWriter); ok && rec.begun {
		return
	}
	api, _ := asAPIError(err)
	b, merr := json.Marshal(map[string]string{"errorCode": api.code, "errorMessage": api.message})
	if merr != nil {
		b = []byte(`{"errorCode":"InternalServerError","errorMessage":""}`)
	}
	h := c.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(b)))
	c.w.WriteHeader(api.status)
	_, _ = c.w.Write(b) // a client that has gone needs no answer
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
