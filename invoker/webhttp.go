package invoker

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"fcd/fc"
	"fcd/invoker/runtimes/frame"
)

// httpInvokePath is the control path of a request that came to an HTTP trigger. The path of the request itself is the
// caller's.
const httpInvokePath = "/http-invoke"

// forward makes the request that a caller of an HTTP trigger sent, as it came, with what every request tells.
func (w *web) forward(ctx context.Context, r run) (*http.Request, error) {
	in := r.http
	body := in.Body
	if body == nil {
		body = http.NoBody
	}
	req, err := http.NewRequestWithContext(ctx, in.Method, "http://"+w.address+in.URI, io.NopCloser(body))
	if err != nil {
		return nil, &verdict{message: fmt.Sprintf("the request cannot be passed on: %v", err), errorType: "InvalidRequest"}
	}
	params, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	h := w.header(r)
	h["x-fc-control-path"] = []string{httpInvokePath}
	delete(h, "content-type")
	delete(h, "user-agent")
	for name, values := range in.Headers {
		h[name] = values
	}
	delete(h, "host")
	delete(h, "content-length")
	if _, ok := h["user-agent"]; !ok {
		h["User-Agent"] = nil // else the client adds its own
	}
	h["x-fc-http-params"] = []string{base64.StdEncoding.EncodeToString(params)}
	req.Header, req.Host, req.ContentLength = h, in.Host, length(in)
	if req.ContentLength == 0 {
		req.Body = http.NoBody
	}
	return req, nil
}

// length is the size of a request's body; -1 if only its end will tell, 0 if there is none.
func length(in *fc.HTTPRequest) int64 {
	if in.Body == nil || in.Body == http.NoBody {
		return 0
	}
	if v := in.Headers["content-length"]; len(v) == 1 {
		if n, err := strconv.ParseInt(v[0], 10, 64); err == nil && n >= 0 {
			return n
		}
	}
	return -1
}

// relay hands an answer on to the caller while it comes.
func (w *web) relay(ctx context.Context, r run, resp *http.Response) (frame.Answer, error) {
	a := frame.Answer{Type: frame.TypeResult, ID: r.request.ID, Status: resp.StatusCode, Headers: resp.Header}
	if a.Status < minStatus || a.Status > maxStatus {
		return a, nil // judged as any other's
	}
	if r.http.Begin == nil {
		limit := w.v.opt.Limits.MaxResultBytes
		body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
		if err != nil {
			return a, w.broken(ctx, err)
		}
		a.Body = body
		return a, nil
	}
	out := &caller{w: r.http.Begin(fc.HTTPResponse{Status: a.Status, Headers: resp.Header, Streamed: true})}
	a.Streamed = true
	_, err := io.Copy(out, resp.Body)
	switch {
	case out.err != nil:
		return a, &verdict{message: "the caller went away before the end of the answer", errorType: "CallerGone"}
	case err != nil:
		return a, w.broken(ctx, err)
	}
	return a, nil
}

// caller remembers that it took no more.
type caller struct {
	w   io.Writer
	err error
}

func (c *caller) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	if err != nil {
		c.err = err
	}
	return n, err
}
