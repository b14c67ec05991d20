package cgroup

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/cgroups"
	"golang.org/x/sys/unix"
)

// reapWait is how long leftovers of an earlier life may take to die after SIGKILL.
const reapWait = 5 * time.Second

// Reap kills and removes what an earlier life of this daemon left, in its tree and in the one that the record tells of, and
// writes the record of this life. The lock is held, so nobody living owns it. It returns how many instances there were.
func (t *Tree) Reap() (int, error) {
	before, err := recorded(t.file)
	if err != nil {
		return 0, err
	}
	here, err1 := reap(t.Dirs())
	elsewhere, err2 := t.reapElsewhere(before)
	if err := errors.Join(err1, err2); err != nil {
		return here + elsewhere, err
	}
	return here + elsewhere, t.record(before)
}

// reap ends the instances in the directories of one tree.
func reap(parents []string) (int, error) {
	left := map[string][]string{} // name -> directories
	for _, parent := range parents {
		entries, err := os.ReadDir(parent)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("leftover instances: %w", err)
		}
		for _, e := range entries {
			if e.IsDir() && strings.HasPrefix(e.Name(), Prefix) {
				left[e.Name()] = append(left[e.Name()], filepath.Join(parent, e.Name()))
			}
		}
	}
	var errs error
	for name, dirs := range left {
		if err := reapOne(dirs); err != nil {
			errs = errors.Join(errs, fmt.Errorf("leftover instance %s: %w", name, err))
		}
	}
	return len(left), errs
}

// reapOne kills every process in the directories of one instance until none is left, then removes them.
func reapOne(dirs []string) error {
	pause := time.NewTimer(0)
	defer pause.Stop()
	deadline := time.Now().Add(reapWait)
	for {
		alive := 0
		for _, d := range dirs {
			thaw(d)
			// Where there is no cgroup.kill the loop below does the same, process by process.
			_ = os.WriteFile(filepath.Join(d, "cgroup.kill"), []byte("1"), 0)
			for _, pid := range Pids(d) {
				alive++
				killMember(pid, d)
			}
		}
		if alive == 0 {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d processes outlive SIGKILL", alive)
		}
		pause.Reset(2 * time.Millisecond)
		<-pause.C
	}
	for _, d := range dirs {
		if err := cgroups.RemovePath(d); err != nil {
			return err
		}
	}
	return nil
}

func thaw(dir string) {
	for name, value := range map[string]string{"freezer.state": "THAWED", "cgroup.freeze": "0"} {
		if cgroups.PathExists(filepath.Join(dir, name)) {
			_ = os.WriteFile(filepath.Join(dir, name), []byte(value), 0) // a frozen rest shows as alive
		}
	}
}

// Pids lists the processes of a cgroup; none if it is gone.
func Pids(dir string) []int {
	data, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err != nil {
		return nil
	}
	var pids []int
	for f := range bytes.FieldsSeq(data) {
		if pid, err := strconv.Atoi(string(f)); err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	return pids
}

// killMember kills a process if it is still a member of the cgroup: the number may have been given to another since.
func killMember(pid int, dir string) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	for _, p := range Pids(dir) {
		if p == pid {
			_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) // it may just have ended
			return
		}
	}
}
