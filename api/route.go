package api

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"fcd/fc"
)

// basePath is the API version that every operation's path begins with.
const basePath = "/2016-08-15/"

// operation is one of the guide's operations. Its path is matched segment by segment; "{service}" takes a service name,
// "{service.qualifier}" one that may carry a qualifier.
type operation struct {
	name   string // as policies and metrics call it
	method string
	path   []string
	run    func(*API, *call) (answer, error)
}

// Operations outside the table, for metrics.
var (
	unrouted     = &operation{name: "Unknown"}
	codeDownload = &operation{name: "DownloadCode"}
)

const (
	aService   = "{service}"
	aQualified = "{service.qualifier}"
	aFunction  = "{function}"
	aTrigger   = "{trigger}"
	anID       = "{id}"   // of an invocation
	aType      = "{type}" // of trigger
	anEvent    = "{event}"
)

// operations is the whole interface, in the guide's order.
var operations = [...]operation{
	{"CreateService", http.MethodPost, segments("services"), (*API).createService},
	{"ListServices", http.MethodGet, segments("services"), (*API).listServices},
	{"GetService", http.MethodGet, segments("services", aQualified), (*API).getService},
	{"UpdateService", http.MethodPut, segments("services", aService), (*API).updateService},
	{"DeleteService", http.MethodDelete, segments("services", aService), (*API).deleteService},

	{"CreateFunction", http.MethodPost, segments("services", aService, "functions"), (*API).createFunction},
	{"ListFunctions", http.MethodGet, segments("services", aQualified, "functions"), (*API).listFunctions},
	{"GetFunction", http.MethodGet, segments("services", aQualified, "functions", aFunction), (*API).getFunction},
	{"UpdateFunction", http.MethodPut, segments("services", aService, "functions", aFunction), (*API).updateFunction},
	{"DeleteFunction", http.MethodDelete, segments("services", aService, "functions", aFunction), (*API).deleteFunction},
	{"GetFunctionCode", http.MethodGet, segments("services", aQualified, "functions", aFunction, "code"),
		(*API).getFunctionCode},
	{"InvokeFunction", http.MethodPost, segments("services", aQualified, "functions", aFunction, "invocations"),
		(*API).invokeFunction},

	{"PutFunctionAsyncInvokeConfig", http.MethodPut, segments("services", aQualified, "functions", aFunction, "async-invoke-config"),
		(*API).putAsyncConfig},
	{"GetFunctionAsyncInvokeConfig", http.MethodGet, segments("services", aQualified, "functions", aFunction, "async-invoke-config"),
		(*API).getAsyncConfig},
	{"DeleteFunctionAsyncInvokeConfig", http.MethodDelete,
		segments("services", aQualified, "functions", aFunction, "async-invoke-config"), (*API).deleteAsyncConfig},
	{"ListFunctionAsyncInvokeConfigs", http.MethodGet, segments("services", aQualified, "functions", aFunction, "async-invoke-configs"),
		(*API).listAsyncConfigs},
	{"ListStatefulAsyncInvocations", http.MethodGet,
		segments("services", aQualified, "functions", aFunction, "stateful-async-invocations"), (*API).listInvocations},
	{"GetStatefulAsyncInvocation", http.MethodGet,
		segments("services", aQualified, "functions", aFunction, "stateful-async-invocations", anID), (*API).getInvocation},
	{"StopStatefulAsyncInvocation", http.MethodPut,
		segments("services", aQualified, "functions", aFunction, "stateful-async-invocations", anID), (*API).stopInvocation},

	{"CreateTrigger", http.MethodPost, segments("services", aService, "functions", aFunction, "triggers"),
		(*API).createTrigger},
	{"ListTriggers", http.MethodGet, segments("services", aService, "functions", aFunction, "triggers"),
		(*API).listTriggers},
	{"GetTrigger", http.MethodGet, segments("services", aService, "functions", aFunction, "triggers", aTrigger),
		(*API).getTrigger},
	{"UpdateTrigger", http.MethodPut, segments("services", aService, "functions", aFunction, "triggers", aTrigger),
		(*API).updateTrigger},
	{"DeleteTrigger", http.MethodDelete, segments("services", aService, "functions", aFunction, "triggers", aTrigger),
		(*API).deleteTrigger},
}

func segments(s ...string) []string { return s }

// params are the names in a path.
type params struct{ service, qualifier, function, trigger, kind, event, id string }

func (p params) ref() fc.FunctionRef {
	return fc.FunctionRef{Service: p.service, Qualifier: p.qualifier, Function: p.function}
}

// route finds the operation and reads the names from the path.
func (a *API) route(c *call) error {
	escaped := c.URL.EscapedPath()
	var room [8]string
	table := operations[:]
	path, ok := splitPath(room[:0], escaped, basePath)
	if !ok {
		table = extensions[:]
		path, ok = splitPath(room[:0], escaped, extensionPath)
	}
	if ok {
		for i := range table {
			if op := &table[i]; op.method == c.Method && matches(op.path, path) {
				c.op = op
				return c.params.read(op.path, path)
			}
		}
	}
	return fc.Errorf(fc.PathNotSupported, "'%s' against '%s' is not supported", c.Method, c.URL.Path)
}

// splitPath appends to parts the part behind the base path, cut at its slashes and then unescaped, so that an escaped
// slash stays inside its segment. It is false for a path outside of it or with an empty or undecodable segment.
func splitPath(parts []string, escaped, base string) ([]string, bool) {
	rest, more := strings.CutPrefix(escaped, base)
	if !more {
		return nil, false
	}
	for more {
		var part string
		part, rest, more = strings.Cut(rest, "/")
		part, err := url.PathUnescape(part)
		if err != nil || part == "" {
			return nil, false
		}
		parts = append(parts, part)
	}
	return parts, true
}

func matches(pattern, path []string) bool {
	if len(pattern) != len(path) {
		return false
	}
	for i, p := range pattern {
		if p != path[i] && p[0] != '{' {
			return false
		}
	}
	return true
}

// read checks and keeps the names of a path that matches pattern.
func (p *params) read(pattern, path []string) error {
	for i, kind := range pattern {
		var err error
		switch s := path[i]; kind {
		case aService:
			p.service = s
			err = fc.ValidateName("ServiceName", s, fc.MaxNameLength)
		case aQualified:
			err = p.readQualified(s)
		case aFunction:
			p.function = s
			err = fc.ValidateName("FunctionName", s, fc.MaxFunctionNameLength)
		case aTrigger:
			p.trigger = s
			err = fc.ValidateName("TriggerName", s, fc.MaxNameLength)
		case anID:
			p.id = s
			err = validateInvocationID(s)
		case aType:
			p.kind = s
		case anEvent:
			p.event = s
		}
		if err != nil {
			return err
		}
	}
	return nil
}

var qualifierForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

// readQualified splits "service.qualifier" at the first dot.
func (p *params) readQualified(s string) error {
	service, qualifier, dotted := strings.Cut(s, ".")
	p.service, p.qualifier = service, qualifier
	if dotted && !qualifierForm.MatchString(qualifier) {
		return fc.InvalidField("Qualifier", "LATEST | a version id | an alias", qualifier)
	}
	return fc.ValidateName("ServiceName", service, fc.MaxNameLength)
}
