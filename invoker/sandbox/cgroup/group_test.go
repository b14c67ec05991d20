package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/cgroups"
	"golang.org/x/sys/unix"

	"fcd/invoker/sandbox"
)

func TestTheDaemonFindsItsCgroups(t *testing.T) {
	const v1Mounts = `24 23 0:21 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
25 23 0:22 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
26 23 0:23 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
27 23 0:24 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
28 1 0:5 / /dev rw - devtmpfs devtmpfs rw
`
	for _, c := range []struct {
		name, member, mounts string
		want                 ownCgroups
	}{
		{
			name: "version 2", member: "0::/system.slice/fcd.service\n",
			mounts: "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n",
			want:   ownCgroups{V1: map[string]string{}, Unified: "/sys/fs/cgroup/system.slice/fcd.service"},
		}, {
			name: "version 1", mounts: v1Mounts,
			member: "9:memory:/a/b\n8:cpu,cpuacct:/c\n7:pids:/\n1:name=systemd:/s\n",
			want: ownCgroups{V1: map[string]string{
				"memory": "/sys/fs/cgroup/memory/a/b", "cpu": "/sys/fs/cgroup/cpu,cpuacct/c",
				"cpuacct": "/sys/fs/cgroup/cpu,cpuacct/c", "pids": "/sys/fs/cgroup/pids",
			}, other: []string{"/sys/fs/cgroup/systemd/s"}},
		}, {
			name: "hybrid", mounts: v1Mounts + "30 23 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
			member: "9:memory:/a\n0::/u\n",
			want:   ownCgroups{V1: map[string]string{"memory": "/sys/fs/cgroup/memory/a"}, Unified: "/sys/fs/cgroup/unified/u"},
		}, {
			name: "a container that sees only its own part", member: "9:memory:/docker/x/sub\n",
			mounts: "24 23 0:21 /docker/x /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
			want:   ownCgroups{V1: map[string]string{"memory": "/sys/fs/cgroup/memory/sub"}},
		}, {
			name: "a mount that shows another part", member: "0::/../outside\n",
			mounts: "24 23 0:21 /docker/y /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
			want:   ownCgroups{V1: map[string]string{}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parse(strings.NewReader(c.member), strings.NewReader(c.mounts))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got, cmp.AllowUnexported(ownCgroups{})); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
	if _, err := parse(strings.NewReader("nonsense\n"), strings.NewReader("")); err == nil {
		t.Error("a membership without colons was taken")
	}
}

func TestCgroupErrorsTellAnOperatorWhatToDo(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{unix.EBUSY, "Delegate=cpu memory pids"},
		{fmt.Errorf("mkdir x: %w", os.ErrPermission), "systemd-run --user --scope"},
		{unix.EROFS, "mounted read-only"},
		{errors.New("odd"), "odd"},
	} {
		if got := reason(c.err); !strings.Contains(got, c.want) {
			t.Errorf("%v: %q lacks %q", c.err, got, c.want)
		}
	}
}

// The tree of version 2 is made of plain files as far as the driver is concerned, so a directory can stand in for it.
func TestTheTreeOfVersion2NeedsDelegatedControllers(t *testing.T) {
	own := t.TempDir()
	for _, dir := range []string{own, own + "/fcd-x", own + "/daemon"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, data := range map[string]string{"cgroup.controllers": "cpu pids\n", "cgroup.subtree_control": "", "cgroup.procs": ""} {
			if err := os.WriteFile(dir+"/"+name, []byte(data), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	tree, err := open(ownCgroups{V1: map[string]string{}, Unified: own}, "x")
	if err != nil {
		t.Fatal(err)
	}
	if tree.Usable() {
		t.Error("a tree without the memory controller is used")
	}
	if got := tree.Missing["memory"]; !strings.Contains(got, "not delegated") {
		t.Errorf("memory: %q", got)
	}
}

// Plain files stand in for a cgroup of version 2; what is compared is what the kernel would be told and has told.
func TestVersion2IsToldTheLimitsAndReadBack(t *testing.T) {
	cgroups.TestMode = true
	defer func() { cgroups.TestMode = false }()
	dir := t.TempDir()
	for name, data := range map[string]string{
		"cgroup.controllers": "cpu memory pids\n", "memory.current": "1048576\n", "memory.peak": "73400320\n",
		"memory.events": "low 0\noom 1\noom_kill 2\n", "cpu.stat": "usage_usec 1500\nuser_usec 1000\n", "memory.oom.group": "0\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	g := &Group{tree: &Tree{v2: true}, Unified: dir}
	if err := g.open(); err != nil {
		t.Fatal(err)
	}
	if err := g.SetLimits(sandbox.Limits{MemoryMB: 128, CPUMilli: 250, Pids: 64}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"memory.max": "134217728", "memory.swap.max": "0", "memory.oom.group": "1", "pids.max": "64", "cpu.max": "25000 100000",
	} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if got := strings.TrimSpace(string(data)); got != want {
			t.Errorf("%s holds %q, want %q (%v)", name, got, want, err)
		}
	}
	for _, c := range []struct {
		background bool
		want       string
	}{{true, "12"}, {false, "100"}} {
		if err := g.SetLimits(sandbox.Limits{MemoryMB: 128, CPUMilli: 250, Pids: 64, Background: c.background}); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(dir, "cpu.weight"))
		if got := strings.TrimSpace(string(data)); got != c.want {
			t.Errorf("background %v: cpu.weight holds %q, want %q (%v)", c.background, got, c.want, err)
		}
	}
	got, err := g.Usage()
	want := sandbox.Usage{PeakMemoryBytes: 70 * megabyte, CPU: 1500 * time.Microsecond, OOMKills: 2}
	if err != nil || got != want {
		t.Errorf("usage %+v, %v, want %+v", got, err, want)
	}
	// A limit that the kernel rounds or ignores is an error.
	if err := os.WriteFile(filepath.Join(dir, "memory.max"), []byte("max\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := g.verify(128*megabyte, 0, 64); err == nil || !strings.Contains(err.Error(), "memory.max holds max") {
		t.Errorf("error %v", err)
	}
	// So is memory that may be swapped out, while a kernel without swap has nothing to tell.
	for name, data := range map[string]string{"memory.max": "134217728\n", "memory.swap.max": "max\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.verify(128*megabyte, 0, 64); err == nil || !strings.Contains(err.Error(), "memory.swap.max holds max instead of 0") {
		t.Errorf("error %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "memory.swap.max")); err != nil {
		t.Fatal(err)
	}
	if err := g.verify(128*megabyte, 0, 64); err != nil {
		t.Errorf("without swap: %v", err)
	}
}
