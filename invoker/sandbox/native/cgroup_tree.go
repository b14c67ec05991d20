package native

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/cgroups"
	"golang.org/x/sys/unix"
)

// instancePrefix begins the names of the instances' cgroups.
const instancePrefix = "inst-"

// errInUse says that another living daemon has the same ID.
var errInUse = errors.New("in use by another daemon")

// cgroupTree is the part of the cgroup hierarchies that belongs to this driver: one directory "fcd-ID" below the
// daemon's own cgroup in each of them. A lock on the first keeps a second daemon with the same ID out.
type cgroupTree struct {
	v2      bool              // the controllers are those of unified
	v1      map[string]string // controller -> fcd-ID directory
	unified string            // fcd-ID in the v2 hierarchy; "" where there is none
	missing map[string]string // controller -> why it cannot be used
	lock    *os.File
	// noSwapAccount: the kernel has no memory.memsw files.
	noSwapAccount bool
}

// newCgroupTree makes the directories. Controllers that cannot be used are named in missing; without memory or pids the
// tree is empty, since half a tree would only promise what it does not hold. The error is about a second daemon.
func newCgroupTree(own ownCgroups, id string) (*cgroupTree, error) {
	t := &cgroupTree{v1: map[string]string{}, missing: map[string]string{}}
	name := "fcd-" + id
	t.v2 = len(own.v1) == 0 && own.unified != ""
	if t.v2 {
		t.openV2(own.unified, name)
	} else {
		t.openV1(own, name)
	}
	if len(t.missing) > 0 && (t.missing["memory"] != "" || t.missing["pids"] != "") {
		t.remove()
		t.v1, t.unified = map[string]string{}, ""
		return t, nil
	}
	if err := t.acquire(id); err != nil {
		return nil, err
	}
	return t, nil
}

// usable tells whether instances get cgroups.
func (t *cgroupTree) usable() bool { return len(t.dirs()) > 0 }

// openV1 makes the directory of each controller, and in the nearly empty v2 hierarchy of a hybrid host one for kill,
// freeze and birth.
func (t *cgroupTree) openV1(own ownCgroups, name string) {
	for _, c := range controllers {
		base, ok := own.v1[c]
		if !ok {
			t.missing[c] = "the cgroup controller " + c + " is not mounted"
			continue
		}
		dir := filepath.Join(base, name)
		if err := mkdir(dir); err != nil {
			t.missing[c] = cgroupReason(err)
			continue
		}
		t.v1[c] = dir
	}
	if own.unified != "" {
		dir := filepath.Join(own.unified, name)
		if err := mkdir(dir); err == nil {
			t.unified = dir
		}
	}
	if dir := t.v1["memory"]; dir != "" {
		t.noSwapAccount = !cgroups.PathExists(filepath.Join(dir, "memory.memsw.limit_in_bytes"))
	}
}

// openV2 makes room for instances below the daemon's cgroup. A cgroup that hands controllers to its children may hold no
// process itself, so the daemon moves into a child named daemon first, as a systemd unit with Delegate= allows.
func (t *cgroupTree) openV2(own, name string) {
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
	t.unified = dir
	if err := enableControllers(dir); err != nil {
		t.missAll(err)
		return
	}
	on, _ := os.ReadFile(filepath.Join(dir, "cgroup.subtree_control"))
	for _, c := range []string{"memory", "pids", "cpu"} {
		if !strings.Contains(" "+strings.TrimSpace(string(on))+" ", " "+c+" ") {
			t.missing[c] = "the cgroup controller " + c + " is not delegated to " + base +
				"; run fcd as a systemd unit with Delegate=cpu memory pids"
		}
	}
}

func (t *cgroupTree) missAll(err error) {
	for _, c := range controllers {
		t.missing[c] = cgroupReason(err)
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

// cgroupReason puts an error of making cgroups into an operator's words.
func cgroupReason(err error) string {
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
func (t *cgroupTree) acquire(id string) error {
	path := t.dirs()[0]
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("cgroups: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return fmt.Errorf("sandbox driver id %q: %w (%s is locked)", id, errInUse, path)
	}
	held, err1 := f.Stat()
	now, err2 := os.Stat(path)
	if err1 != nil || err2 != nil || !os.SameFile(held, now) {
		f.Close()
		return fmt.Errorf("sandbox driver id %q: %w (%s was just removed)", id, errInUse, path)
	}
	t.lock = f
	return nil
}

// dirs lists the tree's directories, the one that carries the lock first.
func (t *cgroupTree) dirs() []string {
	var out []string
	seen := map[string]bool{}
	for _, c := range controllers {
		if d := t.v1[c]; d != "" && !seen[d] {
			seen[d] = true
			out = append(out, d)
		}
	}
	if t.unified != "" {
		out = append(out, t.unified)
	}
	return out
}

// remove takes away the tree's empty directories; one that holds a foreign cgroup stays.
func (t *cgroupTree) remove() {
	for _, d := range t.dirs() {
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
