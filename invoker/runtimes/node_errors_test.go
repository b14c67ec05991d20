package runtimes

import (
	"fmt"
	"strings"
	"testing"

	"fcd/invoker/runtimes/frame"
)

// nodeErrors are functions that fail, by the name of their golden.
var nodeErrors = []struct {
	name    string
	handler string // default index.handler
	code    string // of index.js
	kind    frame.Type
	class   string
	stays   bool // the process serves on
}{
	{name: "callback with an Error", kind: frame.TypeHandled, class: frame.ClassHandled, stays: true,
		code: "exports.handler = function (event, context, callback) {\n  const e = new Error('something is wrong');\n  callback(e, 'ignored');\n};\n"},
	{name: "callback with a TypeError of many lines", kind: frame.TypeHandled, class: frame.ClassHandled, stays: true,
		code: "exports.handler = function (event, context, callback) {\n  callback(new TypeError('one\\n    at two\\nthree \"\\u00e9\"'));\n};\n"},
	{name: "callback with an Error without a message", kind: frame.TypeHandled, class: frame.ClassHandled, stays: true,
		code: "exports.handler = function (event, context, callback) {\n  callback(new Error());\n};\n"},
	{name: "callback with an own error class", kind: frame.TypeHandled, class: frame.ClassHandled, stays: true,
		code: "exports.handler = function (event, context, callback) {\n  const e = new Error('m'); e.name = 'Mine';\n  callback(e);\n};\n"},
	{name: "callback with an Error of another realm", kind: frame.TypeHandled, class: frame.ClassHandled, stays: true,
		code: "exports.handler = function (event, context, callback) {\n  const e = require('vm').runInNewContext('new Error(\"far\")');\n  e.stack = 'Error: far\\n    at far (/code/far.js:1:1)';\n  callback(e);\n};\n"},
	{name: "callback with an Error that lost its stack", kind: frame.TypeHandled, class: frame.ClassHandled, stays: true,
		code: "exports.handler = function (event, context, callback) {\n  const e = new Error('bare'); e.stack = undefined;\n  callback(e);\n};\n"},
	{name: "callback with a string", kind: frame.TypeHandled, class: frame.ClassHandled, stays: true,
		code: "exports.handler = (event, context, callback) => callback('sad', 'ignored')\n"},
	{name: "callback with an empty string", kind: frame.TypeHandled, class: frame.ClassHandled, stays: true,
		code: "exports.handler = (event, context, callback) => callback('', 'ignored')\n"},
	{name: "callback with zero", kind: frame.TypeHandled, class: frame.ClassHandled, stays: true,
		code: "exports.handler = (event, context, callback) => callback(0, 'ignored')\n"},
	{name: "callback with false", kind: frame.TypeHandled, class: frame.ClassHandled, stays: true,
		code: "exports.handler = (event, context, callback) => callback(false, 'ignored')\n"},
	{name: "callback with an object", kind: frame.TypeHandled, class: frame.ClassHandled, stays: true,
		code: "exports.handler = (event, context, callback) => callback({code: 7, why: 'x'})\n"},
	{name: "callback with a Buffer", kind: frame.TypeHandled, class: frame.ClassHandled, stays: true,
		code: "exports.handler = (event, context, callback) => callback(event)\n"},
	{name: "throw", kind: frame.TypeUnhandled, class: frame.ClassUnhandled,
		code: "function deeper() {\n  throw new RangeError('thrown');\n}\nexports.handler = function (event, context, callback) {\n  deeper();\n};\n"},
	{name: "throw a string", kind: frame.TypeUnhandled, class: frame.ClassUnhandled,
		code: "exports.handler = function (event, context, callback) {\n  throw 'text';\n};\n"},
	{name: "throw nothing", kind: frame.TypeUnhandled, class: frame.ClassUnhandled,
		code: "exports.handler = function (event, context, callback) {\n  throw undefined;\n};\n"},
	{name: "throw behind the callback", kind: frame.TypeUnhandled, class: frame.ClassUnhandled,
		code: "exports.handler = function (event, context, callback) {\n  callback(null, 'result');\n  throw 'behind';\n};\n"},
	{name: "throw in a timer", kind: frame.TypeUnhandled, class: frame.ClassUnhandled,
		code: "function tick() {\n  throw new Error('later');\n}\nexports.handler = function (event, context, callback) {\n  setTimeout(function () { tick(); }, 1);\n};\n"},
	{name: "a rejected promise", kind: frame.TypeUnhandled, class: frame.ClassUnhandled,
		code: "exports.handler = function () {\n  const e = new Error('rejected');\n  return Promise.reject(e);\n};\n"},
	{name: "a promise rejected with text", kind: frame.TypeUnhandled, class: frame.ClassUnhandled,
		code: "exports.handler = () => Promise.reject('no')\n"},
	{name: "an error that throws when it is shown", kind: frame.TypeUnhandled, class: frame.ClassUnhandled,
		code: "exports.handler = function () {\n  const e = new Error('x'); Object.defineProperty(e, 'message', {get: function () { throw new Error('hidden') }});\n  throw e;\n};\n"},
	{name: "a module that throws", kind: frame.TypeUnhandled, class: frame.ClassUnhandled,
		code: "\nthrow new Error('at load');\n"},
	{name: "a missing module file", handler: "absent.handler", kind: frame.TypeUnhandled, class: frame.ClassImport, stays: true},
	{name: "a missing module file below folders", handler: "a/b.c.handler", kind: frame.TypeUnhandled, class: frame.ClassImport, stays: true},
	{name: "a missing handler", handler: "index.other", kind: frame.TypeUnhandled, class: frame.ClassNoHandler, stays: true, code: "exports.handler = 1\n"},
	{name: "a handler that is no function", kind: frame.TypeUnhandled, class: frame.ClassNoHandler, stays: true, code: "exports.handler = 1\n"},
	{name: "a module without exports", kind: frame.TypeUnhandled, class: frame.ClassNoHandler, stays: true, code: "module.exports = null\n"},
	{name: "a handler without a dot", handler: "handler", kind: frame.TypeUnhandled, class: frame.ClassNoHandler, stays: true},
	{name: "a handler without a name", handler: "index.", kind: frame.TypeUnhandled, class: frame.ClassNoHandler, stays: true},
	{name: "a handler without a module", handler: ".handler", kind: frame.TypeUnhandled, class: frame.ClassNoHandler, stays: true},
}

func TestNodeErrors(t *testing.T) {
	onEach(t, "nodejs", func(t *testing.T, in interpreter) {
		want := openGolden(t, "errors-nodejs.json")
		for _, tt := range nodeErrors {
			t.Run(tt.name, func(t *testing.T) {
				p := start(t, in, map[string]string{"index.js": tt.code})
				if tt.handler != "" {
					p.hello.Handler = tt.handler
				}
				got := p.invoke("r1", "event")
				if got.Type != tt.kind || got.Class != tt.class || got.Exit == tt.stays {
					t.Errorf("type %d, class %s, exit %v; want %d, %s, %v", got.Type, got.Class, got.Exit, tt.kind, tt.class, !tt.stays)
				}
				body := p.generic(string(got.Body))
				want.check(t, tt.name, body)
				log := strings.Join(p.lines("r1"), "\n")
				if !strings.HasSuffix(log, " r1 error "+string(got.Body)) {
					t.Errorf("the log does not end with the error: %s", log)
				}
				if !tt.stays {
					if code := p.exit(); code != 1 {
						t.Errorf("exit code %d, want 1", code)
					}
				} else if again := p.invoke("r2", "event"); p.generic(string(again.Body)) != body {
					t.Errorf("the second time: %s", again.Body)
				}
			})
		}
	})
}

// Texts of the engine differ from version to version.
func TestNodeErrorsWithTheEnginesText(t *testing.T) {
	tests := []struct {
		name, code, class string
		want              []string // parts of the body
	}{
		{"a syntax error", "exports.handler = function (e, c, cb) {\n  foo bar\n}\n", frame.ClassSyntax, []string{`"errorType":"SyntaxError"`, `"stackTrace":["/code/index.js:2"`}},
		{"a syntax error in a required file", "\nrequire('./other')\n", frame.ClassSyntax, []string{`"errorType":"SyntaxError"`, `"/code/other.js:1"`, `/code/index.js:2:`}},
		{"a missing dependency", "\nrequire('not-there')\n", frame.ClassImport, []string{`"errorMessage":"Cannot find module 'not-there'`, `"errorType":"Error"`, `/code/index.js:2:1`}},
		{"a circular result", "exports.handler = function (e, c, cb) { const o = {}; o.o = o; cb(null, o) }\n", frame.ClassUnhandled, []string{`"errorMessage":"Converting circular structure to JSON`, `"errorType":"TypeError"`}},
		{"a stack overflow", "\nexports.handler = function f() { return f() + 1 }\n", frame.ClassUnhandled, []string{`"errorMessage":"Maximum call stack size exceeded"`, `"errorType":"RangeError"`, "/code/index.js:2:"}},
	}
	onEach(t, "nodejs", func(t *testing.T, in interpreter) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				p := start(t, in, map[string]string{"index.js": tt.code, "other.js": "a b\n"})
				got := p.invoke("r1", "")
				body := p.generic(string(got.Body))
				if got.Type != frame.TypeUnhandled || got.Class != tt.class || !got.Exit {
					t.Errorf("type %d, class %s, exit %v", got.Type, got.Class, got.Exit)
				}
				for _, part := range tt.want {
					if !strings.Contains(body, part) {
						t.Errorf("%s is not in %s", part, body)
					}
				}
				if strings.Contains(body, "bootstrap.js") || strings.Contains(body, "internal") {
					t.Errorf("frames that are not the user's in %s", body)
				}
			})
		}
	})
}

func TestNodeUncaughtAsExit(t *testing.T) {
	onEach(t, "nodejs", func(t *testing.T, in interpreter) {
		p := start(t, in, map[string]string{"index.js": "exports.handler = function () { throw new Error('gone') }\n"})
		p.hello.Errors.Uncaught = frame.UncaughtExited
		if got := p.invoke("r1", ""); got.Type != 0 {
			t.Errorf("an answer: %+v", got)
		}
		if code := p.exit(); code != 1 {
			t.Errorf("exit code %d", code)
		}
		if log := fmt.Sprint(p.allLines()); !strings.Contains(log, `r1 error {"errorMessage":"gone"`) {
			t.Errorf("log %s", log)
		}
	})
}
