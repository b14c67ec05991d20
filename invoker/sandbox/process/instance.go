package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"fcd/invoker/sandbox"
	"fcd/invoker/sandbox/netns"
	"fcd/invoker/sandbox/roster"
	"fcd/invoker/sandbox/watch"
)

// marker is the variable by which processes are found that have left their tree. It holds a hash of the driver's folder
// and the name of the instance.
const marker = "FCD_SANDBOX="

// killWait is how long processes may take to die.
const killWait = 5 * time.Second

// Instance is one process with what it starts. All methods may be called concurrently.
type Instance struct {
	driver *Driver
	id     string
	tmp    string
	places places
	proc   *os.Process // nil if it never came that far
	oom    atomic.Bool
	peak   atomic.Int64

	life *roster.Life

	mu    sync.Mutex // guards final and gone
	final sandbox.Usage
	gone  bool
}

var (
	_ sandbox.Instance = (*Instance)(nil)
	_ sandbox.Dialer   = (*Instance)(nil)
	_ sandbox.Placed   = (*Instance)(nil)
)

// tree is an instance as package watch sees it.
type tree struct{ i *Instance }

func (t tree) Pid() int { return t.i.proc.Pid }

func (t tree) Used(bytes int64, over bool) {
	t.i.peak.Store(max(t.i.peak.Load(), bytes))
	if over {
		t.i.oom.Store(true)
		t.i.killTree()
	}
}

// CodeDir is where the function finds its code.
func (i *Instance) CodeDir() string { return i.places.code }

// Claim is not supported.
func (i *Instance) Claim(context.Context, string, sandbox.Limits) error {
	return sandbox.ErrNotSupported
}

// ResetPeak is not supported.
func (i *Instance) ResetPeak() error { return sandbox.ErrNotSupported }

func (i *Instance) reap() {
	exit, _ := roster.Reap(i.proc) // nobody else waits for it, so there is no error
	exit.OOM = i.oom.Load()
	i.life.End(exit)
}

// Wait returns when the program has ended; what it started may live until Kill. Its error is always nil.
func (i *Instance) Wait() (sandbox.Exit, error) { return i.life.Wait(), nil }

// Stats is what /proc tells. After Kill it repeats the last figures.
func (i *Instance) Stats() (sandbox.Usage, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.gone || i.proc == nil {
		return i.final, nil
	}
	u := watch.Usage(i.proc.Pid)
	u.PeakMemoryBytes = max(u.PeakMemoryBytes, i.peak.Load(), i.final.PeakMemoryBytes)
	if i.oom.Load() {
		u.OOMKills = 1
	}
	i.final = u
	return u, nil
}

// Peak is the peak of Stats.
func (i *Instance) Peak() (int64, error) {
	u, err := i.Stats()
	return u.PeakMemoryBytes, err
}

// Signal sends a signal to every process that can be found.
func (i *Instance) Signal(sig syscall.Signal) error {
	if sig == syscall.SIGKILL {
		i.killTree()
		return nil
	}
	for _, pid := range i.pids() {
		_ = syscall.Kill(pid, sig) // it may just have ended
	}
	return nil
}

// Kill ends everything that can be found and removes the temporary folder.
func (i *Instance) Kill() error {
	return i.life.Kill(func() error {
		defer i.driver.roster.Forget(i.id)
		var errs []error
		if i.proc != nil {
			_, _ = i.Stats()
			i.driver.watch.Remove(tree{i})
			errs = append(errs, i.killAll())
			i.life.Wait()
		}
		i.mu.Lock()
		i.gone = true
		i.mu.Unlock()
		if i.tmp != "" {
			errs = append(errs, os.RemoveAll(i.tmp))
		}
		return errors.Join(errs...)
	})
}

// killTree kills whoever can be found.
func (i *Instance) killTree() {
	_ = i.proc.Signal(syscall.SIGSTOP) // it may have ended
	killFound(i.pids)
	_ = i.proc.Kill()
}

// killFound stops those that find finds until it finds nobody new, and then kills them: killed one by one, those of a
// fork bomb make room for others.
func killFound(find func() []int) {
	stopped := map[int]bool{}
	for more := true; more; {
		more = false
		for _, pid := range find() {
			if !stopped[pid] {
				stopped[pid], more = true, true
				_ = syscall.Kill(pid, syscall.SIGSTOP) // it may just have ended
			}
		}
	}
	for pid := range stopped {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// killAll kills until nobody is found.
func (i *Instance) killAll() error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(killWait); ; <-tick.C {
		i.killTree()
		if !i.life.HasEnded() {
			continue
		}
		left := i.pids()
		if len(left) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("instance %s: %d processes outlive SIGKILL", i.id, len(left))
		}
	}
}

// pids are the tree of the program, its session, and whoever carries its marker.
func (i *Instance) pids() []int {
	var found []int
	if !i.life.HasEnded() {
		found = watch.Descendants(i.proc.Pid)
	}
	want := []byte(i.driver.mark + i.id)
	for _, pid := range marked(func(v []byte) bool { return bytes.Equal(v, want) }) {
		if !slices.Contains(found, pid) {
			found = append(found, pid)
		}
	}
	return found
}

// marked lists the processes, but for this one, that have such a variable in their environment.
func marked(is func([]byte) bool) (found []int) {
	environs, _ := filepath.Glob("/proc/[0-9]*/environ") // the pattern is well-formed
	for _, path := range environs {
		pid, _ := strconv.Atoi(strings.Split(path, "/")[2])
		data, err := os.ReadFile(path)
		if err == nil && pid != os.Getpid() && slices.ContainsFunc(bytes.Split(data, []byte{0}), is) {
			found = append(found, pid)
		}
	}
	return found
}

// reap kills what an earlier life in the same folder left.
func (d *Driver) reap() error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	left := func() []int { return marked(func(v []byte) bool { return bytes.HasPrefix(v, []byte(d.mark)) }) }
	for deadline := time.Now().Add(killWait); len(left()) > 0; <-tick.C {
		if time.Now().After(deadline) {
			return fmt.Errorf("%d processes of an earlier life outlive SIGKILL", len(left()))
		}
		killFound(left)
	}
	return nil
}

// threadsOfUser counts what RLIMIT_NPROC counts before an instance.
func threadsOfUser() int {
	n := 0
	dirs, _ := filepath.Glob("/proc/[0-9]*/task") // the pattern is well-formed
	for _, d := range dirs {
		var st unix.Stat_t
		if unix.Stat(d, &st) != nil || int(st.Uid) != os.Geteuid() {
			continue
		}
		if tasks, err := os.ReadDir(d); err == nil {
			n += len(tasks)
		}
	}
	return n
}

// Dial connects on the host's own loopback, which the function shares.
func (i *Instance) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	p, err := netns.Begin(nil, network, address)
	if err != nil {
		return nil, fmt.Errorf("dial %s for instance %s: %w", address, i.id, err)
	}
	c, err := p.Finish(ctx)
	if err != nil {
		return nil, fmt.Errorf("dial %s for instance %s: %w", address, i.id, err)
	}
	return c, nil
}
