package api

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"

	"fcd/fc"
	"fcd/ram"
)

const (
	defaultCodeURLLifetime = 10 * time.Minute
	defaultAsyncMaxAge     = 5 * time.Hour
	defaultUploadBytes     = 512 << 20
)

// API answers the requests of the REST interface. It is made by New and safe for concurrent use.
type API struct {
	o       Options
	log     *zap.Logger
	metrics *metrics
	uploads *semaphore.Weighted // bytes of bodies being read
	codeURL codeURL
}

// New checks the options and returns the handler.
func New(o Options) (http.Handler, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, err
	}
	return &API{
		o:       o,
		log:     o.Log.Named("api"),
		metrics: m,
		uploads: semaphore.NewWeighted(o.UploadBytes),
		codeURL: codeURL{key: o.CodeURLKey, lifetime: o.CodeURLLifetime},
	}, nil
}

func (o *Options) complete() error {
	for name, missing := range map[string]bool{
		"Store": o.Store == nil, "Catalog": o.Catalog == nil, "Packages": o.Packages == nil, "Invoker": o.Invoker == nil,
		"Keys": o.Keys == nil, "Policy": o.Policy == nil, "Triggers": o.Triggers == nil, "ExternalURL": o.ExternalURL == nil,
		"Region": o.Region == "", "AccountID": o.AccountID == "",
	} {
		if missing {
			return fmt.Errorf("api: option %s is not set", name)
		}
	}
	if o.Limits == (fc.Limits{}) {
		o.Limits = fc.DefaultLimits()
	}
	if o.AsyncMaxAge == 0 {
		o.AsyncMaxAge = defaultAsyncMaxAge
	}
	if o.CodeURLLifetime == 0 {
		o.CodeURLLifetime = defaultCodeURLLifetime
	}
	if o.UploadBytes == 0 {
		o.UploadBytes = defaultUploadBytes
	}
	o.UploadBytes = max(o.UploadBytes, o.Limits.MaxRequestBytes)
	o.Disk = cmp.Or(o.Disk, "the data directory")
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if len(o.CodeURLKey) == 0 {
		o.CodeURLKey = make([]byte, 32)
		rand.Read(o.CodeURLKey) // never fails
	}
	return nil
}

// call is one request on its way through the package.
type call struct {
	*http.Request
	w         http.ResponseWriter
	requestID string
	arrived   time.Time
	op        *operation
	params    params
	caller    ram.Principal
	values    []string   // of the answer's header, one behind the other
	room      [10]string // what values begins in
}

// set sets a field of the answer's header; its name is in canonical form.
func (c *call) set(name, value string) {
	n := len(c.values)
	c.values = append(c.values, value)
	c.w.Header()[name] = c.values[n : n+1 : n+1]
}

// ServeHTTP answers one request. A panic of a handler is logged and answered as InternalServerError.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{Request: r, w: w, requestID: fc.NewRequestID(), arrived: a.o.Now(), op: unrouted}
	c.values = c.room[:0]
	c.set(headerRequestID, c.requestID)
	status := http.StatusInternalServerError
	defer func() {
		a.metrics.observe(c.op, status, a.o.Now().Sub(c.arrived))
	}()
	if strings.HasPrefix(r.URL.Path, codePath) {
		c.op = codeDownload
		status = a.serveCode(c)
		return
	}
	handle := (*API).operate
	if strings.HasPrefix(r.URL.Path, proxyPath) && strings.HasPrefix(r.URL.EscapedPath(), proxyPath) {
		handle = (*API).proxy
	}
	ans, err := a.guarded(c, handle)
	if err != nil {
		a.drain(c)
		ans = a.refusal(c, err)
	}
	status = a.write(c, ans)
}

// guarded runs the request and turns a panic into an error.
func (a *API) guarded(c *call, handle func(*API, *call) (answer, error)) (ans answer, err error) {
	defer func() {
		switch p := recover(); {
		case p == nil:
		case p == http.ErrAbortHandler:
			panic(p)
		default:
			err = fc.Internal(c.op.name, fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	return handle(a, c)
}

// operate runs one of the operations.
func (a *API) operate(c *call) (answer, error) {
	if err := a.authenticate(c); err != nil {
		return answer{}, err
	}
	if err := a.route(c); err != nil {
		return answer{}, err
	}
	return c.op.run(a, c)
}

// drain reads what is left of the body of a caller whose signature was right: many clients look for the answer only after
// they have sent everything, and take a closed connection for a broken network.
func (a *API) drain(c *call) {
	if c.caller.Kind != "" && c.Header.Get("Expect") == "" {
		_, _ = io.CopyN(io.Discard, c.Body, a.o.Limits.MaxRequestBytes)
	}
}

// refusal is the answer for an error. Errors that are not the API's own become InternalServerError, and the cause of
// those is only logged.
func (a *API) refusal(c *call, err error) answer {
	var e *fc.Error
	switch {
	case a.diskTrouble(err) != "":
		e = &fc.Error{Code: fc.ResourceThrottled, Message: a.diskTrouble(err), Err: err}
	case errors.As(err, &e):
	case c.Context().Err() != nil:
		e = &fc.Error{Code: fc.ResourceThrottled, Message: "the request was given up", Err: err}
	default:
		e = fc.Internal(c.op.name, err)
	}
	fields := []zap.Field{zap.String("operation", c.op.name), zap.String("requestId", c.requestID),
		zap.String("code", string(e.Code)), zap.Error(err)}
	if e.Status() >= http.StatusInternalServerError && c.Context().Err() == nil {
		a.log.Error("request failed", fields...)
	} else {
		a.log.Debug("request refused", fields...)
	}
	return errorAnswer(e)
}
