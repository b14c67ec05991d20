package native

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"fcd/invoker/sandbox"
	"fcd/invoker/sandbox/cgroup"
	"fcd/invoker/sandbox/native/internal/inside"
)

// sleeper is an instance with a family that does not want to die.
func sleeper(id string) sandbox.Spec {
	const script = `
import os, signal, time
for _ in range(3):
    if os.fork() == 0:
        os.setsid(); signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True: time.sleep(1)
os.write(1, b"x")
while True: time.sleep(1)`
	return sandbox.Spec{
		ID: id, Path: "/usr/bin/python3", Args: []string{"python3", "-I", "-c", script, "token-" + id},
		Limits: sandbox.Limits{MemoryMB: 128},
	}
}

// startSleeper starts one and returns when its family is complete.
func startSleeper(d *Driver, id string, network ...sandbox.NetMode) (sandbox.Instance, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	spec := sleeper(id)
	spec.Stdout = w
	for _, n := range network {
		spec.Network = n
	}
	i, err := d.Start(context.Background(), spec)
	w.Close()
	if err != nil {
		return nil, err
	}
	_, err = io.ReadFull(r, make([]byte, 1))
	return i, err
}

// family counts the processes of a sleeper.
func family(id string) int {
	paths, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is well-formed
	n := 0
	for _, p := range paths {
		if data, err := os.ReadFile(p); err == nil && strings.Contains(string(data), "token-"+id) {
			n++
		}
	}
	return n
}

// eventually looks until something is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); !so(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestWithoutCgroupsInstancesDieWithTheDaemon(t *testing.T) {
	id := fmt.Sprint("weak-", os.Getpid())
	earlierLife(t, id, " weak")
	eventually(t, "the family to die", func() bool { return family(id) == 0 })
}

func TestTwoLivingDriversCannotShareAnID(t *testing.T) {
	d := open(t, Options{ID: "twin"})
	if _, err := New(Options{ID: "twin"}); !errors.Is(err, cgroup.ErrInUse) {
		t.Errorf("error %v", err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	again := open(t, Options{ID: "twin"})
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func TestCloseEndsInstancesAndStartsUnderWay(t *testing.T) {
	for _, opts := range []Options{{}, {NoCgroups: true}} {
		d := open(t, opts)
		if _, err := startSleeper(d, fmt.Sprint("closed-", os.Getpid())); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for n := range 8 {
			wg.Go(func() {
				// Some come through, some find the door closed; none may stay.
				_, _ = d.Start(context.Background(), sleeper(fmt.Sprint("closed-", os.Getpid(), "-", n)))
			})
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if left := leftovers(d); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
		if n := family(fmt.Sprint("closed-", os.Getpid())); n > 0 {
			t.Errorf("%d processes left", n)
		}
		if _, err := d.Start(context.Background(), sleeper("late")); err == nil {
			t.Error("a closed driver started an instance")
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for name, opts := range map[string]Options{
		"an id with a slash": {ID: "../x"},
		"root as a user":     {UIDFirst: -1},
		"an empty range":     {UIDFirst: 300000, UIDLast: 299999},
	} {
		if d, err := New(opts); err == nil {
			d.Close()
			t.Errorf("%s was taken", name)
		}
	}
}

func TestAnInitWithoutADaemonGivesUp(t *testing.T) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{inside.ProgramName}
	cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code != 125 {
		t.Errorf("exit code %d, want 125", code)
	}
}

func TestAnotherBinaryCanBeTheInit(t *testing.T) {
	path := filepath.Join(publicDir(t), "leaninit")
	build := exec.Command("go", "build", "-o", path, "./testdata/leaninit")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	d := open(t, Options{InitPath: path})
	defer d.Close()
	i, err := startSleeper(d, fmt.Sprint("lean-", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	if err := i.Kill(); err != nil {
		t.Error(err)
	}
}

func TestLimitsCanChangeWhileAnInstanceRuns(t *testing.T) {
	for _, opts := range []Options{{}, {NoCgroups: true}} {
		d := open(t, opts)
		i, err := startSleeper(d, fmt.Sprint("limits-", os.Getpid()))
		if err != nil {
			t.Fatal(err)
		}
		for _, mb := range []int{256, 512, 128} {
			if err := i.(sandbox.Limiter).SetLimits(sandbox.Limits{MemoryMB: mb, CPUMilli: mb, Pids: 64}); err != nil {
				t.Errorf("%d MB: %v", mb, err)
			}
		}
		if err := i.(sandbox.Limiter).SetLimits(sandbox.Limits{MemoryMB: -1}); err == nil {
			t.Error("a negative limit was taken")
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if err := i.(sandbox.Limiter).SetLimits(sandbox.Limits{MemoryMB: 128}); !errors.Is(err, errGone) {
			t.Errorf("limits of the dead: %v", err)
		}
	}
}

func TestARuntimeCanHaveARootDirectoryOfItsOwn(t *testing.T) {
	root := publicDir(t)
	if err := os.MkdirAll(filepath.Join(root, "etc", "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{"etc/passwd": "the root's own", "etc/release": "1", "etc/sub/x": "2", "outside": "3"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{"usr": "/usr", "bin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib64", "etc/link": "release"} {
		if err := os.Symlink(to, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	const script = `import os; e = sorted(os.listdir("/etc")); print(e, open("/etc/link").read(), open("/etc/sub/x").read(), open("/etc/passwd").read()[:2], os.path.exists("/outside"))`
	d := open(t, Options{})
	defer d.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	_, err = d.Start(context.Background(), sandbox.Spec{
		ID: "rooted", Root: root, Path: "/usr/bin/python3", Args: []string{"python3", "-I", "-c", script},
		Stdout: w, Stderr: w, Limits: sandbox.Limits{MemoryMB: 128},
	})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	out, _ := io.ReadAll(r)
	if want := "['group', 'hosts', 'link', 'passwd', 'release', 'sub'] 1 2 fc False\n"; string(out) != want {
		t.Errorf("output %s", out)
	}
}
