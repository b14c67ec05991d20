package inside

import (
	"errors"
	"fmt"
	"math"
	"syscall"
	"unsafe"
)

// drop sets the limits and gives up every identity and capability. It uses raw system calls: those of package syscall
// would act on every thread of the process, while only the locked one survives execve.
func drop(p *Plan) error {
	if err := limit(p.Rlimits); err != nil {
		return err
	}
	if err := dropBounding(); err != nil {
		return err
	}
	if err := setIDs(p); err != nil {
		return err
	}
	if err := dropCapabilities(); err != nil {
		return fmt.Errorf("capset: %w", err)
	}
	if err := prctl(prSetNoNewPrivs, 1); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	if err := prctl(prSetDumpable, 0); err != nil {
		return fmt.Errorf("dumpable: %w", err)
	}
	return nil
}

// limit does not allocate unless it fails.
func limit(limits []Rlimit) error {
	for _, l := range limits {
		if err := setrlimit(l.Resource, l.Value); err != nil {
			return fmt.Errorf("limit %d to %d: %w", l.Resource, l.Value, err)
		}
	}
	return nil
}

// dropBounding empties the bounding and the ambient set. The kernel says EINVAL behind its last capability.
func dropBounding() error {
	for c := uintptr(0); ; c++ {
		err := prctl(prCapbsetDrop, c)
		if errors.Is(err, syscall.EINVAL) {
			break
		}
		if err != nil {
			return fmt.Errorf("drop capability %d: %w", c, err)
		}
	}
	if err := prctl(prCapAmbient, prCapAmbientClearAll); err != nil {
		return fmt.Errorf("clear ambient capabilities: %w", err)
	}
	return nil
}

func setIDs(p *Plan) error {
	if !p.KeepGroups {
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETGROUPS, 0, 0, 0); errno != 0 {
			return fmt.Errorf("setgroups: %w", errno)
		}
	}
	gid, uid := uintptr(p.GID), uintptr(p.UID)
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESGID, gid, gid, gid); errno != 0 {
		return fmt.Errorf("setresgid %d: %w", p.GID, errno)
	}
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, uid, uid, uid); errno != 0 {
		return fmt.Errorf("setresuid %d: %w", p.UID, errno)
	}
	return nil
}

// become turns this process into the interpreter. It returns only with an error.
func become(p *Plan) error {
	argv, env, path, err := execArgs(p)
	if err != nil {
		return err
	}
	if err := syscall.Chdir("/code"); err != nil {
		return fmt.Errorf("enter /code: %w", err)
	}
	if p.DieWithParent {
		if err := prctl(prSetPdeathsig, uintptr(syscall.SIGKILL)); err != nil {
			return fmt.Errorf("die with the daemon: %w", err)
		}
	}
	if _, _, errno := syscall.RawSyscall(sysCloseRange, SocketFD, math.MaxUint32, closeRangeCloexec); errno != 0 {
		return fmt.Errorf("close_range: %w", errno)
	}
	restoreSignals()
	writeAll([]byte{Ready})
	if err := limit(p.LastRlimits); err != nil {
		return err
	}
	if err := loadFilter(p.Seccomp); err != nil {
		return fmt.Errorf("load the seccomp filter: %w", err)
	}
	_, _, errno := syscall.RawSyscall(syscall.SYS_EXECVE, uintptr(unsafe.Pointer(path)),
		uintptr(unsafe.Pointer(&argv[0])), uintptr(unsafe.Pointer(&env[0])))
	return fmt.Errorf(ExecFailed+"%s: %w", p.Path, errno)
}

func execArgs(p *Plan) (argv, env []*byte, path *byte, err error) {
	if argv, err = syscall.SlicePtrFromStrings(p.Args); err != nil {
		return nil, nil, nil, fmt.Errorf("arguments %q: %w", p.Args, err)
	}
	if env, err = syscall.SlicePtrFromStrings(p.Env); err != nil {
		return nil, nil, nil, fmt.Errorf("environment: %w", err)
	}
	if path, err = syscall.BytePtrFromString(p.Path); err != nil {
		return nil, nil, nil, fmt.Errorf("path %q: %w", p.Path, err)
	}
	return argv, env, path, nil
}

// restoreSignals gives the function default dispositions even if the daemon was started with some ignored (nohup).
// Handlers are reset by execve itself.
func restoreSignals() {
	var action [4]uintptr // the kernel's struct sigaction: handler SIG_DFL, flags, restorer, mask
	for sig := uintptr(1); sig <= 64; sig++ {
		syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
	}
}

func loadFilter(program []byte) error {
	const sizeofFilter = 8
	if len(program) == 0 || len(program)%sizeofFilter != 0 {
		return fmt.Errorf("a program of %d bytes", len(program))
	}
	prog := syscall.SockFprog{
		Len:    uint16(len(program) / sizeofFilter),
		Filter: (*syscall.SockFilter)(unsafe.Pointer(&program[0])),
	}
	_, _, errno := syscall.RawSyscall(sysSeccomp, seccompSetModeFilter, 0, uintptr(unsafe.Pointer(&prog)))
	return asError(errno)
}
