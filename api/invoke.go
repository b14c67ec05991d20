package api

import (
	"context"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"

	"fcd/fc"
	"fcd/store"
)

// Values of the invocation headers.
const (
	invokeSync  = "Sync"
	invokeAsync = "Async"
	logNone     = "None"
	logTail     = "Tail"
)

// exposed are the response headers that a browser may read.
const exposed = "Date,x-fc-request-id,x-fc-error-type,x-fc-code-checksum,x-fc-invocation-duration," +
	"x-fc-max-memory-usage,x-fc-log-result,x-fc-invocation-code-version"

func (a *API) invokeFunction(c *call) (answer, error) {
	if !a.unrestricted(c.caller) {
		if err := a.authorize(c, a.functionARN(c.params.ref())); err != nil {
			return answer{}, err
		}
	}
	async, tail, err := invocationKind(c.Header)
	if err != nil {
		return answer{}, err
	}
	limit := a.o.Limits.MaxSyncBodyBytes
	if async {
		limit = a.o.Limits.MaxAsyncBodyBytes
	}
	event, err := readBody(c, limit)
	if err != nil {
		return answer{}, err
	}
	if async {
		return a.enqueue(c, event)
	}
	return a.invoke(c, event, tail)
}

// invocationKind reads the two headers that say how to invoke.
func invocationKind(h http.Header) (async, tail bool, err error) {
	kind, log := h.Get("X-Fc-Invocation-Type"), h.Get("X-Fc-Log-Type")
	switch kind {
	case "", invokeSync:
	case invokeAsync:
		async = true
	default:
		return false, false, fc.InvalidField("InvocationType", invokeSync+" | "+invokeAsync, kind)
	}
	allowed := logTail + " | " + logNone
	if async {
		allowed = logNone
	}
	switch {
	case log == "" || log == logNone:
	case log == logTail && !async:
		tail = true
	default:
		return false, false, fc.InvalidField("LogType", allowed, log)
	}
	return async, tail, nil
}

// enqueue takes an asynchronous invocation over: 202 once it is durable. An unknown function is refused at once.
func (a *API) enqueue(c *call, event []byte) (answer, error) {
	ref := c.params.ref()
	if _, err := a.o.Catalog.Target(ref); err != nil {
		return answer{}, err
	}
	id := c.Header.Get(headerInvocationID)
	if id != "" {
		if err := validateInvocationID(id); err != nil {
			return answer{}, err
		}
	}
	now := a.o.Now().UTC()
	batch := store.Batch{Enqueue: []store.Msg{
		{RequestID: c.requestID, Fn: ref.String(), InvocationID: id, Enqueued: now, NotAfter: now.Add(a.o.AsyncMaxAge), Payload: event},
	}}
	// The client may hang up; what was begun is finished, so that no answer and no invocation go together.
	ctx := context.WithoutCancel(c.Context())
	done, err := a.o.Store.Apply(ctx, batch)
	if err != nil {
		return answer{}, storeError("Apply", err)
	}
	if id == "" {
		return answer{status: http.StatusAccepted}, nil
	}
	if len(done.Duplicates) > 0 { // the same invocation: it is known by the request id of the first request
		a.sameRequest(ctx, c, ref, id)
	}
	return answer{status: http.StatusAccepted, header: []header{{headerInvocationID, id}}}, nil
}

// sameRequest answers a repeated request with the request id of the first.
func (a *API) sameRequest(ctx context.Context, c *call, ref fc.FunctionRef, id string) {
	if a.o.Invocations == nil {
		return
	}
	if inv, err := a.o.Invocations.FindByID(ctx, ref.String(), id); err == nil {
		c.w.Header().Set(headerRequestID, inv.RequestID)
	}
}

// invoke runs the function and renders its result or its error.
func (a *API) invoke(c *call, event []byte, tail bool) (answer, error) {
	res, err := a.o.Invoker.Invoke(c.Context(), fc.Call{
		RequestID: c.requestID, Ref: c.params.ref(), Payload: event, Tail: tail,
	})
	if err != nil {
		return answer{}, err
	}
	ans := a.invocation(res)
	if tail {
		ans.header = append(ans.header, header{headerLogResult, base64.StdEncoding.EncodeToString(res.LogTail)})
	}
	return ans, nil
}

// invocation is the answer of an invocation that took place.
func (a *API) invocation(res fc.Result) answer {
	ans := answer{
		status:      http.StatusOK,
		contentType: typeBytes,
		body:        res.Body,
		header: []header{
			{headerDuration, strconv.FormatInt(res.Duration.Milliseconds(), 10)},
			{headerMaxMemory, strconv.FormatFloat(res.MaxMemoryMB, 'f', 2, 64)},
			{headerCodeChecksum, res.CodeChecksum},
			{headerVersion, res.VersionID},
			{headerInstanceID, res.InstanceID},
			{headerExpose, exposed},
		},
	}
	if res.ErrorType != "" {
		ans.header = append(ans.header, header{headerErrorType, res.ErrorType})
		ans.contentType = strings.TrimSuffix(typeJSON, "; charset=utf-8")
	}
	return ans
}
