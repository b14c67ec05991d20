package runtimes

import (
	"testing"

	"fcd/invoker/runtimes/frame"
)

func TestPythonResults(t *testing.T) {
	tests := []struct {
		name, result string // an expression
		want         string
	}{
		{"nothing", `None`, "null"},
		{"the event, bytes", `event if isinstance(event, bytes) else 'no bytes'`, "\x00event\xff"},
		{"text", `u'h\u00e9llo'`, "héllo"},
		{"empty text", `''`, ""},
		{"a number", `1.5`, "1.5"},
		{"a boolean", `True`, "true"},
		{"a dictionary, sorted and indented", `{'b': u'\u00e9', 'a': 1}`, "{\n    \"a\": 1,SP\n    \"b\": \"\\u00e9\"\n}"},
		{"a list", `[1, 'x']`, "[\n    1,SP\n    \"x\"\n]"},
		{"a decimal", `__import__('decimal').Decimal('1.25')`, "1.25"},
		{"an own module", `__import__('sys').modules[__name__] is not None`, "true"},
	}
	onEach(t, "python", func(t *testing.T, in interpreter) {
		files := map[string]string{}
		for i, tt := range tests {
			files[caseFile("c", i, ".py")] = "def handler(event, context):\n    return " + tt.result + "\n"
		}
		for i, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				p := start(t, in, files)
				p.hello.Handler = caseFile("c", i, ".handler")
				want := pythonSpaces(in, tt.want)
				for _, id := range []string{"r1", "r2"} {
					got := p.invoke(id, "\x00event\xff")
					if got.Type != frame.TypeResult || string(got.Body) != want {
						t.Errorf("%s: got type %d, %q; want %q; log %+v", id, got.Type, got.Body, want, p.allLines())
					}
				}
			})
		}
	})
}
