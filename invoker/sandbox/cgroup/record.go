package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fcd/fc/flock"
)

// A tree lies below the cgroup that the daemon was started in, and its next life may be started in another one: each
// session of a terminal has its own. So every life writes down where its tree lies, in a file that the next one reads.

// recorded reads the directories of the life that wrote the file; none if there is no file.
func recorded(file string) ([]string, error) {
	if file == "" {
		return nil, nil
	}
	data, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var dirs []string
	for line := range strings.Lines(string(data)) {
		if d := strings.TrimSuffix(line, "\n"); strings.HasPrefix(filepath.Base(d), treePrefix) {
			dirs = append(dirs, d)
		}
	}
	return dirs, nil
}

// record writes down where this tree lies, in place of the life before. There is no power cut that processes outlive, so
// nothing is flushed.
func (t *Tree) record(before []string) error {
	dirs := t.Dirs()
	if t.Usable() {
		for _, d := range t.other {
			dirs = append(dirs, filepath.Join(d, t.name))
		}
	}
	if t.file == "" || slices.Equal(dirs, before) {
		return nil
	}
	temp := t.file + ".new"
	if err := os.WriteFile(temp, []byte(strings.Join(dirs, "\n")+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(temp, t.file)
}

// reapElsewhere kills and removes what the life before left in directories that are not of this tree.
func (t *Tree) reapElsewhere(before []string) (int, error) {
	ours := t.Dirs()
	dirs := slices.DeleteFunc(slices.Clone(before), func(d string) bool { return slices.Contains(ours, d) })
	if len(dirs) == 0 {
		return 0, nil
	}
	if dirs[0] == before[0] { // what carries the lock
		f, err := os.Open(dirs[0])
		switch {
		case errors.Is(err, os.ErrNotExist):
		case err != nil:
			return 0, fmt.Errorf("cgroups of an earlier life: %w", err)
		case flock.Take(f) != nil:
			return 0, f.Close() // somebody lives there: the daemon of a copied data directory
		default:
			defer f.Close()
		}
	}
	n, err := reap(dirs)
	for _, d := range dirs {
		_ = os.Remove(d) // gone already, or it holds a foreign cgroup
	}
	return n, err
}
