// Package watch is how memory is bounded and counted where there are no cgroups: by looking at /proc.
package watch

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"fcd/invoker/sandbox"
)

// every is how often the memory of trees without a cgroup is added up.
const every = 100 * time.Millisecond

// clockTick is the unit of processor time in /proc; it is 100 Hz on every architecture Go runs on.
const clockTick = 10 * time.Millisecond

// A Tree is a process and all below it.
type Tree interface {
	Pid() int // of the process at the top, which the caller has not waited for
	// Used is told at each look what the tree uses. If that is more than its limit, it has to end.
	Used(bytes int64, over bool)
}

// Watch adds up the memory of trees that have no cgroup. It sees resident anonymous and shared pages, those of several
// processes once; what is allocated and freed between two looks, and files in /tmp that nobody maps, it does not see.
type Watch struct {
	stop chan struct{}
	done chan struct{}
	wake chan struct{}

	mu     sync.Mutex // guards limits
	limits map[Tree]int64
}

// New starts to look; Close ends it.
func New() *Watch {
	w := &Watch{stop: make(chan struct{}), done: make(chan struct{}), wake: make(chan struct{}, 1), limits: map[Tree]int64{}}
	go w.run()
	return w
}

// Set watches a tree, or changes its limit.
func (w *Watch) Set(i Tree, bytes int64) {
	w.mu.Lock()
	w.limits[i] = bytes
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Remove stops to watch a tree.
func (w *Watch) Remove(i Tree) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.limits, i)
}

// Close stops everything.
func (w *Watch) Close() {
	close(w.stop)
	<-w.done
}

// run looks at all trees every every, and sleeps while there are none.
func (w *Watch) run() {
	defer close(w.done)
	timer := time.NewTimer(every)
	defer timer.Stop()
	for {
		var tick <-chan time.Time
		if w.look() {
			timer.Reset(every)
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
func (w *Watch) look() bool {
	w.mu.Lock()
	limits := make(map[Tree]int64, len(w.limits))
	for i, l := range w.limits {
		limits[i] = l
	}
	w.mu.Unlock()
	for i, limit := range limits {
		used := treeBytes(i.Pid(), "status", "RssAnon:", "RssShmem:")
		if used > limit {
			// Pages that a fork shares were counted once per process. The exact sum is slow, so it is the second look.
			used = treeBytes(i.Pid(), "smaps_rollup", "Pss_Anon:", "Pss_Shmem:")
		}
		i.Used(used, used > limit)
	}
	return len(limits) > 0
}

// Descendants lists a process and everything below it. In a pid namespace orphans go to its pid 1, so the tree of
// pid 1 is the whole of it.
func Descendants(root int) []int {
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
	for _, pid := range Descendants(root) {
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

// Peak is the most memory that a process has had, in bytes.
func Peak(pid int) int64 { return procBytes(pid, "status", "VmHWM:") }

// Usage is what /proc tells of an instance: the peak of pid 1, and the processor time of pid 1 and of the children
// it has waited for.
func Usage(pid int) sandbox.Usage {
	u := sandbox.Usage{PeakMemoryBytes: Peak(pid)}
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

func procPath(pid int, name string) string {
	return filepath.Join("/proc", strconv.Itoa(pid), name)
}
