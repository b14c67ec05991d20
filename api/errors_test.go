package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"fcd/fc"
)

// call is one valid request of an operation on what server.demo made.
type call struct {
	name, method, path string
	body               any
	missing            []fc.Code // which of the things in the path can be missing
}

func calls(t testing.TB) []call {
	const svc, fn, trg = "/services/demo", "/services/demo/functions/resize", "/services/demo/functions/resize/triggers/uploads"
	service := []fc.Code{fc.ServiceNotFound}
	function := append(service, fc.FunctionNotFound)
	trigger := append(function, fc.TriggerNotFound)
	return []call{
		{"CreateService", "POST", "/services", m{"serviceName": "other"}, nil},
		{"ListServices", "GET", "/services", nil, nil},
		{"GetService", "GET", svc, nil, service},
		{"UpdateService", "PUT", svc, m{"description": "x"}, service},
		{"CreateFunction", "POST", svc + "/functions", functionOf(t, "other"), service},
		{"ListFunctions", "GET", svc + "/functions", nil, service},
		{"GetFunction", "GET", fn, nil, function},
		{"UpdateFunction", "PUT", fn, m{"timeout": 5}, function},
		{"GetFunctionCode", "GET", fn + "/code", nil, function},
		{"InvokeFunction", "POST", fn + "/invocations", "hello", function},
		{"CreateTrigger", "POST", fn + "/triggers", ossTrigger("other", "other/"), function},
		{"ListTriggers", "GET", fn + "/triggers", nil, function},
		{"GetTrigger", "GET", trg, nil, trigger},
		{"UpdateTrigger", "PUT", trg, m{"description": "x"}, trigger},
		{"DeleteTrigger", "DELETE", trg, nil, trigger},
		{"DeleteFunction", "DELETE", fn, nil, function},
		{"DeleteService", "DELETE", svc, nil, service},
	}
}

func wantError(t *testing.T, a answer, status int, code fc.Code) {
	t.Helper()
	if a.status != status || a.code() != string(code) {
		t.Errorf("got %d %s, want %d %s", a.status, a.body, status, code)
	}
	if ct := a.header.Get("Content-Type"); !strings.HasPrefix(ct, "application/json") {
		t.Errorf("content type %q of an error", ct)
	}
	lower := a.object(t)
	if lower["errorCode"] != lower["ErrorCode"] || lower["errorMessage"] != lower["ErrorMessage"] || len(lower) != 4 {
		t.Errorf("error keys of %s", a.body)
	}
}

func TestEveryOperationRefusesBadSignatures(t *testing.T) {
	s := start(t)
	s.demo()
	tests := []struct {
		name   string
		opts   []option
		status int
		code   fc.Code
	}{
		{"no authorization", []option{unsigned}, 403, fc.AccessDenied},
		{"another scheme", []option{unsigned, header("Authorization", "Bearer x")}, 403, fc.AccessDenied},
		{"no signature in it", []option{unsigned, header("Authorization", "FC akid")}, 403, fc.AccessDenied},
		{"no date", []option{then(func(r *http.Request) { r.Header.Del("Date") })}, 400, fc.MissingRequiredHeader},
		{"a date that is none", []option{then(func(r *http.Request) { r.Header.Set("Date", "today") })}, 403, fc.RequestTimeTooSkewed},
		{"an unknown key", []option{as("nobody", rootSecret)}, 403, fc.InvalidAccessKeyID},
		{"a date in the past", []option{signedAt(time.Now().Add(-16 * time.Minute))}, 403, fc.RequestTimeTooSkewed},
		{"a date in the future", []option{signedAt(time.Now().Add(16 * time.Minute))}, 403, fc.RequestTimeTooSkewed},
		{"another secret", []option{as(rootKey, "other")}, 403, fc.SignatureNotMatch},
		{"a header added after signing", []option{then(func(r *http.Request) { r.Header.Set("X-Fc-Trace-Id", "1") })}, 403, fc.SignatureNotMatch},
		{"a temporary key without its token", []option{as(tokenKey, tokenSecret)}, 403, fc.AccessDenied},
		{"a temporary key with another token", []option{as(tokenKey, tokenSecret), withToken("x")}, 403, fc.AccessDenied},
		{"a user without any policy", []option{user}, 403, fc.AccessDenied},
	}
	for _, c := range calls(t) {
		for _, tt := range tests {
			t.Run(c.name+" with "+tt.name, func(t *testing.T) {
				wantError(t, s.do(c.method, c.path, c.body, tt.opts...), tt.status, tt.code)
			})
		}
	}
	s.must("GET", "/services/demo/functions/resize/triggers/uploads", nil) // nothing was done
	if a := s.do("GET", "/services/other", nil); a.status != 404 {
		t.Errorf("a refused create has left something: %d", a.status)
	}
}

func TestEveryOperationAsksThePolicyForItsResource(t *testing.T) {
	const arn = "acs:fc:cn-shanghai:123456:services/"
	resources := map[string]string{
		"CreateService": "other", "ListServices": "*", "GetService": "demo", "UpdateService": "demo", "DeleteService": "demo",
		"CreateFunction": "demo/functions/other", "ListFunctions": "demo/functions/*", "GetFunction": "demo/functions/resize",
		"UpdateFunction": "demo/functions/resize", "DeleteFunction": "demo/functions/resize",
		"GetFunctionCode": "demo/functions/resize", "InvokeFunction": "demo/functions/resize",
		"CreateTrigger": "demo/functions/resize/triggers/other",
		"ListTriggers":  "demo/functions/resize/triggers/*",
		"GetTrigger":    "demo/functions/resize/triggers/uploads",
		"UpdateTrigger": "demo/functions/resize/triggers/uploads",
		"DeleteTrigger": "demo/functions/resize/triggers/uploads",
	}
	s := start(t)
	s.demo()
	for _, c := range calls(t) {
		s.policy["fc:"+c.name+" "+arn+resources[c.name]] = true
		if c.name == "CreateTrigger" {
			wantError(t, s.do(c.method, c.path, c.body, user), 403, fc.AccessDenied) // may not hand the role over
			s.policy["ram:PassRole "+role+" fc.aliyuncs.com"] = true
			defer func() { s.must("GET", "/services/other", nil) }()
		}
		if c.name == "DeleteFunction" {
			s.must("DELETE", "/services/demo/functions/resize/triggers/other", nil)
		}
		if c.name == "DeleteService" {
			s.must("DELETE", "/services/demo/functions/other", nil)
		}
		s.must(c.method, c.path, c.body, user)
	}
	wantError(t, s.do("GET", "/services/other.LATEST", nil, user), 403, fc.AccessDenied)
}

func TestAServiceRoleMustBePassable(t *testing.T) {
	s := start(t)
	s.policy["fc:CreateService acs:fc:cn-shanghai:123456:services/a"] = true
	s.policy["fc:UpdateService acs:fc:cn-shanghai:123456:services/a"] = true
	body := m{"serviceName": "a", "role": role}
	wantError(t, s.do("POST", "/services", body, user), 403, fc.AccessDenied)
	s.must("POST", "/services", m{"serviceName": "a"}, user)
	wantError(t, s.do("PUT", "/services/a", m{"role": role}, user), 403, fc.AccessDenied)
	s.policy["ram:PassRole "+role+" fc.aliyuncs.com"] = true
	s.must("PUT", "/services/a", m{"role": role}, user)
}

func TestEveryOperationNamesWhatIsMissing(t *testing.T) {
	s := start(t)
	s.demo()
	messages := map[fc.Code][2]string{
		fc.ServiceNotFound:  {"/demo", "service 'absent' does not exist"},
		fc.FunctionNotFound: {"/resize", "function 'absent' does not exist in service 'demo'"},
		fc.TriggerNotFound:  {"/uploads", "trigger 'absent' does not exist in function 'resize'"},
	}
	for _, c := range calls(t) {
		for _, code := range c.missing {
			t.Run(c.name+" "+string(code), func(t *testing.T) {
				path := strings.Replace(c.path, messages[code][0], "/absent", 1)
				a := s.do(c.method, path, c.body)
				wantError(t, a, 404, code)
				if a.message() != messages[code][1] {
					t.Errorf("message %q, want %q", a.message(), messages[code][1])
				}
			})
		}
	}
}

func TestReadingOperationsTakeQualifiers(t *testing.T) {
	s := start(t)
	s.demo()
	for _, c := range calls(t) {
		reads := strings.HasPrefix(c.name, "Get") && c.name != "GetTrigger" || c.name == "ListFunctions" || c.name == "InvokeFunction"
		if !reads || c.missing == nil {
			continue
		}
		qualified := func(q string) string { return strings.Replace(c.path, "/demo", "/demo."+q, 1) }
		s.must(c.method, qualified("LATEST"), c.body)
		if c.name == "InvokeFunction" {
			continue // the catalog resolves its qualifiers
		}
		a := s.do(c.method, qualified("7"), c.body)
		wantError(t, a, 404, fc.VersionNotFound)
		if a.message() != "version '7' of service 'demo' does not exist" {
			t.Errorf("%s: message %q", c.name, a.message())
		}
		a = s.do(c.method, qualified("prod"), c.body)
		wantError(t, a, 404, fc.AliasNotFound)
		if a.message() != "alias 'prod' of service 'demo' does not exist" {
			t.Errorf("%s: message %q", c.name, a.message())
		}
		wantError(t, s.do(c.method, qualified("a.b"), c.body), 400, fc.InvalidArgument)
	}
	wantError(t, s.do("PUT", "/services/demo.LATEST", m{}), 400, fc.InvalidArgument)
}

func TestUnknownPathsAreNotSupported(t *testing.T) {
	s := start(t)
	tests := []struct{ method, path string }{
		{"GET", "!/"}, {"GET", "!/2016-08-15"}, {"GET", "!/2016-08-15/"}, {"GET", "!/2015-01-01/services"},
		{"PATCH", "/services"}, {"POST", "/services/demo"}, {"GET", "/services/demo/"}, {"GET", "/services//functions"},
		{"GET", "/services/demo/functions/resize/invocations"}, {"GET", "/services/demo/versions"}, {"GET", "/tag"},
		{"GET", "/services/../services"}, {"GET", "/Services"},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			wantError(t, s.do(tt.method, tt.path, nil), 400, fc.PathNotSupported)
			wantError(t, s.do(tt.method, tt.path, nil, unsigned), 403, fc.AccessDenied)
		})
	}
	for _, path := range []string{"/services/a%2Fb", "/services/a%00b", "/services/%2E%2E", "/services/a%20b", "/services/" + strings.Repeat("a", 129)} {
		wantError(t, s.do("GET", path, nil), 400, fc.InvalidArgument)
	}
}

// TestDocumentedErrors holds the errors that depend on what is sent or on what is there.
func TestDocumentedErrors(t *testing.T) {
	const svc, fns, fn = "/services/demo", "/services/demo/functions", "/services/demo/functions/resize"
	const trgs, trg = fn + "/triggers", fn + "/triggers/uploads"
	with := func(base m, k string, v any) m {
		out := m{}
		for key, val := range base {
			out[key] = val
		}
		if out[k] = v; v == "-" {
			delete(out, k)
		}
		return out
	}
	service := m{"serviceName": "new"}
	function := functionOf(t, "new")
	trigger := ossTrigger("new", "new/")
	long := strings.Repeat("x", 257)
	big := strings.Repeat("x", 128<<10+1)
	tests := []struct {
		name, method, path string
		body               any
		status             int
		code               fc.Code
		message            string // begins with
		opts               []option
	}{
		{"CreateService: no body", "POST", "/services", nil, 400, fc.InvalidArgument, "the request body is empty", nil},
		{"CreateService: null", "POST", "/services", "null", 400, fc.InvalidArgument, "the request body is empty", nil},
		{"CreateService: not JSON", "POST", "/services", "{", 400, fc.InvalidArgument, "the request body is not valid JSON", nil},
		{"CreateService: an array", "POST", "/services", "[]", 400, fc.InvalidArgument, "the request body is not a JSON object", nil},
		{"CreateService: more behind", "POST", "/services", `{"serviceName":"a"}{}`, 400, fc.InvalidArgument, "the request body is not valid JSON", nil},
		{"CreateService: no name", "POST", "/services", m{}, 400, fc.InvalidArgument, "ServiceName is required", nil},
		{"CreateService: a dot in the name", "POST", "/services", with(service, "serviceName", "a.b"), 400, fc.InvalidArgument, "ServiceName is set to an invalid value (allowed: [A-Za-z_][A-Za-z0-9_-]{0,127}, actual: 'a.b')", nil},
		{"CreateService: a number for a name", "POST", "/services", with(service, "serviceName", 1), 400, fc.InvalidArgument, "ServiceName is set to an invalid value (allowed: a string, actual: 'number')", nil},
		{"CreateService: description", "POST", "/services", with(service, "description", long), 400, fc.InvalidArgument, "Description is set to", nil},
		{"CreateService: role", "POST", "/services", with(service, "role", "me"), 400, fc.InvalidArgument, "Role is set to", nil},
		{"CreateService: internetAccess", "POST", "/services", with(service, "internetAccess", "yes"), 400, fc.InvalidArgument, "InternetAccess is set to an invalid value (allowed: true | false, actual: 'string')", nil},
		{"CreateService: logConfig without project", "POST", "/services", with(service, "logConfig", m{"logstore": "l"}), 400, fc.InvalidArgument, "LogConfig.Project is set to", nil},
		{"CreateService: logConfig of another type", "POST", "/services", with(service, "logConfig", m{"project": 3}), 400, fc.InvalidArgument, "LogConfig.Project is set to an invalid value (allowed: a string, actual: 'number')", nil},
		{"CreateService: a project that is not there", "POST", "/services", with(service, "logConfig", m{"project": "p", "logstore": "l"}), 400, fc.InvalidArgument, "project 'p' does not exist", nil},
		{"CreateService: a logstore that is not there", "POST", "/services", with(service, "logConfig", m{"project": "logs", "logstore": "l"}), 400, fc.InvalidArgument, "logstore 'l' does not exist", nil},
		{"CreateService: half a network", "POST", "/services", with(service, "vpcConfig", m{"vpcId": "v"}), 400, fc.InvalidArgument, "VpcConfig.VSwitchIds is required", nil},
		{"CreateService: nasConfig of another type", "POST", "/services", with(service, "nasConfig", "x"), 400, fc.InvalidArgument, "NasConfig is set to", nil},
		{"CreateService: tracingConfig of another type", "POST", "/services", with(service, "tracingConfig", m{"type": 1}), 400, fc.InvalidArgument, "TracingConfig.Type is set to", nil},
		{"CreateService: too large", "POST", "/services", with(service, "description", strings.Repeat("x", 600<<10)), 400, fc.EntityTooLarge, "payload size exceeds maximum allowed size (524288 bytes)", nil},
		{"CreateService: taken", "POST", "/services", m{"serviceName": "demo"}, 409, fc.ServiceAlreadyExists, "service 'demo' already exists", nil},

		{"UpdateService: another name", "PUT", svc, m{"serviceName": "x"}, 400, fc.InvalidArgument, "ServiceName is set to", nil},
		{"UpdateService: description", "PUT", svc, m{"description": long}, 400, fc.InvalidArgument, "Description is set to", nil},
		{"UpdateService: not JSON", "PUT", svc, "x", 400, fc.InvalidArgument, "the request body is not a JSON object", nil},
		{"UpdateService: a logstore that is not there", "PUT", svc, m{"logConfig": m{"project": "p", "logstore": "l"}}, 400, fc.InvalidArgument, "project 'p' does not exist", nil},
		{"UpdateService: other etag", "PUT", svc, m{}, 412, fc.PreconditionFailed, "the resource being modified has been changed", []option{header("If-Match", "x")}},
		{"UpdateService: the field before the service", "PUT", "/services/absent", m{"role": "x"}, 400, fc.InvalidArgument, "Role is set to", nil},
		{"UpdateService: the service before the etag", "PUT", "/services/absent", m{}, 404, fc.ServiceNotFound, "", []option{header("If-Match", "x")}},
		{"DeleteService: other etag", "DELETE", svc, nil, 412, fc.PreconditionFailed, "the resource being modified", []option{header("If-Match", "x")}},
		{"DeleteService: not empty", "DELETE", svc, nil, 409, fc.ServiceNotEmpty, "service 'demo' has functions", nil},
		{"ListServices: limit 0", "GET", "/services?limit=0", nil, 400, fc.InvalidArgument, "Limit is set to an invalid value (allowed: 1 to 100, actual: '0')", nil},

		{"CreateFunction: no body", "POST", fns, nil, 400, fc.InvalidArgument, "the request body is empty", nil},
		{"CreateFunction: no name", "POST", fns, with(function, "functionName", "-"), 400, fc.InvalidArgument, "FunctionName is required", nil},
		{"CreateFunction: name", "POST", fns, with(function, "functionName", "1"), 400, fc.InvalidArgument, "FunctionName is set to", nil},
		{"CreateFunction: no runtime", "POST", fns, with(function, "runtime", "-"), 400, fc.InvalidArgument, "Runtime is required", nil},
		{"CreateFunction: runtime", "POST", fns, with(function, "runtime", "cobol"), 400, fc.InvalidArgument, "Runtime is set to an invalid value (allowed: nodejs4.4 | nodejs6", nil},
		{"CreateFunction: no handler", "POST", fns, with(function, "handler", "-"), 400, fc.InvalidArgument, "Handler is required", nil},
		{"CreateFunction: handler", "POST", fns, with(function, "handler", long), 400, fc.InvalidArgument, "Handler is set to", nil},
		{"CreateFunction: description", "POST", fns, with(function, "description", long), 400, fc.InvalidArgument, "Description is set to", nil},
		{"CreateFunction: memorySize", "POST", fns, with(function, "memorySize", 100), 400, fc.InvalidArgument, "MemorySize is set to", nil},
		{"CreateFunction: memorySize of another type", "POST", fns, with(function, "memorySize", "128"), 400, fc.InvalidArgument, "MemorySize is set to an invalid value (allowed: an integer, actual: 'string')", nil},
		{"CreateFunction: memorySize out of all range", "POST", fns, `{"memorySize":1e30}`, 400, fc.InvalidArgument, "MemorySize is set to", nil},
		{"CreateFunction: timeout", "POST", fns, with(function, "timeout", 301), 400, fc.InvalidArgument, "Timeout is set to", nil},
		{"CreateFunction: initializer", "POST", fns, with(function, "initializer", long), 400, fc.InvalidArgument, "Initializer is set to", nil},
		{"CreateFunction: initializationTimeout", "POST", fns, with(function, "initializationTimeout", 0), 400, fc.InvalidArgument, "InitializationTimeout is set to", nil},
		{"CreateFunction: instanceConcurrency", "POST", fns, with(function, "instanceConcurrency", 101), 400, fc.InvalidArgument, "InstanceConcurrency is set to", nil},
		{"CreateFunction: environmentVariables", "POST", fns, with(function, "environmentVariables", m{"FC_A": "x"}), 400, fc.InvalidArgument, "EnvironmentVariables is set to", nil},
		{"CreateFunction: environmentVariables of another type", "POST", fns, with(function, "environmentVariables", m{"A": 1}), 400, fc.InvalidArgument, "EnvironmentVariables", nil},
		{"CreateFunction: no code", "POST", fns, with(function, "code", "-"), 400, fc.InvalidArgument, "Code is required", nil},
		{"CreateFunction: code of nulls", "POST", fns, with(function, "code", m{"zipFile": nil}), 400, fc.InvalidArgument, "Code is required", nil},
		{"CreateFunction: both forms of code", "POST", fns, with(function, "code", m{"zipFile": "UEs=", "ossBucketName": "b"}), 400, fc.InvalidArgument, "Code is set to an invalid value (allowed: zipFile | ossBucketName and ossObjectName, actual: 'both')", nil},
		{"CreateFunction: no object", "POST", fns, with(function, "code", m{"ossBucketName": "b"}), 400, fc.InvalidArgument, "Code.OssObjectName is required", nil},
		{"CreateFunction: no bucket", "POST", fns, with(function, "code", m{"ossObjectName": "o"}), 400, fc.InvalidArgument, "Code.OssBucketName is required", nil},
		{"CreateFunction: an object that is not there", "POST", fns, with(function, "code", m{"ossBucketName": "b", "ossObjectName": "o"}), 400, fc.InvalidArgument, "object 'o' does not exist", nil},
		{"CreateFunction: an object that is too large", "POST", fns, with(function, "code", m{"ossBucketName": "b", "ossObjectName": "giant.zip"}), 400, fc.InvalidArgument, "object 'giant.zip' in bucket 'b' has 62914560 bytes", nil},
		{"CreateFunction: not base64", "POST", fns, with(function, "code", m{"zipFile": "?"}), 400, fc.InvalidArgument, "Code.ZipFile is not base64", nil},
		{"CreateFunction: a number for code", "POST", fns, with(function, "code", m{"zipFile": 7}), 400, fc.InvalidArgument, "Code.ZipFile is set to an invalid value (allowed: a base64 string, actual: '7')", nil},
		{"CreateFunction: not a zip", "POST", fns, with(function, "code", m{"zipFile": "aGVsbG8="}), 400, fc.InvalidArgument, "", nil},
		{"CreateFunction: another checksum", "POST", fns, function, 400, fc.InvalidArgument, "the code's checksum is", []option{header("X-Fc-Code-Checksum", "1")}},
		{"CreateFunction: taken", "POST", fns, functionOf(t, "resize"), 409, fc.FunctionAlreadyExists, "function 'resize' already exists in service 'demo'", nil},
		{"CreateFunction: the name before the code", "POST", fns, with(functionOf(t, "resize"), "code", m{"zipFile": "aGVsbG8="}), 409, fc.FunctionAlreadyExists, "", nil},
		{"CreateFunction: the field before the service", "POST", "/services/absent/functions", with(function, "timeout", -1), 400, fc.InvalidArgument, "Timeout", nil},

		{"UpdateFunction: another name", "PUT", fn, m{"functionName": "x"}, 400, fc.InvalidArgument, "FunctionName is set to", nil},
		{"UpdateFunction: runtime", "PUT", fn, m{"runtime": "cobol"}, 400, fc.InvalidArgument, "Runtime is set to", nil},
		{"UpdateFunction: an emptied runtime", "PUT", fn, m{"runtime": ""}, 400, fc.InvalidArgument, "Runtime is required", nil},
		{"UpdateFunction: timeout", "PUT", fn, m{"timeout": 0}, 400, fc.InvalidArgument, "Timeout is set to", nil},
		{"UpdateFunction: not a zip", "PUT", fn, m{"code": m{"zipFile": "aGVsbG8="}}, 400, fc.InvalidArgument, "", nil},
		{"UpdateFunction: half an object", "PUT", fn, m{"code": m{"ossBucketName": "b"}}, 400, fc.InvalidArgument, "Code.OssObjectName is required", nil},
		{"UpdateFunction: another checksum", "PUT", fn, m{"code": function["code"]}, 400, fc.InvalidArgument, "the code's checksum is", []option{header("X-Fc-Code-Checksum", "1")}},
		{"UpdateFunction: other etag", "PUT", fn, m{}, 412, fc.PreconditionFailed, "the resource being modified", []option{header("If-Match", "x")}},
		{"UpdateFunction: the etag before the code", "PUT", fn, m{"code": m{"zipFile": "aGVsbG8="}}, 412, fc.PreconditionFailed, "", []option{header("If-Match", "x")}},
		{"DeleteFunction: other etag", "DELETE", fn, nil, 412, fc.PreconditionFailed, "the resource being modified", []option{header("If-Match", "x")}},
		{"DeleteFunction: not empty", "DELETE", fn, nil, 409, fc.FunctionNotEmpty, "function 'resize' has active triggers", nil},
		{"ListFunctions: limit", "GET", fns + "?limit=101", nil, 400, fc.InvalidArgument, "Limit is set to", nil},

		{"InvokeFunction: invocation type", "POST", fn + "/invocations", "x", 400, fc.InvalidArgument, "InvocationType is set to an invalid value (allowed: Sync | Async, actual: 'Later')", []option{header("X-Fc-Invocation-Type", "Later")}},
		{"InvokeFunction: log type", "POST", fn + "/invocations", "x", 400, fc.InvalidArgument, "LogType is set to an invalid value (allowed: Tail | None, actual: 'Invalid')", []option{header("X-Fc-Log-Type", "Invalid")}},
		{"InvokeFunction: async with a tail", "POST", fn + "/invocations", "x", 400, fc.InvalidArgument, "LogType is set to an invalid value (allowed: None, actual: 'Tail')", []option{header("X-Fc-Invocation-Type", "Async"), header("X-Fc-Log-Type", "Tail")}},
		{"InvokeFunction: async too large", "POST", fn + "/invocations", big, 400, fc.EntityTooLarge, "payload size exceeds maximum allowed size (131072 bytes)", []option{header("X-Fc-Invocation-Type", "Async")}},
		{"InvokeFunction: async, chunked and too large", "POST", fn + "/invocations", struct{ *strings.Reader }{strings.NewReader(big)}, 400, fc.EntityTooLarge, "payload size exceeds maximum allowed size (131072 bytes)", []option{header("X-Fc-Invocation-Type", "Async")}},
		{"InvokeFunction: sync too large", "POST", fn + "/invocations", strings.Repeat("x", 6<<20+1), 400, fc.EntityTooLarge, "payload size exceeds maximum allowed size (6291456 bytes)", nil},
		{"InvokeFunction: async of no function", "POST", fns + "/absent/invocations", "x", 404, fc.FunctionNotFound, "", []option{header("X-Fc-Invocation-Type", "Async")}},
		{"InvokeFunction: async of no service", "POST", "/services/absent/functions/f/invocations", "x", 404, fc.ServiceNotFound, "", []option{header("X-Fc-Invocation-Type", "Async")}},
		{"InvokeFunction: exhausted", "POST", fn + "/invocations", "exhausted", 429, fc.ResourceExhausted, "", nil},
		{"InvokeFunction: throttled", "POST", fn + "/invocations", "throttled", 503, fc.ResourceThrottled, "", nil},
		{"InvokeFunction: an error within", "POST", fn + "/invocations", "broken", 500, fc.InternalServerError, "an internal error has occurred. Please retry.", nil},
		{"InvokeFunction: a panic within", "POST", fn + "/invocations", "panic", 500, fc.InternalServerError, "an internal error has occurred. Please retry.", nil},

		{"CreateTrigger: no body", "POST", trgs, nil, 400, fc.InvalidArgument, "the request body is empty", nil},
		{"CreateTrigger: no name", "POST", trgs, with(trigger, "triggerName", "-"), 400, fc.InvalidArgument, "TriggerName is required", nil},
		{"CreateTrigger: name", "POST", trgs, with(trigger, "triggerName", "a b"), 400, fc.InvalidArgument, "TriggerName is set to", nil},
		{"CreateTrigger: no type", "POST", trgs, with(trigger, "triggerType", "-"), 400, fc.InvalidArgument, "TriggerType is required", nil},
		{"CreateTrigger: type", "POST", trgs, with(trigger, "triggerType", "fax"), 400, fc.InvalidArgument, "TriggerType is set to", nil},
		{"CreateTrigger: description", "POST", trgs, with(trigger, "description", long), 400, fc.InvalidArgument, "Description is set to", nil},
		{"CreateTrigger: no configuration", "POST", trgs, with(trigger, "triggerConfig", nil), 400, fc.InvalidArgument, "TriggerConfig is required", nil},
		{"CreateTrigger: configuration", "POST", trgs, with(trigger, "triggerConfig", m{}), 400, fc.InvalidArgument, "TriggerConfig.Events is required", nil},
		{"CreateTrigger: no source", "POST", trgs, with(trigger, "sourceArn", "-"), 400, fc.InvalidArgument, "SourceArn is required", nil},
		{"CreateTrigger: no role", "POST", trgs, with(trigger, "invocationRole", "-"), 400, fc.InvalidArgument, "InvocationRole is required", nil},
		{"CreateTrigger: a role that is not there", "POST", trgs, with(trigger, "invocationRole", "acs:ram::1:role/nobody"), 403, fc.AccessDenied, "role 'acs:ram::1:role/nobody' does not exist", nil},
		{"CreateTrigger: a version that is not there", "POST", trgs, with(trigger, "qualifier", "1"), 404, fc.VersionNotFound, "", nil},
		{"CreateTrigger: overlapping", "POST", trgs, ossTrigger("new", "src/a"), 400, fc.InvalidArgument, "event source 'oss' returned error: Cannot specify overlapping prefix and suffix with same event type..", nil},
		{"CreateTrigger: taken", "POST", trgs, ossTrigger("uploads", "src/"), 409, fc.TriggerAlreadyExists, "trigger 'uploads' already exists in function 'resize'", nil},
		{"UpdateTrigger: another name", "PUT", trg, m{"triggerName": "x"}, 400, fc.InvalidArgument, "TriggerName is set to", nil},
		{"UpdateTrigger: another type", "PUT", trg, m{"triggerType": "timer"}, 400, fc.InvalidArgument, "TriggerType is set to", nil},
		{"UpdateTrigger: another source", "PUT", trg, m{"sourceArn": bucket + "2"}, 400, fc.InvalidArgument, "SourceArn is set to", nil},
		{"UpdateTrigger: configuration", "PUT", trg, m{"triggerConfig": m{"events": []string{}}}, 400, fc.InvalidArgument, "TriggerConfig.Events is required", nil},
		{"UpdateTrigger: a role that is not there", "PUT", trg, m{"invocationRole": "acs:ram::1:role/nobody"}, 403, fc.AccessDenied, "role", nil},
		{"UpdateTrigger: an alias that is not there", "PUT", trg, m{"qualifier": "prod"}, 404, fc.AliasNotFound, "", nil},
		{"UpdateTrigger: other etag", "PUT", trg, m{}, 412, fc.PreconditionFailed, "the resource being modified", []option{header("If-Match", "x")}},
		{"DeleteTrigger: other etag", "DELETE", trg, nil, 412, fc.PreconditionFailed, "the resource being modified", []option{header("If-Match", "x")}},
		{"ListTriggers: limit", "GET", trgs + "?limit=ten", nil, 400, fc.InvalidArgument, "Limit is set to", nil},
	}
	s := start(t)
	s.demo()
	before, _ := s.contents()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := tt.body
			if r, ok := body.(struct{ *strings.Reader }); ok {
				body = chunked{r}
			}
			a := s.do(tt.method, tt.path, body, tt.opts...)
			wantError(t, a, tt.status, tt.code)
			if !strings.HasPrefix(a.message(), tt.message) {
				t.Errorf("message %q, want %q", a.message(), tt.message)
			}
		})
	}
	if after, queued := s.contents(); after != before || queued != 0 {
		t.Errorf("refusals have left %d records and %d messages", after-before, queued)
	}
}
