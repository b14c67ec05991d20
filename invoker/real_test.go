package invoker

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fcd/fc"
	"fcd/invoker/runtimes"
	"fcd/invoker/runtimes/frame"
	"fcd/invoker/sandbox/native"
)

// The functions that the tests with real interpreters run. The event says what to do.
const nodeCode = `
const child = require('child_process');
let calls = 0, inited = 0;
exports.init = (context, callback) => { inited++; console.log('init', inited); callback(inited === 1 && process.env.FAIL ? new Error('not yet') : null); };
exports.freeze = (context, callback) => { console.log('freezes after', calls); callback(); };
exports.stop = (context, callback) => { console.log('stops after', calls); callback(); };
exports.handler = (event, context, callback) => {
  const text = event.toString(), word = text.split(' ', 1)[0], rest = text.slice(word.length + 1);
  switch (word) {
  case 'calls': return callback(null, ++calls);
  case 'inited': return callback(null, inited);
  case 'echo': calls++; return callback(null, event.slice(5));
  case 'null': return callback(null, null);
  case 'object': return callback(null, {a: 1, b: ['é']});
  case 'true': return callback(null, true);
  case 'handled': return callback(new Error('oops'));
  case 'string-error': return callback('plain');
  case 'throw': throw new Error('thrown');
  case 'later': return setTimeout(() => { throw new TypeError('later'); }, 1);
  case 'exit': return process.exit(Number(rest));
  case 'spin': console.log('spinning'); for (;;) {}
  case 'hang': return;
  case 'tree': { const c = child.spawn('/bin/sh', ['-c', 'trap "" TERM; while :; do sleep 1; done'], {detached: true, stdio: 'inherit'}); console.log('child', c.pid); return; }
  case 'hog': { const all = []; for (;;) all.push(Buffer.alloc(8 << 20, 1)); }
  case 'print': console.log(rest); return callback();
  case 'multi': console.log('a\nb'); process.stdout.write('raw'); console.error('bad'); return callback();
  case 'late': callback(); setImmediate(() => console.log('late', rest)); return;
  case 'lines': { for (let i = 0; i < Number(rest); i++) process.stdout.write('line ' + i + '\n'); return callback(); }
  case 'binary': { const b = Buffer.alloc(1 << 20); for (let i = 0; i < b.length; i++) b[i] = i * 7; process.stdout.write(b); return callback(null, 'ok'); }
  case 'forge': process.stdout.write('\0' + 'x'.repeat(16) + 'E' + context.requestId + '\n'); process.stdout.write('after\n'); return callback();
  case 'keys': return callback(null, context.credentials.accessKeyId + '/' + context.credentials.accessKeySecret + '/' + context.credentials.securityToken);
  case 'env': return callback(null, process.env[rest]);
  case 'size': return callback(null, Buffer.alloc(Number(rest)));
  }
};`

const pythonCode = `
import json, logging, os, subprocess, sys, threading, time
state = {'calls': 0, 'inited': 0}
def init(context):
    state['inited'] += 1
    logging.getLogger().info('init %d', state['inited'])
    if state['inited'] == 1 and os.environ.get('FAIL'):
        raise Exception('not yet')
def freeze(context):
    print('freezes after', state['calls'])
def stop(context):
    print('stops after', state['calls'])
def handler(event, context):
    word, _, rest = event.partition(b' ')
    word, text = word.decode(), rest.decode('utf-8', 'replace')
    if word == 'calls':
        state['calls'] += 1
        return str(state['calls'])
    if word == 'inited': return str(state['inited'])
    if word == 'echo':
        state['calls'] += 1
        return rest
    if word == 'null': return None
    if word == 'object': return {'b': [u'\u00e9'], 'a': 1}
    if word == 'true': return True
    if word == 'throw': raise ValueError('thrown')
    if word == 'exit': os._exit(int(text))
    if word == 'spin':
        print('spinning')
        while True: pass
    if word == 'hang': time.sleep(100)
    if word == 'tree':
        p = subprocess.Popen(['/bin/sh', '-c', 'trap "" TERM; while :; do sleep 1; done'], start_new_session=True)
        print('child', p.pid)
        time.sleep(100)
    if word == 'hog':
        all = []
        while True: all.append(bytearray(b'x') * (8 << 20))
    if word == 'print': print(text); return ''
    if word == 'late':
        threading.Timer(0.5, lambda: print('late', text)).start()
        return ''
    if word == 'lines':
        for i in range(int(text)): print('line', i)
        return ''
    if word == 'binary':
        sys.stdout.flush()
        os.write(1, bytes((i * 7) & 255 for i in range(1 << 20)))
        return 'ok'
    if word == 'forge':
        sys.stdout.flush()
        os.write(1, b'\0' + b'x' * 16 + b'E' + context.request_id.encode() + b'\n')
        print('after')
        return ''
    if word == 'keys':
        c = context.credentials
        return c.access_key_id + '/' + c.access_key_secret + '/' + c.security_token
    if word == 'env': return os.environ[text]
    if word == 'fetch':
        import socket
        s = socket.create_connection(('127.100.0.1', 80))
        return s.recv(99)
    if word == 'size': return b'\0' * int(text)
`

type language struct{ name, runtime, file, code string }

var languages = []language{
	{"node", "nodejs8", "index.js", nodeCode},
	{"python", "python3", "index.py", pythonCode},
	{"java", "java8", "", ""}, // testdata/java
}

// handler is how the code's handler is named, or one that it does not have.
func (l language) handler(missing bool) string {
	names := []string{"index.handler", "index.nothing"}
	if l.name == "java" {
		names = []string{"example.App::handleRequest", "example.App::nothing"}
	}
	if missing {
		return names[1]
	}
	return names[0]
}

// dir is a folder with the language's function.
func (l language) dir(t testing.TB) (string, error) {
	if l.name == "java" {
		return javaClasses()
	}
	dir := t.TempDir()
	return dir, os.WriteFile(filepath.Join(dir, l.file), []byte(l.code), 0o644)
}

// real is an Invoker on the native driver and the host's interpreters.
type real struct {
	*world
	ref     fc.FunctionRef
	claimed bool // functions wait until something generic is there for them
}

func nativeDriver(t testing.TB) *native.Driver {
	t.Helper()
	d, err := native.New(native.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// onAll runs a test in every language.
func onAll(t *testing.T, change func(*Options), test func(*testing.T, *real, language)) {
	t.Helper()
	for _, lang := range languages {
		t.Run(lang.name, func(t *testing.T) { test(t, newReal(t, lang, change), lang) })
	}
}

// onBothWays is onAll for what must not depend on how an instance came to its function: started for it, or claimed.
func onBothWays(t *testing.T, change func(*Options), test func(*testing.T, *real, language)) {
	t.Helper()
	for _, lang := range languages {
		t.Run(lang.name+" started", func(t *testing.T) { test(t, newReal(t, lang, change), lang) })
		t.Run(lang.name+" claimed", func(t *testing.T) { test(t, newClaimed(t, lang, change), lang) })
	}
}

// newReal starts each instance for its function.
func newReal(t testing.TB, lang language, change func(*Options)) *real {
	t.Helper()
	return newRealWith(t, lang, func(o *Options) {
		o.PoolMax = -1
		if change != nil {
			change(o)
		}
	})
}

// newClaimed is newReal on a stock of generic instances.
func newClaimed(t testing.TB, lang language, change func(*Options)) *real {
	t.Helper()
	r := newRealWith(t, lang, func(o *Options) {
		o.PoolSizes = map[string]int{lang.runtime: 1}
		if change != nil {
			change(o)
		}
	})
	if reason := r.stock.off(); reason != "" {
		t.Skipf("nothing can be claimed here: %s", reason)
	}
	r.claimed = true
	r.stocked(t, r.ref, 1)
	return r
}

func newRealWith(t testing.TB, lang language, change func(*Options)) *real {
	t.Helper()
	dir, err := lang.dir(t)
	if err != nil {
		t.Fatal(err)
	}
	driver := nativeDriver(t)
	w := newWorld(t, func(o *Options) {
		o.Driver, o.Code = driver, codeDir(dir)
		if lang.name == "java" {
			o.Runtimes = javaTable(t)
		}
		if change != nil {
			change(o)
		}
	})
	r := &real{world: w}
	r.ref = r.function(t, lang, "hello", nil)
	return r
}

func (r *real) function(t testing.TB, lang language, name string, change func(*fc.Service, *fc.Function)) fc.FunctionRef {
	t.Helper()
	ref := r.functions.set(name, func(s *fc.Service, f *fc.Function) {
		f.Runtime, f.Handler = lang.runtime, lang.handler(false)
		if change != nil {
			change(s, f)
		}
	})
	if r.claimed {
		r.stocked(t, ref, 1)
	}
	return ref
}

func TestRealWarmReuse(t *testing.T) {
	onBothWays(t, nil, func(t *testing.T, r *real, _ language) {
		first, second := r.call(t, r.ref, "calls"), r.call(t, r.ref, "calls")
		if string(first.Body) != "1" || string(second.Body) != "2" || !first.Cold || second.Cold || second.MaxMemoryMB < 1 {
			t.Errorf("%+v, %+v", first, second)
		}
		t.Logf("cold %v, warm %v", first.Duration, second.Duration)
	})
}

func TestRealResults(t *testing.T) {
	const jsonPython = "{\n    \"a\": 1,\n    \"b\": [\n        \"\\u00e9\"\n    ]\n}"
	want := map[string]map[string]string{
		"node":   {"echo \x00\xff": "\x00\xff", "null": "", "object": `{"a":1,"b":["é"]}`, "true": "true", "env FC_FUNCTION_NAME": "hello"},
		"python": {"echo \x00\xff": "\x00\xff", "null": "null", "object": jsonPython, "true": "true", "env FC_FUNCTION_NAME": "hello"},
		"java":   {"echo \x00\xff": "\x00\xff", "env FC_FUNCTION_NAME": "hello", "print x": ""},
	}
	onBothWays(t, nil, func(t *testing.T, r *real, lang language) {
		for event, body := range want[lang.name] {
			if res := r.call(t, r.ref, event); string(res.Body) != body || res.ErrorType != "" {
				t.Errorf("%q: got %q %s, want %q", event, res.Body, res.ErrorType, body)
			}
		}
		for _, n := range []int{1 << 20, 6<<20 - 5} {
			body := bytes.Repeat([]byte{0, 1, 254, '\n'}, n/4)
			res, err := r.Invoke(context.Background(), fc.Call{RequestID: "big", Ref: r.ref, Payload: append([]byte("echo "), body...)})
			if err != nil || !bytes.Equal(res.Body, body) {
				t.Errorf("%d bytes came back as %d: %v", len(body), len(res.Body), err)
			}
		}
		res := r.call(t, r.ref, fmt.Sprintf("size %d", 6<<20+1))
		if string(res.Body) != `{"errorMessage":"result size exceeds maximum allowed size (6291456 bytes)"}` || res.ErrorType != fc.UnhandledInvocationError {
			t.Errorf("a result too large: %s", res.Body)
		}
	})
}

func TestRealErrors(t *testing.T) {
	type want struct{ event, contains, errorType, class string }
	const h, u = fc.HandledInvocationError, fc.UnhandledInvocationError
	exited := "Process exited unexpectedly before completing request"
	tests := map[string][]want{
		"node": {
			{"handled", `{"errorMessage":"oops","errorType":"Error","stackTrace":["exports.handler (/code/index.js:`, h, frame.ClassHandled},
			{"string-error", `{"errorMessage":"plain"}`, h, frame.ClassHandled},
			{"throw", `{"errorMessage":"thrown","errorType":"Error"`, u, frame.ClassUnhandled},
			{"later", `{"errorMessage":"later","errorType":"TypeError"`, u, frame.ClassUnhandled},
			{"exit 3", exited, u, frame.ClassUnhandled},
			{"hog", exited, u, frame.ClassOOM},
			{"hang", "Task timed out after 2 seconds", u, frame.ClassTimeout},
		},
		"python": {
			{"throw", "\"errorMessage\": \"thrown\",\n    \"errorType\": \"ValueError\"", u, frame.ClassUnhandled},
			{"exit 0", exited, u, frame.ClassUnhandled},
			{"hog", exited, u, frame.ClassOOM},
			{"hang", "Task timed out after 2 seconds", u, frame.ClassTimeout},
		},
		"java": {
			{"throw", "{\n  \"errorMessage\" : \"thrown\",\n  \"errorType\" : \"java.lang.IllegalArgumentException\",\n  \"errorCause\" : \"thrown\",\n  \"stackTrace\" : [ \"example.App.answer(App.java:", u, frame.ClassUnhandled},
			{"exit 3", exited, u, frame.ClassUnhandled},
			{"exit 0", exited, u, frame.ClassUnhandled},
			{"hog", exited, u, frame.ClassOOM},
			{"hang", "Task timed out after 2 seconds", u, frame.ClassTimeout},
		},
	}
	onBothWays(t, nil, func(t *testing.T, r *real, lang language) {
		short := r.function(t, lang, "short", func(_ *fc.Service, f *fc.Function) { f.TimeoutSeconds = 2 })
		for _, tt := range tests[lang.name] {
			ref := r.ref
			if tt.class == frame.ClassTimeout {
				ref = short
			}
			res := r.call(t, ref, tt.event)
			if !strings.Contains(string(res.Body), tt.contains) || res.ErrorType != tt.errorType || res.ErrorClass != tt.class {
				t.Errorf("%s: %s %s %s", tt.event, res.ErrorType, res.ErrorClass, res.Body)
			}
			kind := strings.TrimSuffix(res.ErrorType, "InvocationError")
			all := r.lines.ended(t, res.RequestID)
			if last := all[len(all)-1]; last != "FC Invoke End RequestId: "+res.RequestID+", Error: "+kind+" function error" {
				t.Errorf("%s: the last line is %q", tt.event, last)
			}
			if logged := strings.Count(strings.Join(all, "\n"), `"errorMessage"`); logged != 1 {
				t.Errorf("%s: the error stands %d times in the log: %q", tt.event, logged, all)
			}
		}
		bad := r.function(t, lang, "bad", func(_ *fc.Service, f *fc.Function) {
			f.Handler = strings.NewReplacer("handler", "nothing", "Request", "").Replace(f.Handler)
		})
		if res := r.call(t, bad, ""); string(res.Body) == "" || res.ErrorClass != frame.ClassNoHandler {
			t.Errorf("a missing handler: %s %s", res.ErrorClass, res.Body)
		}
	})
}

func TestRealTimeoutKillsTheTree(t *testing.T) {
	onAll(t, nil, func(t *testing.T, r *real, lang language) {
		ref := r.function(t, lang, "tree", func(_ *fc.Service, f *fc.Function) { f.TimeoutSeconds = 3 })
		before := processes(t)
		r.call(t, ref, "env FC_REGION") // the code is loaded
		res := r.call(t, ref, "tree")
		if res.ErrorClass != frame.ClassTimeout {
			t.Errorf("%s %s", res.ErrorClass, res.Body)
		}
		r.lines.ended(t, res.RequestID)
		r.settled(t, 0)
		if after := processes(t); after > before {
			t.Errorf("%d processes, before it were %d", after, before)
		}
		if all := strings.Join(r.lines.of(res.RequestID), "\n"); !strings.Contains(all, "child ") {
			t.Errorf("the lines before the timeout are lost: %q", all)
		}
	})
}

// settled waits until at most n instances hold room.
func (w *world) settled(t testing.TB, n int) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for w.budget.used() > n {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%d instances hold room", w.budget.used())
		}
	}
}

// processes counts the descendants of the test.
func processes(t testing.TB) int {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	parent := map[string]string{}
	for _, file := range dirs {
		b, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		pid := filepath.Base(filepath.Dir(file))
		fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		parent[pid] = fields[1]
	}
	self, n := fmt.Sprint(os.Getpid()), 0
	for pid := range parent {
		for at := parent[pid]; at != "" && at != "0"; at = parent[at] {
			if at == self {
				n++
				break
			}
		}
	}
	return n
}

func TestRealLog(t *testing.T) {
	onBothWays(t, nil, func(t *testing.T, r *real, _ language) {
		res := r.call(t, r.ref, "print hello wörld")
		all := r.lines.ended(t, res.RequestID)
		if len(all) != 3 || all[0] != "FC Invoke Start RequestId: "+res.RequestID || !strings.HasSuffix(all[1], "hello wörld") ||
			all[2] != "FC Invoke End RequestId: "+res.RequestID {
			t.Errorf("got %q", all)
		}
		forged := r.call(t, r.ref, "forge")
		all = r.lines.ended(t, forged.RequestID)
		if len(all) != 4 || all[1] != "\x00"+strings.Repeat("x", 16)+"E"+forged.RequestID || all[2] != "after" {
			t.Errorf("a forged fence: %q", all)
		}
		late := r.call(t, r.ref, "late x")
		got := r.lines.until(t, late.RequestID, func(rec fc.LogRecord) bool { return strings.Contains(rec.Message, "late x") })
		if !got.Late {
			t.Errorf("a late line: %+v", got)
		}
	})
}

func TestRealTail(t *testing.T) {
	onBothWays(t, nil, func(t *testing.T, r *real, _ language) {
		call := func(event string) fc.Result {
			res, err := r.Invoke(context.Background(), fc.Call{RequestID: "tail", Ref: r.ref, Payload: []byte(event), Tail: true})
			if err != nil {
				t.Fatal(err)
			}
			return res
		}
		got := strings.Split(string(call("print hello").LogTail), "\n")
		if len(got) != 5 || got[0] != "FC Invoke Start RequestId: tail" || !strings.HasSuffix(got[1], "hello") ||
			got[2] != "FC Invoke End RequestId: tail" || got[3] != "" || !strings.HasPrefix(got[4], "Duration: ") {
			t.Errorf("got %q", got)
		}
		if long := call("lines 10000").LogTail; len(long) != tailBytes || !strings.Contains(string(long), "line 9999\nFC Invoke End RequestId: tail\n\nDuration: ") {
			t.Errorf("%d bytes: %q", len(long), long[max(0, len(long)-200):])
		}
	})
}

func TestRealFlood(t *testing.T) {
	onAll(t, nil, func(t *testing.T, r *real, _ language) {
		res := r.call(t, r.ref, "lines 100000")
		all := r.lines.ended(t, res.RequestID)
		if len(all) != 100_002 || !strings.Contains(all[100_000], "99999") {
			t.Errorf("%d lines", len(all))
		}
		res = r.call(t, r.ref, "print "+strings.Repeat("世", 1<<20/3))
		n := 0
		for _, m := range r.lines.ended(t, res.RequestID) {
			n += strings.Count(m, "世")
		}
		if n != 1<<20/3 {
			t.Errorf("a line of a megabyte came as %d characters", n)
		}
		if res := r.call(t, r.ref, "binary"); string(res.Body) != "ok" {
			t.Errorf("binary output: %s %s", res.ErrorType, res.Body)
		}
		if res := r.call(t, r.ref, "echo still there"); string(res.Body) != "still there" {
			t.Errorf("after binary output: %s", res.Body)
		}
	})
}

func TestRealInitializer(t *testing.T) {
	onBothWays(t, nil, func(t *testing.T, r *real, lang language) {
		ref := r.function(t, lang, "init", func(_ *fc.Service, f *fc.Function) {
			f.Initializer, f.EnvironmentVariables = "index.init", map[string]string{"FAIL": "1"}
			if lang.name == "java" {
				f.Initializer = "example.App::initialize"
			}
		})
		if res := r.call(t, ref, "inited"); !strings.Contains(string(res.Body), "not yet") || res.ErrorType == "" {
			t.Errorf("the first call: %s %s", res.ErrorType, res.Body)
		}
		for range 2 {
			if res := r.call(t, ref, "inited"); string(res.Body) != "2" {
				t.Errorf("a later call: %s", res.Body)
			}
		}
		all := r.lines.ended(t, "req-2")
		if all[0] != "FC Initialize Start RequestId: req-2" || all[2] != "FC Initialize End RequestId: req-2" || all[3] != "FC Invoke Start RequestId: req-2" {
			t.Errorf("got %q", all)
		}
	})
}

func TestRealCredentials(t *testing.T) {
	keys := &keySource{keys: fc.Credentials{AccessKeyID: "a", AccessKeySecret: "b", SecurityToken: "c", Expiration: time.Now().Add(time.Minute)}}
	onBothWays(t, func(o *Options) { o.Credentials = keys }, func(t *testing.T, r *real, lang language) {
		ref := r.function(t, lang, "hello", func(s *fc.Service, _ *fc.Function) { s.Role = "acs:ram::1:role/r" })
		for _, id := range []string{"a", "x"} {
			keys.keys.AccessKeyID = id
			if res := r.call(t, ref, "keys"); string(res.Body) != id+"/b/c" {
				t.Errorf("got %s", res.Body)
			}
			if res := r.call(t, ref, "env accessKeyID"); string(res.Body) != id {
				t.Errorf("in the environment: %s", res.Body)
			}
		}
	})
}

func TestRealConcurrency(t *testing.T) {
	onAll(t, func(o *Options) { o.FunctionConcurrency = 3 }, func(t *testing.T, r *real, _ language) {
		var wg sync.WaitGroup
		for n := range 60 {
			wg.Go(func() {
				res, err := r.Invoke(context.Background(), fc.Call{RequestID: fmt.Sprintf("c%d", n), Ref: r.ref, Payload: fmt.Appendf(nil, "echo %d", n)})
				if err != nil || string(res.Body) != fmt.Sprint(n) {
					t.Errorf("call %d: %s %v", n, res.Body, err)
				}
			})
		}
		wg.Wait()
		if n := r.budget.used(); n > 3 {
			t.Errorf("%d instances", n)
		}
	})
}

func TestRealServicesAreReachedFromInside(t *testing.T) {
	var served sync.WaitGroup
	serve := func(l net.Listener) {
		served.Add(1)
		defer served.Done()
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Write([]byte("hello from outside"))
			c.Close()
		}
	}
	r := newReal(t, languages[1], func(o *Options) { o.Services = []Service{{Address: "127.100.0.1:80", Serve: serve}} })
	for range 2 {
		if res := r.call(t, r.ref, "fetch"); string(res.Body) != "hello from outside" {
			t.Errorf("got %s", res.Body)
		}
	}
	r.Close(context.Background())
	served.Wait()
}

func TestRealMissingRuntime(t *testing.T) {
	bare, err := runtimes.New(runtimes.Options{BootstrapDir: t.TempDir(), HostDirs: []string{t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	r := newReal(t, languages[0], func(o *Options) { o.Runtimes = bare })
	ref := r.functions.set("java", func(_ *fc.Service, f *fc.Function) { f.Runtime = "java8" })
	_, err = r.Invoke(context.Background(), fc.Call{RequestID: "r", Ref: ref})
	if codeOf(err) != fc.InternalServerError || !strings.Contains(err.Error(), "runtime java8 is not installed on this host; run: fcd runtimes install java8") {
		t.Errorf("got %v", err)
	}
}

func TestRealNothingLeaks(t *testing.T) {
	r := newReal(t, languages[1], nil)
	r.function(t, languages[1], "short", func(_ *fc.Service, f *fc.Function) { f.TimeoutSeconds = 1 })
	r.call(t, r.ref, "exit 1")
	r.settled(t, 0)
	before := leaks(t)
	for range 200 {
		r.call(t, r.ref, "echo")
	}
	for range 30 {
		r.call(t, r.ref, "exit 1")
	}
	var wg sync.WaitGroup
	for n := range 5 {
		wg.Go(func() {
			res, err := r.Invoke(context.Background(), fc.Call{RequestID: fmt.Sprintf("k%d", n), Ref: fc.FunctionRef{Service: "demo", Function: "short"}, Payload: []byte("spin")})
			if err != nil || res.ErrorClass != frame.ClassTimeout {
				t.Errorf("%s %v", res.ErrorClass, err)
			}
		})
	}
	wg.Wait()
	r.settled(t, 0)
	if diff := cmp.Diff(before, leaks(t)); diff != "" {
		t.Errorf("before and after: %s", diff)
	}
}

type leak struct{ Processes, Files, Goroutines int }

func leaks(t testing.TB) leak {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	late := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	n := runtime.NumGoroutine()
	for settled := 0; settled < 5; { // goroutines that have done their last step still count for a moment
		select {
		case <-tick.C:
		case <-late:
			settled = 5
		}
		if now := runtime.NumGoroutine(); now == n {
			settled++
		} else {
			n, settled = now, 0
		}
	}
	return leak{processes(t), len(fds), n}
}
