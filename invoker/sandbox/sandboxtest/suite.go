// Package sandboxtest is the suite that every sandbox driver passes: programs run inside and try to get out, and the
// suite looks at the result from outside.
//
//	func TestEscapes(t *testing.T) {
//		sandboxtest.Run(t, func(t *testing.T) sandbox.Driver { ... }, nil)
//	}
//
// The programs are scripts for the host's /usr/bin/python3, with node and java where they are installed. A driver that
// says in its Caps that it cannot do something is not asked to; what it does claim is held against it. The suite runs
// as root and, through the driver's own means, as an ordinary user.
package sandboxtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fcd/invoker/sandbox"
)

// python is the interpreter that scripts run in.
const python = "/usr/bin/python3"

// patience bounds everything that should take milliseconds: half a minute, or FCD_TEST_PATIENCE, a duration, on a machine
// that is emulated.
var patience = func() time.Duration {
	if d, err := time.ParseDuration(os.Getenv("FCD_TEST_PATIENCE")); err == nil {
		return d
	}
	return 30 * time.Second
}()

// Run runs the whole suite. open makes a driver; the suite closes it. leftovers, if not nil, names what the driver still
// holds of instances (cgroups, user ids, mounts); after every test there must be none.
func Run(t *testing.T, open func(t *testing.T) sandbox.Driver, leftovers func(sandbox.Driver) []string) {
	d := open(t)
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close the driver: %v", err)
		}
	})
	caps, err := d.Probe()
	if err != nil {
		t.Fatalf("probe: %v", err)
	}
	for name, reason := range caps.Missing {
		t.Logf("%s: not available: %s", name, reason)
	}
	s := &suite{driver: d, caps: caps, leftovers: leftovers}
	shared := map[string]bool{"view": true, "privilege": true, "files": true, "network off": true, "sockets": true}
	filtered := map[string]bool{"namespaces": true, "system calls": true}
	for _, group := range []struct {
		name string
		run  func(*testing.T, *suite)
	}{
		{"view", testView}, {"descriptors", testDescriptors}, {"namespaces", testNamespaces},
		{"system calls", testSyscalls}, {"privilege", testPrivilege}, {"files", testFiles}, {"memory", testMemory},
		{"processes", testProcesses}, {"resources", testResources}, {"processor", testProcessor}, {"network off", testNetworkOff},
		{"sockets", testSockets}, {"kill", testKill}, {"claim", testClaim}, {"freeze", testFreeze},
		{"interpreters", testInterpreters}, {"life", testLife},
	} {
		if caps.Shared && shared[group.name] {
			t.Logf("not tried: %s: instances of this driver share that with the host", group.name)
			continue
		}
		if caps.OwnKernel && filtered[group.name] {
			t.Logf("not tried: %s: they end in a kernel of the instance's own", group.name)
			continue
		}
		t.Run(group.name, func(t *testing.T) { group.run(t, s) })
	}
}

// suite is what the tests share.
type suite struct {
	driver    sandbox.Driver
	caps      sandbox.Caps
	leftovers func(sandbox.Driver) []string
}

// own tells whether a path, without its first slash, shows an instance's own kernel and not the host.
func (s *suite) own(path string) bool {
	return s.caps.OwnKernel && (path == "sys" || path == "dev/fuse")
}

// readOnly is how writing fails where nothing may be written: a kernel of the instance's own may look at the owner first.
func (s *suite) readOnly() string {
	if s.caps.OwnKernel {
		return "EROFS|EACCES|EPERM"
	}
	return "EROFS"
}

// box is one instance under test. Its programs carry its token in argv, so that they can be found from outside.
type box struct {
	sandbox.Instance
	t      *testing.T
	token  string
	input  *os.File // what the program reads as descriptor 3; closing it lets waiting scripts go on
	output *bytes.Buffer
	copied chan struct{} // closed when the output has ended; output may be read then

	printed atomic.Bool // some output has come
	mu      sync.Mutex  // guards output until copied is closed
}

// Write takes the program's output.
func (b *box) Write(p []byte) (int, error) {
	b.printed.Store(true)
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.output.Write(p)
}

// sofar is the output until now.
func (b *box) sofar() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.output.String()
}

// run is a subtest that leaves nothing behind.
func (s *suite) run(t *testing.T, name string, f func(t *testing.T)) {
	t.Run(name, func(t *testing.T) {
		before := ownMounts(t)
		f(t)
		for m := range ownMounts(t) {
			if !before[m] {
				t.Errorf("left on the host: the mount %s", m)
			}
		}
		if s.leftovers != nil {
			if left := s.leftovers(s.driver); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		}
	})
}

// ownMounts are the mounts of the host that look like an instance's: other programs may mount what they like meanwhile.
func ownMounts(t *testing.T) map[string]bool {
	t.Helper()
	top, _, _ := strings.Cut(t.Name(), "/")
	found := map[string]bool{}
	for line := range strings.Lines(readFile(t, "/proc/self/mountinfo")) {
		fields := strings.Fields(line) // id, parent, device, root, mount point, ...
		for _, part := range []string{top, "/code", "/var/fc", "/bundles/"} {
			if strings.Contains(fields[3]+" "+fields[4], part) || fields[4] == "/tmp" {
				found[line] = true
			}
		}
	}
	return found
}

// spec is what scripts run with unless a test says otherwise.
func (s *suite) spec(t *testing.T, script string) (sandbox.Spec, string) {
	token := newToken(t)
	return sandbox.Spec{
		ID: "test-" + token, Runtime: "python3", Network: sandbox.NetNone,
		Limits: sandbox.Limits{MemoryMB: 128, Pids: 64}, TmpMB: 512,
		Path: python, Args: []string{"python3", "-I", "-c", prelude + script, token},
		Env: []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp", "LANG=C.UTF-8"},
	}, token
}

// prelude is before every script: attempt tells how a call went, and answer prints what the test decodes.
const prelude = `
import ctypes, errno, json, mmap, os, signal, socket, subprocess, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
def attempt(f, *args):
    try:
        f(*args)
        return "ok"
    except OSError as e:
        return errno.errorcode.get(e.errno, str(e.errno))
def syscall(*args):
    r = libc.syscall(*[ctypes.c_long(a) if isinstance(a, int) else a for a in args])
    return "ok" if r >= 0 else errno.errorcode.get(ctypes.get_errno())
def answer(v):
    os.write(1, json.dumps(v).encode())
def wait():
    os.read(3, 1)
`

// start starts an instance and reads its output until the end.
func (s *suite) start(t *testing.T, script string, change func(*sandbox.Spec)) *box {
	t.Helper()
	spec, token := s.spec(t, script)
	if change != nil {
		change(&spec)
	}
	b, err := s.open(t, spec, token)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	return b
}

// open starts an instance from a whole spec.
func (s *suite) open(t *testing.T, spec sandbox.Spec, token string) (*box, error) {
	t.Helper()
	outR, outW := pipe(t)
	inR, inW := pipe(t)
	framesR, framesW := pipe(t)
	spec.Stdout, spec.Stderr, spec.FrameIn, spec.FrameOut = outW, outW, inR, framesW
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	i, err := s.driver.Start(ctx, spec)
	for _, f := range []*os.File{outW, inR, framesW, framesR} {
		f.Close()
	}
	if err != nil {
		inW.Close()
		outR.Close()
		return nil, err
	}
	b := &box{Instance: i, t: t, token: token, input: inW, output: new(bytes.Buffer), copied: make(chan struct{})}
	t.Cleanup(func() { i.Kill() }) // for tests that stop half way; the error is the test's own to see
	go func() {
		defer close(b.copied)
		io.Copy(b, outR) // ends with the last writer
		outR.Close()
	}()
	return b, nil
}

// finish waits for the program to end by itself, kills the rest, and returns the output.
func (b *box) finish() (string, sandbox.Exit) {
	b.t.Helper()
	exit := b.wait()
	b.end()
	return b.output.String(), exit
}

// wait waits for the program with patience.
func (b *box) wait() sandbox.Exit {
	b.t.Helper()
	done := make(chan sandbox.Exit, 1)
	go func() {
		exit, err := b.Wait()
		if err != nil {
			b.t.Errorf("wait: %v", err)
		}
		done <- exit
	}()
	select {
	case exit := <-done:
		return exit
	case <-time.After(patience):
		b.t.Errorf("the program did not end within %v", patience)
		b.end()
		b.t.FailNow()
		return sandbox.Exit{}
	}
}

// end kills the instance and checks from outside that nothing of it lives.
func (b *box) end() {
	b.t.Helper()
	if err := b.Kill(); err != nil {
		b.t.Errorf("kill: %v", err)
	}
	b.input.Close()
	select {
	case <-b.copied:
	case <-time.After(patience):
		b.t.Errorf("somebody still holds the output")
	}
	if left := processesWith(b.token); len(left) > 0 {
		b.t.Errorf("processes outlive the instance: %v", left)
	}
}

// ask runs a script to its end and decodes its answer.
func (s *suite) ask(t *testing.T, script string, answer any, change func(*sandbox.Spec)) {
	t.Helper()
	out, exit := s.start(t, script, change).finish()
	if exit != (sandbox.Exit{}) {
		t.Fatalf("exit %+v, output:\n%s", exit, out)
	}
	if err := json.Unmarshal([]byte(out), answer); err != nil {
		t.Fatalf("answer %q: %v", out, err)
	}
}

// expect compares what attempts gave with what they should give.
func expect(t *testing.T, got, want map[string]string) {
	t.Helper()
	for name, w := range want {
		if g := got[name]; !oneOf(g, w) {
			t.Errorf("%s: %s, want %s", name, g, w)
		}
	}
}

// oneOf tells whether a word is among those separated by "|".
func oneOf(word, choice string) bool {
	for c := range strings.SplitSeq(choice, "|") {
		if c == word {
			return true
		}
	}
	return false
}

func newToken(t *testing.T) string {
	t.Helper()
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(b[:])
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	return r, w
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// codeDir makes a code directory as the daemon would: readable by all.
func codeDir(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// processesWith lists the processes of the host that carry a token in their arguments.
func processesWith(token string) []string {
	var found []string
	paths, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is well-formed
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err == nil && bytes.Contains(data, []byte(token)) {
			found = append(found, p+": "+string(bytes.ReplaceAll(data[max(0, len(data)-80):], []byte{0}, []byte{' '})))
		}
	}
	return found
}
