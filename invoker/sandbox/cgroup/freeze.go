package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"fcd/invoker/sandbox"
)

// freezeWait bounds how long processes may take to stop; longer means that one hangs in the kernel.
const freezeWait = time.Second

// Freeze stops every process of the instance, or lets them go on. It returns when that has come true.
func (g *Group) Freeze(frozen bool) error {
	switch {
	case g.Unified != "":
		return freezeV2(g.Unified, frozen)
	case g.V1["freezer"] != "":
		return freezeV1(g.V1["freezer"], frozen)
	}
	return fmt.Errorf("%w: no freezer hierarchy is mounted", sandbox.ErrNotSupported)
}

// freezeV2 writes the wish and waits for the event that it came true.
func freezeV2(dir string, frozen bool) error {
	want := map[bool]string{true: "1", false: "0"}[frozen]
	if err := os.WriteFile(filepath.Join(dir, "cgroup.freeze"), []byte(want), 0); err != nil {
		return err
	}
	events, err := os.Open(filepath.Join(dir, "cgroup.events"))
	if err != nil {
		return err
	}
	defer events.Close()
	for deadline := time.Now().Add(freezeWait); ; {
		var b [256]byte
		n, _ := events.ReadAt(b[:], 0)
		if strings.Contains(string(b[:n]), "frozen "+want) {
			return nil
		}
		left := time.Until(deadline)
		if left <= 0 {
			return fmt.Errorf("cgroup %s is not in state %q after %v", dir, want, freezeWait)
		}
		poll := []unix.PollFd{{Fd: int32(events.Fd()), Events: unix.POLLPRI}}
		if _, err := unix.Poll(poll, int(left.Milliseconds())+1); err != nil && err != unix.EINTR {
			return err
		}
	}
}

// freezeV1 writes the state until the kernel has reached it: FREEZING is an answer too, and writing again helps it on.
func freezeV1(dir string, frozen bool) error {
	want := map[bool]string{true: "FROZEN", false: "THAWED"}[frozen]
	path := filepath.Join(dir, "freezer.state")
	pause := time.NewTimer(0)
	defer pause.Stop()
	for deadline := time.Now().Add(freezeWait); ; {
		if err := os.WriteFile(path, []byte(want), 0); err != nil {
			return err
		}
		state, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if strings.TrimSpace(string(state)) == want {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s holds %q after %v", path, state, freezeWait)
		}
		pause.Reset(time.Millisecond)
		<-pause.C
	}
}
