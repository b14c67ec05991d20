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
	contentType string
	body        []byte
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
	h := c.w.Header()
	values := make([]string, len(ans.header)) // of all, in one allocation
	for i, f := range ans.header {
		values[i] = f.value
		h[f.name] = values[i : i+1 : i+1]
	}
	if ans.etag != "" {
		h.Set("Etag", ans.etag)
	}
	if ans.contentType == "" {
		h["Content-Type"] = nil // no sniffing
		c.w.WriteHeader(ans.status)
		return ans.status
	}
	h.Set("Content-Type", ans.contentType)
	h.Set("Content-Length", strconv.Itoa(len(ans.body)))
	c.w.WriteHeader(ans.status)
	_, _ = c.w.Write(ans.body)
	return ans.status
}
