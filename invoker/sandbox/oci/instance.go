package oci

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	runc "github.com/containerd/go-runc"

	"fcd/invoker/sandbox"
	"fcd/invoker/sandbox/cgroup"
	"fcd/invoker/sandbox/nat"
	"fcd/invoker/sandbox/netns"
	"fcd/invoker/sandbox/roster"
)

// Instance is one container. It implements sandbox.Instance, Listener, Dialer, Freezer and Limiter; all methods may be
// called concurrently.
type Instance struct {
	driver  *Driver
	id      string
	bundle  bundle
	uid     int // 0: none taken
	group   *cgroup.Group
	link    *nat.Link
	created bool // the runtime was asked to create it

	pid     int
	proc    *os.Process // by pidfd
	net     *os.File
	helper  *os.Process // gVisor's file server
	reaping bool
	oom     atomic.Bool

	life  *roster.Life
	final sandbox.Usage // set by Kill

	mu     sync.Mutex // guards gone and events, and what release gives back
	events *os.File
	gone   bool
}

var (
	_ sandbox.Instance = (*Instance)(nil)
	_ sandbox.Listener = (*Instance)(nil)
	_ sandbox.Dialer   = (*Instance)(nil)
	_ sandbox.Freezer  = (*Instance)(nil)
	_ sandbox.Limiter  = (*Instance)(nil)
)

// Claim is not supported: an external runtime shows nothing to a running container.
func (i *Instance) Claim(context.Context, string, sandbox.Limits) error {
	return sandbox.ErrNotSupported
}

// Wait returns when the init, and with it the container, has ended. Its error is always nil.
func (i *Instance) Wait() (sandbox.Exit, error) { return i.life.Wait(), nil }

// signalKill sends the signals that nothing survives.
func (i *Instance) signalKill() {
	i.group.Kill()
	_ = i.proc.Kill() // it may have ended
}

// Kill ends the container, lets the runtime forget it and gives back what it had. It returns when that is done.
func (i *Instance) Kill() error {
	return i.life.Kill(func() error {
		if i.reaping {
			i.signalKill()
			i.life.Wait()
		}
		i.final, _ = i.Stats()
		defer i.driver.roster.Forget(i.id)
		return i.release()
	})
}

func (i *Instance) release() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.gone = true
	var errs []error
	if i.created {
		if err := i.driver.delete(i.id); err != nil && exists(i.driver.states()+"/"+i.id) {
			errs = append(errs, fmt.Errorf("delete container %s: %w", i.id, err))
		}
	}
	for _, f := range []*os.File{i.events, i.net} {
		if f != nil {
			f.Close()
		}
	}
	if i.group != nil {
		errs = append(errs, i.group.Destroy())
	}
	if i.link != nil {
		errs = append(errs, i.link.Close())
	}
	errs = append(errs, os.RemoveAll(string(i.bundle)))
	err := errors.Join(errs...)
	if i.uid != 0 && err == nil {
		i.driver.uids.Give(i.uid)
	}
	return err
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// Signal sends a signal to every process of the container.
func (i *Instance) Signal(sig syscall.Signal) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.gone || i.life.HasEnded() {
		return nil
	}
	if sig == syscall.SIGKILL {
		i.signalKill()
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), deleteWait)
	defer cancel()
	err := i.driver.runtime.Kill(ctx, i.id, int(sig), &runc.KillOpts{All: true})
	if i.life.HasEnded() {
		return nil // it had nobody left to signal
	}
	return err
}

// Stats tells what the container used. After Kill it repeats the last figures.
func (i *Instance) Stats() (sandbox.Usage, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.gone:
		return i.final, nil
	case i.group == nil:
		return sandbox.Usage{}, nil
	}
	return i.group.Usage()
}

// Peak is the peak of Stats.
func (i *Instance) Peak() (int64, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.gone:
		return i.final.PeakMemoryBytes, nil
	case i.group == nil:
		return 0, nil
	}
	return i.group.Peak()
}

// ResetPeak begins a new peak.
func (i *Instance) ResetPeak() error { return i.alive(func() error { return i.group.ResetPeak() }) }

// Freeze stops every process of the container.
func (i *Instance) Freeze() error { return i.alive(func() error { return i.group.Freeze(true) }) }

// Thaw continues them.
func (i *Instance) Thaw() error { return i.alive(func() error { return i.group.Freeze(false) }) }

// SetLimits changes the limits.
func (i *Instance) SetLimits(l sandbox.Limits) error {
	if err := i.driver.defaults().FillLimits(i.id, &l); err != nil {
		return err
	}
	return i.alive(func() error { return i.group.SetLimits(l) })
}

// alive runs f while the instance cannot go.
func (i *Instance) alive(f func() error) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.gone {
		return errGone
	}
	return f()
}

// Listen opens a TCP listener inside the container's network namespace, as package netns says.
func (i *Instance) Listen(network, address string) (l net.Listener, err error) {
	err = i.alive(func() (err error) {
		l, err = netns.Listen(i.net, network, address)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listen on %s in instance %s: %w", address, i.id, err)
	}
	return l, nil
}

// Dial connects to a TCP address inside the container's network namespace.
func (i *Instance) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	var p netns.Pending
	err := i.alive(func() (err error) {
		p, err = netns.Begin(i.net, network, address)
		return err
	})
	if err == nil {
		var c net.Conn
		if c, err = p.Finish(ctx); err == nil {
			return c, nil
		}
	}
	return nil, fmt.Errorf("dial %s in instance %s: %w", address, i.id, err)
}
