package runtimes

import (
	"strings"
	"testing"

	"fcd/invoker/runtimes/frame"
)

// pythonErrors are functions that fail, by the name of their golden.
var pythonErrors = []struct {
	name    string
	handler string // default index.handler
	code    string // of index.py
	class   string
}{
	{name: "raise", class: frame.ClassUnhandled, code: "def my_handler():\n    raise Exception('something is wrong')\n\n\ndef handler(event, context):\n    my_handler()\n"},
	{name: "raise an own class", class: frame.ClassUnhandled, code: "class Mine(ValueError):\n    pass\n\n\ndef handler(event, context):\n    raise Mine('m', 1)\n"},
	{name: "raise without a message", class: frame.ClassUnhandled, code: "def handler(event, context):\n    raise KeyError\n"},
	{name: "raise with more than ASCII", class: frame.ClassUnhandled, code: "# -*- coding: utf-8 -*-\ndef handler(event, context):\n    raise ValueError(u'h\\u00e9llo')\n"},
	{name: "raise what cannot be shown", class: frame.ClassUnhandled,
		code: "class Bad(Exception):\n    def __str__(self):\n        raise ValueError('no')\n    __unicode__ = __str__\n\n\ndef handler(event, context):\n    raise Bad()\n"},
	{name: "raise what is no Exception", class: frame.ClassUnhandled, code: "def handler(event, context):\n    raise KeyboardInterrupt('stop')\n"},
	{name: "an error in text made by exec", class: frame.ClassUnhandled, code: "def handler(event, context):\n    exec('def inner():\\n    raise ValueError(1)\\n\\n\\ninner()')\n"},
	{name: "a missing handler", handler: "index.other", class: frame.ClassNoHandler, code: "handler = 1\n"},
	{name: "a handler that is no function", class: frame.ClassNoHandler, code: "handler = 1\n"},
	{name: "a handler without a dot", handler: "handler", class: frame.ClassNoHandler},
	{name: "a handler without a name", handler: "index.", class: frame.ClassNoHandler},
	{name: "a handler without a module", handler: ".handler", class: frame.ClassNoHandler},
	{name: "a module that raises", class: frame.ClassUnhandled, code: "def load():\n    raise ValueError('at load')\n\n\nload()\n"},
}

func TestPythonErrors(t *testing.T) {
	onEach(t, "python", func(t *testing.T, in interpreter) {
		want := openGolden(t, "errors-python.json")
		for _, tt := range pythonErrors {
			t.Run(tt.name, func(t *testing.T) {
				p := start(t, in, map[string]string{"index.py": tt.code})
				if tt.handler != "" {
					p.hello.Handler = tt.handler
				}
				for _, id := range []string{"r1", "r2"} { // Python serves on
					got := p.invoke(id, "event")
					if got.Type != frame.TypeUnhandled || got.Class != tt.class || got.Exit {
						t.Errorf("type %d, class %s, exit %v; want class %s", got.Type, got.Class, got.Exit, tt.class)
					}
					body := p.generic(string(got.Body))
					want.check(t, tt.name, strings.ReplaceAll(body, " \n", "\n"))
					logged := strings.ReplaceAll(string(got.Body), "\n", "\r")
					if log := strings.Join(p.lines(id), "\n"); !strings.HasSuffix(log, " "+id+" ERROR "+logged) {
						t.Errorf("the log does not end with the error: %q", log)
					}
				}
			})
		}
	})
}

// Texts of the interpreter differ from version to version.
func TestPythonErrorsWithTheInterpretersText(t *testing.T) {
	tests := []struct {
		name, handler, code, class string
		want                       []string // parts of the body, spaces at line ends removed
	}{
		{"a missing module", "absent.handler", "", frame.ClassImport,
			[]string{`"errorMessage": "Unable to import module 'absent'"`, `"errorType": "ImportModuleError"`, `"Traceback (most recent call last):",`, `No module named`}},
		{"a missing dependency", "index.handler", "import not_there\n", frame.ClassImport,
			[]string{`"errorMessage": "Unable to import module 'index'"`, `"  File \"/code/index.py\", line 1, in <module>",` + "\n", `not_there`}},
		{"a syntax error", "index.handler", "def handler(event, context):\n    foo bar\n", frame.ClassSyntax,
			[]string{`"errorMessage": "Syntax error in module 'index'"`, `"errorType": "UserCodeSyntaxError"`, `\"/code/index.py\", line 2`, "SyntaxError: invalid syntax"}},
		{"a module below folders that is absent", "a/b.c.handler", "", frame.ClassImport, []string{`"Unable to import module 'a/b.c'"`}},
		{"a set as the result", "index.handler", "def handler(event, context):\n    return {1}\n", frame.ClassUnhandled,
			[]string{`"errorType": "TypeError"`, `is not JSON serializable"`}},
		{"a wrong signature", "index.handler", "def handler():\n    pass\n", frame.ClassUnhandled,
			[]string{`"errorMessage": "handler() takes `, `"errorType": "TypeError"`, `"stackTrace": []`}},
		{"a circular result", "index.handler", "def handler(event, context):\n    x = []\n    x.append(x)\n    return x\n", frame.ClassUnhandled,
			[]string{`"errorType": "ValueError"`, `"Circular reference detected"`}},
		{"too deep a recursion", "index.handler", "def handler(event, context):\n    return handler(event, context)\n", frame.ClassUnhandled,
			[]string{`maximum recursion depth exceeded`, "\"File \\\"/code/index.py\\\"\",\n            \"line 2\",\n            \"in handler\",\n            \"return handler(event, context)\""}},
	}
	onEach(t, "python", func(t *testing.T, in interpreter) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				p := start(t, in, map[string]string{"index.py": tt.code})
				p.hello.Handler = tt.handler
				got := p.invoke("r1", "")
				body := strings.ReplaceAll(p.generic(string(got.Body)), " \n", "\n")
				if got.Type != frame.TypeUnhandled || got.Class != tt.class || got.Exit {
					t.Errorf("type %d, class %s, exit %v", got.Type, got.Class, got.Exit)
				}
				for _, part := range tt.want {
					if !strings.Contains(body, part) {
						t.Errorf("%s is not in %s", part, body)
					}
				}
				if strings.Contains(body, "bootstrap") {
					t.Errorf("frames that are not the user's in %s", body)
				}
			})
		}
	})
}

func TestPythonModuleNames(t *testing.T) {
	result := "def handler(event, context):\n    return __name__ and 'found'\n"
	tests := []struct{ name, handler, file string }{
		{"a module in a folder, with a dot", "a.b.handler", "a/b.py"},
		{"a module in a folder, with a slash", "a/b.handler", "a/b.py"},
		{"a module two folders down", "a/b/c.handler", "a/b/c.py"},
		{"a module named like one that is loaded", "time.handler", "time.py"},
		{"a module named like a library", "calendar.handler", "calendar.py"},
		{"a module named like the bootstrap", "bootstrap.handler", "bootstrap.py"},
		{"a module named like the program", "__main__.handler", "__main__.py"},
		{"a package", "pkg.handler", "pkg/__init__.py"},
	}
	onEach(t, "python", func(t *testing.T, in interpreter) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				p := start(t, in, map[string]string{tt.file: result})
				p.hello.Handler = tt.handler
				for _, id := range []string{"r1", "r2"} {
					if got := p.invoke(id, ""); string(got.Body) != "found" {
						t.Errorf("%s", got.Body)
					}
				}
			})
		}
	})
}

func TestPythonExits(t *testing.T) {
	tests := []struct {
		name, code string
		want       int
	}{
		{"sys.exit", "import sys\n    sys.exit(3)", 3},
		{"sys.exit without a code", "import sys\n    sys.exit()", 0},
		{"sys.exit with text", "import sys\n    sys.exit('text')", 1},
		{"os._exit", "import os\n    os._exit(4)", 4},
		{"an exit while another thread runs", "import sys, threading\n    threading.Thread(target=threading.Event().wait).start()\n    sys.exit(5)", 5},
	}
	onEach(t, "python", func(t *testing.T, in interpreter) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				p := start(t, in, map[string]string{"index.py": "def handler(event, context):\n    " + tt.code + "\n"})
				if got := p.invoke("r1", ""); got.Type != 0 {
					t.Errorf("an answer: %+v", got)
				}
				if code := p.exit(); code != tt.want {
					t.Errorf("exit code %d, want %d", code, tt.want)
				}
			})
		}
	})
}
