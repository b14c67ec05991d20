package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"fcd/invoker/sandbox/cgroup"
	"fcd/invoker/sandbox/nat"
)

// homes are the data directories of all daemons that this run of the tests has started.
var homes sync.Map

// sandboxID is under what name a daemon on the data directory makes its cgroups.
func sandboxID(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return hex.EncodeToString(sum[:8])
}

// cgroupsNamed lists the cgroups of daemons that are of interest.
func cgroupsNamed(ofInterest func(name string) bool) (all []string, err error) {
	err = filepath.WalkDir("/sys/fs/cgroup", func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) { // gone meanwhile, or another's
			return nil
		}
		if err == nil && e.IsDir() && ofInterest(e.Name()) {
			all = append(all, path)
			return filepath.SkipDir
		}
		return err
	})
	return all, err
}

// cgroupsOf lists the cgroups that a daemon on the data directory has made.
func cgroupsOf(t testing.TB, dir string) []string {
	t.Helper()
	name := "fcd-" + sandboxID(dir)
	all, err := cgroupsNamed(func(n string) bool { return n == name })
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// leftBehind tells what the daemons of this run have left on the machine: cgroups, tables of nftables, mounts. Other packages'
// tests run beside these: their daemons have other directories, and so other names.
func leftBehind() error {
	dirs, errs := map[string]string{}, []error{}
	mounts, err := os.ReadFile("/proc/self/mounts")
	homes.Range(func(key, _ any) bool {
		dir := key.(string)
		dirs["fcd-"+sandboxID(dir)] = dir
		if strings.Contains(string(mounts), " "+dir+"/") {
			errs = append(errs, fmt.Errorf("the daemon on %s left a mount", dir))
		}
		return true
	})
	left, err1 := cgroupsNamed(func(n string) bool { return dirs[n] != "" })
	for _, path := range append(left, nat.Tables()...) {
		if dir := dirs[filepath.Base(path)]; dir != "" {
			errs = append(errs, fmt.Errorf("the daemon on %s left %s", dir, path))
		}
	}
	return errors.Join(append(errs, err, err1)...)
}

// bury removes what is left of a daemon that was killed, as its next start would. One that ends by itself removes them:
// that is not helped with.
func bury(t testing.TB, dir string, ended *os.ProcessState) {
	t.Helper()
	if ended == nil || ended.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		return
	}
	tree, err := cgroup.Open(sandboxID(dir), "")
	if err != nil {
		t.Errorf("cgroups of the killed daemon on %s: %v", dir, err)
		return
	}
	defer tree.Remove()
	if _, err := tree.Reap(); err != nil {
		t.Error(err)
	}
	if err := nat.RemoveTable(sandboxID(dir)); err != nil {
		t.Error(err)
	}
}
