package cgroup

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// nameless are the trees of drivers with a random ID: a command that is killed has no next life that would look for them.
var nameless = regexp.MustCompile(`^` + treePrefix + `t[0-9a-f]{32}$`)

// Sweep kills and removes what drivers with a random ID, "t" and 32 hexadecimal digits, left below this process's cgroup
// when they were killed: the trees whose lock nobody has. It returns their IDs. What cannot be removed stays for the next.
func Sweep() []string {
	own, err := find()
	if err != nil {
		return nil
	}
	return own.sweep()
}

func (own ownCgroups) sweep() (ids []string) {
	var parents []string // in the order of Tree.Dirs
	for _, c := range controllers {
		if d := own.V1[c]; d != "" && !slices.Contains(parents, d) {
			parents = append(parents, d)
		}
	}
	switch d := own.Unified; {
	case d == "":
	case len(parents) == 0 && filepath.Base(d) == "daemon": // moved there, as openV2 has it
		parents = []string{filepath.Dir(d)}
	default:
		parents = append(parents, d)
	}
	if len(parents) == 0 {
		return nil
	}
	// Only what is seen with its lock: of a neighbour that shares some hierarchies with this process and not that one,
	// nobody can tell here whether it lives.
	entries, _ := os.ReadDir(parents[0])
	for _, e := range entries {
		if name := e.Name(); nameless.MatchString(name) && removeDead(parents, name) {
			ids = append(ids, strings.TrimPrefix(name, treePrefix))
		}
	}
	return ids
}

// removeDead removes a tree unless somebody living has its lock.
func removeDead(parents []string, name string) bool {
	var dirs []string
	for _, p := range parents {
		dirs = append(dirs, filepath.Join(p, name))
	}
	lock, err := os.Open(dirs[0])
	if err != nil {
		return false
	}
	defer lock.Close()
	if unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return false
	}
	if _, err := reap(dirs); err != nil {
		return false
	}
	for _, d := range slices.Backward(dirs) { // the lock goes last
		if err := os.Remove(d); err != nil && !errors.Is(err, os.ErrNotExist) {
			return false
		}
	}
	return true
}
