package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"fcd/invoker/sandbox/thread"
)

// TestTheDoctorOfAnOrdinaryUserSaysWhy runs it without privileges: on a host where a claim works, on one that lets nobody
// enter a mount namespace, and without pasta on both.
func TestTheDoctorOfAnOrdinaryUserSaysWhy(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("only root can become somebody else")
		return
	}
	dir := openFolder(t)
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "fcd")
	if err := os.WriteFile(binary, self, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		start     func(*exec.Cmd) error
		pool, why string // the state of the warm pool, and words of its detail
	}{
		"a claim works":                  {(*exec.Cmd).Start, findingOK, "claim a sandbox whose interpreter runs already"},
		"nobody enters mount namespaces": {withoutSetns, findingWarn, "enter the mount namespace: operation not permitted: a security module or the system call filter"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := command(t, "doctor", "--output", "json")
			cmd.Path, cmd.Args[0], cmd.Dir = binary, binary, dir
			cmd.Env = []string{commandEnv + "=1", "PATH=/nowhere", "HOME=" + dir, "TMPDIR=/tmp", "FCD_DATA_DIR=" + filepath.Join(dir, "data")}
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
			out := newOutput()
			cmd.Stdout, cmd.Stderr = out, os.Stderr
			if err := c.start(cmd); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // it may find a failure on this host
			var all []finding
			if err := json.Unmarshal([]byte(out.String()), &all); err != nil {
				t.Fatalf("%v in %s", err, out)
			}
			found := map[string]finding{}
			for _, f := range all {
				found[f.What] = f
			}
			if f := found["sandbox native"]; f.State != findingOK || !strings.Contains(f.Detail, "ordinary user") {
				t.Errorf("the sandbox: %+v", f)
			}
			if f := found["warm pool"]; f.State != c.pool || !strings.Contains(f.Detail, c.why) {
				t.Errorf("the warm pool: %+v, want %s: ...%s", f, c.pool, c.why)
			}
			if f := found["sandbox NetNAT"]; f.State != findingWarn || !strings.Contains(f.Detail, "apt-get install passt") {
				t.Errorf("the internet: %+v", f)
			}
		})
	}
}

// withoutSetns starts a command that, like the programs of some containers, cannot enter a mount namespace.
func withoutSetns(cmd *exec.Cmd) error {
	const number, second = 0, 24 // where struct seccomp_data has the call and its second argument
	raw, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: number, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.SYS_SETNS, SkipTrue: 3},
		bpf.LoadAbsolute{Off: second, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.CLONE_NEWNS, SkipTrue: 1},
		bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW},
	})
	if err != nil {
		return err
	}
	var filter []unix.SockFilter
	for _, r := range raw {
		filter = append(filter, unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K})
	}
	return thread.Run(func() error {
		program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
		_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&program)))
		runtime.KeepAlive(filter)
		if errno != 0 {
			return errno
		}
		return cmd.Start()
	})
}
