package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"fcd/config"
)

// prying tells what a function can see and do; the event says where the daemon is.
const prying = `
import ctypes, errno, json, os, socket

def tried(f):
    try:
        return str(f())
    except OSError as e:
        return errno.errorcode.get(e.errno, type(e).__name__)
    except Exception as e:
        return type(e).__name__

def write(path):
    with open(path, 'w') as f:
        f.write('x')
    return 'written'

def connect(address):
    s = socket.create_connection(address, timeout=1)
    s.close()
    return 'connected'

def links(dir):
    found = {}
    for name in os.listdir(dir):
        try:
            found[name] = os.readlink(dir + '/' + name)
        except OSError:
            pass
    return found

def walk(top):
    return sorted(os.path.join(d, f) for d, _, files in os.walk(top) for f in files)

def handler(event, context):
    e = json.loads(event)
    status = dict(l.split(':', 1) for l in open('/proc/self/status').read().splitlines())
    libc = ctypes.CDLL(None, use_errno=True)
    def call(name, *args):
        return libc[name](*args) if libc[name](*args) >= 0 else errno.errorcode[ctypes.get_errno()]
    return {
        'code': walk('/code'),
        'root': sorted(os.listdir('/')),
        'environment': dict(os.environ),
        'status': {k: status[k].strip() for k in ('CapEff', 'CapPrm', 'CapBnd', 'NoNewPrivs', 'Seccomp', 'Uid')},
        'fds': links('/proc/self/fd'),
        'pids': sorted(int(p) for p in os.listdir('/proc') if p.isdigit()),
        'connect': {a: tried(lambda: connect(tuple(json.loads(a)))) for a in e['addresses']},
        'write': {p: tried(lambda: write(p)) for p in e['write']},
        'read': {p: tried(lambda: os.listdir(p)) for p in e['read']},
        'calls': {'unshare': call('unshare', 0x10000000), 'ptrace': call('ptrace', 16, 1, 0, 0), 'setuid': call('setuid', 0) if os.getuid() else 'root',
                  'mount': call('mount', b'none', b'/tmp', b'tmpfs', 0, None), 'chroot': call('chroot', b'/tmp'), 'bpf': call('syscall', 321, 0, 0, 0)},
        'hosts': open('/etc/hosts').read(),
    }
`

// findings is what prying answers.
type findings struct {
	Code, Root           []string
	Environment, Status  map[string]string
	Fds                  map[string]string
	Pids                 []int
	Connect, Write, Read map[string]string
	Calls                map[string]any
	Hosts                string
}

// pry runs prying in a daemon, with the role, and gives what it saw.
func pry(t *testing.T, h *house, role string) findings {
	t.Helper()
	h.service("neighbour", "")
	h.python("neighbour/secret", "KEY = 'the neighbours secret'\ndef handler(event, context):\n    return 'x'\n")
	h.returns("neighbour/secret", "")
	h.service("spy", role)
	h.python("spy/f", prying, m{"timeout": 60})

	var addresses []string
	for _, u := range []string{h.e.API, h.e.OSS, h.e.SLS, h.e.Admin} {
		p, err := url.Parse(u)
		if err != nil {
			t.Fatal(err)
		}
		for _, host := range append(hostAddresses(t), "127.0.0.1") {
			addresses = append(addresses, fmt.Sprintf("[%q, %s]", host, p.Port()))
		}
	}
	addresses = append(addresses, `["169.254.169.254", 80]`, `["8.8.8.8", 53]`)
	var got findings
	result := h.returns("spy/f", m{"addresses": addresses,
		"write": []string{"/code/x", "/x", "/etc/passwd", "/usr/x", "/var/fc/bootstrap/x", "/proc/sys/kernel/core_pattern", "/tmp/x"},
		"read":  []string{h.dir, filepath.Join(h.dir, "packages"), filepath.Dir(h.dir), "/root", "/home", "/sys/fs/cgroup", "/proc/1/root/" + h.dir}})
	if err := json.Unmarshal([]byte(result), &got); err != nil {
		t.Fatalf("%v in %q", err, result)
	}
	return got
}

// hostAddresses are those of this machine's other interfaces.
func hostAddresses(t *testing.T) (all []string) {
	t.Helper()
	list, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range list {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && n.IP.To4() != nil {
			all = append(all, n.IP.String())
		}
	}
	return all
}

// contained fails the test for everything that a function should not have found.
func contained(t *testing.T, h *house, got findings) {
	t.Helper()
	if fmt.Sprint(got.Code) != "[/code/index.py]" {
		t.Errorf("code in sight: %q", got.Code)
	}
	for k, v := range got.Status {
		want := map[string]string{"CapEff": "0000000000000000", "CapPrm": "0000000000000000", "NoNewPrivs": "1", "Seccomp": "2"}[k]
		if want != "" && v != want {
			t.Errorf("%s is %s, want %s", k, v, want)
		}
	}
	if strings.HasPrefix(got.Status["Uid"], "0\t") {
		t.Errorf("the function is user %q", got.Status["Uid"])
	}
	for fd, to := range got.Fds {
		if len(fd) != 1 || fd > "4" {
			t.Errorf("descriptor %s leads to %s", fd, to)
		}
	}
	if fmt.Sprint(got.Pids) != "[1]" && fmt.Sprint(got.Pids) != "[1 2]" {
		t.Errorf("processes in sight: %v", got.Pids)
	}
	for address, what := range got.Connect {
		if what == "connected" {
			t.Errorf("%s answers", address)
		}
	}
	for path, what := range got.Write {
		if (what == "written") != (path == "/tmp/x") {
			t.Errorf("write %s: %s", path, what)
		}
	}
	for path, what := range got.Read {
		if strings.HasPrefix(what, "[") && what != "[]" {
			t.Errorf("list %s: %s", path, what)
		}
	}
	for name, what := range got.Calls {
		if s, refused := what.(string); !refused {
			t.Errorf("%s returned %v", name, s)
		}
	}
	containedSecrets(t, h, got)
}

// containedSecrets: the only keys in the environment are temporary ones of the function's own role.
func containedSecrets(t *testing.T, h *house, got findings) {
	t.Helper()
	for k, v := range got.Environment {
		for _, secret := range []string{h.e.AccessKeyID, h.e.AccessKeySecret, h.dir, h.e.API, h.e.Admin} {
			if strings.Contains(v, secret) {
				t.Errorf("the environment holds %s=%s", k, v)
			}
		}
		if os.Getenv(k) == v && k != "PATH" && k != "LANG" && k != "PYTHONUNBUFFERED" && k != "HOME" && len(v) > 1 {
			t.Errorf("the environment has the daemon's own %s=%s", k, v)
		}
	}
	if !strings.HasPrefix(got.Environment["ALIBABA_CLOUD_ACCESS_KEY_ID"], "STS.") {
		t.Errorf("key id %q", got.Environment["ALIBABA_CLOUD_ACCESS_KEY_ID"])
	}
}

// TestEscapes looks out of a function.
func TestEscapes(t *testing.T) {
	h := boot(t)
	contained(t, h, pry(t, h, functionRole))
}

// TestKeysOfAFunctionWithoutRole: there are none.
func TestKeysOfAFunctionWithoutRole(t *testing.T) {
	h := boot(t)
	h.service("keyless", "")
	h.python("keyless/f", `
import json, os
def handler(event, context):
    c = context.credentials
    return json.dumps([k for k in os.environ if 'KEY' in k.upper() or 'TOKEN' in k.upper()] + [c.access_key_id, c.access_key_secret, c.security_token])
`)
	if got := h.returns("keyless/f", ""); got != `["", "", ""]` {
		t.Errorf("keys: %s", got)
	}
}

// TestHogsAreContained: while one function forks without end and another eats all memory, a third one answers.
func TestHogsAreContained(t *testing.T) {
	h := boot(t, func(c *config.Config) { c.Sandbox.Pids = 48 }) // so few that the bomb comes to them on any machine
	h.service("hogs", "")
	h.python("hogs/bomb", `
import os, time
def handler(event, context):
    refused = 0
    while True:
        try:
            if os.fork() == 0:
                time.sleep(600)
        except OSError:
            refused += 1
            if refused == 3:
                print('forks are refused', flush=True)
            time.sleep(0.01)
`, m{"timeout": 10})
	h.python("hogs/glutton", "def handler(event, context):\n    hog = []\n    while True:\n        hog.append(b'x' * (4 << 20))\n", m{"timeout": 3})
	h.python("hogs/victim", "def handler(event, context):\n    return event\n")
	h.returns("hogs/victim", "warm")

	var wg sync.WaitGroup
	answers := make([]answer, 2)
	for i, f := range []string{"hogs/bomb", "hogs/glutton"} {
		wg.Go(func() { answers[i] = h.invoke(f, "", tail) })
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	calls, longest := 0, time.Duration(0)
	for running := true; running; calls++ {
		begin := time.Now()
		if got := h.returns("hogs/victim", "here"); got != "here" {
			t.Errorf("the victim answered %q", got)
		}
		longest = max(longest, time.Since(begin))
		select {
		case <-done:
			running = false
		default:
		}
	}
	if longest > 2*time.Second || calls < 10 {
		t.Errorf("%d calls beside the hogs, the longest took %v", calls, longest)
	}
	if answers[0].field("errorMessage") != "Task timed out after 10 seconds" || !strings.Contains(answers[0].tail(), "forks are refused") {
		t.Errorf("the bomb: %s\n%s", answers[0].body, answers[0].tail())
	}
	if answers[1].errorType() != "UnhandledInvocationError" {
		t.Errorf("the glutton: %s %s", answers[1].errorType(), answers[1].body)
	}
	eventually(t, "only the victim's instance is left", func() bool { return h.metric("fcd_invoker_instances") == 1 })
}

// TestTheTreeDiesWithATimeout starts children in sessions of their own, which ignore signals, and looks for them from
// outside.
func TestTheTreeDiesWithATimeout(t *testing.T) {
	h := boot(t)
	h.service("tree", "")
	const marker = "86412.75310" // seconds: what the children are found by
	h.python("tree/f", `
import os, signal, subprocess, time
def handler(event, context):
    for _ in range(3):
        subprocess.Popen(['/bin/sh', '-c', 'trap "" TERM HUP INT; sleep `+marker+` & wait; sleep `+marker+`'], start_new_session=True)
    if event == b'return':
        return 'left three behind'
    time.sleep(60)
`, m{"timeout": 1})
	if got := h.invoke("tree/f", "").field("errorMessage"); got != "Task timed out after 1 seconds" {
		t.Errorf("got %q", got)
	}
	eventually(t, "no process of the call is left", func() bool { return len(processes(t, marker)) == 0 })

	h.returns("tree/f", "return")
	if len(processes(t, marker)) == 0 {
		t.Error("the children are not seen from outside: this test proves nothing")
	}
	if err := h.stop(); err != nil {
		t.Error(err)
	}
	if left := processes(t, marker); len(left) > 0 {
		t.Errorf("after the stop these are left: %q", left)
	}
}

// processes are the command lines, on the whole machine, that contain the text.
func processes(t *testing.T, text string) (all []string) {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		line, err := os.ReadFile(filepath.Join(d, "cmdline"))
		if err == nil && bytes.Contains(line, []byte(text)) {
			all = append(all, filepath.Base(d)+" "+string(bytes.ReplaceAll(line, []byte{0}, []byte{' '})))
		}
	}
	return all
}
