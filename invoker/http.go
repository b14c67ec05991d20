package invoker

import (
	"fmt"
	"io"
	"net/http"

	"fcd/fc"
	"fcd/invoker/runtimes/frame"
)

// collect reads the body of an HTTP call, unless the function's program takes it as a stream. It is done before an
// instance is looked for: a slow client does not hold one.
func (v *Invoker) collect(call *fc.Call, t *fc.Target) error {
	if call.HTTP == nil || call.HTTP.Body == nil || v.streams(t) {
		return nil
	}
	limit := v.opt.Limits.MaxSyncBodyBytes
	body, err := io.ReadAll(io.LimitReader(call.HTTP.Body, limit+1))
	if err != nil {
		return &fc.Error{Code: fc.InvalidArgument, Message: "the request body could not be read to its end", Err: err}
	}
	call.Payload = body
	return nil
}

// streams tells whether requests and answers of HTTP triggers go through as streams.
func (v *Invoker) streams(t *fc.Target) bool {
	rt, err := v.opt.Runtimes.Get(t.Function.Runtime)
	return err == nil && rt.ServesHTTP()
}

// Bounds of what a function may answer as a status.
const (
	minStatus = 200
	maxStatus = 599
)

// httpResponse is the status and the headers that a bootstrap gave for an HTTP call; nil for an event.
func httpResponse(r run, a frame.Answer) (*fc.HTTPResponse, error) {
	switch {
	case r.http == nil || a.Type != frame.TypeResult:
		return nil, nil
	case a.Streamed:
		return &fc.HTTPResponse{Status: a.Status, Streamed: true}, nil
	case a.Status == 0:
		a.Status = http.StatusOK
	case a.Status < minStatus || a.Status > maxStatus:
		return nil, fmt.Errorf("status %d is not between %d and %d", a.Status, minStatus, maxStatus)
	}
	return &fc.HTTPResponse{Status: a.Status, Headers: a.Headers}, nil
}
