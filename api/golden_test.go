package api_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// What differs from run to run, and what stands for it in the golden files.
var volatile = []struct {
	form *regexp.Regexp
	is   string
}{
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "UUID"},
	{regexp.MustCompile(`20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000`), "TIME"},
	{regexp.MustCompile(`Etag: [0-9a-f]{32}`), "Etag: ETAG"},
	{regexp.MustCompile(`http://127\.0\.0\.1:\d+`), "http://HOST"},
	{regexp.MustCompile(`Expires=\d+`), "Expires=UNIX"},
	{regexp.MustCompile(`Signature=[0-9a-f]{64}`), "Signature=HMAC"},
	{regexp.MustCompile(`X-Fc-Log-Result: \S+`), "X-Fc-Log-Result: BASE64"},
	{regexp.MustCompile(`Date: .* GMT`), "Date: DATE"},
}

// render shows an answer as a golden file does.
func render(a answer) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d\n", a.status)
	var keys []string
	for k := range a.header {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		if k != "Content-Length" || a.header.Get("Content-Type") == "application/octet-stream" {
			fmt.Fprintf(&b, "%s: %s\n", k, strings.Join(a.header[k], ", "))
		}
	}
	b.WriteString("\n")
	var pretty bytes.Buffer
	if json.Indent(&pretty, []byte(a.body), "", "  ") == nil {
		b.Write(pretty.Bytes())
	} else {
		b.WriteString(a.body)
	}
	if b.WriteString("\n"); a.body == "" {
		b.WriteString("(no body)\n")
	}
	s := b.String()
	for _, v := range volatile {
		s = v.form.ReplaceAllString(s, v.is)
	}
	return s
}

func golden(t *testing.T, name string, a answer) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name+".txt")
	got := render(a)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", name, d)
	}
}

func TestAnswersOfEveryOperation(t *testing.T) {
	s := start(t)
	full := m{"serviceName": "full", "description": "all of it", "role": role,
		"logConfig": m{"project": "logs", "logstore": "store"}, "internetAccess": false,
		"vpcConfig":     m{"vpcId": "vpc-1", "vSwitchIds": []string{"vsw-1"}, "securityGroupId": "sg-1"},
		"nasConfig":     m{"userId": 10, "groupId": 11, "mountPoints": []m{{"serverAddr": "nas:/", "mountDir": "/mnt"}}},
		"tracingConfig": m{"type": "Jaeger", "params": m{"endpoint": "http://jaeger"}}}
	function := functionOf(t, "resize")
	whole := m{"functionName": "whole", "description": "d", "runtime": "nodejs4.4", "handler": "index.handler",
		"memorySize": 512, "timeout": 60, "initializer": "index.init", "initializationTimeout": 10,
		"environmentVariables": m{"A": "<1&2>"}, "instanceConcurrency": 5,
		"code": m{"ossBucketName": "b", "ossObjectName": "code.zip"}}
	custom := m{"functionName": "serve", "runtime": "custom", "handler": "none", "caPort": 8080, "instanceConcurrency": 100,
		"customRuntimeConfig": m{"command": []string{"/code/serve"}, "args": []string{"-v"}},
		"code":                m{"ossBucketName": "b", "ossObjectName": "code.zip"}}
	timer := m{"triggerName": "minute", "triggerType": "timer", "sourceArn": "dummy_arn",
		"triggerConfig": m{"cronExpression": "@every 1m"}}
	steps := []struct {
		name, method, path string
		body               any
		opts               []option
	}{
		{"CreateService", "POST", "/services", m{"serviceName": "demo"}, nil},
		{"CreateService_full", "POST", "/services", full, nil},
		{"GetService", "GET", "/services/demo", nil, nil},
		{"GetService_latest", "GET", "/services/full.LATEST", nil, nil},
		{"UpdateService", "PUT", "/services/demo", m{"description": "new"}, nil},
		{"ListServices", "GET", "/services", nil, nil},
		{"ListServices_page", "GET", "/services?limit=1", nil, nil},
		{"ListFunctions_empty", "GET", "/services/demo/functions", nil, nil},
		{"CreateFunction", "POST", "/services/demo/functions", function, nil},
		{"CreateFunction_full", "POST", "/services/demo/functions", whole, nil},
		{"CreateFunction_custom", "POST", "/services/full/functions", custom, nil},
		{"DeleteFunction_custom", "DELETE", "/services/full/functions/serve", nil, nil},
		{"GetFunction", "GET", "/services/demo/functions/resize", nil, nil},
		{"UpdateFunction", "PUT", "/services/demo/functions/resize", m{"timeout": 10}, nil},
		{"ListFunctions", "GET", "/services/demo.LATEST/functions", nil, nil},
		{"GetFunctionCode", "GET", "/services/demo/functions/resize/code", nil, nil},
		{"InvokeFunction", "POST", "/services/demo/functions/resize/invocations", "hello", nil},
		{"InvokeFunction_tail", "POST", "/services/demo.LATEST/functions/resize/invocations", "hello",
			[]option{header("X-Fc-Log-Type", "Tail")}},
		{"InvokeFunction_handled_error", "POST", "/services/demo/functions/resize/invocations", "handled", nil},
		{"InvokeFunction_unhandled_error", "POST", "/services/demo/functions/resize/invocations", "unhandled", nil},
		{"InvokeFunction_async", "POST", "/services/demo/functions/resize/invocations", "hello",
			[]option{header("X-Fc-Invocation-Type", "Async")}},
		{"CreateTrigger_oss", "POST", "/services/demo/functions/resize/triggers", ossTrigger("uploads", "src/"), nil},
		{"CreateTrigger_timer", "POST", "/services/demo/functions/resize/triggers", timer, nil},
		{"GetTrigger", "GET", "/services/demo/functions/resize/triggers/uploads", nil, nil},
		{"UpdateTrigger", "PUT", "/services/demo/functions/resize/triggers/uploads",
			m{"triggerConfig": m{"prefix": "in/"}}, nil},
		{"ListTriggers", "GET", "/services/demo/functions/resize/triggers", nil, nil},
		{"DeleteTrigger", "DELETE", "/services/demo/functions/resize/triggers/minute", nil, nil},
		{"DeleteFunction", "DELETE", "/services/demo/functions/whole", nil, nil},
		{"DeleteService", "DELETE", "/services/full", nil, nil},
		{"error_ServiceNotFound", "GET", "/services/full", nil, nil},
		{"error_PathNotSupported", "PATCH", "/services", nil, nil},
	}
	for _, st := range steps {
		golden(t, st.name, s.do(st.method, st.path, st.body, st.opts...))
	}
}
