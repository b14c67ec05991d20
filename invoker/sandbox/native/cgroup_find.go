package native

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// controllers are those of the v1 hierarchies that an instance is put into. cpuacct counts, freezer stops, the others
// limit.
var controllers = [...]string{"memory", "cpu", "cpuacct", "pids", "freezer"}

// ownCgroups is where the daemon itself lives.
type ownCgroups struct {
	v1      map[string]string // controller -> directory
	unified string            // directory in the v2 hierarchy, "" if none is mounted
}

// findCgroups reads the daemon's place in every hierarchy from /proc/self.
func findCgroups() (ownCgroups, error) {
	member, err := os.Open("/proc/self/cgroup")
	if err != nil {
		return ownCgroups{}, fmt.Errorf("cgroups: %w", err)
	}
	defer member.Close()
	mounts, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return ownCgroups{}, fmt.Errorf("cgroups: %w", err)
	}
	defer mounts.Close()
	return parseCgroups(member, mounts)
}

// parseCgroups joins memberships (lines "9:memory:/path", "0::/path") with mounts.
func parseCgroups(member, mounts io.Reader) (ownCgroups, error) {
	paths := map[string]string{} // controller or "" -> path in its hierarchy
	lines := bufio.NewScanner(member)
	for lines.Scan() {
		parts := strings.SplitN(lines.Text(), ":", 3)
		if len(parts) != 3 {
			return ownCgroups{}, fmt.Errorf("cgroups: membership %q is not id:controllers:path", lines.Text())
		}
		for name := range strings.SplitSeq(parts[1], ",") {
			paths[name] = parts[2]
		}
	}
	if err := lines.Err(); err != nil {
		return ownCgroups{}, fmt.Errorf("cgroups: %w", err)
	}
	own := ownCgroups{v1: map[string]string{}}
	lines = bufio.NewScanner(mounts)
	for lines.Scan() {
		m, ok := parseMount(lines.Text())
		if !ok {
			continue
		}
		if m.fstype == "cgroup2" {
			if dir, ok := m.dir(paths[""]); ok {
				own.unified = dir
			}
			continue
		}
		for _, c := range controllers {
			if dir, ok := m.dir(paths[c]); ok && m.has(c) && paths[c] != "" {
				own.v1[c] = dir
			}
		}
	}
	return own, lines.Err()
}

// cgroupMount is one line of mountinfo about a cgroup hierarchy.
type cgroupMount struct{ root, point, fstype, options string }

// parseMount reads "36 35 98:0 ROOT POINT opts ... - FSTYPE SOURCE OPTIONS".
func parseMount(line string) (cgroupMount, bool) {
	before, after, ok := strings.Cut(line, " - ")
	if !ok {
		return cgroupMount{}, false
	}
	left, right := strings.Fields(before), strings.Fields(after)
	if len(left) < 5 || len(right) < 3 || (right[0] != "cgroup" && right[0] != "cgroup2") {
		return cgroupMount{}, false
	}
	return cgroupMount{root: left[3], point: left[4], fstype: right[0], options: right[2]}, true
}

func (m cgroupMount) has(controller string) bool {
	for o := range strings.SplitSeq(m.options, ",") {
		if o == controller {
			return true
		}
	}
	return false
}

// dir maps a path in the hierarchy to a directory below the mount, which may show only a part of it.
func (m cgroupMount) dir(path string) (string, bool) {
	rel, err := filepath.Rel(m.root, path)
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		return "", false
	}
	return filepath.Join(m.point, rel), true
}
