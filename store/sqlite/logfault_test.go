package sqlite_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"fcd/e2e/trap"
)

// TestFaultsOfTheBurstLog has one call to its file after the other fail, under a process that writes, or kills the process
// before, behind or in the midst of it. A full disk is gone on with, another error of it is final, and nothing that was
// acknowledged is lost or doubled by either.
func TestFaultsOfTheBurstLog(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("answering a process's system calls needs root")
	}
	killed := -1
	for _, fault := range []struct {
		name   string
		op     trap.Op
		exit   int
		answer func(*trap.Call) error
	}{
		{"no room to write", trap.Write, killed, func(*trap.Call) error { return unix.ENOSPC }},
		{"half a write", trap.Write, killed, func(c *trap.Call) error { return trap.Short(c.Bytes / 2) }},
		{"half a write and no room", trap.Write, killed, halfThen(unix.ENOSPC)},
		{"a write that fails", trap.Write, 3, func(*trap.Call) error { return unix.EIO }},
		{"half a write that fails", trap.Write, 3, halfThen(unix.EIO)},
		{"a flush that fails", trap.Sync, 3, func(*trap.Call) error { return unix.EIO }},
		{"killed in the midst of a write", trap.Write, killed, func(c *trap.Call) error {
			_, err := c.DoSome(c.Bytes / 2)
			return errors.Join(err, c.Kill())
		}},
		{"killed behind a write", trap.Write, killed, func(c *trap.Call) error { return errors.Join(c.Do(), c.Kill()) }},
		{"killed before a flush", trap.Sync, killed, (*trap.Call).Kill},
	} {
		t.Run(fault.name, func(t *testing.T) {
			dir, acked := t.TempDir(), map[string]bool{}
			for _, nth := range []int{2, 6} { // 1 may be that of the header; more than 64 are in no group, so there are 8
				left := nth
				answer := func(c *trap.Call) error {
					if c.Op != fault.op || !strings.HasSuffix(c.Path, "/bursts.log") {
						return nil
					}
					if left--; left != 0 {
						return nil
					}
					return fault.answer(c)
				}
				after := 0
				if fault.exit == killed {
					after = 500
				}
				var tr *trap.Trap
				exit, _ := startedBy(t, func(cmd *exec.Cmd) (err error) {
					tr, err = trap.Start(cmd, trap.Options{Answer: answer})
					return err
				}, dir, after, kill(t), acked, envFold+"=1")
				tr.Close()
				if exit != fault.exit || left > 0 {
					t.Errorf("at the %dth the process ended with %d, %d before that fault", nth, exit, left)
				}
				if verify(t, dir, acked); t.Failed() {
					t.Fatalf("at the %dth", nth)
				}
			}
		})
	}
}

// halfThen makes half of a write, of which the caller is told; what it asks for the rest is answered with an error.
func halfThen(errno unix.Errno) func(*trap.Call) error {
	return func(c *trap.Call) error {
		if _, err := c.DoSome(c.Bytes / 2); err != nil {
			return err
		}
		return errno
	}
}
