package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/cgroups"
	"golang.org/x/sys/unix"

	"fcd/fc/flock"
)

// Prefix begins the names of the instances' cgroups, treePrefix that of the tree they are in.
const (
	Prefix     = "inst-"
	treePrefix = "fcd-"
)

// ErrInUse says that another living daemon has the same ID.
var ErrInUse = errors.New("in use by another daemon")

// Tree is the part of the cgroup hierarchies that belongs to this driver: one directory "fcd-ID" below the
// daemon's own cgroup in each of them. A lock on the first keeps a second daemon with the same ID out.
type Tree struct {
	name    string            // "fcd-ID"
	file    string            // says where the tree is; "" if nothing does
	other   []string          // own cgroups in hierarchies that are not used
	v2      bool              // the controllers are those of unified
	V1      map[string]string // controller -> fcd-ID directory
	Unified string            // fcd-ID in the v2 hierarchy; "" where there is none
	Missing map[string]string // controller -> why it cannot be used
	lock    *os.File
	// noSwapAccount: the kernel has no memory.memsw files.
	noSwapAccount bool
}

// Open finds this process's own cgroups and makes the directories below them. Controllers that cannot be used are named
// in Missing; without memory or pids the tree is empty, since half a tree would only promise what it does not hold. The
// error is about a second daemon (ErrInUse). file is where Reap reads where the daemon's last life had its tree, and
// writes where this one has it; "" if nobody shall know.
func Open(id, file string) (*Tree, error) {
	own, err := find()
	if err != nil {
		return nil, err
	}
	t, err := open(own, id)
	if err == nil {
		t.file = file
	}
	return t, err
}

// None is an empty tree, for a reason.
func None(reason string) *Tree {
	t := &Tree{Missing: map[string]string{}}
	for _, c := range controllers {
		t.Missing[c] = reason
	}
	return t
}

func open(own ownCgroups, id string) (*Tree, error) {
	name := treePrefix + id
	t := &Tree{name: name, other: own.other, V1: map[string]string{}, Missing: map[string]string{}}
	t.v2 = len(own.V1) == 0 && own.Unified != ""
	if t.v2 {
		t.openV2(own.Unified, name)
	} else {
		t.openV1(own, name)
	}
	if len(t.Missing) > 0 && (t.Missing["memory"] != "" || t.Missing["pids"] != "") {
		t.Remove()
		t.V1, t.Unified = map[string]string{}, ""
		return t, nil
	}
	if err := t.acquire(id); err != nil {
		return nil, err
	}
	return t, nil
}

// Usable tells whether instances get cgroups.
func (t *Tree) Usable() bool { return len(t.Dirs()) > 0 }

// openV1 makes the directory of each controller, and in the nearly empty v2 hierarchy of a hybrid host one for kill,
// freeze and birth.
func (t *Tree) openV1(own ownCgroups, name string) {
	for _, c := range controllers {
		base, ok := own.V1[c]
		if !ok {
			t.Missing[c] = "the cgroup controller " + c + " is not mounted"
			continue
		}
		dir := filepath.Join(base, name)
		if err := mkdir(dir); err != nil {
			t.Missing[c] = reason(err)
			continue
		}
		t.V1[c] = dir
	}
	if own.Unified != "" {
		dir := filepath.Join(own.Unified, name)
		if err := mkdir(dir); err == nil {
			t.Unified = dir
		}
	}
	if dir := t.V1["memory"]; dir != "" {
		t.noSwapAccount = !cgroups.PathExists(filepath.Join(dir, "memory.memsw.limit_in_bytes"))
	}
}

// openV2 makes room for instances below the daemon's cgroup. A cgroup that hands controllers to its children may hold no
// process itself, so the daemon moves into a child named daemon first, as a systemd unit with Delegate= allows.
func (t *Tree) openV2(own, name string) {
	base := own
	if filepath.Base(own) == "daemon" {
		base = filepath.Dir(own) // moved there by an earlier driver of this process
	} else if err := leaveToChild(own); err != nil {
		t.missAll(err)
		return
	}
	dir := filepath.Join(base, name)
	if err := enableControllers(base); err != nil {
		t.missAll(errors.Join(err, returnTo(base)))
		return
	}
	if err := mkdir(dir); err != nil {
		t.missAll(err)
		return
	}
	t.Unified = dir
	if err := enableControllers(dir); err != nil {
		t.missAll(err)
		return
	}
	on, _ := os.ReadFile(filepath.Join(dir, "cgroup.subtree_control"))
	for _, c := range []string{"memory", "pids", "cpu"} {
		if !strings.Contains(" "+strings.TrimSpace(string(on))+" ", " "+c+" ") {
			t.Missing[c] = "the cgroup controller " + c + " is not delegated to " + base +
				"; run fcd as a systemd unit with Delegate=cpu memory pids"
		}
	}
}

func (t *Tree) missAll(err error) {
	for _, c := range controllers {
		t.Missing[c] = reason(err)
	}
}

// leaveToChild moves this process, and no other, from the cgroup at dir into its child "daemon".
func leaveToChild(dir string) error {
	child := filepath.Join(dir, "daemon")
	if err := mkdir(child); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(child, "cgroup.procs"), []byte("0"), 0); err != nil {
		return errors.Join(err, os.Remove(child))
	}
	return nil
}

// returnTo undoes leaveToChild.
func returnTo(dir string) error {
	if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte("0"), 0); err != nil {
		return err
	}
	return os.Remove(filepath.Join(dir, "daemon"))
}

// enableControllers hands to the children what the cgroup has of what we need.
func enableControllers(dir string) error {
	have, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return err
	}
	for c := range strings.FieldsSeq(string(have)) {
		switch c {
		case "memory", "pids", "cpu":
			if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+c), 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// reason puts an error of making cgroups into an operator's words.
func reason(err error) string {
	switch {
	case errors.Is(err, unix.EBUSY):
		return err.Error() + ": the cgroup holds other processes beside fcd; start fcd in one of its own, " +
			"as a systemd unit with Delegate=cpu memory pids or by systemd-run --scope -p Delegate=yes"
	case errors.Is(err, os.ErrPermission):
		return err.Error() + ": fcd may not make cgroups here; start it inside a delegated subtree, " +
			"for example by systemd-run --user --scope -p Delegate=yes fcd serve"
	case errors.Is(err, unix.EROFS):
		return err.Error() + ": the cgroup file system is mounted read-only"
	default:
		return err.Error()
	}
}

// acquire takes the lock. The directory must still be the one at that path, as its last owner may have removed it
// between our making and our locking it.
func (t *Tree) acquire(id string) error {
	path := t.Dirs()[0]
	removed := fmt.Errorf("id %q: %w (%s was just removed)", id, ErrInUse, path)
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return removed
	}
	if err != nil {
		return fmt.Errorf("cgroups: %w", err)
	}
	if err := flock.Take(f); err != nil {
		f.Close()
		return fmt.Errorf("id %q: %w (%s is locked)", id, ErrInUse, path)
	}
	held, err1 := f.Stat()
	now, err2 := os.Stat(path)
	if err1 != nil || err2 != nil || !os.SameFile(held, now) {
		f.Close()
		return removed
	}
	t.lock = f
	return nil
}

// Dirs lists the tree's directories, the one that carries the lock first.
func (t *Tree) Dirs() []string {
	var out []string
	seen := map[string]bool{}
	for _, c := range controllers {
		if d := t.V1[c]; d != "" && !seen[d] {
			seen[d] = true
			out = append(out, d)
		}
	}
	if t.Unified != "" {
		out = append(out, t.Unified)
	}
	return out
}

// Remove takes away the tree's empty directories; one that holds a foreign cgroup stays.
func (t *Tree) Remove() {
	for _, d := range t.Dirs() {
		_ = os.Remove(d) // left for the next life if it is not empty
	}
	if t.lock != nil {
		t.lock.Close()
		t.lock = nil
	}
}

func mkdir(path string) error {
	if err := os.Mkdir(path, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}

// OCIPath is where a runtime of the Open Container Initiative finds the group of an instance: relative to its own cgroup
// on version 1, as it is in each hierarchy, from the root on version 2, where the daemon has moved aside.
func (t *Tree) OCIPath(instance string) string {
	if t.v2 {
		const mount = "/sys/fs/cgroup"
		return strings.TrimPrefix(filepath.Join(t.Unified, Prefix+instance), mount)
	}
	return filepath.Join(t.name, Prefix+instance)
}

// RemoveStray removes what such runtimes made of the tree in hierarchies that it does not use itself.
func (t *Tree) RemoveStray() {
	for _, d := range t.other {
		_ = os.Remove(filepath.Join(d, t.name)) // not there, or not empty
	}
}
