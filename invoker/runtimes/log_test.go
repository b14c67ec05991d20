package runtimes

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fcd/invoker/runtimes/frame"
)

var stamp = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z `)

// unstamped takes the timestamps from prefixed lines.
func unstamped(lines []string) []string {
	var out []string
	for _, l := range lines {
		out = append(out, stamp.ReplaceAllString(l, "TIME "))
	}
	return out
}

func TestNodeLog(t *testing.T) {
	tests := []struct {
		name, code string
		style      string
		want       []string
	}{
		{"levels", "console.log('a'); console.info('b'); console.warn('c'); console.error('d'); console.debug('e')", "",
			[]string{"TIME r1 verbose a", "TIME r1 info b", "TIME r1 warn c", "TIME r1 error d", "TIME r1 debug e"}},
		{"the context's logger", "const l = context.logger; l.log('a'); l.info('b'); l.warn('c'); l.error('d'); l.debug('e')", "",
			[]string{"TIME r1 verbose a", "TIME r1 info b", "TIME r1 warn c", "TIME r1 error d", "TIME r1 debug e"}},
		{"brackets", "console.log('a'); console.warn('b')", frame.LogBracket, []string{"TIME r1 [verbose] a", "TIME r1 [warn] b"}},
		{"formats", "console.log('%s is %d', 'x', 1, {a: 1})", "", []string{"TIME r1 verbose x is 1 { a: 1 }"}},
		{"nothing", "console.log()", "", []string{"TIME r1 verbose "}},
		{"lines in one call", "console.log('a\\nb\\n')", "", []string{"TIME r1 verbose a\rb\r"}},
		{"more than ASCII", "console.log('h\\u00e9\\ud83d\\ude00')", "", []string{"TIME r1 verbose hé😀"}},
		{"a level", "console.setLogLevel('warn'); console.log('no'); console.info('no'); console.debug('no'); console.warn('w'); context.logger.error('e'); console.setLogLevel('silly')", "",
			[]string{"TIME r1 warn w", "TIME r1 error e"}},
		{"the level info", "context.logger.setLogLevel('info'); console.log('no'); console.info('i')", "", []string{"TIME r1 info i"}},
		{"an unknown level", "try { console.setLogLevel('loud') } catch (e) { console.log(e.message) }", "", []string{"TIME r1 verbose unknown log level 'loud'"}},
		{"dir", "console.dir({a: 1})", "", []string{"TIME r1 verbose { a: 1 }"}},
		{"time", "console.log = (x) => process.stdout.write('own ' + x + '\\n'); console.log('x')", "", []string{"own x"}},
		{"an unbound method", "const f = console.log; [1].forEach(x => f(x)); Promise.resolve(2).then(f)", "", []string{"TIME r1 verbose 1", "TIME r1 verbose 2"}},
		{"raw text", "process.stdout.write('a\\n'); process.stdout.write('b\\n'); process.stdout.write(Buffer.from('c\\n'))", "", []string{"a", "b", "c"}},
		{"text to standard error", "process.stderr.write('a\\n')", "", []string{"a"}},
		{"pieces of a line", "process.stdout.write('a'); process.stdout.write('b'); process.stdout.write('\\n')", "", []string{"ab"}},
		{"an unfinished line", "process.stdout.write('a\\nb')", "", []string{"a", "b"}},
		{"a stream into standard output", "const s = new (require('stream').PassThrough)(); s.pipe(process.stdout); s.end('piped\\n')", "", []string{"piped"}},
		{"a destroyed standard output", "process.stdout.destroy(); process.stdout.write('still\\n')", "", []string{"still"}},
		{"order", "console.log('1'); process.stdout.write('2\\n'); fs.writeSync(1, '3\\n'); cp.execFileSync('echo', ['4'], {stdio: 'inherit'}); console.log('5')", "",
			[]string{"TIME r1 verbose 1", "2", "3", "4", "TIME r1 verbose 5"}},
		{"a child of Node that shares the pipe", "cp.execFileSync(process.execPath, ['-e', 'console.log(\"x\".repeat(100000))'], {stdio: 'inherit'}); console.log('y'.repeat(100000))", "",
			[]string{strings.Repeat("x", 100000), "TIME r1 verbose " + strings.Repeat("y", 100000)}},
	}
	onEach(t, "nodejs", func(t *testing.T, in interpreter) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				p := start(t, in, map[string]string{"index.js": "const fs = require('fs'), cp = require('child_process');\nexports.handler = function (event, context, callback) {\n" + tt.code + ";\nsetTimeout(callback, 10);\n}\n"})
				p.hello.LogStyle = tt.style
				p.invoke("r1", "")
				if diff := cmp.Diff(tt.want, unstamped(p.lines("r1"))); diff != "" {
					t.Error(diff)
				}
			})
		}
	})
}

func TestPythonLog(t *testing.T) {
	tests := []struct {
		name, code string
		style      string
		want       []string
	}{
		{"print", "print('a')\n    print('b')", "", []string{"a", "b"}},
		{"logging", "logging.debug('no')\n    logging.info('a')\n    logging.warning('b %d', 2)\n    logging.getLogger('x').error('c')", "",
			[]string{"TIME r1 INFO a", "TIME r1 WARNING b 2", "TIME r1 ERROR c"}},
		{"the context's logger", "context.logger.info('a')", "", []string{"TIME r1 INFO a"}},
		{"brackets", "logging.info('a')", frame.LogBracket, []string{"TIME r1 [INFO] a"}},
		{"lines in one call", "logging.info('a\\nb')", "", []string{"TIME r1 INFO a\rb"}},
		{"more than ASCII", "logging.info(u'h\\u00e9\\U0001f600')", "", []string{"TIME r1 INFO hé😀"}},
		{"bytes that are no text", "os.write(1, b'\\xff\\xfe\\n')", "", []string{"\xff\xfe"}},
		{"an exception", "try:\n        1 / 0\n    except ZeroDivisionError:\n        logging.exception('oops')", "",
			[]string{`TIME r1 ERROR oops` + "\r" + `Traceback (most recent call last):` + "\r" + `  File "/code/index.py", line 6, in handler` + "\r" + `    1 / 0` + "\r" + "MARKS" + `ZeroDivisionError`}},
		{"basicConfig changes nothing", "logging.basicConfig(level=logging.DEBUG)\n    logging.info('a')", "", []string{"TIME r1 INFO a"}},
		{"an unfinished line", "sys.stdout.write('a\\nb')", "", []string{"a", "b"}},
		{"text to standard error", "sys.stderr.write('a\\n')", "", []string{"a"}},
		{"an unfinished line on standard error", "sys.stderr.write('a')", "", []string{"a"}},
		{"logging under a redirected print", "sys.stdout = io.BytesIO()\n    logging.info('a')\n    sys.stdout = sys.__stdout__\n    print('b')", "", []string{"TIME r1 INFO a", "b"}},
		{"a closed standard output", "sys.stdout.close()\n    logging.info('a')", "", []string{"TIME r1 INFO a"}},
		{"order", "print('1')\n    logging.info('2')\n    os.write(1, b'3\\n')\n    subprocess.call(['echo', '4'])\n    os.system('echo 5')\n    print('6')", "",
			[]string{"1", "TIME r1 INFO 2", "3", "4", "5", "6"}},
		{"a non-blocking pipe", "fl = fcntl.fcntl(1, fcntl.F_GETFL)\n    fcntl.fcntl(1, fcntl.F_SETFL, fl | os.O_NONBLOCK)\n    logging.info('x' * 1000000)", "",
			[]string{"TIME r1 INFO " + strings.Repeat("x", 1000000)}},
	}
	onEach(t, "python", func(t *testing.T, in interpreter) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				p := start(t, in, map[string]string{"index.py": "import fcntl, io, logging, os, subprocess, sys\n\n\ndef handler(event, context):\n    " + tt.code + "\n"})
				p.hello.LogStyle = tt.style
				p.invoke("r1", "")
				got := unstamped(p.lines("r1"))
				if len(got) == 1 && len(tt.want) == 1 && strings.Contains(tt.want[0], "MARKS") { // newer versions mark the place
					got[0] = regexp.MustCompile(`(?:    [~^]+\r)?(ZeroDivisionError).*`).ReplaceAllString(p.generic(got[0]), "MARKS$1")
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Error(diff)
				}
			})
		}
	})
}

func TestLogTimestampsAreUTC(t *testing.T) {
	code := map[string]string{
		"java":   "example.Now::handleRequest",
		"nodejs": "exports.handler = (e, c, cb) => { console.log('x'); cb(null, new Date().toISOString().slice(0, 16)) }\n",
		"python": "import logging, time\n\n\ndef handler(e, c):\n    logging.info('x')\n    return time.strftime('%Y-%m-%dT%H:%M', time.gmtime())\n",
	}
	languages(t, code, func(t *testing.T, p *process) {
		p.hello.Env["TZ"] = "Asia/Shanghai"
		got := p.invoke("r1", "")
		log := p.lines("r1")
		if len(log) != 1 || !stamp.MatchString(log[0]) || log[0][:14] != string(got.Body[:14]) {
			t.Errorf("%q at %s", log, got.Body)
		}
	})
}

// The bytes around the fences, in order: S, library output, raw write, a child's output, E, late output.
func TestOrderAroundTheFences(t *testing.T) {
	code := map[string]string{
		"java": "example.Order::handleRequest",
		"nodejs": `exports.handler = function (event, context, callback) {
  console.log('library');
  require('fs').writeSync(1, 'raw\n');
  require('child_process').execFileSync('echo', ['child'], {stdio: 'inherit'});
  callback(null, 'x');
  setImmediate(function () { process.stdout.write('late\n') });
};
`,
		"python": `import logging, os, subprocess, threading
ready = threading.Event()


def late():
    ready.wait()
    print('late')


def handler(event, context):
    logging.info('library')
    os.write(1, b'raw\n')
    subprocess.call(['echo', 'child'])
    if event == b'first':
        t = threading.Thread(target=late)
        t.daemon = True
        t.start()
        threading.Timer(0.05, ready.set).start()
    return 'x'
`,
	}
	languages(t, code, func(t *testing.T, p *process) {
		p.invoke("r1", "first")
		if diff := cmp.Diff([]string{"TIME r1 verbose library", "raw", "child"}, nodeLevels(unstamped(p.lines("r1")))); diff != "" {
			t.Error(diff)
		}
		p.logs[0].await(t, "late")
		late := p.logs[0].of("r1", true)
		if diff := cmp.Diff([]string{"late"}, late); diff != "" {
			t.Errorf("late lines: %s", diff)
		}
	})
}

func nodeLevels(lines []string) []string {
	for i := range lines {
		lines[i] = strings.Replace(lines[i], " INFO ", " verbose ", 1)
	}
	return lines
}

// What is printed late carries the id of the last request.
func TestPrefixOfLateLines(t *testing.T) {
	onEach(t, "python", func(t *testing.T, in interpreter) {
		p := start(t, in, map[string]string{"index.py": "import logging, threading\n\n\ndef handler(event, context):\n    threading.Timer(0.05, logging.info, ['late']).start()\n"})
		p.invoke("r1", "")
		p.logs[0].await(t, "late")
		if diff := cmp.Diff([]string{"TIME r1 INFO late"}, unstamped(p.logs[0].of("r1", true))); diff != "" {
			t.Error(diff)
		}
	})
}

func TestOutputOfManySizes(t *testing.T) {
	code := map[string]string{
		"java": "example.Sizes::handleRequest",
		"nodejs": `exports.handler = function (event, context, callback) {
  const kind = event.toString();
  if (kind === 'long') { console.log('x'.repeat(1 << 20)); process.stdout.write('y'.repeat(1 << 20)) }
  if (kind === 'many') for (let i = 0; i < 100000; i++) console.log(i);
  if (kind === 'raw') for (let i = 0; i < 100000; i++) process.stdout.write(i + '\n');
  if (kind === 'flood') { const b = Buffer.alloc(1 << 20, 'z'); for (let i = 0; i < 50; i++) { process.stdout.write(b); process.stderr.write(b) } }
  callback(null, 'done');
};
`,
		"python": `import logging, os, sys


def handler(event, context):
    if event == b'long':
        logging.info('x' * (1 << 20))
        sys.stdout.write('y' * (1 << 20))
    if event == b'many':
        for i in range(100000):
            logging.info(i)
    if event == b'raw':
        for i in range(100000):
            print(i)
    if event == b'flood':
        for i in range(50):
            sys.stdout.write('z' * (1 << 20))
            sys.stderr.write('z' * (1 << 20))
    return 'done'
`,
	}
	languages(t, code, func(t *testing.T, p *process) {
		for _, kind := range []string{"long", "many", "raw", "flood"} {
			if got := p.invoke(kind, kind); string(got.Body) != "done" {
				t.Fatalf("%s: %+v %.300s", kind, got, got.Body)
			}
			lines := p.lines(kind)
			switch kind {
			case "long":
				if len(lines) != 2 || len(lines[0]) < 1<<20 || len(lines[1]) != 1<<20 {
					t.Errorf("long: %d lines", len(lines))
				}
			case "many", "raw":
				if len(lines) != 100000 || !strings.HasSuffix(lines[99999], "99999") || !strings.HasSuffix(lines[7], "7") {
					t.Errorf("%s: %d lines", kind, len(lines))
				}
			case "flood":
				if n := len(strings.Join(lines, "")); n != 100<<20 {
					t.Errorf("flood: %d bytes", n)
				}
			}
		}
	})
}

// Zero bytes, forged fences and everything else that is not UTF-8 stays text.
func TestBinaryOutput(t *testing.T) {
	code := map[string]string{
		"java":   "example.Binary::handleRequest",
		"nodejs": "exports.handler = (event, context, callback) => { process.stdout.write(event); callback() }\n",
		"python": "import os\n\n\ndef handler(event, context):\n    os.write(1, event)\n",
	}
	languages(t, code, func(t *testing.T, p *process) {
		forged := frame.Token{}.AppendFence(nil, frame.FenceEnd, "r1")
		body := append(bytes.Repeat([]byte{0, 1, 0xff, 0}, 5000), forged...)
		p.invoke("r1", string(body))
		if got := strings.Join(p.lines("r1"), "\n") + "\n"; got != string(body) {
			t.Errorf("%d bytes back from %d", len(got), len(body))
		}
	})
}

func TestALongErrorIsCutInTheLog(t *testing.T) {
	code := map[string]string{
		"java":   "example.LongError::handleRequest",
		"nodejs": "exports.handler = (event, context, callback) => callback('\\u00e9'.repeat(300000))\n",
		"python": "def handler(event, context):\n    raise Exception('e' * 300000)\n",
	}
	languages(t, code, func(t *testing.T, p *process) {
		got := p.invoke("r1", "")
		if len(got.Body) < 300000 {
			t.Errorf("the answer was cut to %d bytes", len(got.Body))
		}
		log := p.lines("r1")
		if len(log) != 1 || !strings.HasSuffix(log[0], frame.ErrorTruncatedMark) {
			t.Fatalf("%d lines", len(log))
		}
		text := []rune(unstamped(log)[0])
		prefix := map[string]string{"nodejs": "TIME r1 error ", "python": "TIME r1 ERROR ", "java": "TIME r1 ERROR "}[p.in.lang]
		if n := len(text) - len(prefix) - len(frame.ErrorTruncatedMark); n != frame.MaxErrorLogChars {
			t.Errorf("%d characters of the error", n)
		}
	})
}

// A child that outlives the request keeps the pipes open; the fences still end the request.
func TestAChildLeftBehindDoesNotHoldTheRequest(t *testing.T) {
	code := map[string]string{
		"java":   "example.LeftBehind::handleRequest",
		"nodejs": "exports.handler = (event, context, callback) => { require('child_process').spawn('sleep', ['60'], {stdio: 'inherit'}); callback(null, 'x') }\n",
		"python": "import subprocess\n\n\ndef handler(event, context):\n    subprocess.Popen(['sleep', '60'])\n    return 'x'\n",
	}
	languages(t, code, func(t *testing.T, p *process) {
		for _, id := range []string{"r1", "r2"} {
			if got := p.invoke(id, ""); string(got.Body) != "x" || len(p.lines(id)) > 0 {
				t.Errorf("%s: %+v", id, got)
			}
		}
	})
}
