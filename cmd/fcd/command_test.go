package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"fcd/invoker/sandbox/native"
)

// commandEnv makes the test binary the program itself, so that tests run it as a process of its own.
const commandEnv = "FCD_TEST_COMMAND"

func TestMain(m *testing.M) {
	native.Main()
	if os.Getenv(commandEnv) != "" {
		os.Exit(execute(newRoot(), os.Stderr))
	}
	os.Exit(m.Run())
}

// command is fcd with arguments, in an environment without a daemon.
func command(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), commandEnv+"=1", "FCD_DATA_DIR=", "FCD_CONFIG=", "HOME="+t.TempDir())
	return cmd
}

// run runs a command to its end.
func run(t testing.TB, cmd *exec.Cmd) (stdout, stderr string, code int) {
	t.Helper()
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errOut.String(), cmd.ProcessState.ExitCode()
}

// openFolder is a temporary folder that every user may look into.
func openFolder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "fcd-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// output is what a running command has written so far.
type output struct {
	mu   sync.Mutex
	text string
	more chan struct{} // closed and replaced at each write
}

func newOutput() *output { return &output{more: make(chan struct{})} }

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text += string(b)
	close(o.more)
	o.more = make(chan struct{})
	return len(b), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text
}

// count waits until the output holds part n times.
func (o *output) count(t testing.TB, part string, n int) {
	t.Helper()
	late := time.After(time.Minute)
	for {
		o.mu.Lock()
		text, more := o.text, o.more
		o.mu.Unlock()
		if strings.Count(text, part) >= n {
			return
		}
		select {
		case <-more:
		case <-late:
			t.Fatalf("no %q, %d times, in:\n%s", part, n, text)
		}
	}
}

// start runs a command until the test ends, which stops it in good order.
func start(t testing.TB, args ...string) *output {
	t.Helper()
	cmd := command(t, args...)
	out := newOutput()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended, which Wait tells
		if err := cmd.Wait(); err != nil && cmd.ProcessState.ExitCode() != 0 {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	})
	return out
}
