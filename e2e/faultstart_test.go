package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"fcd/e2e/trap"
)

// alike is how many changes of one site a start is failed at: it makes hundreds of folders.
const alike = 3

// TestEverySiteOfAStart fails the N-th change that a daemon makes while it starts, for each N: it says what is wrong with
// which file, or comes up all the same; and the next start is a good one.
func TestEverySiteOfAStart(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("answering a daemon's system calls needs root")
	}
	for _, kind := range append(kindsLookedAt(), endsLookedAt()...) {
		step := 1
		if !faultsLong() {
			step = 13
		}
		refused := 0
		n := 1
		for ; ; n += step {
			dir := filepath.Join(t.TempDir(), "data")
			out, met, ready := startFailingAt(t, dir, n, kind)
			if !met {
				break
			}
			if !ready {
				refused++
				if kind.kill == never && !strings.Contains(out, dir) && !strings.Contains(out, "disk") {
					t.Errorf("%s at change %d: it does not say where: %s", kind.name, n, out)
				}
			}
			serve(t, dir).kill()
		}
		if refused > 0 && kind.harmless() {
			t.Errorf("%s: %d starts were refused, and nothing had failed", kind.name, refused)
		}
		fmt.Printf("crash: %s at each of %d changes of a start: %d did not come to its end, each next start was good\n", kind.name, (n-1)/step, refused)
	}
}

// startFailingAt starts a daemon on a disk that fails at its n-th change, and ends it.
func startFailingAt(t *testing.T, dir string, n int, kind kindOfFault, change ...func(*exec.Cmd)) (out string, met, ready bool) {
	t.Helper()
	var mu sync.Mutex
	i, times := 0, map[site]int{}
	cmd := serveCommand(t, dir)
	for _, f := range change {
		f(cmd)
	}
	var log, said syncBuffer
	cmd.Stderr, cmd.Stdout = &log, &said
	tr, err := trap.Start(cmd, trap.Options{Answer: func(c *trap.Call) error {
		path, ok := below(dir, c.Path)
		if !ok {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		if i >= n && kind.lasts && kind.after().concerns(c) {
			return kind.errno
		}
		here := site{c.Op, path}
		if !kind.concerns(c) || times[here] >= alike {
			return nil
		}
		times[here]++
		if i++; i == n {
			return kind.strike(c)
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	exit := make(chan error, 1)
	go func() { exit <- cmd.Wait() }()
	ended := false
	eventually(t, "the daemon is ready or has ended", func() bool {
		select {
		case err := <-exit:
			exit <- err
			ended = true
		default:
		}
		return ended || strings.Contains(said.String(), "ready")
	})
	ready = !ended
	cmd.Process.Kill()
	<-exit
	mu.Lock()
	defer mu.Unlock()
	return log.String(), i >= n, ready
}

// syncBuffer may be read while a program writes to it.
type syncBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
