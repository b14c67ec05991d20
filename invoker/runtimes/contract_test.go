package runtimes

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fcd/invoker/runtimes/frame"
)

// languages lets one test try the same thing on every interpreter. code holds the handler's file by language; for Java
// the handler, whose class is in testdata/java. Where code is not nil, a language without any is left out.
func languages(t *testing.T, code map[string]string, test func(*testing.T, *process)) {
	t.Helper()
	for _, lang := range []string{"nodejs", "python", "java"} {
		if code != nil && code[lang] == "" {
			continue
		}
		onEach(t, lang, func(t *testing.T, in interpreter) { test(t, startHandler(t, in, code[lang])) })
	}
}

// startHandler starts a process for the code of one language in a map of languages.
func startHandler(t testing.TB, in interpreter, code string) *process {
	t.Helper()
	if in.lang == "java" {
		p := start(t, in, nil)
		p.hello.Handler = code
		return p
	}
	name := map[string]string{"nodejs": "index.js", "python": "index.py"}[in.lang]
	return start(t, in, map[string]string{name: code})
}

var echo = map[string]string{
	"java":   "example.Echo::handleRequest",
	"nodejs": "exports.handler = (event, context, callback) => callback(null, event)\n",
	"python": "def handler(event, context):\n    return event\n",
}

func TestBodiesOfAllSizes(t *testing.T) {
	languages(t, echo, func(t *testing.T, p *process) {
		for i, size := range []int{0, 1, 1 << 10, 64<<10 - 1, 64 << 10, 1 << 20, 6 << 20, 20 << 20} {
			body := bytes.Repeat([]byte{0, 'a', '\n', 0xff, 0xfe, 'S', 3}, size/7+1)[:size]
			got := p.invoke(fmt.Sprintf("r%d", i), string(body))
			if got.Type != frame.TypeResult || !bytes.Equal(got.Body, body) {
				t.Errorf("%d bytes: type %d, %d bytes back", size, got.Type, len(got.Body))
			}
		}
	})
}

func TestAResultBeyondAFrameIsAnError(t *testing.T) {
	code := map[string]string{
		"java":   "example.Big::handleRequest",
		"nodejs": "exports.handler = (event, context, callback) => callback(null, Buffer.alloc(64 << 20))\n",
		"python": "def handler(event, context):\n    return b'x' * (64 << 20)\n",
	}
	languages(t, code, func(t *testing.T, p *process) {
		got := p.invoke("r1", "")
		if got.Type != frame.TypeUnhandled || !strings.Contains(string(got.Body), "result of 67108864 bytes exceeds the maximum of 67107835") {
			t.Errorf("type %d: %.200s", got.Type, got.Body)
		}
	})
}

func TestContext(t *testing.T) {
	code := map[string]string{
		"nodejs": "exports.handler = (event, context, callback) => callback(null, JSON.stringify(context))\n",
		"python": "def handler(event, context):\n    assert str(context) == context.to_json()\n    return context.to_json()\n",
	}
	languages(t, code, func(t *testing.T, p *process) {
		p.hello.Initializer, p.hello.Function.Initializer = "index.init", "index.init"
		req := frame.Request{ID: "r1", RetryCount: 2,
			Credentials: &frame.Credentials{AccessKeyID: "id", AccessKeySecret: "secret", SecurityToken: "token"},
			Tracing:     &frame.Tracing{SpanContext: "ctx", SpanBaggages: map[string]string{"k": "v"}, JaegerEndpoint: "http://j"}}
		var got map[string]any
		a := p.request(frame.TypeInvoke, req, nil)
		if err := json.Unmarshal(a.Body, &got); err != nil {
			t.Fatalf("%v: %s", err, a.Body)
		}
		want := map[string]any{
			"requestId":   "r1",
			"credentials": map[string]any{"accessKeyId": "id", "accessKeySecret": "secret", "securityToken": "token"},
			"function":    map[string]any{"name": "fn", "handler": "index.handler", "memory": 128., "timeout": 3., "initializer": "index.init", "initializationTimeout": 5.},
			"service":     map[string]any{"name": "svc", "logProject": "prj", "logStore": "store", "qualifier": "prod", "versionId": "7"},
			"region":      "cn-hangzhou", "accountId": "1234567890", "retryCount": 2.,
			"tracing": map[string]any{"openTracingSpanContext": "ctx", "openTracingSpanBaggages": map[string]any{"k": "v"}, "jaegerEndpoint": "http://j"},
		}
		if p.in.lang == "nodejs" {
			want["logger"] = map[string]any{}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestPythonContextAttributes(t *testing.T) {
	code := `def handler(event, context):
    c = context
    assert isinstance(c.function.memory, int) and isinstance(c.request_id, str) and c.logger is __import__('logging').getLogger()
    return '|'.join(str(x) for x in [
        c.account_id, c.request_id, c.credentials.access_key_id, c.credentials.access_key_secret, c.credentials.security_token,
        c.function.name, c.function.handler, c.function.memory, c.function.timeout, c.function.initializer,
        c.function.initialization_timeout, c.service.name, c.service.log_project, c.service.log_store, c.service.qualifier,
        c.service.version_id, c.region, c.tracing.span_context, c.tracing.span_baggages, c.tracing.jaeger_endpoint, c.retry_count])
`
	onEach(t, "python", func(t *testing.T, in interpreter) {
		p := start(t, in, map[string]string{"index.py": code})
		want := "1234567890|r1||||fn|index.handler|128|3||5|svc|prj|store|prod|7|cn-hangzhou||{}||0"
		if got := p.invoke("r1", ""); string(got.Body) != want {
			t.Errorf("got  %s\nwant %s", got.Body, want)
		}
	})
}

func TestNodeContextIsFrozen(t *testing.T) {
	code := `'use strict';
exports.handler = function (event, context, callback) {
  const tries = {
    top: function () { context.requestId = 'x' },
    added: function () { context.more = 1 },
    function: function () { context.function.memory = 1 },
    service: function () { context.service.name = 'x' },
    credentials: function () { context.credentials.accessKeyId = 'x' },
    baggages: function () { context.tracing.openTracingSpanBaggages.x = 1 },
  };
  const soft = Object.keys(tries).filter(function (k) { try { tries[k](); return true } catch (e) { return false } });
  context.logger.mine = 1;
  callback(null, soft.join());
};
`
	onEach(t, "nodejs", func(t *testing.T, in interpreter) {
		if got := start(t, in, map[string]string{"index.js": code}).invoke("r1", ""); got.Type != frame.TypeResult || len(got.Body) > 0 {
			t.Errorf("type %d, could be changed: %s", got.Type, got.Body)
		}
	})
}

// printEnv answers some variables and the working directory.
var printEnv = map[string]string{
	"java":   "example.PrintEnv::handleRequest",
	"nodejs": "exports.handler = (event, context, callback) => callback(null, [process.env.GREETING, process.cwd(), new Date(0).getHours(), process.env.accessKeyID, process.env.ALIBABA_CLOUD_ACCESS_KEY_SECRET, process.env.securityToken, context.credentials.accessKeyId].join('|'))\n",
	"python": "import os, time\n\n\ndef handler(event, context):\n    e = os.environ.get\n    return '|'.join(str(x) for x in [e('GREETING'), os.getcwd(), time.localtime(0).tm_hour, e('accessKeyID', ''), e('ALIBABA_CLOUD_ACCESS_KEY_SECRET', ''), e('securityToken', ''), context.credentials.access_key_id])\n",
}

func TestEnvironmentAndCredentialsOfAHello(t *testing.T) {
	languages(t, printEnv, func(t *testing.T, p *process) {
		p.hello.Env["TZ"] = "Asia/Shanghai"
		steps := []struct {
			name string
			keys *frame.Credentials
			want string
		}{
			{"without a role", nil, "hello|/code|8||||"},
			{"with first keys", &frame.Credentials{AccessKeyID: "a", AccessKeySecret: "b", SecurityToken: "c"}, "hello|/code|8|a|b|c|a"},
			{"with the keys kept", nil, "hello|/code|8|a|b|c|a"},
			{"with refreshed keys", &frame.Credentials{AccessKeyID: "d", AccessKeySecret: "e", SecurityToken: "f"}, "hello|/code|8|d|e|f|d"},
		}
		for i, s := range steps {
			got := p.request(frame.TypeInvoke, frame.Request{ID: fmt.Sprint("r", i), Credentials: s.keys}, nil)
			if body := p.generic(string(got.Body)); body != s.want {
				t.Errorf("%s: got %s, want %s", s.name, body, s.want)
			}
		}
	})
}

func TestKeysOfAHelloReachTheFunction(t *testing.T) {
	languages(t, printEnv, func(t *testing.T, p *process) {
		p.hello.Credentials = frame.Credentials{AccessKeyID: "a", AccessKeySecret: "b", SecurityToken: "c"}
		if got := p.invoke("r1", ""); !strings.HasSuffix(string(got.Body), "|a|b|c|a") {
			t.Errorf("got %s", got.Body)
		}
	})
}

func TestPlacesOfLibraries(t *testing.T) {
	t.Run("Node", func(t *testing.T) {
		onEach(t, "nodejs", func(t *testing.T, in interpreter) {
			p := start(t, in, map[string]string{
				"index.js":                      "exports.handler = (e, c, cb) => cb(null, require('near') + require('far') + require('./sub/own'))\n",
				"node_modules/near/index.js":    "module.exports = 'near '\n",
				"elsewhere/far.js":              "module.exports = 'far '\n",
				"sub/own.js":                    "module.exports = require('down')\n",
				"sub/node_modules/down/main.js": "module.exports = 'down'\n", "sub/node_modules/down/package.json": `{"main":"main.js"}`,
			})
			p.hello.Env["NODE_PATH"] = p.code + "/elsewhere:/usr/local/lib/node_modules"
			if got := p.invoke("r1", ""); string(got.Body) != "near far down" {
				t.Errorf("got %s", got.Body)
			}
		})
	})
	t.Run("Python", func(t *testing.T) {
		onEach(t, "python", func(t *testing.T, in interpreter) {
			version := strings.Join(strings.SplitN(in.version, ".", 3)[:2], ".")
			site := ".fun/python/lib/python" + version + "/site-packages/"
			p := start(t, in, map[string]string{
				"index.py":           "import near, far, base, pth, sys\n\n\ndef handler(event, context):\n    return ' '.join([near.x, far.x, base.x, pth.x, sys.path[0], sys.path[1]])\n",
				"near.py":            "x = 'near'\n",
				"elsewhere/far.py":   "x = 'far'\n",
				site + "base.py":     "x = 'base'\n",
				site + "more.pth":    "deeper\n",
				site + "deeper/a.py": "", site + "deeper/pth.py": "x = 'pth'\n",
			})
			p.hello.Env["PYTHONPATH"] = p.code + "/elsewhere"
			p.hello.Env["PYTHONUSERBASE"] = p.code + "/.fun/python"
			want := "near far base pth /code /opt/python/lib/python" + version + "/site-packages"
			if got := p.invoke("r1", ""); p.generic(string(got.Body)) != want {
				t.Errorf("got %s, want %s", got.Body, want)
			}
		})
	})
}

func TestInitializer(t *testing.T) {
	code := map[string]string{
		"java": "example.Counter::handleRequest",
		"nodejs": `let n = 0;
exports.init = function (context, callback) {
  n++;
  console.log('init %d for %s', n, context.requestId);
  if (n === 1) return callback(new Error('not yet'));
  callback(null, 'ignored by the daemon');
};
exports.handler = (event, context, callback) => callback(null, n);
`,
		"python": `import logging
n = 0


def init(context):
    global n
    n += 1
    logging.info('init %d for %s', n, context.request_id)
    if n == 1:
        raise Exception('not yet')


def handler(event, context):
    return n
`,
	}
	languages(t, code, func(t *testing.T, p *process) {
		p.hello.Initializer = "index.init"
		if p.in.lang == "java" {
			p.hello.Initializer = "example.Counter::initialize"
		}
		if got := p.request(frame.TypeInit, frame.Request{ID: "i1"}, nil); got.Type == frame.TypeResult || !strings.Contains(string(got.Body), "not yet") {
			t.Errorf("first: %+v", got)
		}
		if got := p.request(frame.TypeInit, frame.Request{ID: "i2"}, nil); got.Type != frame.TypeResult {
			t.Errorf("second: %+v, %s", got, got.Body)
		}
		for _, id := range []string{"r1", "r2"} {
			if got := p.invoke(id, ""); string(got.Body) != "2" {
				t.Errorf("%s: %s", id, got.Body)
			}
		}
		if log := p.lines("i2"); len(log) != 1 || !strings.HasSuffix(log[0], "init 2 for i2") {
			t.Errorf("log of the second: %q", log)
		}
	})
}

func TestMissingInitializerIsAnError(t *testing.T) {
	languages(t, echo, func(t *testing.T, p *process) {
		want := "Handler 'init' missing on module 'index'"
		p.hello.Initializer = "index.init"
		if p.in.lang == "java" {
			p.hello.Initializer, want = "example.Counter::init", "Handler 'init' missing on class 'example.Counter', it must be 'initialize'"
		}
		got := p.request(frame.TypeInit, frame.Request{ID: "i1"}, nil)
		if got.Type != frame.TypeUnhandled || got.Class != frame.ClassNoHandler || !strings.Contains(string(got.Body), want) {
			t.Errorf("%+v %s", got, got.Body)
		}
	})
}

func TestHooks(t *testing.T) {
	code := map[string]string{
		"java":   "example.Hooks::handleRequest",
		"nodejs": "exports.stop = (context, callback) => { console.log('stop'); callback() }\nexports.freeze = (context, callback) => { console.log('freeze'); callback() }\n",
		"python": "def stop(context):\n    context.logger.info('stop')\n\n\ndef freeze(context):\n    context.logger.info('freeze')\n",
	}
	languages(t, code, func(t *testing.T, p *process) {
		p.hello.PreStop, p.hello.PreFreeze = "index.stop", "index.freeze"
		if p.in.lang == "java" {
			p.hello.PreStop, p.hello.PreFreeze = "example.Hooks::preStop", "example.Hooks::preFreeze"
		}
		for _, h := range []struct {
			typ  frame.Type
			name string
		}{{frame.TypePreFreeze, "freeze"}, {frame.TypePreStop, "stop"}} {
			got := p.request(h.typ, frame.Request{ID: h.name}, nil)
			if log := p.lines(h.name); got.Type != frame.TypeResult || len(log) != 1 || !strings.HasSuffix(log[0], h.name) {
				t.Errorf("%s: %+v, %q", h.name, got, log)
			}
		}
	})
}

func TestRequestsForWhatTheFunctionDoesNotHaveAreAnsweredEmpty(t *testing.T) {
	languages(t, echo, func(t *testing.T, p *process) {
		for _, typ := range []frame.Type{frame.TypeInit, frame.TypePreFreeze, frame.TypePreStop} {
			if got := p.request(typ, frame.Request{ID: fmt.Sprint("r", typ)}, nil); got.Type != frame.TypeResult || len(got.Body) > 0 {
				t.Errorf("type %d: %+v", typ, got)
			}
		}
	})
}

func TestUnknownFramesAndASecondHelloAreIgnored(t *testing.T) {
	languages(t, printEnv, func(t *testing.T, p *process) {
		if err := p.w.Write(frame.Message{Type: 31, Header: map[string]int{"x": 1}, Body: []byte("body")}); err != nil {
			t.Fatal(err)
		}
		p.invoke("r1", "")
		second := p.hello
		second.Env = map[string]string{"GREETING": "other"}
		if err := p.w.Write(frame.Message{Type: frame.TypeHello, Header: second}, frame.Message{Type: 20}); err != nil {
			t.Fatal(err)
		}
		if got := p.invoke("r2", ""); !strings.HasPrefix(string(got.Body), "hello|") {
			t.Errorf("got %s", got.Body)
		}
		p.lines("r2")
	})
}

// shell runs the event as a shell command and answers what it prints.
var shell = map[string]string{
	"java":   "example.Children::handleRequest",
	"nodejs": "exports.handler = (event, context, callback) => callback(null, require('child_process').execSync(event.toString()))\n",
	"python": "import os\n\n\ndef handler(event, context):\n    return os.popen(event.decode()).read()\n",
}

// A pipe is known by its inode, which its two ends share: whatever else a child has open (pipes or sockets to its
// parent, what the tests were started with) is of no matter.
func TestChildrenDoNotGetTheFramePipes(t *testing.T) {
	tries := []struct {
		name, command string
		want          []string // the frame pipes that the child has open
	}{
		{"a child", "ls -l /proc/self/fd", nil},
		{"a child that opens one itself", "ls -l /proc/self/fd 7</proc/$PPID/fd/3", []string{"in"}},
		{"a child that opens the other itself", "ls -l /proc/self/fd 8>/proc/$PPID/fd/4", []string{"out"}},
	}
	languages(t, shell, func(t *testing.T, p *process) {
		for i, try := range tries {
			out := string(p.invoke(fmt.Sprint("r", i), try.command).Body)
			if !strings.Contains(out, " 0 -> ") {
				t.Fatalf("%s lists no descriptors: %s", try.name, out)
			}
			var got []string
			for _, pipe := range []string{"in", "out"} {
				if strings.Contains(out, fmt.Sprintf("-> pipe:[%d]\n", p.pipes[pipe])) {
					got = append(got, pipe)
				}
			}
			if diff := cmp.Diff(try.want, got); diff != "" {
				t.Errorf("%s has these frame pipes open: %s\n%s", try.name, diff, out)
			}
		}
	})
}

func TestTheTokenIsNowhereToBeRead(t *testing.T) {
	code := map[string]string{
		"java": "example.Snoop::handleRequest",
		"nodejs": `const seen = [];
const fs = require('fs');
['writeSync', 'readSync', 'write'].forEach(function (name) {
  const real = fs[name];
  fs[name] = function (fd, b) { seen.push(Buffer.isBuffer(b) ? b.toString('hex') : String(b)); return real.apply(fs, arguments) };
});
['copy', 'toString', 'slice', 'write'].forEach(function (name) {
  const real = Buffer.prototype[name];
  Buffer.prototype[name] = function () { seen.push(Array.prototype.slice.call(this).map(x => ('0' + x.toString(16)).slice(-2)).join('')); return real.apply(this, arguments) };
});
exports.handler = function (event, context, callback) {
  const pool = Buffer.from(Buffer.allocUnsafe(10).buffer);
  const main = require.main || {};
  const all = [seen, process.env, process.argv, process.execArgv, context, Object.keys(global), Object.keys(main.exports || {}), pool.hexSlice ? pool.hexSlice(0, pool.length) : ''];
  callback(null, JSON.stringify(all));
};
`,
		"python": `import os, sys, json
seen = []
real = os.write


def write(fd, data):
    seen.append(repr(bytes(data)))
    return real(fd, data)


os.write = write


def handler(event, context):
    main = sys.modules['__main__']
    return repr([seen, dict(os.environ), sys.argv, sorted((k, repr(v)) for k, v in main.__dict__.items()), context.to_json(), open('/proc/self/cmdline').read()])
`,
	}
	languages(t, code, func(t *testing.T, p *process) {
		for _, id := range []string{"r1", "r2"} {
			got := p.invoke(id, "")
			if got.Type != frame.TypeResult || len(got.Body) < 100 {
				t.Fatalf("%+v %.300s", got, got.Body)
			}
			if strings.Contains(string(got.Body), p.token.Hex()) || strings.Contains(string(got.Body), hex.EncodeToString([]byte(p.token.Hex()))) || bytes.Contains(got.Body, p.token[:]) {
				t.Errorf("the token is in %.2000s", got.Body)
			}
		}
	})
}

func TestPythonStartsWithFewModules(t *testing.T) {
	onEach(t, "python", func(t *testing.T, in interpreter) {
		p := start(t, in, map[string]string{"index.py": "import sys\nloaded = [m for m in ('ssl', 'http', 'imp', 'decimal', 'socket', 'subprocess', 'site') if m in sys.modules]\n\n\ndef handler(event, context):\n    return ' '.join(loaded)\n"})
		if got := p.invoke("r1", ""); string(got.Body) != "site" {
			t.Errorf("loaded at the start: %s", got.Body)
		}
	})
}

func TestAForkedChildDoesNotAnswer(t *testing.T) {
	onEach(t, "python", func(t *testing.T, in interpreter) {
		p := start(t, in, map[string]string{"index.py": "import os\n\n\ndef handler(event, context):\n    child = os.fork()\n    if child:\n        os.waitpid(child, 0)\n    return 'parent' if child else 'child'\n"})
		for _, id := range []string{"r1", "r2"} {
			if got := p.invoke(id, ""); string(got.Body) != "parent" {
				t.Errorf("%s: %s", id, got.Body)
			}
		}
	})
}

func TestBootstrapsAreThoseEmbedded(t *testing.T) {
	for _, name := range []string{"nodejs/bootstrap.js", "python/bootstrap.py", "java/bootstrap.jar"} {
		embedded, err := bootstraps.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := os.ReadFile(filepath.FromSlash(name))
		if err != nil || sha256.Sum256(embedded) != sha256.Sum256(file) {
			t.Errorf("%s differs, %v", name, err)
		}
	}
}
