package inside

import (
	"errors"
	"fmt"
	"math"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// drop sets the limits and gives up every identity and capability. It uses raw system calls: those of package syscall
// would act on every thread of the process, while only the locked one survives execve.
func drop(p *Plan) error {
	for _, l := range p.Rlimits {
		limit := unix.Rlimit{Cur: l.Value, Max: l.Value}
		if err := unix.Prlimit(0, l.Resource, &limit, nil); err != nil {
			return fmt.Errorf("limit %d to %d: %w", l.Resource, l.Value, err)
		}
	}
	if err := dropBounding(); err != nil {
		return err
	}
	if err := setIDs(p); err != nil {
		return err
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&header, &none[0]); err != nil {
		return fmt.Errorf("capset: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("dumpable: %w", err)
	}
	return nil
}

// dropBounding empties the bounding and the ambient set. The kernel says EINVAL behind its last capability.
func dropBounding() error {
	for c := uintptr(0); ; c++ {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
		if errors.Is(err, unix.EINVAL) {
			break
		}
		if err != nil {
			return fmt.Errorf("drop capability %d: %w", c, err)
		}
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("clear ambient capabilities: %w", err)
	}
	return nil
}

func setIDs(p *Plan) error {
	if !p.KeepGroups {
		if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0); errno != 0 {
			return fmt.Errorf("setgroups: %w", errno)
		}
	}
	gid, uid := uintptr(p.GID), uintptr(p.UID)
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, gid, gid, gid); errno != 0 {
		return fmt.Errorf("setresgid %d: %w", p.GID, errno)
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uid, uid, uid); errno != 0 {
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
	if err := unix.Chdir("/code"); err != nil {
		return fmt.Errorf("enter /code: %w", err)
	}
	if p.DieWithParent {
		if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
			return fmt.Errorf("die with the daemon: %w", err)
		}
	}
	if err := unix.CloseRange(SocketFD, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("close_range: %w", err)
	}
	restoreSignals()
	writeAll([]byte{Ready})
	if err := loadFilter(p.Seccomp); err != nil {
		return fmt.Errorf("load the seccomp filter: %w", err)
	}
	_, _, errno := unix.RawSyscall(unix.SYS_EXECVE, uintptr(unsafe.Pointer(path)),
		uintptr(unsafe.Pointer(&argv[0])), uintptr(unsafe.Pointer(&env[0])))
	return fmt.Errorf("execute %s: %w", p.Path, errno)
}

func execArgs(p *Plan) (argv, env []*byte, path *byte, err error) {
	if argv, err = syscall.SlicePtrFromStrings(p.Args); err != nil {
		return nil, nil, nil, fmt.Errorf("arguments %q: %w", p.Args, err)
	}
	if env, err = syscall.SlicePtrFromStrings(p.Env); err != nil {
		return nil, nil, nil, fmt.Errorf("environment: %w", err)
	}
	if path, err = unix.BytePtrFromString(p.Path); err != nil {
		return nil, nil, nil, fmt.Errorf("path %q: %w", p.Path, err)
	}
	return argv, env, path, nil
}

// restoreSignals gives the function default dispositions even if the daemon was started with some ignored (nohup).
// Handlers are reset by execve itself.
func restoreSignals() {
	var action [4]uintptr // the kernel's struct sigaction: handler SIG_DFL, flags, restorer, mask
	for sig := uintptr(1); sig <= 64; sig++ {
		unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
	}
}

func loadFilter(program []byte) error {
	const sizeofFilter = 8
	if len(program) == 0 || len(program)%sizeofFilter != 0 {
		return fmt.Errorf("a program of %d bytes", len(program))
	}
	prog := unix.SockFprog{
		Len:    uint16(len(program) / sizeofFilter),
		Filter: (*unix.SockFilter)(unsafe.Pointer(&program[0])),
	}
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return errno
	}
	return nil
}
