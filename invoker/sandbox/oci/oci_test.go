package oci

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
	"go.uber.org/zap/zaptest"

	"fcd/invoker/sandbox"
	"fcd/invoker/sandbox/cgroup"
	"fcd/invoker/sandbox/sandboxtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open makes a driver for a test.
func open(t *testing.T, o Options) *Driver {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("this driver needs root")
	}
	if o.ID == "" {
		o.ID = fmt.Sprint("oci-", os.Getpid())
	}
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	o.Log = zaptest.NewLogger(t)
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// leftovers names what a driver holds of instances.
func leftovers(sd sandbox.Driver) []string {
	d := sd.(*Driver)
	var left []string
	for _, pattern := range []string{filepath.Join(d.states(), "*"), filepath.Join(d.opts.Dir, "bundles", "*")} {
		found, _ := filepath.Glob(pattern) // the pattern is well-formed
		left = append(left, found...)
	}
	for _, parent := range d.cgroups.Dirs() {
		found, _ := filepath.Glob(filepath.Join(parent, cgroup.Prefix+"*"))
		left = append(left, found...)
	}
	if n := d.uids.InUse(); n > 0 {
		left = append(left, fmt.Sprint(n, " user ids"))
	}
	if d.router != nil {
		left = append(left, d.router.Leftovers()...)
	}
	return append(left, d.roster.IDs()...)
}

func TestEscapes(t *testing.T) {
	sandboxtest.Run(t, func(t *testing.T) sandbox.Driver { return open(t, Options{}) }, leftovers)
}

func TestNetworkOn(t *testing.T) {
	if sandboxtest.InOwnNetwork(t) {
		networkOn(t, Options{})
	}
}

// networkOn runs the part of the suite about the internet.
func networkOn(t *testing.T, o Options) {
	world := sandboxtest.NewInternet(t)
	o.NATRequired, o.NAT = true, world.NAT()
	d := open(t, o)
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	sandboxtest.RunNetwork(t, world, d, leftovers)
}

// lifeEnv makes TestAnEarlierLife a daemon that waits to be killed: its folder.
const lifeEnv = "FCD_TEST_LIFE"

func TestAnEarlierLife(t *testing.T) {
	dir := os.Getenv(lifeEnv)
	if dir == "" {
		return
	}
	d := open(t, Options{ID: filepath.Base(dir), Dir: dir})
	if _, err := d.Start(t.Context(), sleeper(filepath.Base(dir))); err != nil {
		t.Fatal(err)
	}
	os.Stdout.WriteString("ready\n")
	select {}
}

func sleeper(id string) sandbox.Spec {
	return sandbox.Spec{ID: id, Path: "/usr/bin/sleep", Args: []string{"sleep", "86400.5"}, Limits: sandbox.Limits{MemoryMB: 64}}
}

func TestWhatAnEarlierLifeLeftIsReaped(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("this driver needs root")
	}
	dir := filepath.Join(t.TempDir(), fmt.Sprint("ocilife-", os.Getpid()))
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestAnEarlierLife$")
	cmd.Env = append(os.Environ(), lifeEnv+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "ready" {
		t.Log(lines.Text())
	}
	cmd.Process.Kill()
	cmd.Wait()
	d := open(t, Options{ID: filepath.Base(dir), Dir: dir})
	if left := leftovers(d); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	i, err := d.Start(t.Context(), sleeper(filepath.Base(dir))) // the same name is free again
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if exit, err := i.Wait(); err != nil || exit.Signal != syscall.SIGKILL {
		t.Errorf("%+v, %v", exit, err)
	}
	stray, _ := filepath.Glob("/sys/fs/cgroup/*/fcd-" + filepath.Base(dir))
	if len(stray) > 0 {
		t.Errorf("cgroups left: %q", stray)
	}
}

func TestARuntimeThatIsNotThereIsNamed(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("this driver needs root")
	}
	_, err := New(Options{ID: "x", Dir: t.TempDir(), Command: "no-such-runtime"})
	if err == nil || !strings.Contains(err.Error(), "no-such-runtime") {
		t.Errorf("error %v", err)
	}
}
