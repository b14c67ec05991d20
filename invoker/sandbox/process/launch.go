package process

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// programName is argv[0] of a launcher, socketFD where it finds its plan.
const (
	programName = "fcd-process"
	socketFD    = 5
)

// plan is what a launcher is told.
type plan struct {
	Path       string
	Args, Env  []string
	Dir        string
	Rlimits    map[int]uint64
	ReadDirs   []string
	ReadFiles  []string
	WriteDirs  []string
	WriteFiles []string
	Seccomp    []byte
}

// Main becomes a launcher if this process was started as one; then it does not return. Call it before anything else in
// main and in TestMain.
func Main() {
	if len(os.Args) == 0 || os.Args[0] != programName {
		return
	}
	runtime.LockOSThread()
	syscall.CloseOnExec(socketFD)
	err := launch()
	socket := os.NewFile(socketFD, "driver")
	fmt.Fprint(socket, err)
	os.Exit(125)
}

// launch returns only with an error.
func launch() error {
	var p plan
	if err := json.NewDecoder(os.NewFile(socketFD, "driver")).Decode(&p); err != nil {
		return fmt.Errorf("read the plan: %w", err)
	}
	// Orphans become children of the program, so that its tree stays one.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become the reaper: %w", err)
	}
	if err := os.Chdir(p.Dir); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	if err := restrict(&p); err != nil {
		return fmt.Errorf("landlock: %w", err)
	}
	if err := unix.CloseRange(socketFD, ^uint(0), unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("close_range: %w", err)
	}
	return execute(&p)
}

// execute sets the limits and loads the filter as the last things before the program: under the limit of its memory
// this process, which is larger than many a function, must not allocate any more.
func execute(p *plan) error {
	path, err := syscall.BytePtrFromString(p.Path)
	if err != nil {
		return err
	}
	argv, err := syscall.SlicePtrFromStrings(p.Args)
	if err != nil {
		return err
	}
	env, err := syscall.SlicePtrFromStrings(p.Env)
	if err != nil {
		return err
	}
	limits := make([]unix.Rlimit, 0, len(p.Rlimits))
	kinds := make([]int, 0, len(p.Rlimits))
	for kind, value := range p.Rlimits {
		kinds, limits = append(kinds, kind), append(limits, unix.Rlimit{Cur: value, Max: value})
	}
	filter := unix.SockFprog{Len: uint16(len(p.Seccomp) / 8), Filter: (*unix.SockFilter)(unsafe.Pointer(&p.Seccomp[0]))}
	for n, kind := range kinds {
		if _, _, errno := syscall.RawSyscall6(unix.SYS_PRLIMIT64, 0, uintptr(kind), uintptr(unsafe.Pointer(&limits[n])), 0, 0, 0); errno != 0 {
			return fmt.Errorf("limit %d to %d: %w", kind, limits[n].Cur, errno)
		}
	}
	if _, _, errno := syscall.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&filter))); errno != 0 {
		return fmt.Errorf("seccomp: %w", errno)
	}
	_, _, errno := syscall.RawSyscall(syscall.SYS_EXECVE, uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(&argv[0])), uintptr(unsafe.Pointer(&env[0])))
	return fmt.Errorf("%s%s: %w", execFailed, p.Path, errno)
}

// execFailed begins what is said of a program that cannot be executed.
const execFailed = "execute "
