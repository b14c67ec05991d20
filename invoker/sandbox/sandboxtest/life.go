package sandboxtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fcd/invoker/sandbox"
	"fcd/invoker/sandbox/thread"
)

// ready waits until the script has printed something.
func (b *box) ready() {
	b.t.Helper()
	waitFor(b.t, "the script to be ready", func() bool {
		select {
		case <-b.copied:
			b.t.Fatalf("the script ended: %s", b.output)
		default:
		}
		return b.printed.Load()
	})
}

// waitFor looks until something is so.
func waitFor(t *testing.T, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !so(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s", patience, what)
		}
		<-tick.C
	}
}

// zombies lists dead children that this process has not waited for.
func zombies() []string {
	var found []string
	paths, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well-formed
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			continue
		}
		fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
		if len(fields) > 1 && string(fields[0]) == "Z" && string(fields[1]) == itoa(os.Getpid()) {
			found = append(found, p)
		}
	}
	return found
}

// testNetworkOff looks for a way out of a network that has none.
func testNetworkOff(t *testing.T, s *suite) {
	s.run(t, "there is no way out", func(t *testing.T) {
		var got struct {
			Routes string
			Tried  map[string]string
		}
		s.ask(t, `
def dial(family, *address):
    c = socket.socket(family); c.settimeout(2); c.connect(address)
tried = {a: attempt(dial, socket.AF_INET, a, 80) for a in ["1.1.1.1", "169.254.169.254", "100.100.100.200", "10.0.0.1"]}
tried.update({a: attempt(dial, socket.AF_INET6, a, 80) for a in ["2606:4700:4700::1111", "fe80::1", "fd00:ec2::254"]})
def serve():
    l = socket.create_server(("127.0.0.1", 0)); c = socket.create_connection(l.getsockname()); l.accept()
tried["lo"] = attempt(serve)
answer(dict(Routes=open("/proc/net/route").read(), Tried=tried))`, &got, nil)
		for address, went := range got.Tried {
			want := "ENETUNREACH|EADDRNOTAVAIL|EINVAL"
			if address == "lo" {
				want = "ok"
			}
			if !oneOf(went, want) {
				t.Errorf("%s: %s, want %s", address, went, want)
			}
		}
		if strings.Count(strings.TrimSpace(got.Routes), "\n") > 0 {
			t.Errorf("routes:\n%s", got.Routes)
		}
	})
	s.run(t, "a network this driver does not offer is refused with its reason", func(t *testing.T) {
		if s.caps.NetNAT {
			t.Log("not tried: the driver offers it")
			return
		}
		spec, token := s.spec(t, "")
		spec.Network = sandbox.NetNAT
		b, err := s.open(t, spec, token)
		if !errors.Is(err, sandbox.ErrNotSupported) {
			t.Errorf("error %v", err)
		}
		if b != nil {
			b.end()
		}
	})
}

// testSockets lets the daemon serve and call inside the instance's network.
func testSockets(t *testing.T, s *suite) {
	s.run(t, "the daemon serves a port that only the instance sees", func(t *testing.T) {
		b := s.start(t, `
wait()
c = socket.create_connection(("127.100.0.1", 80))
answer(c.makefile().read())`, nil)
		l, ok := b.Instance.(sandbox.Listener)
		if !ok {
			b.end()
			t.Skip("this driver cannot listen inside an instance")
		}
		// Two listeners on the same address in two instances do not disturb each other.
		other := s.start(t, "wait()", nil)
		defer other.end()
		for _, i := range []sandbox.Listener{other.Instance.(sandbox.Listener), l} {
			ln, err := i.Listen("tcp", "127.100.0.1:80")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			go serveOnce(ln, "from the daemon")
		}
		if c, err := net.DialTimeout("tcp", "127.100.0.1:80", time.Second); err == nil {
			c.Close()
			t.Error("the port is open on the host")
		}
		b.input.Close()
		if out, exit := b.finish(); out != `"from the daemon"` {
			t.Errorf("exit %+v, output %q", exit, out)
		}
	})
	s.run(t, "the daemon reaches a port of the function", func(t *testing.T) {
		b := s.start(t, `
l = socket.create_server(("0.0.0.0", 9000))
answer("ready")
c, _ = l.accept(); c.sendall(b"from the function"); c.close()
wait()`, nil)
		defer b.end()
		d, ok := b.Instance.(sandbox.Dialer)
		if !ok {
			t.Skip("this driver cannot dial inside an instance")
		}
		b.ready()
		c, err := d.Dial(context.Background(), "tcp", "127.0.0.1:9000")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if got, err := io.ReadAll(c); string(got) != "from the function" || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
		if _, err := d.Dial(context.Background(), "tcp", "127.0.0.1:9001"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("a closed port: %v", err)
		}
	})
}

func serveOnce(l net.Listener, text string) {
	c, err := l.Accept()
	if err != nil {
		return
	}
	io.WriteString(c, text)
	c.Close()
}

// claimScript is a bootstrap in small: it waits to be claimed and runs what it then finds.
const claimScript = `
answer("ready")
wait()
os.chdir("/"); os.chdir("/code")
r = {"write": attempt(lambda: open("/code/x", "w")), "cwd": attempt(lambda: open("index.py").close())}
r["code"] = open("/code/index.py").read()
answer(r)`

// testClaim turns generic instances into those of a function.
func testClaim(t *testing.T, s *suite) {
	if !s.caps.Claim {
		t.Logf("not tried: %s", s.caps.Missing["Claim"])
		return
	}
	limits := sandbox.Limits{MemoryMB: 256, Pids: 64}
	claim := func(b *box, dir string) error { return b.Claim(context.Background(), dir, limits) }
	s.run(t, "a claimed instance sees its code, read-only, and only once", func(t *testing.T) {
		b := s.start(t, claimScript, nil)
		b.ready()
		if err := claim(b, codeDir(t, map[string]string{"index.py": "the code"})); err != nil {
			t.Fatal(err)
		}
		if err := claim(b, codeDir(t, map[string]string{"index.py": "other code"})); err == nil {
			t.Error("a second claim went through")
		}
		b.input.Close()
		if out, _ := b.finish(); out != `"ready"{"write": "EROFS", "cwd": "ok", "code": "the code"}` {
			t.Errorf("output %s", out)
		}
	})
	s.run(t, "a claim that fails leaves an instance that can be killed", func(t *testing.T) {
		b := s.start(t, claimScript, nil)
		if err := claim(b, filepath.Join(t.TempDir(), "absent")); err == nil {
			t.Error("the claim of an absent directory went through")
		}
		if err := claim(b, codeDir(t, nil)); err == nil {
			t.Error("a claim after a failed one went through")
		}
		b.end()
		if err := claim(b, codeDir(t, nil)); err == nil {
			t.Error("a dead instance was claimed")
		}
	})
	s.run(t, "an instance with code is not claimed", func(t *testing.T) {
		b := s.start(t, "wait()", func(spec *sandbox.Spec) { spec.CodeDir = codeDir(t, nil) })
		defer b.end()
		if err := claim(b, codeDir(t, nil)); err == nil {
			t.Error("the claim went through")
		}
	})
	s.run(t, "sixteen claims at once", func(t *testing.T) {
		var wg sync.WaitGroup
		boxes := make([]*box, 16)
		for n := range boxes {
			boxes[n] = s.start(t, claimScript, nil)
		}
		for n, b := range boxes {
			dir := codeDir(t, map[string]string{"index.py": fmt.Sprint("code of ", n)})
			wg.Go(func() {
				if err := claim(b, dir); err != nil {
					t.Error(err)
				}
				b.input.Close()
			})
		}
		wg.Wait()
		for n, b := range boxes {
			if out, _ := b.finish(); !strings.Contains(out, fmt.Sprintf(`"code": "code of %d"`, n)) {
				t.Errorf("instance %d: %s", n, out)
			}
		}
	})
}

// testInterpreters runs what functions are written in.
func testInterpreters(t *testing.T, s *suite) {
	for _, program := range []struct {
		path, want string
		args       []string
	}{
		{"/usr/bin/node", "node 42", []string{"node", "-e", `
const { Worker } = require("worker_threads"), net = require("net"), fs = require("fs"), cp = require("child_process");
const file = fs.mkdtempSync("/tmp/fcd-test-") + "/x"; // a driver may share /tmp with the host
fs.writeFileSync(file, "42");
const w = new Worker('require("worker_threads").parentPort.postMessage(1)', { eval: true });
w.on("message", () => {
  const l = net.createServer(c => c.end()).listen(0, "127.0.0.1", () => {
    net.connect(l.address().port).on("close", () => { l.close(); console.log("node", cp.execSync("cat " + file).toString()); fs.rmSync(file.slice(0, -2), { recursive: true }); }).resume();
  });
});`}},
		{"/usr/bin/java", "Runtime Environment", []string{"java", "-Xmx64m", "-XX:+UseSerialGC", "-Xshare:auto", "-version"}},
		{python, "python 42", []string{"python3", "-I", "-c", `
import subprocess, threading, multiprocessing, socket, tempfile, sqlite3, ssl, hashlib
r = []
t = threading.Thread(target=lambda: r.append(subprocess.run(["/bin/sh", "-c", "echo 42"], capture_output=True, text=True).stdout)); t.start(); t.join()
with multiprocessing.Pool(2) as p: assert p.map(abs, [-1, -2]) == [1, 2]
ssl.create_default_context()
print("python", r[0])`}},
	} {
		s.run(t, program.path, func(t *testing.T) {
			if _, err := os.Stat(program.path); err != nil {
				t.Skipf("not installed on this host: %v", err)
			}
			spec, token := s.spec(t, "")
			spec.Path, spec.Args = program.path, append(program.args, token)
			if strings.HasSuffix(program.path, "java") {
				spec.Args = program.args
			}
			spec.Limits = sandbox.Limits{MemoryMB: 512, Pids: 256}
			b, err := s.open(t, spec, token)
			if err != nil {
				t.Fatal(err)
			}
			if out, exit := b.finish(); !strings.Contains(out, program.want) || exit != (sandbox.Exit{}) {
				t.Errorf("exit %+v, output:\n%s", exit, out)
			}
		})
	}
}

// testLife begins and ends instances in unusual ways.
func testLife(t *testing.T, s *suite) {
	s.run(t, "exit codes and signals are told apart", func(t *testing.T) {
		for script, want := range map[string]sandbox.Exit{
			"os._exit(0)":  {},
			"os._exit(42)": {Code: 42},
		} {
			if _, exit := s.start(t, script, nil).finish(); exit != want {
				t.Errorf("%s: %+v, want %+v", script, exit, want)
			}
		}
	})
	s.run(t, "an abort is told by its signal", func(t *testing.T) {
		// As pid 1 of a namespace SIGABRT does not end a program, and the C library then traps.
		_, exit := s.start(t, "os.abort()", nil).finish()
		if s.caps.OwnKernel && exit == (sandbox.Exit{Code: 128 + int(syscall.SIGABRT)}) {
			return // as a shell would say it
		}
		if exit.Code != -1 || (exit.Signal != syscall.SIGABRT && exit.Signal != syscall.SIGSEGV) || exit.OOM {
			t.Errorf("exit %+v", exit)
		}
	})
	s.run(t, "a program that is not there is an error that names it", func(t *testing.T) {
		spec, token := s.spec(t, "")
		spec.Path = "/usr/bin/no-such-interpreter"
		b, err := s.open(t, spec, token)
		if err == nil {
			b.end()
		}
		if err == nil || !strings.Contains(err.Error(), spec.Path) {
			t.Errorf("error %v", err)
		}
	})
	s.run(t, "bad specs are refused", func(t *testing.T) {
		for name, change := range map[string]func(*sandbox.Spec){
			"an id with a slash":      func(spec *sandbox.Spec) { spec.ID = "../x" },
			"an empty id":             func(spec *sandbox.Spec) { spec.ID = "" },
			"a relative program":      func(spec *sandbox.Spec) { spec.Path = "python3" },
			"negative memory":         func(spec *sandbox.Spec) { spec.Limits.MemoryMB = -1 },
			"an absent code":          func(spec *sandbox.Spec) { spec.CodeDir = "/no/such/directory" },
			"an unknown network":      func(spec *sandbox.Spec) { spec.Network = "token-ring" },
			"a zero byte in args":     func(spec *sandbox.Spec) { spec.Args = []string{"a\x00b"} },
			"a negative size of /tmp": func(spec *sandbox.Spec) { spec.TmpMB = -1 },
		} {
			spec, token := s.spec(t, "")
			change(&spec)
			if b, err := s.open(t, spec, token); err == nil {
				b.end()
				t.Errorf("%s went through", name)
			}
		}
	})
	s.run(t, "one id is one instance", func(t *testing.T) {
		spec, token := s.spec(t, "wait()")
		b, err := s.open(t, spec, token)
		if err != nil {
			t.Fatal(err)
		}
		defer b.end()
		if twin, err := s.open(t, spec, token); err == nil {
			twin.end()
			t.Error("a second instance of the same id started")
		}
	})
	s.run(t, "an instance outlives the thread that asked for it", func(t *testing.T) {
		spec, token := s.spec(t, "answer('ready'); wait(); answer('alive')")
		var b *box
		tid := 0
		err := thread.Run(func() (err error) {
			tid = unix.Gettid()
			b, err = s.open(t, spec, token)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		b.ready()
		waitFor(t, "the thread to end", func() bool { _, err := os.Stat("/proc/self/task/" + itoa(tid)); return err != nil })
		b.input.Close()
		if out, exit := b.finish(); out != `"ready""alive"` {
			t.Errorf("exit %+v, output %q", exit, out)
		}
	})
	s.run(t, "a start that is given up leaves nothing", func(t *testing.T) {
		spec, _ := s.spec(t, "wait()")
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if i, err := s.driver.Start(ctx, spec); err == nil {
			i.Kill()
			t.Error("it started")
		} else if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
	s.run(t, "twenty at once", func(t *testing.T) {
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				spec, token := s.spec(t, "answer('ok')")
				b, err := s.open(t, spec, token)
				if err != nil {
					t.Error(err)
					return
				}
				if out, _ := b.finish(); out != `"ok"` {
					t.Errorf("output %q", out)
				}
			})
		}
		wg.Wait()
	})
}
