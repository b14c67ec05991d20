package cgroup

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// controllers are those of the v1 hierarchies that an instance is put into. cpuacct counts, freezer stops, the others
// limit.
var controllers = [...]string{"memory", "cpu", "cpuacct", "pids", "freezer"}

// ownCgroups is where the daemon itself lives.
type ownCgroups struct {
	V1      map[string]string // controller -> directory
	Unified string            // directory in the v2 hierarchy, "" if none is mounted
	other   []string          // directories in the v1 hierarchies of other controllers
}

// find reads the daemon's place in every hierarchy from /proc/self.
func find() (ownCgroups, error) {
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
	return parse(member, mounts)
}

// parse joins memberships (lines "9:memory:/path", "0::/path") with mounts.
func parse(member, mounts io.Reader) (ownCgroups, error) {
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
	own := ownCgroups{V1: map[string]string{}}
	lines = bufio.NewScanner(mounts)
	for lines.Scan() {
		m, ok := parseMount(lines.Text())
		if !ok {
			continue
		}
		if m.fstype == "cgroup2" {
			if dir, ok := m.dir(paths[""]); ok {
				own.Unified = dir
			}
			continue
		}
		for c, path := range paths {
			dir, ok := m.dir(path)
			switch {
			case !ok || c == "" || !m.has(c):
			case slices.Contains(controllers[:], c):
				own.V1[c] = dir
			default:
				own.other = append(own.other, dir)
			}
		}
	}
	return own, lines.Err()
}

// mount is one line of mountinfo about a cgroup hierarchy.
type mount struct{ root, point, fstype, options string }

// parseMount reads "36 35 98:0 ROOT POINT opts ... - FSTYPE SOURCE OPTIONS".
func parseMount(line string) (mount, bool) {
	before, after, ok := strings.Cut(line, " - ")
	if !ok {
		return mount{}, false
	}
	left, right := strings.Fields(before), strings.Fields(after)
	if len(left) < 5 || len(right) < 3 || (right[0] != "cgroup" && right[0] != "cgroup2") {
		return mount{}, false
	}
	return mount{root: left[3], point: left[4], fstype: right[0], options: right[2]}, true
}

func (m mount) has(controller string) bool {
	for o := range strings.SplitSeq(m.options, ",") {
		if o == controller {
			return true
		}
	}
	return false
}

// dir maps a path in the hierarchy to a directory below the mount, which may show only a part of it.
func (m mount) dir(path string) (string, bool) {
	rel, err := filepath.Rel(m.root, path)
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		return "", false
	}
	return filepath.Join(m.point, rel), true
}
