package local_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"fcd/cmd/fcd/local"
	"fcd/config"
)

func TestCodeIsCheckedBeforeItIsDeployed(t *testing.T) {
	type files map[string]string
	tests := []struct {
		name    string
		handler string
		first   files
		bad     string // of the first look: what the error holds
		then    files  // nil: there is no second look
		thenBad string
	}{
		{name: "good code", first: files{"index.js": "#!/usr/bin/env node\nreturn;"}, then: files{"index.js": "let a = 1;"}},
		{name: "a handler that cannot be parsed", first: files{"index.js": "let a = 1;\nlet a = 2;"}, bad: "index.js:2\n"},
		{name: "a handler that becomes bad", first: files{"index.js": ""}, then: files{"index.js": "("}, thenBad: "SyntaxError"},
		{name: "a file that could be parsed before", first: files{"index.js": "", "lib/a.js": ""}, then: files{"lib/a.js": "("}, thenBad: "lib/a.js:1"},
		{name: "a file that is no code for Node", first: files{"index.js": "", "public/app.js": "import a from 'a';"},
			then: files{"public/app.js": "import a from 'a';\n<b>"}},
		{name: "a file of somebody else", first: files{"index.js": "", "node_modules/a/a.js": ""}, then: files{"node_modules/a/a.js": "("}},
		{name: "code is not run", first: files{"index.js": "process.exit(1)"}},
		{name: "good Python", handler: "index.handler", first: files{"index.py": "def handler(e, c): return 1"}},
		{name: "bad Python", first: files{"index.py": "def handler(e, c):\nreturn 1"}, bad: `File "index.py", line 2`},
		{name: "Python with a null byte", first: files{"index.py": "a\x00"}, bad: "null bytes"},
		{name: "an initializer of its own", first: files{"index.js": "", "start.js": "("}, bad: "start.js:1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := folder(t, tt.first)
			f := function(t, dir, func(f *local.Function) {
				if _, err := os.Stat(dir + "/start.js"); err == nil {
					f.Initializer = "start.start"
				}
			})
			k, err := local.NewChecker(config.Default(), f, "")
			if err != nil {
				t.Fatal(err)
			}
			defer k.Close()
			watched := local.NewFolder(dir)
			expect(t, k.Check(withTimeout(t), scan(t, watched)), tt.bad)
			if tt.then == nil {
				return
			}
			for name, text := range tt.then {
				write(t, dir+"/"+name, text)
			}
			expect(t, k.Check(withTimeout(t), scan(t, watched)), tt.thenBad)
			for name := range tt.then {
				write(t, dir+"/"+name, "")
			}
			expect(t, k.Check(withTimeout(t), scan(t, watched)), "")
		})
	}
}

func expect(t *testing.T, err error, want string) {
	t.Helper()
	var bad *local.CodeError
	switch {
	case want == "" && err != nil:
		t.Errorf("got %v", err)
	case want != "" && (!errors.As(err, &bad) || !strings.Contains(bad.Error(), want)):
		t.Errorf("got %v, want %q", err, want)
	}
}

func TestCompiledCodeIsNotChecked(t *testing.T) {
	f := function(t, folder(t, nil), func(f *local.Function) { f.Handler = "example.App::handle" })
	if k, err := local.NewChecker(config.Default(), f, ""); k != nil || err != nil {
		t.Errorf("%v, %v", k, err)
	}
}

func TestAFolderClosedToFunctionsIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("an ordinary user's functions run under the user's own id")
	}
	dir := folder(t, map[string]string{"index.js": nodeCode})
	if err := os.Chmod(dir+"/index.js", 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := local.NewRunner(local.RunnerOptions{Config: config.Default(), Function: function(t, dir, nil)})
	if err == nil || !strings.Contains(err.Error(), "chmod -R o+rX") {
		t.Errorf("got %v", err)
	}
}
