package local_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
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
		for prepared, how := range []string{"", ", looked at by an interpreter that waits"} {
			t.Run(tt.name+how, func(t *testing.T) {
				dir := folder(t, tt.first)
				f := function(t, dir, func(f *local.Function) {
					if _, err := os.Stat(dir + "/start.js"); err == nil {
						f.Initializer = "start.start"
					}
				})
				k := checker(t, f)
				watched := local.NewFolder(dir)
				check := func(want string) {
					t.Helper()
					if prepared > 0 {
						prepare(t, k)
					}
					expect(t, k.Check(withTimeout(t), scan(t, watched)), want)
				}
				check(tt.bad)
				if tt.then == nil {
					return
				}
				for name, text := range tt.then {
					write(t, dir+"/"+name, text)
				}
				check(tt.thenBad)
				for name := range tt.then {
					write(t, dir+"/"+name, "")
				}
				check("")
			})
		}
	}
}

func checker(t *testing.T, f *local.Function) *local.Checker {
	t.Helper()
	k, err := local.NewChecker(config.Default(), f, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	return k
}

func prepare(t *testing.T, k *local.Checker) {
	t.Helper()
	if err := k.Prepare(withTimeout(t)); err != nil {
		t.Fatal(err)
	}
}

func TestAnInterpreterThatWaitedInVainIsReplaced(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, dir string, waiting []int){
		"the folder was replaced": func(t *testing.T, dir string, _ []int) {
			if err := os.Rename(dir, dir+"-old"); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		},
		"it was killed": func(t *testing.T, _ string, waiting []int) {
			for _, pid := range waiting {
				if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, map[string]string{"index.js": ""})
			k, watched := checker(t, function(t, dir, nil)), local.NewFolder(dir)
			before := children(t)
			prepare(t, k)
			prepare(t, k) // one is enough
			waiting := slices.DeleteFunc(children(t), func(pid int) bool { return slices.Contains(before, pid) })
			if len(waiting) != 1 {
				t.Fatalf("%d processes wait", len(waiting))
			}
			spoil(t, dir, waiting)
			write(t, dir+"/index.js", "(")
			expect(t, k.Check(withTimeout(t), scan(t, watched)), "index.js:")
		})
	}
}

// children are the processes that this one has started.
func children(t *testing.T) (pids []int) {
	t.Helper()
	lists, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range lists {
		b, _ := os.ReadFile(list) // a thread may have ended
		for _, child := range strings.Fields(string(b)) {
			pid, err := strconv.Atoi(child)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
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
