package native

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"fcd/invoker/sandbox"
	"fcd/invoker/sandbox/cgroup"
	"fcd/invoker/sandbox/nat"
	"fcd/invoker/sandbox/roster"
	"fcd/invoker/sandbox/watch"
)

// Instance is one sandbox. It implements sandbox.Instance, Listener, Dialer, Freezer and Limiter; all methods may be
// called concurrently.
type Instance struct {
	driver  *Driver
	id      string
	generic bool
	uid     int
	onHost  bool          // on the host's network
	ownUID  bool          // uid comes from the driver's range
	cgroup  *cgroup.Group // nil where limits are weak

	proc     *os.Process // set by fork; nil if that never happened
	pidfd    int         // of proc, for the reaper
	mnt, net *os.File    // namespaces of pid 1
	link     *nat.Link   // to the outside; nil without NAT
	oom      atomic.Bool // the memory limit was hit
	peak     atomic.Int64

	life  *roster.Life
	final sandbox.Usage // set by Kill

	mu      sync.Mutex // guards claimed, events, deaf, onEnd and gone, and cgroup against its removal
	claimed bool
	events  *os.File // of the v1 memory limit
	deaf    func()   // ends the watch over events
	onEnd   []func(sandbox.Exit)
	gone    bool
}

var (
	_ sandbox.Instance = (*Instance)(nil)
	_ sandbox.Listener = (*Instance)(nil)
	_ sandbox.Dialer   = (*Instance)(nil)
	_ sandbox.Freezer  = (*Instance)(nil)
	_ sandbox.Limiter  = (*Instance)(nil)
	_ sandbox.Ender    = (*Instance)(nil)
)

// errGone is about an instance that was killed.
var errGone = errors.New("the instance is gone")

func (i *Instance) hold(p *os.Process, mnt, net *os.File) { i.proc, i.mnt, i.net = p, mnt, net }

// awaitEnd has the end of pid 1 seen to when it comes.
func (i *Instance) awaitEnd() {
	if i.pidfd < 0 {
		go i.reap()
		return
	}
	if _, err := i.driver.reaper.Once(i.pidfd, func() { go i.reap() }); err != nil {
		go i.reap()
	}
}

// reap takes in the end of pid 1. The kernel lets it end only after everything else in its pid namespace has.
func (i *Instance) reap() {
	exit, _ := roster.Reap(i.proc) // nobody else waits for our children, so there is no error
	if exit.OOM = i.wasOOM(); exit.OOM {
		i.driver.metrics.oomKills.Inc()
	}
	if i.pidfd >= 0 {
		unix.Close(i.pidfd)
	}
	i.life.End(exit)
	i.mu.Lock()
	told := i.onEnd
	i.onEnd = nil
	i.mu.Unlock()
	for _, f := range told {
		f(exit)
	}
}

// OnEnd has f called when pid 1, and with it the whole tree, has ended.
func (i *Instance) OnEnd(f func(sandbox.Exit)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.life.HasEnded() {
		go f(i.life.Wait())
		return
	}
	i.onEnd = append(i.onEnd, f)
}

func (i *Instance) wasOOM() bool {
	if i.oom.Load() {
		return true
	}
	if i.cgroup == nil {
		return false
	}
	n, err := i.cgroup.OOMKills()
	return err == nil && n > 0
}

// Wait returns when pid 1, and with it the whole tree, has ended. Its error is always nil.
func (i *Instance) Wait() (sandbox.Exit, error) { return i.life.Wait(), nil }

// Kill ends the whole tree at once and gives back the cgroup and the user id. It returns when that is done. What it
// returns tells of things that could not be given back; the processes are gone in any case.
func (i *Instance) Kill() error {
	return i.life.Kill(func() error {
		if i.proc != nil {
			i.signalKill()
			i.life.Wait()
			i.driver.metrics.instances.Dec()
		}
		i.final, _ = i.Stats() // the last figures; zero if the start never came that far
		defer i.driver.roster.Forget(i.id)
		return i.release()
	})
}

// signalKill sends the signals that nothing survives.
func (i *Instance) signalKill() {
	if i.cgroup != nil {
		i.cgroup.Kill()
	}
	_ = i.proc.Kill() // by pidfd; an error says that it has ended already
}

// release gives back everything but the entry in the driver.
func (i *Instance) release() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.gone = true
	if i.deaf != nil {
		i.deaf()
	}
	for _, f := range []*os.File{i.events, i.mnt, i.net} {
		if f != nil {
			f.Close()
		}
	}
	var err error
	if i.cgroup != nil {
		err = i.cgroup.Destroy()
	}
	if i.link != nil {
		err = errors.Join(err, i.link.Close())
	}
	if i.driver.watch != nil {
		i.driver.watch.Remove(tree{i})
	}
	if i.ownUID && err == nil {
		i.driver.uids.Give(i.uid)
	}
	if err != nil {
		return fmt.Errorf("give back instance %s: %w", i.id, err)
	}
	return nil
}

// Signal sends a signal to every process of the tree. Those that fork meanwhile may be missed; Kill misses none.
func (i *Instance) Signal(sig syscall.Signal) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.gone || i.proc == nil {
		return nil
	}
	if sig == syscall.SIGKILL {
		i.signalKill()
		return nil
	}
	home, err := namespaceOf(i.proc.Pid)
	if err != nil {
		return nil // pid 1 has ended, and with it all others
	}
	for _, pid := range i.pids() {
		signalIn(home, pid, sig)
	}
	return nil
}

// pids lists the tree as well as a moving thing can be listed.
func (i *Instance) pids() []int {
	if i.cgroup == nil {
		return watch.Descendants(i.proc.Pid)
	}
	return i.cgroup.Pids()
}

// Stats tells what the instance used. After Kill it repeats the last figures.
func (i *Instance) Stats() (sandbox.Usage, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.gone:
		return i.final, nil
	case i.cgroup != nil:
		return i.cgroup.Usage()
	case i.proc == nil:
		return sandbox.Usage{}, nil
	}
	u := watch.Usage(i.proc.Pid)
	u.PeakMemoryBytes = max(u.PeakMemoryBytes, i.peak.Load())
	if i.oom.Load() {
		u.OOMKills = 1
	}
	return u, nil
}

// Peak is the peak of Stats.
func (i *Instance) Peak() (int64, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.gone:
		return i.final.PeakMemoryBytes, nil
	case i.cgroup != nil:
		return i.cgroup.Peak()
	case i.proc == nil:
		return 0, nil
	}
	return max(watch.Peak(i.proc.Pid), i.peak.Load()), nil
}

// ResetPeak begins a new peak. Without cgroups the peak is that of pid 1 and of what the watch over the tree has seen.
func (i *Instance) ResetPeak() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.gone:
		return errGone
	case i.cgroup != nil:
		return i.cgroup.ResetPeak()
	}
	i.peak.Store(0)
	// 5: reset the peak resident set size.
	if err := os.WriteFile(procPath(i.proc.Pid, "clear_refs"), []byte("5"), 0); err != nil {
		return fmt.Errorf("%w: %w", sandbox.ErrNotSupported, err)
	}
	return nil
}

// SetLimits changes the limits of a living instance. Without cgroups only memory can be changed.
func (i *Instance) SetLimits(limits sandbox.Limits) error {
	if err := i.driver.defaults().FillLimits(i.id, &limits); err != nil {
		return err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.setLimits(limits)
}

func (i *Instance) setLimits(limits sandbox.Limits) error {
	switch {
	case i.gone:
		return errGone
	case i.cgroup != nil:
		return i.cgroup.SetLimits(limits)
	}
	return i.weakLimits(limits)
}

// Freeze stops every process of the instance. A frozen instance can be killed.
func (i *Instance) Freeze() error { return i.setFrozen(true) }

// Thaw continues a frozen instance.
func (i *Instance) Thaw() error { return i.setFrozen(false) }

func (i *Instance) setFrozen(frozen bool) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.gone:
		return errGone
	case i.cgroup == nil:
		return fmt.Errorf("freeze instance %s: %w: %s", i.id, sandbox.ErrNotSupported, i.driver.cgroups.Missing["freezer"])
	}
	if err := i.cgroup.Freeze(frozen); err != nil {
		return fmt.Errorf("freeze instance %s: %w", i.id, err)
	}
	return nil
}
