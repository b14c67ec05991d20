package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/cgroups/fs"
	"github.com/opencontainers/cgroups/fs2"
	"golang.org/x/sys/unix"

	"fcd/invoker/sandbox"
)

const (
	swapV2    = "memory.swap.max"
	cpuPeriod = 100 * time.Millisecond
	megabyte  = 1 << 20
)

// A weight is what a group gets of the processor where it is scarce, in relation to its neighbours'.
type weight struct{ shares, weight uint64 } // of v1, of v2

var (
	ordinary   = weight{1024, 100} // the kernel's own default
	background = weight{128, 12}   // an eighth
)

// Group is the cgroup of one instance in every hierarchy of the tree.
type Group struct {
	tree    *Tree
	V1      map[string]string // controller -> directory
	Unified string
	manager cgroups.Manager
	birth   *os.File // the v2 directory a child is born into; nil without v2
	peak    *os.File // kept open: it is read often, and in v2 a reset counts for this descriptor only; nil: not resettable
	behind  bool     // it has the weight of the background
}

// Make makes the cgroup of an instance, with its limits.
func (t *Tree) Make(id string, limits sandbox.Limits) (*Group, error) {
	g := &Group{tree: t, V1: map[string]string{}}
	for c, parent := range t.V1 {
		g.V1[c] = filepath.Join(parent, Prefix+id)
	}
	if t.Unified != "" {
		g.Unified = filepath.Join(t.Unified, Prefix+id)
	}
	if err := g.build(limits); err != nil {
		return nil, errors.Join(fmt.Errorf("cgroup: %w", err), g.Destroy())
	}
	return g, nil
}

// build makes the directories and sets the limits.
func (g *Group) build(limits sandbox.Limits) error {
	for _, d := range g.Dirs() {
		if err := os.Mkdir(d, 0o755); err != nil {
			return err
		}
	}
	if err := g.open(); err != nil {
		return err
	}
	return g.SetLimits(limits)
}

// open makes the library's manager and the files that stay open.
func (g *Group) open() (err error) {
	config := &cgroups.Cgroup{Resources: &cgroups.Resources{SkipDevices: true}}
	if g.tree.v2 {
		g.manager, err = fs2.NewManager(config, g.Unified)
	} else {
		g.manager, err = fs.NewManager(config, g.V1)
	}
	if err != nil {
		return err
	}
	if g.Unified != "" {
		if g.birth, err = os.Open(g.Unified); err != nil {
			return err
		}
	}
	if !g.has("memory") {
		return nil
	}
	g.peak, err = os.OpenFile(g.peakPath(), os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) {
		return nil // before Linux 5.19, or not resettable: Peak reads it by path
	}
	return err
}

// peakPath is where the kernel tells the peak of memory.
func (g *Group) peakPath() string {
	if g.tree.v2 {
		return filepath.Join(g.Unified, "memory.peak")
	}
	return filepath.Join(g.V1["memory"], "memory.max_usage_in_bytes")
}

// Dirs lists the directories without doubles: co-mounted controllers share one.
func (g *Group) Dirs() []string {
	var out []string
	seen := map[string]bool{"": true}
	for _, c := range controllers {
		if d := g.V1[c]; !seen[d] {
			seen[d] = true
			out = append(out, d)
		}
	}
	if g.Unified != "" {
		out = append(out, g.Unified)
	}
	return out
}

// Join moves the calling thread, which must be locked and must never be used for anything else, into the v1 cgroups:
// a child is born where its parent thread is. A single thread moves without the lock that moving a process by number
// waits for.
func (g *Group) Join() error {
	for _, d := range g.Dirs() {
		if d == g.Unified {
			continue
		}
		if err := os.WriteFile(filepath.Join(d, "tasks"), []byte("0"), 0); err != nil {
			return fmt.Errorf("enter the cgroup: %w", err)
		}
	}
	return nil
}

// The library finds out at its first Set what some files of this kernel are called, and keeps that in variables of its own
// without a lock (opencontainers/cgroups v0.1.0, fs/blkio.go): the first Set is to have ended before there are several.
var (
	learning sync.Mutex
	learned  atomic.Bool
)

func set(m cgroups.Manager, r *cgroups.Resources) error {
	if learned.Load() {
		return m.Set(r)
	}
	learning.Lock()
	defer learning.Unlock()
	err := m.Set(r)
	if err == nil {
		learned.Store(true)
	}
	return err
}

// SetLimits sets the limits and reads them back: a limit that did not take is an error, never a silence.
func (g *Group) SetLimits(l sandbox.Limits) error {
	memory := int64(l.MemoryMB) * megabyte
	quota := int64(l.CPUMilli) * int64(cpuPeriod/time.Microsecond) / 1000
	pids := int64(l.Pids)
	r := &cgroups.Resources{SkipDevices: true, PidsLimit: &pids}
	if memory > 0 {
		r.Memory = memory
		if !g.tree.noSwapAccount {
			r.MemorySwap = memory // V1: memory and swap together; v2: the library makes it no swap at all
		}
	}
	if quota > 0 && g.has("cpu") {
		r.CpuPeriod, r.CpuQuota = uint64(cpuPeriod/time.Microsecond), quota
	}
	if g.behind != l.Background && g.has("cpu") {
		w := ordinary
		if l.Background {
			w = background
		}
		if g.tree.v2 {
			r.CpuWeight = w.weight
		} else {
			r.CpuShares = w.shares
		}
	}
	if g.tree.v2 {
		r.Unified = map[string]string{"memory.oom.group": "1"}
	}
	if err := set(g.manager, r); err != nil {
		return fmt.Errorf("set cgroup limits: %w", err)
	}
	g.behind = l.Background
	return g.verify(memory, quota, pids)
}

func (g *Group) has(controller string) bool {
	if g.tree.v2 {
		return g.tree.Missing[controller] == ""
	}
	return g.V1[controller] != ""
}

// verify compares the limit files with what was asked for.
func (g *Group) verify(memory, quota, pids int64) error {
	check := func(controller, v1, v2 string, want int64) error {
		if want < 0 || !g.has(controller) {
			return nil
		}
		path := filepath.Join(g.V1[controller], v1)
		if g.tree.v2 {
			path = filepath.Join(g.Unified, v2)
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) && v2 == swapV2 {
			return nil // a kernel that does not account for swap; where it has some, Probe says so
		}
		if err != nil {
			return fmt.Errorf("read back a cgroup limit: %w", err)
		}
		got, _, _ := strings.Cut(strings.TrimSpace(string(data)), " ")
		if got != strconv.FormatInt(want, 10) {
			return fmt.Errorf("%s holds %s instead of %d: the limit did not take", path, got, want)
		}
		return nil
	}
	set := func(limit int64) int64 { // 0 is no limit, and nothing to compare
		if limit == 0 {
			return -1
		}
		return limit
	}
	swap := set(memory) // v1 counts it together with memory
	if g.tree.v2 && memory > 0 {
		swap = 0
	}
	return errors.Join(
		check("memory", "memory.limit_in_bytes", "memory.max", set(memory)),
		check("memory", "memory.memsw.limit_in_bytes", swapV2, swap),
		check("cpu", "cpu.cfs_quota_us", "cpu.max", set(quota)),
		check("pids", "pids.max", "pids.max", set(pids)))
}

// Birth is the descriptor of the v2 directory that a child is born into, where there is one.
func (g *Group) Birth() (fd int, ok bool) {
	if g.birth == nil {
		return 0, false
	}
	return int(g.birth.Fd()), true
}

// Add puts a process, which another runtime has put into the v1 hierarchies, into that of v2 on a hybrid host too, so that
// kill and freeze reach it.
func (g *Group) Add(pid int) error {
	if g.tree.v2 || g.Unified == "" {
		return nil
	}
	if err := os.WriteFile(filepath.Join(g.Unified, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0); err != nil {
		return fmt.Errorf("enter the cgroup: %w", err)
	}
	return nil
}

// Pids lists the processes.
func (g *Group) Pids() []int { return Pids(g.Dirs()[0]) }

// Kill sends SIGKILL to every process of the cgroup at once, where the kernel can.
func (g *Group) Kill() {
	if g.Unified != "" {
		// Before Linux 5.14 there is no such file; the death of pid 1 does the same.
		_ = os.WriteFile(filepath.Join(g.Unified, "cgroup.kill"), []byte("1"), 0)
	}
	thaw(g.V1["freezer"]) // a frozen process does not die
}

// Destroy removes the cgroup, which must be empty of processes; threads that are just ending are waited for.
func (g *Group) Destroy() error {
	for _, f := range []*os.File{g.birth, g.peak} {
		if f != nil {
			f.Close()
		}
	}
	var errs error
	for _, d := range g.Dirs() {
		errs = errors.Join(errs, cgroups.RemovePath(d))
	}
	return errs
}

// OOMEvents returns a descriptor that becomes readable when the v1 memory limit is hit beyond reclaim, the kernel's
// substitute for memory.oom.group. nil where it is not needed or not to be had.
func (g *Group) OOMEvents() (*os.File, error) {
	dir := g.V1["memory"]
	if dir == "" {
		return nil, nil
	}
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	events := os.NewFile(uintptr(fd), "oom events")
	control, err := os.Open(filepath.Join(dir, "memory.oom_control"))
	if err != nil {
		return nil, errors.Join(err, events.Close())
	}
	defer control.Close()
	line := fmt.Sprintf("%d %d", fd, control.Fd())
	if err := os.WriteFile(filepath.Join(dir, "cgroup.event_control"), []byte(line), 0); err != nil {
		return nil, errors.Join(err, events.Close())
	}
	return events, nil
}
