package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"fcd/cmd/fcd/daemon"
)

// builtDir is where builtBinary puts its result; TestMain removes it.
func builtDir() string { return filepath.Join("/tmp", fmt.Sprintf("fcd-e2e-%d", os.Getpid())) }

// builtBinary builds bin/fcd once for all tests, where FCD_TEST_BIN names none.
var builtBinary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("FCD_TEST_BIN"); path != "" {
		return path, nil
	}
	path := filepath.Join(builtDir(), "fcd")
	cmd := exec.Command("go", "build", "-o", path, "../cmd/fcd")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return path, nil
})

// fcd is the program under test.
func fcd(t testing.TB) string {
	t.Helper()
	path, err := builtBinary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// process is a daemon that `fcd serve` runs.
type process struct {
	*house
	cmd  *exec.Cmd
	exit chan error // one value, when it has ended
}

// serveCommand is the program as a daemon on a data directory. What it leaves when it is killed is removed at the test's end.
func serveCommand(t testing.TB, dir string) *exec.Cmd {
	t.Helper()
	homes.Store(dir, true)
	cmd := exec.Command(fcd(t), "serve", "--ports", "any", "--data-dir", dir)
	t.Cleanup(func() { bury(t, dir, cmd.ProcessState) })
	return cmd
}

// serve starts the program on a data directory and waits until it is ready. change may alter the command.
func serve(t testing.TB, dir string, change ...func(*exec.Cmd)) *process {
	t.Helper()
	return serveBy(t, dir, (*exec.Cmd).Start, change...)
}

// serveBy is serve with another way to start a command.
func serveBy(t testing.TB, dir string, start func(*exec.Cmd) error, change ...func(*exec.Cmd)) *process {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	p := &process{house: &house{t: t, dir: dir, http: &http.Client{Transport: transport}}, exit: make(chan error, 1)}
	p.cmd = serveCommand(t, dir)
	for _, f := range change {
		f(p.cmd)
	}
	log := &strings.Builder{} // read once the process has ended
	p.cmd.Stderr = log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := start(p.cmd); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	ready := lines.Scan() && lines.Text() == "ready"
	go func() {
		for lines.Scan() {
		}
		p.exit <- p.cmd.Wait()
	}()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		p.cmd.Process.Signal(syscall.SIGTERM)
		p.cmd.Process.Signal(syscall.SIGTERM)
		if p.wait(20*time.Second) != nil {
			p.kill()
		}
		if t.Failed() {
			t.Logf("the daemon's log:\n%s", log)
		}
	})
	if !ready {
		t.Fatal("the daemon did not become ready")
	}
	if p.e, err = daemon.ReadEndpoint(dir); err != nil {
		t.Fatal(err)
	}
	return p
}

// kill ends it without warning and waits for its end.
func (p *process) kill() {
	p.cmd.Process.Kill()
	err := <-p.exit
	p.exit <- err
}

// terminate asks it to stop and gives how it ended.
func (p *process) terminate() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return p.wait(20 * time.Second)
}

// ended tells whether it has, at this moment.
func (p *process) ended() bool {
	select {
	case err := <-p.exit:
		p.exit <- err
		return true
	default:
		return false
	}
}

func (p *process) wait(d time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	select {
	case err := <-p.exit:
		p.exit <- err
		return err
	case <-ctx.Done():
		return errors.New("it did not end in time")
	}
}
