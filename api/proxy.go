package api

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"fcd/fc"
)

// proxyPath begins the paths of functions that have an http trigger: service, function and whatever they make of the rest.
const proxyPath = basePath + "proxy/"

// proxied is the operation of a call through an http trigger, for metrics.
var proxied = &operation{name: "InvokeHTTPFunction"}

// anonymous is the authType that takes requests of everybody.
const anonymous = "anonymous"

// ownHeaders concern one connection alone or belong to the service: a function neither sees nor sets them, nor any that
// begins with "x-fc-".
var ownHeaders = []string{"connection", "keep-alive", "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}

// proxy hands a request to the function that its path names. Everybody may call a function whose trigger says so; for
// all others a signature by somebody who may invoke the function comes first, so that nobody else learns what exists.
func (a *API) proxy(c *call) (answer, error) {
	c.op = proxied
	// A function, or a refusal, may answer before all of the request has come.
	_ = http.NewResponseController(c.w).EnableFullDuplex()
	path, pathErr := c.readProxyPath()
	t, found := a.o.Catalog.HTTPTrigger(c.params.service, c.params.function)
	rules, err := httpRules(t)
	if err != nil {
		return answer{}, err
	}
	open := pathErr == nil && rules.AuthType == anonymous
	if !open {
		if err := a.authenticate(c); err != nil {
			return answer{}, err
		}
	}
	if pathErr != nil {
		return answer{}, pathErr
	}
	ref := c.params.ref()
	if !open {
		if err := a.o.Policy.Allowed(c.caller, "fc:InvokeFunction", a.functionARN(ref), a.environment(c)); err != nil {
			return answer{}, err
		}
	}
	target, err := a.o.Catalog.Target(ref)
	switch {
	case err != nil:
		return answer{}, err
	case !found:
		return answer{}, fc.Errorf(fc.TriggerNotFound, "function '%s' in service '%s' has no http trigger", ref.Function, ref.Service)
	case !slices.Contains(rules.Methods, c.Method):
		return answer{}, fc.Errorf(fc.MethodNotAllowed, "method '%s' is not among those of trigger '%s': %s", c.Method, t.Name, strings.Join(rules.Methods, ", "))
	}
	return a.invokeHTTP(c, target, c.httpRequest(path, open))
}

// httpRules is the configuration of an http trigger; the zero value for none.
func httpRules(t *fc.Trigger) (rules struct {
	AuthType string   `json:"authType"`
	Methods  []string `json:"methods"`
}, err error) {
	if t == nil {
		return rules, nil
	}
	if err := json.Unmarshal(t.Config, &rules); err != nil {
		return rules, fc.Internal("api.httpRules "+t.Path(), err)
	}
	return rules, nil
}

// Streams tells whether the request of a target may be answered as a stream, or be kept for a moment after its answer:
// the server must be able to flush, and must not use the memory of the request again.
func Streams(target string) bool { return strings.HasPrefix(target, proxyPath) }

// readProxyPath reads service, qualifier and function, and returns what follows, unescaped and with its first slash.
func (c *call) readProxyPath() (path string, err error) {
	rest := strings.TrimPrefix(c.URL.EscapedPath(), proxyPath)
	service, rest, _ := strings.Cut(rest, "/")
	function, path, _ := strings.Cut(rest, "/")
	for _, s := range []*string{&service, &function, &path} {
		if *s, err = url.PathUnescape(*s); err != nil {
			return "", fc.Errorf(fc.InvalidArgument, "the path %q cannot be unescaped", c.URL.EscapedPath())
		}
	}
	if err := c.params.readQualified(service); err != nil {
		return "", err
	}
	c.params.function = function
	return "/" + path, fc.ValidateName("FunctionName", function, fc.MaxFunctionNameLength)
}

// httpRequest is the request as the function sees it. A signature is no business of the function's.
func (c *call) httpRequest(path string, open bool) *fc.HTTPRequest {
	r := &fc.HTTPRequest{
		Method: c.Method, Path: path, URI: c.RequestURI, Host: c.Host, ClientIP: c.RemoteAddr,
		Headers: map[string][]string{"host": {c.Host}}, Queries: map[string][]string{}, Body: c.Body,
	}
	if host, _, err := net.SplitHostPort(c.RemoteAddr); err == nil {
		r.ClientIP = host
	}
	for name, values := range c.Header {
		if name = strings.ToLower(name); !isOwn(name) && (open || name != "authorization") {
			r.Headers[name] = values
		}
	}
	if c.ContentLength >= 0 && len(c.Header["Content-Length"]) == 0 && (c.ContentLength > 0 || c.Method == http.MethodPost || c.Method == http.MethodPut) {
		r.Headers["content-length"] = []string{strconv.FormatInt(c.ContentLength, 10)}
	}
	for name, values := range c.URL.Query() {
		if !strings.HasPrefix(strings.ToLower(name), "x-fc-") {
			r.Queries[name] = values
		}
	}
	return r
}

func isOwn(lowerName string) bool {
	return strings.HasPrefix(lowerName, "x-fc-") || slices.Contains(ownHeaders, lowerName)
}

// invokeHTTP calls the function and renders what it answers: its own status, headers and body, or 502 for a failure.
func (a *API) invokeHTTP(c *call, t *fc.Target, r *fc.HTTPRequest) (answer, error) {
	begun := false
	var status int
	r.Begin = func(resp fc.HTTPResponse) io.Writer {
		begun, status = true, resp.Status
		ctrl := http.NewResponseController(c.w)
		a.head(c, answer{status: resp.Status, own: resp.Headers, header: []header{
			{headerCodeChecksum, t.Function.CodeChecksum}, {headerVersion, t.VersionID}, {headerExpose, exposed},
		}})
		_ = ctrl.Flush()
		return flushing{c.w, ctrl}
	}
	res, err := a.o.Invoker.Invoke(c.Context(), fc.Call{RequestID: c.requestID, Ref: c.params.ref(), HTTP: r})
	if begun && (err != nil || res.ErrorType != "") {
		panic(http.ErrAbortHandler) // half an answer must not look like a whole one
	}
	if err != nil {
		return answer{}, err
	}
	if begun {
		return answer{status: status, sent: true}, nil
	}
	ans := a.invocation(res)
	if res.ErrorType != "" {
		ans.status = http.StatusBadGateway
		return ans, nil
	}
	if res.HTTP == nil {
		return answer{}, fc.Internal("api.invokeHTTP", errors.New("the result of an http call has no status"))
	}
	ans.status, ans.own = res.HTTP.Status, res.HTTP.Headers
	return ans, nil
}

// flushing sends each part of a stream at once.
type flushing struct {
	w    io.Writer
	ctrl *http.ResponseController
}

func (f flushing) Write(b []byte) (int, error) {
	n, err := f.w.Write(b)
	if err == nil {
		err = f.ctrl.Flush()
	}
	return n, err
}

// setOwn sets the headers that a function chose, but for those that are not its to choose.
func setOwn(h http.Header, own map[string][]string) {
	if len(own) == 0 {
		return // nearly always, and to sort nothing has its price
	}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		lower := strings.ToLower(name)
		if isOwn(lower) || lower == "content-length" || lower == "date" || lower == "server" {
			continue
		}
		for _, v := range own[name] {
			h.Add(name, v)
		}
	}
}

// allowsBody tells whether an answer of that status may have a body.
func allowsBody(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}
