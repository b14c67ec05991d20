package process

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"fcd/invoker/sandbox"
	"fcd/invoker/sandbox/sandboxtest"
)

func TestMain(m *testing.M) {
	Main()
	goleak.VerifyTestMain(m)
}

// somebody is a user that no other test runs as: RLIMIT_NPROC, which is all that bounds an instance's processes here, counts
// those of a user on the whole machine, and other packages are tested at the same time.
const somebody = 65533

// TestAsAnOrdinaryUser runs every other test as a user without any privilege.
func TestAsAnOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 {
		return
	}
	dir, err := os.MkdirTemp("/tmp", "fcd-process-test")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chown(dir, somebody, somebody); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "process.test")
	if err := os.WriteFile(binary, data, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "-test.run=^TestOrdinary", "-test.v")
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + dir, "HOME=" + dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: somebody, Gid: somebody}}
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Count(string(out), "--- PASS: TestOrdinary") < 4 {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestRootIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		return
	}
	if _, err := New(Options{}); err == nil || !strings.Contains(err.Error(), "native") {
		t.Errorf("error %v", err)
	}
}

// open makes a driver, or ends the test where it is run by root.
func open(t *testing.T) *Driver {
	t.Helper()
	if os.Geteuid() == 0 {
		t.Skip("TestAsAnOrdinaryUser runs this one")
	}
	core, seen := observer.New(zap.WarnLevel)
	d, err := New(Options{Dir: filepath.Join(t.TempDir(), "instances"), Log: zap.New(core)})
	if err != nil {
		t.Fatal(err)
	}
	if seen.FilterMessageSnippet("contains functions weakly").Len() != 1 {
		t.Error("no warning at the start")
	}
	return d
}

func leftovers(sd sandbox.Driver) []string {
	d := sd.(*Driver)
	left, _ := filepath.Glob(filepath.Join(d.opts.Dir, "*")) // the pattern is well-formed
	return append(left, d.roster.IDs()...)
}

func TestOrdinaryEscapes(t *testing.T) {
	sandboxtest.Run(t, func(t *testing.T) sandbox.Driver { return open(t) }, leftovers)
}

// run runs a python script and returns what it printed.
func run(t *testing.T, d *Driver, id, script string, change func(*sandbox.Spec)) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	spec := sandbox.Spec{ID: id, Path: "/usr/bin/python3", Args: []string{"python3", "-I", "-c", script}, Stdout: w, Stderr: w,
		Env: []string{"PATH=/usr/bin:/bin"}, Limits: sandbox.Limits{MemoryMB: 128}}
	if change != nil {
		change(&spec)
	}
	i, err := d.Start(context.Background(), spec)
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	out, _ := io.ReadAll(r)
	if _, err := i.Wait(); err != nil {
		t.Error(err)
	}
	if err := i.Kill(); err != nil {
		t.Error(err)
	}
	return string(out)
}

func TestOrdinaryPathsAreThoseOfTheHost(t *testing.T) {
	d := open(t)
	defer d.Close()
	code, boot := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(boot, "b.py"), []byte("import os,sys; print(open('index.py').read(), sys.argv[1:], os.environ['LD_LIBRARY_PATH'], os.getcwd())"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(code, "index.py"), []byte("the code"), 0o644); err != nil {
		t.Fatal(err)
	}
	got := run(t, d, "paths", "", func(s *sandbox.Spec) {
		s.CodeDir, s.BootstrapDir = code, boot
		s.Args = []string{"python3", "/var/fc/bootstrap/b.py", "-Dx=/code/", "/codex"}
		s.Env = []string{"LD_LIBRARY_PATH=/code:/code/lib:/usr/local/lib"}
	})
	want := fmt.Sprintf("the code ['-Dx=%s/', '/codex'] %s:%s/lib:/usr/local/lib %s\n", code, code, code, code)
	if got != want {
		t.Errorf("got  %swant %s", got, want)
	}
}

// TestOrdinaryLandlock: files that are not listed, and processes outside, are out of reach.
func TestOrdinaryLandlock(t *testing.T) {
	d := open(t)
	defer d.Close()
	if landlockVersion() == 0 {
		t.Skip("this kernel has no Landlock")
	}
	script := fmt.Sprintf(`
import errno, os, signal
def tried(f, *a):
    try: f(*a); return "ok"
    except OSError as e: return errno.errorcode[e.errno]
print(tried(os.listdir, "/etc"), tried(os.listdir, "/root"), tried(os.listdir, "/var"), tried(os.kill, %d, signal.SIGCONT),
  tried(os.unlink, "/usr/bin/ls"), tried(lambda: open(os.environ["TMPDIR"] + "/x", "w").close()), tried(os.setuid, 0))`, os.Getpid())
	got := strings.Fields(run(t, d, "landlock", script, nil))
	want := []string{"EACCES", "EACCES", "EACCES", "EPERM", "EACCES", "ok", "EPERM"}
	if landlockVersion() < 6 {
		want[3] = "ok" // signals are not held before
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestOrdinaryOrphansAreFound(t *testing.T) {
	d := open(t)
	defer d.Close()
	const script = `
import os, time
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.setsid(); os.close(1); os.close(2); time.sleep(600)
        os._exit(0)
for _ in range(3): os.wait()
os._exit(0)`
	run(t, d, "orphans", script, nil)
	environs, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, e := range environs {
		if data, err := os.ReadFile(e); err == nil && bytes.Contains(data, []byte(d.mark+"orphans")) {
			t.Errorf("%s is alive", e)
		}
	}
}

func TestOrdinaryLeftoversOfAnEarlierLifeAreReaped(t *testing.T) {
	d := open(t)
	defer d.Close()
	i, err := d.Start(context.Background(), sandbox.Spec{ID: "left", Path: "/usr/bin/sleep", Args: []string{"sleep", "600"}})
	if err != nil {
		t.Fatal(err)
	}
	again, err := New(Options{Dir: d.opts.Dir})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if exit, err := i.Wait(); err != nil || exit.Signal != syscall.SIGKILL {
		t.Errorf("%+v, %v", exit, err)
	}
}
