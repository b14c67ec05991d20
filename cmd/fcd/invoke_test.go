package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

const helloCode = `
exports.handler = (event, context, callback) => {
  console.log('event %s', event);
  if (event.toString() === 'bad') return callback(new Error('bad event'));
  callback(null, event.toString() + (process.env.STAGE || '') + context.credentials.accessKeyId);
};`

func TestInvokeRunsAFolder(t *testing.T) {
	dir := filepath.Join(openFolder(t), "hello")
	write(t, dir+"/index.js", helloCode)
	write(t, dir+"/event.json", `{"a":1}`)
	write(t, dir+"/app.py", "def main(event, context):\n    print('raw')\n    return event\n")
	tests := []struct {
		name   string
		args   []string
		stdin  string
		env    string
		stdout string
		stderr string // holds this
		code   int
	}{
		{name: "text", args: []string{"--event", "one"}, stdout: "one", stderr: "verbose event one"},
		{name: "a file", args: []string{"--event", "@" + dir + "/event.json"}, stdout: `{"a":1}`},
		{name: "standard input", args: []string{"-e", "-"}, stdin: "in", stdout: "in"},
		{name: "no event", stderr: "FC Invoke End"},
		{name: "the end of the log", args: []string{"--tail"}, stderr: "Memory Size: 128 MB, Max Memory Used: "},
		{name: "a variable", args: []string{"--env", "STAGE=test", "--env", "OTHER=a=b"}, stdout: "test"},
		{name: "keys", args: []string{"--keys"}, env: "ALIBABA_CLOUD_ACCESS_KEY_ID=id", stdout: "id"},
		{name: "keys that were not asked for", env: "ALIBABA_CLOUD_ACCESS_KEY_ID=id"},
		{name: "Python", args: []string{"--handler", "app.main", "--memory", "256", "-e", "one"}, stdout: "one", stderr: "raw"},
		{name: "a function error", args: []string{"-e", "bad"}, code: 1, stderr: `fcd: HandledInvocationError: {"errorMessage":"bad event"`},
		{name: "a runtime that is not installed", args: []string{"--runtime", "python2.7", "--handler", "app.main", "--runtimes-dir", dir + "/none"}, code: 1,
			stderr: "runtime python2.7 is not installed on this host; run: fcd runtimes install python2.7"},
		{name: "a timeout that cannot be", args: []string{"--timeout", "0"}, code: 1, stderr: "Timeout is set to an invalid value"},
		{name: "a variable without a value", args: []string{"--env", "STAGE"}, code: 2, stderr: `--env is "STAGE"`},
		{name: "a name as well", args: []string{"a/b"}, code: 2, stderr: "it goes with neither a name nor --async"},
		{name: "a port of the system's", args: []string{"--debug-port", "80"}, code: 1, stderr: "it must be from 1024 to 65535"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cmd := command(t, append([]string{"invoke", "--dir", dir}, tt.args...)...)
			cmd.Env, cmd.Stdin = append(cmd.Env, tt.env), strings.NewReader(tt.stdin)
			stdout, stderr, code := run(t, cmd)
			if stdout != tt.stdout || !strings.Contains(stderr, tt.stderr) || code != tt.code {
				t.Errorf("exit code %d, stdout %q, stderr:\n%s", code, stdout, stderr)
			}
		})
	}
}

func TestInvokeRunsTheHooksOfAFolder(t *testing.T) {
	dir := filepath.Join(openFolder(t), "hello")
	write(t, dir+"/index.js", `
let calls = 0;
exports.handler = (event, context, callback) => callback(event.toString() === 'bad' ? new Error('bad') : null, String(++calls));
exports.freeze = (context, callback) => { console.log('freezes after', calls); callback(); };
exports.stop = (context, callback) => { console.log('stops after', calls); callback(); };`)
	write(t, dir+"/app.py", `
calls = 0
def main(event, context):
    global calls
    calls += 1
    return str(calls)
def freeze(context):
    print('freezes after', calls)
def stop(context):
    print('stops after', calls)
`)
	freeze := []string{"FC PreFreeze Start", "freezes after 1"} // its End comes with the last of its output
	stop := []string{"stops after 1", "FC PreStop End"}
	tests := []struct {
		name   string
		args   []string
		stdout string
		stderr []string // holds these, in this order
		code   int
	}{
		{name: "both", args: []string{"--pre-freeze", "index.freeze", "--pre-stop", "index.stop"}, stdout: "1",
			stderr: slices.Concat([]string{"FC Invoke End"}, freeze, stop)},
		{name: "the last alone", args: []string{"--pre-stop", "index.stop"}, stdout: "1", stderr: stop},
		{name: "Python", args: []string{"--handler", "app.main", "--pre-freeze", "app.freeze", "--pre-stop", "app.stop"}, stdout: "1",
			stderr: slices.Concat(freeze, stop)},
		{name: "after an error", args: []string{"-e", "bad", "--pre-freeze", "index.freeze", "--pre-stop", "index.stop"}, code: 1,
			stderr: slices.Concat(freeze, stop, []string{"fcd: HandledInvocationError"})},
		{name: "one that is not there", args: []string{"--pre-stop", "index.nobody"}, stdout: "1",
			stderr: []string{"FC PreStop Start", "Handler 'nobody' missing on module 'index'", "Unhandled function error"}},
		{name: "one that cannot be", args: []string{"--pre-stop", "index.\tstop"}, code: 1, stderr: []string{"InstanceLifecycleConfig.PreStop.Handler"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stdout, stderr, code := run(t, command(t, append([]string{"invoke", "--dir", dir}, tt.args...)...))
			left, missing := stderr, ""
			for _, want := range tt.stderr {
				_, behind, ok := strings.Cut(left, want)
				if !ok {
					missing = want
					break
				}
				left = behind
			}
			if stdout != tt.stdout || missing != "" || code != tt.code {
				t.Errorf("exit code %d, stdout %q, stderr lacks %q in its place:\n%s", code, stdout, missing, stderr)
			}
		})
	}
}

func TestInvokeNeedsAFolderOrAName(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "name a function, SERVICE/FUNCTION, or a folder, --dir DIR"},
		{[]string{"a/b", "--handler", "x.y"}, "--handler goes with --dir"},
		{[]string{"--debug-port", "9229", "a/b"}, "--debug-port goes with --dir"},
	} {
		_, stderr, code := run(t, command(t, append([]string{"invoke"}, c.args...)...))
		if code != exitUsage || !strings.Contains(stderr, c.want) {
			t.Errorf("%q: exit code %d, %s", c.args, code, stderr)
		}
	}
	_, stderr, code := run(t, command(t, "invoke", "--dir", "nowhere"))
	if code != exitFailed || !strings.Contains(stderr, "folder of the function: ") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}

// TestInvokeRunsAFolderAsAnOrdinaryUser needs a binary that such a user can start.
func TestInvokeRunsAFolderAsAnOrdinaryUser(t *testing.T) {
	dir := openFolder(t)
	write(t, dir+"/hello/index.js", helloCode)
	cmd := command(t, "invoke", "--dir", dir+"/hello", "--event", "one")
	cmd.Env = append(cmd.Env, "FCD_RUNTIMES_DIR=") // another user's folder need not be open to this one
	cmd.Path = filepath.Join(dir, "fcd")
	copyProgram(t, cmd.Path)
	cmd.Dir = dir
	const nobody = 65534
	if os.Geteuid() == 0 {
		if err := os.Chown(dir+"/hello", nobody, nobody); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir+"/hello", 0o700); err != nil { // only its owner may look
			t.Fatal(err)
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	stdout, stderr, code := run(t, cmd)
	if stdout != "one" || code != 0 || !strings.Contains(stderr, "verbose event one") {
		t.Errorf("exit code %d, stdout %q, stderr:\n%s", code, stdout, stderr)
	}
}

func copyProgram(t testing.TB, to string) {
	t.Helper()
	from, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.Copy(f, from); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkInvokeDir is the time from the command to its end.
func BenchmarkInvokeDir(b *testing.B) {
	dir := filepath.Join(openFolder(b), "hello")
	write(b, dir+"/index.js", helloCode)
	for b.Loop() {
		if out, err := command(b, "invoke", "--dir", dir, "--event", "one").CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
	}
}
