package invoker

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"fcd/fc"
	"fcd/invoker/runtimes/frame"
)

// built builds a program of this repository as a function's bootstrap and gives the folder it lies in.
func built(t testing.TB, pkg string) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("go", "build", "-o", filepath.Join(dir, "bootstrap"), pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v: %s", pkg, err, out)
	}
	return dir
}

// newCustom is an Invoker on the native driver with the code of dir.
func newCustom(t testing.TB, dir string, change func(*Options)) *real {
	t.Helper()
	driver := nativeDriver(t)
	w := newWorld(t, func(o *Options) {
		o.Driver, o.Code = driver, codeDir(dir)
		if change != nil {
			change(o)
		}
	})
	r := &real{world: w}
	r.ref = r.custom("hello", nil)
	return r
}

func (r *real) custom(name string, change func(*fc.Service, *fc.Function)) fc.FunctionRef {
	return r.functions.set(name, func(s *fc.Service, f *fc.Function) {
		f.Runtime, f.Handler = fc.RuntimeCustom, "not-used"
		if change != nil {
			change(s, f)
		}
	})
}

func (r *real) customMode(mode string) fc.FunctionRef {
	return r.custom(mode, func(_ *fc.Service, f *fc.Function) { f.EnvironmentVariables = map[string]string{"MODE": mode} })
}

func TestCustomPrograms(t *testing.T) {
	dir := built(t, "./testdata/custom")
	r := newCustom(t, dir, nil)
	t.Run("calls, results and errors", func(t *testing.T) { testCustomAnswers(t, r) })
	t.Run("facts", func(t *testing.T) { testCustomFacts(t, dir) })
	t.Run("starts", func(t *testing.T) { testCustomStarts(t, dir) })
	t.Run("ends", func(t *testing.T) { testCustomEnds(t, r) })
	t.Run("bodies", func(t *testing.T) { testCustomBodies(t, r) })
	t.Run("initializer", func(t *testing.T) { testCustomInitializer(t, r) })
	t.Run("log", func(t *testing.T) { testCustomLog(t, r) })
	t.Run("concurrency", func(t *testing.T) { testCustomConcurrency(t, r) })
	t.Run("hooks", func(t *testing.T) { testCustomHooks(t, dir) })
	t.Run("commands", func(t *testing.T) { testCustomCommands(t, r) })
}

func testCustomAnswers(t *testing.T, r *real) {
	const h, u = fc.HandledInvocationError, fc.UnhandledInvocationError
	tests := []struct{ event, body, errorType, class string }{
		{"echo hi", "hi", "", ""},
		{"echo ", "", "", ""},
		{"calls", "1", "", ""},
		{"calls", "2", "", ""},
		{"status 201 made", "made", "", ""},
		{`status 417 {"errorMessage":"oops","errorType":"E"}`, `{"errorMessage":"oops","errorType":"E"}`, h, frame.ClassHandled},
		{"status 417 plain \"text\"", `{"errorMessage":"plain \"text\""}`, h, frame.ClassHandled},
		{"status 500 broken", `{"errorMessage":"broken"}`, u, frame.ClassUnhandled},
		{"status 429", `{"errorMessage":"the program answered with status 429"}`, u, frame.ClassUnhandled},
		{"status 404 no such handler", `{"errorMessage":"no such handler"}`, u, frame.ClassNoHandler},
		{"status 302", `{"errorMessage":"the program answered with status 302"}`, u, frame.ClassUnhandled},
		{"x-status 200", "over", "", ""},
		{"x-status 404", `{"errorMessage":"over"}`, u, frame.ClassNoHandler},
		{"x-status nonsense", "over", "", ""},
		{"panic", `{"errorMessage":"the program closed the connection without an answer: EOF","errorType":"InvalidResponse"}`, u, frame.ClassUnhandled},
		{"calls", "3", "", ""},
	}
	id := r.call(t, r.ref, "echo").InstanceID
	for _, tt := range tests {
		res := r.call(t, r.ref, tt.event)
		if string(res.Body) != tt.body || res.ErrorType != tt.errorType || res.ErrorClass != tt.class || res.InstanceID != id {
			t.Errorf("%s: %s %s %q", tt.event, res.ErrorType, res.ErrorClass, res.Body)
		}
		all := r.lines.ended(t, res.RequestID)
		if logged := strings.Count(strings.Join(all, "\n"), "errorMessage"); logged != min(1, len(res.ErrorType)) {
			t.Errorf("%s: the error stands %d times in the log: %q", tt.event, logged, all)
		}
	}
	first, second := r.call(t, r.ref, "remote"), r.call(t, r.ref, "remote")
	if string(first.Body) != string(second.Body) {
		t.Errorf("the connection is not kept: %s, then %s", first.Body, second.Body)
	}
}

func testCustomFacts(t *testing.T, dir string) {
	keys := &keySource{keys: fc.Credentials{AccessKeyID: "a", AccessKeySecret: "b", SecurityToken: "c", Expiration: time.Now().Add(time.Hour)}}
	r := newCustom(t, dir, func(o *Options) { o.Credentials = keys })
	ref := r.custom("hello", func(s *fc.Service, f *fc.Function) { s.Role, f.CAPort = "acs:ram::1:role/r", 8123 })
	res, err := r.Invoke(context.Background(), fc.Call{RequestID: "facts-1", Ref: ref, Payload: []byte("headers"), RetryCount: 2})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string][]string
	if err := json.Unmarshal(res.Body, &got); err != nil {
		t.Fatalf("%v: %s", err, res.Body)
	}
	for key, want := range map[string]string{
		"Content-Type": "application/octet-stream", "X-Fc-Request-Id": "facts-1", "X-Fc-Function-Name": "hello",
		"X-Fc-Function-Handler": "not-used", "X-Fc-Function-Memory": "128", "X-Fc-Function-Timeout": "60",
		"X-Fc-Initialization-Timeout": "60", "X-Fc-Access-Key-Id": "a", "X-Fc-Access-Key-Secret": "b",
		"X-Fc-Security-Token": "c", "X-Fc-Region": "local", "X-Fc-Account-Id": "123", "X-Fc-Service-Name": "demo",
		"X-Fc-Service-Logproject": "p", "X-Fc-Service-Logstore": "l", "X-Fc-Qualifier": "LATEST", "X-Fc-Version-Id": "LATEST",
		"X-Fc-Retry-Count": "2", "X-Fc-Control-Path": "/invoke",
	} {
		if strings.Join(got[key], ",") != want {
			t.Errorf("%s: %q, want %q", key, got[key], want)
		}
	}
	for key, want := range map[string]string{"FC_SERVER_PORT": "8123", "FC_FUNC_CODE_PATH": "/code/", "HOME": "/tmp"} {
		if got := r.call(t, ref, "env "+key); string(got.Body) != want {
			t.Errorf("%s is %q, want %q", key, got.Body, want)
		}
	}
}

func testCustomStarts(t *testing.T, dir string) {
	tests := []struct{ mode, body string }{
		{"slow", "hi"},
		{"crash", `{"errorMessage":"Function instance exited unexpectedly(code 3, message:exit status 3) with start command './bootstrap'","errorType":"CAExited"}`},
		{"mute", `{"errorMessage":"Function instance health check failed on port 9000 in 1 seconds","errorType":"FunctionNotStarted"}`},
	}
	for _, tt := range tests {
		r := newCustom(t, dir, func(o *Options) {
			if tt.mode == "mute" {
				o.CustomStartTimeout = time.Second
			}
		})
		res := r.call(t, r.customMode(tt.mode), "echo hi")
		if string(res.Body) != tt.body || (res.ErrorType != "") != (tt.mode != "slow") {
			t.Errorf("%s: %s %s", tt.mode, res.ErrorType, res.Body)
		}
		all := r.lines.ended(t, res.RequestID)
		if all[1] != "starting " {
			t.Errorf("%s: the words of the start are missing: %q", tt.mode, all)
		}
		if tt.mode == "crash" && all[2] != "cannot go on" {
			t.Errorf("the last words are missing: %q", all)
		}
	}
}

func testCustomEnds(t *testing.T, r *real) {
	const exited = `{"errorMessage":"Function instance exited unexpectedly(code `
	for _, tt := range []struct{ event, body, class string }{
		{"exit 7", exited + `7, message:exit status 7) with start command './bootstrap'","errorType":"CAExited"}`, frame.ClassUnhandled},
		{"exit 0", exited + `0, message:exit status 0) with start command './bootstrap'","errorType":"CAExited"}`, frame.ClassUnhandled},
		{"hang", `{"errorMessage":"Task timed out after 2 seconds"}`, frame.ClassTimeout},
		{"hog", exited, frame.ClassOOM},
	} {
		ref := r.custom("ends", func(_ *fc.Service, f *fc.Function) {
			if tt.class == frame.ClassTimeout {
				f.TimeoutSeconds = 2
			}
		})
		before := r.call(t, ref, "calls")
		res := r.call(t, ref, tt.event)
		if !strings.HasPrefix(string(res.Body), tt.body) || res.ErrorClass != tt.class || res.ErrorType != fc.UnhandledInvocationError {
			t.Errorf("%s: %s %s", tt.event, res.ErrorClass, res.Body)
		}
		if after := r.call(t, ref, "calls"); string(after.Body) != "1" || after.InstanceID == before.InstanceID {
			t.Errorf("%s: the instance serves again", tt.event)
		}
		if all := strings.Join(r.lines.ended(t, res.RequestID), "\n"); tt.event != "hog" && !strings.Contains(all, "ing\n") {
			t.Errorf("%s: the last line is lost: %q", tt.event, all)
		}
	}
	r.Invoker.mu.Lock()
	for p := range r.instances {
		p.sb.Signal(9)
	}
	r.Invoker.mu.Unlock()
	r.settled(t, 0)
	if res := r.call(t, r.ref, "echo hi"); string(res.Body) != "hi" {
		t.Errorf("after the death of an idle instance: %s", res.Body)
	}
}

func testCustomBodies(t *testing.T, r *real) {
	for _, n := range []int{1 << 20, 6<<20 - 5} {
		body := bytes.Repeat([]byte{0, 1, 254, '\n'}, n/4)
		res, err := r.Invoke(context.Background(), fc.Call{RequestID: "big", Ref: r.ref, Payload: append([]byte("echo "), body...)})
		if err != nil || !bytes.Equal(res.Body, body) {
			t.Errorf("%d bytes came back as %d: %v %.200s", len(body), len(res.Body), err, res.Body)
		}
	}
	if res := r.call(t, r.ref, fmt.Sprintf("size %d", 6<<20)); len(res.Body) != 6<<20 || res.ErrorType != "" {
		t.Errorf("the largest result: %d bytes", len(res.Body))
	}
	if res := r.call(t, r.ref, fmt.Sprintf("size %d", 6<<20+1)); string(res.Body) != `{"errorMessage":"result size exceeds maximum allowed size (6291456 bytes)"}` {
		t.Errorf("a result too large: %.100s", res.Body)
	}
}

func testCustomInitializer(t *testing.T, r *real) {
	ref := r.custom("init", func(_ *fc.Service, f *fc.Function) {
		f.Initializer, f.EnvironmentVariables, f.InstanceConcurrency = "init", map[string]string{"FAIL": "1"}, 3
	})
	if res := r.call(t, ref, "inits"); string(res.Body) != `{"errorMessage":"not yet"}` || res.ErrorType != fc.UnhandledInvocationError {
		t.Errorf("the first call: %s %s", res.ErrorType, res.Body)
	}
	for range 2 {
		if res := r.call(t, ref, "inits"); string(res.Body) != "2" {
			t.Errorf("a later call: %s", res.Body)
		}
	}
}

func testCustomLog(t *testing.T, r *real) {
	res := r.call(t, r.ref, "print hello")
	want := []string{"FC Invoke Start RequestId: " + res.RequestID, "hello", "error hello", "FC Invoke End RequestId: " + res.RequestID}
	if all := r.lines.ended(t, res.RequestID); fmt.Sprint(all) != fmt.Sprint(want) {
		t.Errorf("got %q", all)
	}
	tailed, err := r.Invoke(context.Background(), fc.Call{RequestID: "tail", Ref: r.ref, Payload: []byte("print x"), Tail: true})
	if err != nil || !strings.HasPrefix(string(tailed.LogTail), "FC Invoke Start RequestId: tail\nx\nerror x\nFC Invoke End RequestId: tail\n\nDuration: ") {
		t.Errorf("%q, %v", tailed.LogTail, err)
	}
}

func testCustomConcurrency(t *testing.T, r *real) {
	ref := r.custom("ten", func(_ *fc.Service, f *fc.Function) { f.InstanceConcurrency = 10 })
	testBarrier(t, r, ref)
}

func testCustomHooks(t *testing.T, dir string) {
	r := newCustom(t, dir, func(o *Options) { o.FreezeAfter = time.Millisecond })
	ref := r.custom("hooked", func(_ *fc.Service, f *fc.Function) {
		hook := &fc.LifecycleHook{Handler: "yes", TimeoutSeconds: 60}
		f.InstanceLifecycleConfig = &fc.LifecycleConfig{PreFreeze: hook, PreStop: hook}
	})
	r.call(t, ref, "calls")
	frozen := r.saidEnd(t, "PreFreeze")
	r.Close(context.Background())
	stopped := r.saidEnd(t, "PreStop")
	if len(frozen) < 3 || frozen[1] != "/pre-freeze /pre-freeze hooked after 1" || len(stopped) < 3 || stopped[1] != "/pre-stop /pre-stop hooked after 1" {
		t.Errorf("%q, %q", frozen, stopped)
	}
}

// testBarrier makes ten calls that wait for each other: they end only if one instance has them all at a time.
func testBarrier(t *testing.T, r *real, ref fc.FunctionRef) {
	t.Helper()
	var wg sync.WaitGroup
	var mu sync.Mutex
	instances := map[string]int{}
	for n := range 10 {
		wg.Go(func() {
			res, err := r.Invoke(context.Background(), fc.Call{RequestID: fmt.Sprintf("%s-%d", ref.Function, n), Ref: ref, Payload: []byte("barrier")})
			if err != nil || string(res.Body) != "through" {
				t.Errorf("call %d: %s %v", n, res.Body, err)
			}
			mu.Lock()
			defer mu.Unlock()
			instances[res.InstanceID]++
		})
	}
	wg.Wait()
	if len(instances) != 1 {
		t.Errorf("the instances and their calls: %v", instances)
	}
}

func testCustomCommands(t *testing.T, r *real) {
	for _, tt := range []struct {
		name   string
		config fc.CustomRuntimeConfig
		starts string
	}{
		{"arguments of the bootstrap", fc.CustomRuntimeConfig{Args: []string{"a", "b c"}}, "starting a b c"},
		{"a relative path", fc.CustomRuntimeConfig{Command: []string{"./bootstrap", "x"}, Args: []string{"y"}}, "starting x y"},
		{"a program of PATH", fc.CustomRuntimeConfig{Command: []string{"sh", "-c", `exec /code/bootstrap "$0"`, "z"}}, "starting z"},
	} {
		ref := r.custom("command", func(_ *fc.Service, f *fc.Function) { f.CustomRuntimeConfig = &tt.config })
		res := r.call(t, ref, "echo hi")
		if all := r.lines.ended(t, res.RequestID); string(res.Body) != "hi" || all[1] != tt.starts {
			t.Errorf("%s: %s %q", tt.name, res.Body, all)
		}
	}
	ref := r.custom("none", func(_ *fc.Service, f *fc.Function) {
		f.CustomRuntimeConfig = &fc.CustomRuntimeConfig{Command: []string{"/code/nothing"}}
	})
	_, err := r.Invoke(context.Background(), fc.Call{RequestID: "r", Ref: ref})
	if codeOf(err) != fc.InvalidArgument || !strings.Contains(err.Error(), "the function cannot be started: /code/nothing: no such file or directory") {
		t.Errorf("got %v", err)
	}
}

func TestTheGoExampleRuns(t *testing.T) {
	r := newCustom(t, built(t, "fcd/examples/custom-go"), nil)
	ref := r.custom("words", func(_ *fc.Service, f *fc.Function) { f.Initializer = "yes" })
	if res := r.call(t, ref, "to be or not"); string(res.Body) != "{\"words\":4}\n" {
		t.Errorf("got %s", res.Body)
	}
	if res := r.call(t, ref, " "); string(res.Body) != `{"errorMessage":"an event without words"}` || res.ErrorType != fc.HandledInvocationError {
		t.Errorf("got %s %s", res.ErrorType, res.Body)
	}
	all := r.lines.ended(t, "req-1")
	if all[1] != "ready for words" || all[4] != "req-1 4 words" {
		t.Errorf("got %q", all)
	}
}

const pythonServer = `#!/usr/bin/python3
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        event = self.rfile.read(int(self.headers['content-length'] or 0))
        body = b'%s says %s' % (self.headers['x-fc-function-name'].encode(), event)
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
http.server.HTTPServer(('0.0.0.0', int(os.environ['FC_SERVER_PORT'])), Handler).serve_forever()
`

func TestAPythonServerIsABootstrap(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bootstrap"), []byte(pythonServer), 0o755); err != nil {
		t.Fatal(err)
	}
	r := newCustom(t, dir, nil)
	for range 3 {
		if res := r.call(t, r.ref, "hi"); string(res.Body) != "hello says hi" {
			t.Errorf("got %s %s", res.ErrorType, res.Body)
		}
	}
}
