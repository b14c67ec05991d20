package runtimes

import (
	"testing"

	"fcd/invoker/runtimes/frame"
)

func TestNodeResults(t *testing.T) {
	tests := []struct {
		name, body string // of the handler
		want       string
	}{
		{"no result", `callback()`, ""},
		{"two nulls", `callback(null, null)`, ""},
		{"the event, a Buffer", `callback(null, Buffer.isBuffer(event) ? event : 'no buffer')`, "\x00event\xff"},
		{"a string", `callback(null, 'h\u00e9llo')`, "héllo"},
		{"an empty string", `callback(null, '')`, ""},
		{"a number", `callback(null, 1.5)`, "1.5"},
		{"zero", `callback(null, 0)`, "0"},
		{"a boolean", `callback(null, false)`, "false"},
		{"an object", `callback(null, {a: [1, 'x'], b: undefined})`, `{"a":[1,"x"]}`},
		{"an object with toJSON that gives undefined", `callback(null, {toJSON: function () {}})`, ""},
		{"a function", `callback(null, function f() { return 1 })`, "function f() { return 1 }"},
		{"an undefined error", `callback(undefined, 'x')`, "x"},
		{"a late callback", `setTimeout(function () { callback(null, 'late') }, 5)`, "late"},
		{"a second callback", `callback(null, 'first'); callback(null, 'second'); callback(new Error('third'))`, "first"},
		{"code behind the callback", `callback(null, event); event[0] = 65`, "Aevent\xff"},
		{"a promise", `return new Promise(function (ok) { setTimeout(ok, 5, {n: 1}) })`, `{"n":1}`},
		{"a callback before the promise", `callback(null, 'cb'); return Promise.resolve('promise')`, "cb"},
		{"an own this", `callback(null, this === module.exports)`, "true"},
	}
	onEach(t, "nodejs", func(t *testing.T, in interpreter) {
		files := map[string]string{}
		for i, tt := range tests {
			files[caseFile("c", i, ".js")] = "exports.handler = function (event, context, callback) {" + tt.body + "}\n"
		}
		for i, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				p := start(t, in, files)
				p.hello.Handler = caseFile("c", i, ".handler")
				for _, id := range []string{"r1", "r2"} {
					got := p.invoke(id, "\x00event\xff")
					if got.Type != frame.TypeResult || string(got.Body) != tt.want {
						t.Errorf("%s: got type %d, %q; want %q; log %+v", id, got.Type, got.Body, tt.want, p.allLines())
					}
				}
			})
		}
	})
}
