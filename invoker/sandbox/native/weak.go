package native

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"fcd/invoker/sandbox"
	"fcd/invoker/sandbox/native/internal/inside"
)

// watchEvery is how often the memory of trees without a cgroup is added up.
const watchEvery = 100 * time.Millisecond

// clockTick is the unit of processor time in /proc; it is 100 Hz on every architecture Go runs on.
const clockTick = 10 * time.Millisecond

// watchMemory makes sure that an instance which meets its limit ends as a whole: by the kernel's event on v1, by the
// kernel itself on v2 (memory.oom.group), by adding up its tree where there is no cgroup.
func (i *Instance) watchMemory(plan *inside.Plan) error {
	if i.driver.watch != nil {
		for _, l := range plan.Rlimits {
			if l.Resource == unix.RLIMIT_DATA {
				i.driver.watch.set(i, int64(l.Value)-weakSlackMB*megabyte)
			}
		}
		return nil
	}
	events, err := i.cgroup.OOMEvents()
	if err != nil || events == nil {
		return err
	}
	i.mu.Lock()
	i.events = events
	i.mu.Unlock()
	go i.followOOM(events)
	return nil
}

// followOOM ends the instance at the first event. The removal of the cgroup is an event too, but then it has ended.
func (i *Instance) followOOM(events *os.File) {
	var count [8]byte
	if _, err := events.Read(count[:]); err != nil {
		return
	}
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
	i.driver.watch.set(i, bytes)
	limit := unix.Rlimit{Cur: uint64(bytes + weakSlackMB*megabyte), Max: uint64(bytes + weakSlackMB*megabyte)}
	err := unix.Prlimit(i.proc.Pid, unix.RLIMIT_DATA, &limit, nil)
	if errors.Is(err, unix.EPERM) {
		return nil // raising the hard limit needs a privilege no ordinary user has; the watch still holds
	}
	return err
}

// watch adds up the memory of every tree that has no cgroup and ends those above their limit. It sees resident
// anonymous and shared pages, those of several processes once; what is allocated and freed between two looks, and files in /tmp that nobody maps, it
// does not see.
type watch struct {
	stop chan struct{}
	done chan struct{}
	wake chan struct{}

	mu     sync.Mutex // guards limits
	limits map[*Instance]int64
}

func newWatch() *watch {
	w := &watch{stop: make(chan struct{}), done: make(chan struct{}), wake: make(chan struct{}, 1), limits: map[*Instance]int64{}}
	go w.run()
	return w
}

func (w *watch) set(i *Instance, bytes int64) {
	w.mu.Lock()
	w.limits[i] = bytes
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *watch) remove(i *Instance) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.limits, i)
}

func (w *watch) close() {
	close(w.stop)
	<-w.done
}

// run looks at all trees every watchEvery, and sleeps while there are none.
func (w *watch) run() {
	defer close(w.done)
	timer := time.NewTimer(watchEvery)
	defer timer.Stop()
	for {
		var tick <-chan time.Time
		if w.look() {
			timer.Reset(watchEvery)
			tick = timer.C
		}
		select {
		case <-w.stop:
			return
		case <-tick:
		case <-w.wake:
		}
	}
}

// look checks every tree and tells whether there was any.
func (w *watch) look() bool {
	w.mu.Lock()
	limits := make(map[*Instance]int64, len(w.limits))
	for i, l := range w.limits {
		limits[i] = l
	}
	w.mu.Unlock()
	for i, limit := range limits {
		used := treeBytes(i.proc.Pid, "status", "RssAnon:", "RssShmem:")
		if used > limit {
			// Pages that a fork shares were counted once per process. The exact sum is slow, so it is the second look.
			used = treeBytes(i.proc.Pid, "smaps_rollup", "Pss_Anon:", "Pss_Shmem:")
		}
		i.peak.Store(max(i.peak.Load(), used))
		if used > limit {
			i.oom.Store(true)
			_ = i.proc.Kill() // by pidfd; it may have ended by itself
		}
	}
	return len(limits) > 0
}

// descendants lists a process and everything below it. In a pid namespace orphans go to its pid 1, so the tree of
// pid 1 is the whole of it.
func descendants(root int) []int {
	out := []int{root}
	for n := 0; n < len(out); n++ {
		tasks, err := os.ReadDir(procPath(out[n], "task"))
		if err != nil {
			continue // it has ended
		}
		for _, t := range tasks {
			data, _ := os.ReadFile(procPath(out[n], "task/"+t.Name()+"/children"))
			for f := range bytes.FieldsSeq(data) {
				if pid, err := strconv.Atoi(string(f)); err == nil {
					out = append(out, pid)
				}
			}
		}
	}
	return out
}

// treeBytes adds up fields of a file in /proc/PID over a tree.
func treeBytes(root int, file string, fields ...string) int64 {
	var sum int64
	for _, pid := range descendants(root) {
		sum += procBytes(pid, file, fields...)
	}
	return sum
}

// procBytes adds up fields, in kB there, of a file in /proc/PID; 0 if the process is gone.
func procBytes(pid int, file string, fields ...string) int64 {
	var sum int64
	data, _ := os.ReadFile(procPath(pid, file))
	for line := range strings.Lines(string(data)) {
		for _, field := range fields {
			if value, ok := strings.CutPrefix(line, field); ok {
				kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
				sum += kb << 10
			}
		}
	}
	return sum
}

// weakUsage is what /proc tells of an instance: the peak of pid 1, and the processor time of pid 1 and of the children
// it has waited for.
func weakUsage(pid int) sandbox.Usage {
	u := sandbox.Usage{PeakMemoryBytes: procBytes(pid, "status", "VmHWM:")}
	data, err := os.ReadFile(procPath(pid, "stat"))
	if err != nil {
		return u
	}
	// The name, in parentheses, may hold anything; what follows the last one starts with field 3.
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	const utime, stime, cutime, cstime = 11, 12, 13, 14
	if len(fields) <= cstime {
		return u
	}
	for _, n := range []int{utime, stime, cutime, cstime} {
		ticks, _ := strconv.ParseInt(fields[n], 10, 64)
		u.CPU += time.Duration(ticks) * clockTick
	}
	return u
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
