package native

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
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
			want:   ownCgroups{v1: map[string]string{}, unified: "/sys/fs/cgroup/system.slice/fcd.service"},
		}, {
			name: "version 1", mounts: v1Mounts,
			member: "9:memory:/a/b\n8:cpu,cpuacct:/c\n7:pids:/\n1:name=systemd:/s\n",
			want: ownCgroups{v1: map[string]string{
				"memory": "/sys/fs/cgroup/memory/a/b", "cpu": "/sys/fs/cgroup/cpu,cpuacct/c",
				"cpuacct": "/sys/fs/cgroup/cpu,cpuacct/c", "pids": "/sys/fs/cgroup/pids",
			}},
		}, {
			name: "hybrid", mounts: v1Mounts + "30 23 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
			member: "9:memory:/a\n0::/u\n",
			want:   ownCgroups{v1: map[string]string{"memory": "/sys/fs/cgroup/memory/a"}, unified: "/sys/fs/cgroup/unified/u"},
		}, {
			name: "a container that sees only its own part", member: "9:memory:/docker/x/sub\n",
			mounts: "24 23 0:21 /docker/x /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
			want:   ownCgroups{v1: map[string]string{"memory": "/sys/fs/cgroup/memory/sub"}},
		}, {
			name: "a mount that shows another part", member: "0::/../outside\n",
			mounts: "24 23 0:21 /docker/y /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
			want:   ownCgroups{v1: map[string]string{}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseCgroups(strings.NewReader(c.member), strings.NewReader(c.mounts))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got, cmp.AllowUnexported(ownCgroups{})); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
	if _, err := parseCgroups(strings.NewReader("nonsense\n"), strings.NewReader("")); err == nil {
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
		if got := cgroupReason(c.err); !strings.Contains(got, c.want) {
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
	tree, err := newCgroupTree(ownCgroups{v1: map[string]string{}, unified: own}, "x")
	if err != nil {
		t.Fatal(err)
	}
	if tree.usable() {
		t.Error("a tree without the memory controller is used")
	}
	if got := tree.missing["memory"]; !strings.Contains(got, "not delegated") {
		t.Errorf("memory: %q", got)
	}
}
