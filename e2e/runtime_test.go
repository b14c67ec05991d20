package e2e

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"fcd/config"
)

// runtimes that the host's interpreters serve.
var nodes = []string{"nodejs6", "nodejs8"}

const nodeEcho = `exports.handler = (event, context, callback) => callback(null, event);`

// TestNodeResults holds what a Node handler gives to its callback against the body of the answer.
func TestNodeResults(t *testing.T) {
	h := boot(t)
	h.service("node", "")
	for _, runtime := range nodes {
		h.deploy("node/"+runtime, runtime, map[string]string{"index.js": `
exports.handler = (event, context, callback) => {
  switch (event.toString()) {
    case 'buffer': return callback(null, Buffer.from([0, 255, 10]));
    case 'string': return callback(null, 'grüße');
    case 'object': return callback(null, {b: 1, a: [true, null]});
    case 'number': return callback(null, 4.5);
    case 'boolean': return callback(null, false);
    case 'null': return callback(null, null);
    case 'nothing': return callback();
    case 'handled': return callback(new TypeError('something is wrong'));
    case 'plain': return callback({code: 7});
    case 'zero': return callback(0, 'ignored');
    case 'twice': callback(null, 'first'); return callback(null, 'second');
    case 'throw': throw new RangeError('out of bounds');
    case 'exit': console.log('before the exit'); process.exit(3);
  }
};`})
		for _, c := range []struct{ event, body, errorType string }{
			{"buffer", "\x00\xff\n", ""},
			{"string", "grüße", ""},
			{"object", `{"b":1,"a":[true,null]}`, ""},
			{"number", "4.5", ""},
			{"boolean", "false", ""},
			{"null", "", ""},
			{"nothing", "", ""},
			{"twice", "first", ""},
			{"handled", `{"errorMessage":"something is wrong","errorType":"TypeError","stackTrace":["exports.handler (/code/index.js:`, "HandledInvocationError"},
			{"plain", `{"errorMessage":"{\"code\":7}"}`, "HandledInvocationError"},
			{"zero", `{"errorMessage":"0"}`, "HandledInvocationError"},
			{"throw", `{"errorMessage":"out of bounds","errorType":"RangeError","stackTrace":["exports.handler (/code/index.js:`, "UnhandledInvocationError"},
			{"exit", `{"errorMessage":"Process exited unexpectedly before completing request"}`, "UnhandledInvocationError"},
		} {
			t.Run(runtime+" "+c.event, func(t *testing.T) {
				a := h.invoke("node/"+runtime, c.event)
				kind := "application/octet-stream"
				if c.errorType != "" {
					kind = "application/json"
				}
				if a.status != 200 || a.errorType() != c.errorType || !strings.HasPrefix(a.body, c.body) ||
					c.errorType == "" && a.body != c.body || !strings.HasPrefix(a.header.Get("Content-Type"), kind) {
					t.Errorf("%d %s %s %q", a.status, a.header.Get("Content-Type"), a.errorType(), a.body)
				}
			})
		}
	}
}

// TestPythonResults does the same for Python.
func TestPythonResults(t *testing.T) {
	h := boot(t)
	h.service("py", "")
	h.python("py/f", `
import decimal, os
def handler(event, context):
    what = event.decode()
    if what == 'bytes': return b'\x00\xff\n'
    if what == 'str': return 'grüße'
    if what == 'none': return None
    if what == 'json': return {'b': [1, 'ü'], 'a': decimal.Decimal('1.5')}
    if what == 'unserialisable': return object()
    if what == 'raise': raise ValueError('bad value')
    if what == 'exit': os._exit(3)
`)
	for _, c := range []struct{ event, body, errorType string }{
		{"bytes", "\x00\xff\n", ""},
		{"str", "grüße", ""},
		{"none", "null", ""},
		{"json", "{\n    \"a\": 1.5,\n    \"b\": [\n        1,\n        \"\\u00fc\"\n    ]\n}", ""},
		{"unserialisable", "is not JSON serializable", "UnhandledInvocationError"},
		{"raise", `"errorMessage": "bad value"`, "UnhandledInvocationError"},
		{"raise", `raise ValueError('bad value')"`, "UnhandledInvocationError"},
		{"exit", `{"errorMessage":"Process exited unexpectedly before completing request"}`, "UnhandledInvocationError"},
	} {
		a := h.invoke("py/f", c.event)
		if a.status != 200 || a.errorType() != c.errorType || !strings.Contains(a.body, c.body) || c.errorType == "" && a.body != c.body {
			t.Errorf("%s: %d %s %q", c.event, a.status, a.errorType(), a.body)
		}
	}
}

// TestBrokenCode invokes what cannot be loaded, is too slow, or too large.
func TestBrokenCode(t *testing.T) {
	h := boot(t)
	h.service("broken", "")
	js := func(source string) map[string]string { return map[string]string{"index.js": source} }
	py := func(source string) map[string]string { return map[string]string{"index.py": source} }
	for _, c := range []struct {
		name, runtime string
		files         map[string]string
		extra         m
		want          string
	}{
		{"a Node module that is missing", "nodejs8", js(nodeEcho), m{"handler": "other.handler"}, `"errorMessage":"Cannot find module '/code/other.js'"`},
		{"a Node handler that is missing", "nodejs8", js(nodeEcho), m{"handler": "index.other"}, `"errorMessage":"Handler 'other' missing on module 'index'"`},
		{"a Node syntax error", "nodejs8", js("exports.handler = ("), nil, `"errorType":"SyntaxError"`},
		{"a Python module that is missing", "python3", py("x = 1"), m{"handler": "other.handler"}, `Unable to import module 'other'`},
		{"a Python handler that is missing", "python3", py("x = 1"), nil, `Handler 'handler' missing on module 'index'`},
		{"a Python syntax error", "python3", py("def handler(:"), nil, `Syntax error in module 'index'`},
		{"a Python module that raises", "python3", py("raise KeyError('k')"), nil, `Module initialization error`},
		{"a handler without a dot", "python3", py("x = 1"), m{"handler": "nodot"}, `Invalid handler 'nodot'`},
		{"a Node handler that never answers", "nodejs8", js("exports.handler = () => {};"), m{"timeout": 1}, `"errorMessage":"Task timed out after 1 seconds"`},
		{"a Python handler that sleeps", "python3", py("import time\ndef handler(e, c):\n    time.sleep(60)"), m{"timeout": 1}, `"errorMessage":"Task timed out after 1 seconds"`},
		{"a Node result beyond the bound", "nodejs8", js("exports.handler = (e, c, cb) => cb(null, Buffer.alloc(7 << 20));"), m{"memorySize": 256}, `"errorMessage":`},
		{"an initializer that fails", "nodejs8", js("exports.init = (c, cb) => cb(new Error('not today'));" + nodeEcho), m{"initializer": "index.init"}, `"errorMessage":"not today"`},
		{"an initializer that is too slow", "python3", py("import time\ndef init(c):\n    time.sleep(60)\ndef handler(e, c):\n    pass"),
			m{"initializer": "index.init", "initializationTimeout": 1}, `timed out after 1 seconds`},
	} {
		t.Run(c.name, func(t *testing.T) {
			name := "f-" + regexp.MustCompile(`\W`).ReplaceAllString(c.name, "-")
			if c.extra == nil {
				c.extra = m{}
			}
			h.deploy("broken/"+name, c.runtime, c.files, c.extra)
			a := h.invoke("broken/"+name, "x", tail)
			if a.status != 200 || a.errorType() == "" || !strings.Contains(strings.ReplaceAll(a.body, `\u0027`, "'"), c.want) {
				t.Errorf("%d %s %s", a.status, a.errorType(), a.body)
			}
			if !strings.Contains(a.tail(), "RequestId: "+a.requestID()+", Error: ") {
				t.Errorf("tail %q", a.tail())
			}
		})
	}
}

// TestMemoryHog ends by its own limit; the next call is served by a new instance.
func TestMemoryHog(t *testing.T) {
	h := boot(t)
	h.service("hog", "")
	h.python("hog/f", `
def handler(event, context):
    if event == b'eat':
        hog = []
        while True:
            hog.append(bytearray(1 << 20))
            hog[-1][::4096] = b'x' * 256
    return 'fine'
`)
	first := h.invoke("hog/f", "")
	a := h.invoke("hog/f", "eat")
	if a.errorType() != "UnhandledInvocationError" || a.field("errorMessage") != "Process exited unexpectedly before completing request" {
		t.Errorf("%d %s %s", a.status, a.errorType(), a.body)
	}
	again := h.invoke("hog/f", "")
	if again.body != "fine" || again.header.Get("X-Fc-Instance-Id") == first.header.Get("X-Fc-Instance-Id") {
		t.Errorf("after it: %q by %s, before by %s", again.body, again.header.Get("X-Fc-Instance-Id"), first.header.Get("X-Fc-Instance-Id"))
	}
}

// TestAnswerHeaders holds the headers and the tail of an invocation against the guide.
func TestAnswerHeaders(t *testing.T) {
	h := boot(t)
	h.service("svc", "")
	h.node("svc/f", `exports.handler = (event, context, callback) => {
  console.log('hello\nworld'); console.error('bad'); context.logger.info('by logger'); process.stdout.write('raw\n');
  callback(null, 'ok');
};`)
	code := h.must("GET", "/services/svc/functions/f", nil).field("codeChecksum")
	a := h.invoke("svc/f", "", tail)
	head := a.header
	id := a.requestID()
	for name, want := range map[string]string{
		"X-Fc-Request-Id":                 `^[0-9a-f-]{36}$`,
		"X-Fc-Invocation-Duration":        `^\d+$`,
		"X-Fc-Max-Memory-Usage":           `^\d+\.\d\d$`,
		"X-Fc-Code-Checksum":              "^" + code + "$",
		"X-Fc-Invocation-Service-Version": "^LATEST$",
		"X-Fc-Instance-Id":                `.`,
		"Content-Type":                    `^application/octet-stream$`,
		"Access-Control-Expose-Headers":   `x-fc-log-result`,
		"Date":                            `GMT$`,
	} {
		if !regexp.MustCompile(want).MatchString(head.Get(name)) {
			t.Errorf("%s is %q, want %s", name, head.Get(name), want)
		}
	}
	stamp := `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ` + id
	pattern := `^FC Invoke Start RequestId: ` + id + `\n` + stamp + ` verbose hello\rworld\n(` + stamp + ` error bad\n)?` +
		stamp + ` info by logger\n(` + stamp + ` error bad\n)?raw\n(` + stamp + ` error bad\n)?FC Invoke End RequestId: ` + id +
		`\n\nDuration: [\d.]+ ms, Billed Duration: \d+00 ms, Memory Size: 128 MB, Max Memory Used: [\d.]+ MB$`
	if !regexp.MustCompile(pattern).MatchString(a.tail()) {
		t.Errorf("tail %q", a.tail())
	}
	h.logged("svc/f", "hello\rworld", "error bad", "raw", "FC Invoke Start RequestId: "+id, "FC Invoke End RequestId: "+id)
	if h.invoke("svc/f", "").header.Get("X-Fc-Log-Result") != "" {
		t.Error("a log came without having been asked for")
	}
	if long := h.do("POST", "/services/svc.LATEST/functions/f/invocations", ""); long.body != "ok" {
		t.Errorf("by its qualifier: %d %s", long.status, long.body)
	}
}

// TestLargeBodies takes events and results of the largest size through the whole house, in each language.
func TestLargeBodies(t *testing.T) {
	h := boot(t)
	h.service("large", "")
	h.node("large/node", nodeEcho, m{"memorySize": 256})
	h.python("large/python", "def handler(event, context):\n    return event\n", m{"memorySize": 256})
	event := strings.Repeat("0123456789abcdef", 6<<20/16)
	for _, f := range []string{"large/node", "large/python"} {
		if got := h.returns(f, event); got != event {
			t.Errorf("%s gave %d bytes back", f, len(got))
		}
		a := h.invoke(f, event+"x")
		if a.status != 400 || a.code() != "EntityTooLarge" || a.message() != "payload size exceeds maximum allowed size (6291456 bytes)" {
			t.Errorf("one byte more: %d %s", a.status, a.body)
		}
	}
}

// TestContextAndEnvironment shows what a function knows of itself.
func TestContextAndEnvironment(t *testing.T) {
	h := boot(t)
	h.service("self", functionRole)
	env := m{"environmentVariables": m{"MINE": "yes", "TZ": "Asia/Shanghai"}, "memorySize": 192, "timeout": 7,
		"initializer": "index.init", "initializationTimeout": 5}
	h.node("self/node", `let inits = 0;
exports.init = (context, callback) => { inits++; callback(); };
exports.handler = (event, context, callback) => callback(null, {inits, context, env: process.env, cwd: process.cwd()});`, env)
	h.python("self/python", `import json, os
inits = 0
def init(context):
    global inits
    inits += 1
def handler(event, context):
    return {'inits': inits, 'context': json.loads(context.to_json()), 'env': dict(os.environ), 'cwd': os.getcwd()}
`, env)
	for _, name := range []string{"node", "python"} {
		h.returns("self/"+name, "")
		a := h.invoke("self/"+name, "")
		var got struct {
			Inits   int
			Context m
			Env     map[string]string
			Cwd     string
		}
		if err := json.Unmarshal([]byte(a.body), &got); err != nil {
			t.Fatalf("%s: %v in %q", name, err, a.body)
		}
		if got.Inits != 1 || got.Cwd != "/code" {
			t.Errorf("%s: %d runs of the initializer, in %s", name, got.Inits, got.Cwd)
		}
		for k, want := range map[string]string{"MINE": "yes", "TZ": "Asia/Shanghai", "FC_FUNC_CODE_PATH": "/code/", "HOME": "/tmp",
			"FC_FUNCTION_NAME": name, "FC_SERVICE_NAME": "self", "FC_FUNCTION_MEMORY_SIZE": "192", "FC_REGION": region,
			"FC_ACCOUNT_ID": account, "LANG": "C.UTF-8"} {
			if got.Env[k] != want {
				t.Errorf("%s: %s is %q, want %q", name, k, got.Env[k], want)
			}
		}
		text, _ := json.Marshal(got.Context)
		for _, want := range []string{a.requestID(), `"memory":192`, `"timeout":7`, `"` + project + `"`, `"` + logstore + `"`, account, "STS."} {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s: no %q in the context %s", name, want, text)
			}
		}
	}
}

// TestReuse shows that one instance serves call after call, several at once, and none after its code changed.
func TestReuse(t *testing.T) {
	h := boot(t, func(c *config.Config) { c.Invoker.MaxInstancesPerFunction = 3 })
	h.service("warm", "")
	h.node("warm/f", `let n = 0; exports.handler = (e, c, cb) => { n++; setTimeout(() => cb(null, '1:' + n), Number(e.toString())); };`)
	first := h.invoke("warm/f", "0")
	second := h.invoke("warm/f", "0")
	id := first.header.Get("X-Fc-Instance-Id")
	if second.body != "1:2" || id == "" || second.header.Get("X-Fc-Instance-Id") != id {
		t.Errorf("%q by %s, then %q by %s", first.body, id, second.body, second.header.Get("X-Fc-Instance-Id"))
	}

	var wg sync.WaitGroup
	var mu sync.Mutex
	instances := map[string]int{}
	for range 9 {
		wg.Go(func() {
			a := h.invoke("warm/f", "300")
			mu.Lock()
			defer mu.Unlock()
			if !strings.HasPrefix(a.body, "1:") {
				t.Errorf("%d %s", a.status, a.body)
			}
			instances[a.header.Get("X-Fc-Instance-Id")]++
		})
	}
	wg.Wait()
	if len(instances) != 3 {
		t.Errorf("nine calls at once ran in %d instances, want 3: %v", len(instances), instances)
	}

	h.must("PUT", "/services/warm/functions/f", m{"code": m{"zipFile": zipOf(t, map[string]string{"index.js": `exports.handler = (e, c, cb) => cb(null, '2');`})}})
	if a := h.invoke("warm/f", "0"); a.body != "2" || instances[a.header.Get("X-Fc-Instance-Id")] > 0 {
		t.Errorf("after the update: %q by %s", a.body, a.header.Get("X-Fc-Instance-Id"))
	}
	h.must("PUT", "/services/warm/functions/f", m{"environmentVariables": m{"A": "1"}, "handler": "index.other"})
	if a := h.invoke("warm/f", "0"); a.errorType() != "UnhandledInvocationError" {
		t.Errorf("after another handler was set: %s %s", a.errorType(), a.body)
	}
	eventually(t, "the old instances are gone", func() bool { return h.metric("fcd_invoker_instances") <= 1 })
}

// TestDurations: the timeout is the function's, and the answer to one comes at once.
func TestDurations(t *testing.T) {
	h := boot(t)
	h.service("slow", "")
	h.node("slow/f", `exports.handler = (e, c, cb) => { console.log('begun'); for (;;) {} };`, m{"timeout": 1})
	begin := time.Now()
	a := h.invoke("slow/f", "", tail)
	took := time.Since(begin)
	if a.field("errorMessage") != "Task timed out after 1 seconds" || took < time.Second || took > 6*time.Second {
		t.Errorf("after %v: %s", took, a.body)
	}
	if ms, err := strconv.Atoi(a.header.Get("X-Fc-Invocation-Duration")); err != nil || ms < 1000 {
		t.Errorf("duration %q", a.header.Get("X-Fc-Invocation-Duration"))
	}
	if want := fmt.Sprintf("FC Invoke End RequestId: %s, Error: Unhandled function error", a.requestID()); !strings.Contains(a.tail(), want) ||
		!strings.Contains(a.tail(), "begun") {
		t.Errorf("tail %q", a.tail())
	}
}
