package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"

	"fcd/fc"
)

// Response headers.
const (
	headerRequestID    = "X-Fc-Request-Id"
	headerErrorType    = "X-Fc-Error-Type"
	headerLogResult    = "X-Fc-Log-Result"
	headerDuration     = "X-Fc-Invocation-Duration"
	headerMaxMemory    = "X-Fc-Max-Memory-Usage"
	headerCodeChecksum = "X-Fc-Code-Checksum"
	headerVersion      = "X-Fc-Invocation-Service-Version"
	headerInstanceID   = "X-Fc-Instance-Id"
	headerInvocationID = "X-Fc-Stateful-Async-Invocation-Id"
	headerExpose       = "Access-Control-Expose-Headers"
	headerOSSChecksum  = "X-Oss-Hash-Crc64ecma"
)

const (
	typeJSON  = "application/json; charset=utf-8"
	typeBytes = "application/octet-stream"
)

// answer is what a handler gives back. No content type means no body at all.
type answer struct {
	status      int
	etag        string
	header      []header
	own         map[string][]string // headers that a function chose; its content type goes before contentType
	contentType string
	body        []byte
	sent        bool // as a stream, already
}

// header is a response header; its name is in canonical form.
type header struct{ name, value string }

// resource is the 200 answer that shows v.
func resource(v any, etag string) (answer, error) {
	b, err := encode(v)
	return answer{status: http.StatusOK, etag: etag, contentType: typeJSON, body: b}, err
}

var deleted = answer{status: http.StatusNoContent}

// errorAnswer renders e with its keys in both cases: existing clients read one or the other.
func errorAnswer(e *fc.Error) answer {
	b, err := encode(struct {
		UpperCode    fc.Code `json:"ErrorCode"`
		UpperMessage string  `json:"ErrorMessage"`
		Code         fc.Code `json:"errorCode"`
		Message      string  `json:"errorMessage"`
	}{e.Code, e.Message, e.Code, e.Message})
	if err != nil {
		panic(err) // four strings always encode
	}
	return answer{status: e.Status(), contentType: typeJSON, body: b}
}

// encode renders compact JSON without HTML escapes and without a final newline.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// write sends the answer and returns its status. A client that has gone away is no error.
func (a *API) write(c *call, ans answer) int {
	if ans.sent {
		return ans.status
	}
	if ans.etag != "" {
		c.set("Etag", ans.etag)
	}
	if ans.contentType == "" || !allowsBody(ans.status) {
		a.head(c, ans)
		return ans.status
	}
	c.set("Content-Length", strconv.Itoa(len(ans.body)))
	a.head(c, ans)
	_, _ = c.w.Write(ans.body)
	return ans.status
}

// head sends the status and the headers.
func (a *API) head(c *call, ans answer) {
	h := c.w.Header()
	for _, f := range ans.header {
		c.set(f.name, f.value)
	}
	setOwn(h, ans.own)
	if ans.contentType != "" && allowsBody(ans.status) && len(h["Content-Type"]) == 0 {
		c.set("Content-Type", ans.contentType)
	} else if len(h["Content-Type"]) == 0 {
		h["Content-Type"] = nil // no sniffing
	}
	c.w.WriteHeader(ans.status)
}
