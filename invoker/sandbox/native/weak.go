package native

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"fcd/invoker/sandbox"
	"fcd/invoker/sandbox/native/internal/inside"
)

// tree is an instance as package watch sees it.
type tree struct{ i *Instance }

func (t tree) Pid() int { return t.i.proc.Pid }

func (t tree) Used(bytes int64, over bool) {
	t.i.peak.Store(max(t.i.peak.Load(), bytes))
	if over {
		t.i.oom.Store(true)
		_ = t.i.proc.Kill() // by pidfd; it may have ended by itself
	}
}

// watchMemory makes sure that an instance which meets its limit ends as a whole: by the kernel's event on v1, by the
// kernel itself on v2 (memory.oom.group), by adding up its tree where there is no cgroup.
func (i *Instance) watchMemory(plan *inside.Plan) error {
	if i.driver.watch != nil {
		for _, l := range plan.LastRlimits {
			if l.Resource == unix.RLIMIT_DATA {
				i.driver.watch.Set(tree{i}, int64(l.Value)-weakSlackMB*megabyte)
			}
		}
		return nil
	}
	events, err := i.cgroup.OOMEvents()
	if err != nil || events == nil {
		return err
	}
	raw, err := events.SyscallConn()
	if err != nil {
		return errors.Join(err, events.Close())
	}
	var deaf func()
	cerr := raw.Control(func(fd uintptr) { deaf, err = i.driver.reaper.Once(int(fd), i.hitLimit) })
	if err := errors.Join(cerr, err); err != nil {
		return errors.Join(err, events.Close())
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.events, i.deaf = events, deaf
	return nil
}

// hitLimit ends the instance at the first event of its memory limit. The removal of the cgroup is an event too, but then
// it has ended.
func (i *Instance) hitLimit() {
	select {
	case <-i.ended:
	default:
		i.oom.Store(true)
		i.signalKill()
	}
}

// weakLimits changes what can be changed without a cgroup.
func (i *Instance) weakLimits(l sandbox.Limits) error {
	if i.proc == nil || l.MemoryMB == 0 {
		return nil
	}
	bytes := int64(l.MemoryMB) * megabyte
	i.driver.watch.Set(tree{i}, bytes)
	limit := unix.Rlimit{Cur: uint64(bytes + weakSlackMB*megabyte), Max: uint64(bytes + weakSlackMB*megabyte)}
	err := unix.Prlimit(i.proc.Pid, unix.RLIMIT_DATA, &limit, nil)
	if errors.Is(err, unix.EPERM) {
		return nil // raising the hard limit needs a privilege no ordinary user has; the watch still holds
	}
	return err
}

// namespaceOf names the pid namespace of a process.
func namespaceOf(pid int) (string, error) { return os.Readlink(procPath(pid, "ns/pid")) }

// signalIn signals a process if it is in the pid namespace home. The descriptor is taken first, so that what is checked
// is what is signalled.
func signalIn(home string, pid int, sig syscall.Signal) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if ns, err := namespaceOf(pid); err == nil && ns == home {
		_ = unix.PidfdSendSignal(fd, sig, nil, 0) // it may just have ended
	}
}
