package local_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fcd/cmd/fcd/local"
	"fcd/fc"
)

const nodeCode = `
let calls = 0, started = false;
exports.start = (context, callback) => { started = true; callback(); };
exports.handler = (event, context, callback) => {
  console.log('event %s', event);
  switch (event.toString()) {
  case 'bad': return callback(new Error('bad event'));
  case 'hang': return;
  case 'keys': return callback(null, context.credentials);
  case 'write': try { require('fs').writeFileSync('/code/new', ''); } catch (err) { return callback(null, err.code); }
  }
  callback(null, [++calls, started, process.env.STAGE, process.env.FC_FUNC_CODE_PATH, context.function.name].join());
};`

const pythonCode = `
def handler(event, context):
    print('event', event.decode())
    return event.upper()
`

func TestAFunctionRunsFromItsFolder(t *testing.T) {
	tests := []struct {
		name, event string
		change      func(*local.Function)
		keys        fc.Credentials
		body        string // or what an error's body holds
		errorType   string
		log         string
	}{
		{name: "a result", event: "one", body: "1,false,,/code/,hello", log: "verbose event one"},
		{name: "with an initializer and a variable", event: "one", body: "1,true,test,/code/,hello", log: "FC Initialize End",
			change: func(f *local.Function) {
				f.Initializer, f.Env = "index.start", map[string]string{"STAGE": "test"}
			}},
		{name: "a handled error", event: "bad", errorType: fc.HandledInvocationError, body: "bad event", log: "Handled function error"},
		{name: "a timeout", event: "hang", errorType: fc.UnhandledInvocationError, body: "Task timed out after 1 seconds",
			change: func(f *local.Function) { f.TimeoutSeconds = 1 }},
		{name: "a handler that is not there", errorType: fc.UnhandledInvocationError,
			body: "Handler 'nobody' missing on module 'index'", change: func(f *local.Function) { f.Handler = "index.nobody" }},
		{name: "no keys", event: "keys", body: `{"accessKeyId":"","accessKeySecret":"","securityToken":""}`},
		{name: "keys that were asked for", event: "keys", keys: fc.Credentials{AccessKeyID: "id", AccessKeySecret: "secret"},
			body: `{"accessKeyId":"id","accessKeySecret":"secret","securityToken":""}`},
		{name: "the folder is read-only", event: "write", body: "EROFS"},
		{name: "Python is told by the handler's file", event: "one", body: "ONE", log: "event one",
			change: func(f *local.Function) { f.Handler = "sub.main.handler" }},
	}
	dir := folder(t, map[string]string{"index.js": nodeCode, "sub/main.py": pythonCode, "sub/__init__.py": ""})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			log := &lines{}
			r := runner(t, local.RunnerOptions{Function: function(t, dir, tt.change), Logs: log, Credentials: tt.keys})
			res, err := r.Invoke(withTimeout(t), []byte(tt.event))
			if err != nil {
				t.Fatal(err)
			}
			if res.ErrorType != tt.errorType {
				t.Errorf("error type %q, want %q: %s", res.ErrorType, tt.errorType, res.Body)
			}
			if tt.errorType == "" && string(res.Body) != tt.body || !strings.Contains(string(res.Body), tt.body) {
				t.Errorf("body %s, want %s", res.Body, tt.body)
			}
			if !strings.Contains(log.text(), tt.log) {
				t.Errorf("log %q lacks %q", log.text(), tt.log)
			}
		})
	}
}

func TestAChangedFileIsSeenByTheNextRunner(t *testing.T) {
	dir := folder(t, map[string]string{"index.py": "def handler(event, context): return 'old'"})
	for _, want := range []string{"old", "new"} {
		write(t, dir+"/index.py", "def handler(event, context): return '"+want+"'")
		res, err := runner(t, local.RunnerOptions{Function: function(t, dir, nil)}).Invoke(withTimeout(t), nil)
		if err != nil || string(res.Body) != want {
			t.Errorf("%s, %v, want %s", res.Body, err, want)
		}
	}
}

func TestACallIsInterrupted(t *testing.T) {
	dir := folder(t, map[string]string{"index.js": "exports.handler = () => { console.log('here'); };"})
	ctx, cancel := context.WithCancel(t.Context())
	here := logsFunc(func(r fc.LogRecord) {
		if strings.Contains(r.Message, "here") {
			cancel()
		}
	})
	f := function(t, dir, func(f *local.Function) { f.TimeoutSeconds = 300 })
	_, err := runner(t, local.RunnerOptions{Function: f, Logs: here}).Invoke(ctx, nil)
	if err == nil || err.Error() != "interrupted" {
		t.Errorf("got %v", err)
	}
}

type logsFunc func(fc.LogRecord)

func (f logsFunc) Append(rs ...fc.LogRecord) {
	for _, r := range rs {
		f(r)
	}
}

func TestAFunctionIsToldByItsFolder(t *testing.T) {
	tests := []struct {
		name         string
		files        map[string]string
		given        local.Function
		want         local.Function
		wantMistakes string
	}{
		{name: "Node by its file", files: map[string]string{"index.js": ""}, want: local.Function{Handler: "index.handler", Runtime: "nodejs8"}},
		{name: "Python by its file", files: map[string]string{"index.py": ""}, want: local.Function{Handler: "index.handler", Runtime: "python3"}},
		{name: "a module in a package", files: map[string]string{"a/b.py": ""}, given: local.Function{Handler: "a.b.f"},
			want: local.Function{Handler: "a.b.f", Runtime: "python3"}},
		{name: "Java by its handler", given: local.Function{Handler: "example.App::handle"},
			want: local.Function{Handler: "example.App::handle", Runtime: "java8"}},
		{name: "nothing to tell by", wantMistakes: "neither index.js nor index.py is in "},
		{name: "a runtime that does not exist", given: local.Function{Runtime: "cobol"}, wantMistakes: "Runtime is set to an invalid value"},
		{name: "too little memory", files: map[string]string{"index.js": ""}, given: local.Function{MemoryMB: 100}, wantMistakes: "MemorySize"},
		{name: "a reserved variable", files: map[string]string{"index.js": ""},
			given: local.Function{Env: map[string]string{"FC_X": "1"}}, wantMistakes: "FC_X"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := tt.given
			f.Dir, f.Service = folder(t, tt.files), "local"
			f.TimeoutSeconds = 3
			if f.MemoryMB == 0 {
				f.MemoryMB = 128
			}
			err := f.Resolve(fc.DefaultLimits())
			if tt.wantMistakes != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantMistakes) {
					t.Errorf("got %v, want %q", err, tt.wantMistakes)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := local.Function{Handler: f.Handler, Runtime: f.Runtime}
			if d := cmp.Diff(tt.want, got); d != "" || f.Name != "hello" {
				t.Errorf("name %q %s", f.Name, d)
			}
		})
	}
}
