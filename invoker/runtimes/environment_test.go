package runtimes

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fcd/fc"
	"fcd/invoker/runtimes/frame"
)

func binding(vars map[string]string) Binding {
	return Binding{
		Target: &fc.Target{
			Ref:       fc.FunctionRef{Service: "svc", Qualifier: "prod", Function: "fn"},
			VersionID: "7",
			Service:   &fc.Service{Name: "svc", LogConfig: fc.LogConfig{Project: "p", Logstore: "l"}},
			Function: &fc.Function{Name: "fn", Handler: "index.handler", Initializer: "index.init", MemorySizeMB: 256, TimeoutSeconds: 9,
				InitializationTimeoutSeconds: 4, EnvironmentVariables: vars},
		},
		Region: "cn-hangzhou", AccountID: "123", InstanceID: "i-1", Token: frame.Token{1, 2},
		Credentials: fc.Credentials{AccessKeyID: "id", AccessKeySecret: "secret", SecurityToken: "token"},
		Extra:       map[string]string{"OSS_ENDPOINT": "http://oss", "SHARED": "daemon"},
	}
}

func TestEnvironment(t *testing.T) {
	r, err := newTable(t, Options{Settings: map[string]Settings{"python3": {Env: map[string]string{"OPERATOR": "1"}}}}).Get("python3")
	if err != nil {
		t.Fatal(err)
	}
	vars := map[string]string{
		"MINE": "x", "SHARED": "function", "PATH": "/code/bin", "TZ": "Asia/Shanghai", "PYTHONPATH": "/code/lib",
		"PYTHONUNBUFFERED": "", "FC_REGION": "moon", "OPERATOR": "2",
	}
	got := r.Environment(binding(vars))
	want := []string{
		"FC_ACCOUNT_ID=123", "FC_FUNCTION_HANDLER=index.handler", "FC_FUNCTION_MEMORY_SIZE=256", "FC_FUNCTION_NAME=fn",
		"FC_FUNC_CODE_PATH=/code/", "FC_INSTANCE_ID=i-1", "FC_QUALIFIER=prod", "FC_REGION=cn-hangzhou",
		"FC_RUNTIME_VERSION=" + r.Probe().Version, "FC_SERVICE_NAME=svc", "FC_VER_ID=7", "HOME=/tmp", "LANG=C.UTF-8",
		"LD_LIBRARY_PATH=/code:/code/lib:/usr/local/lib", "MINE=x", "OPERATOR=1", "OSS_ENDPOINT=http://oss", "PATH=/code/bin",
		"PYTHONPATH=/code/lib", "PYTHONUNBUFFERED=1", "SHARED=function", "TZ=Asia/Shanghai",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	wantStart := []string{"HOME=/tmp", "LANG=C.UTF-8", "LD_LIBRARY_PATH=/code:/code/lib:/usr/local/lib", "OPERATOR=1",
		"PATH=/usr/local/bin:/usr/bin:/bin", "PYTHONUNBUFFERED=1"}
	if diff := cmp.Diff(wantStart, r.StartEnv()); diff != "" {
		t.Error(diff)
	}
}

func TestHello(t *testing.T) {
	table := newTable(t, Options{})
	r, err := table.Get("nodejs4.4")
	if err != nil {
		t.Fatal(err)
	}
	b := binding(map[string]string{"MINE": "x"})
	got := r.Hello(b)
	want := frame.Hello{
		V: 1, Runtime: "nodejs6", Token: "0102" + strings.Repeat("0", 28), CodeDir: "/code", Handler: "index.handler", Initializer: "index.init",
		Env:      got.Env,
		Function: frame.Function{Name: "fn", Handler: "index.handler", MemoryMB: 256, TimeoutSeconds: 9, Initializer: "index.init", InitializationTimeout: 4},
		Service:  frame.Service{Name: "svc", LogProject: "p", LogStore: "l", Qualifier: "prod", VersionID: "7"},
		Region:   "cn-hangzhou", AccountID: "123", InstanceID: "i-1",
		Concurrency: 1,
		Credentials: frame.Credentials{AccessKeyID: "id", AccessKeySecret: "secret", SecurityToken: "token"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for key, value := range got.Env {
		if strings.Contains(value, "secret") || key == "PATH" {
			t.Errorf("%s=%s in HELLO's environment", key, value)
		}
	}
	if got.Env["MINE"] != "x" || got.Env["FC_QUALIFIER"] != "prod" {
		t.Errorf("environment %v", got.Env)
	}
	b.Target.Ref.Qualifier = ""
	if q := r.Hello(b).Service.Qualifier; q != "LATEST" {
		t.Errorf("qualifier %q", q)
	}
}
