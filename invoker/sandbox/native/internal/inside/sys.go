package inside

import (
	"syscall"
	"unsafe"
)

// This package imports the standard library alone, see Main. What package syscall lacks stands here. Numbers from 424 on
// are the same on every architecture.
const (
	sysOpenTree     = 428
	sysMoveMount    = 429
	sysCloseRange   = 436
	sysMountSetattr = 442

	atFDCWD     = -0x64
	atEmptyPath = 0x1000
	atRecursive = 0x8000

	openTreeClone      = 0x1
	moveMountEmptyPath = 0x4
	closeRangeCloexec  = 0x4

	mountAttrRdonly = 0x1
	mountAttrNosuid = 0x2
	mountAttrNodev  = 0x4
	mountAttrNoexec = 0x8

	cloneNewCgroup = 0x02000000

	prSetDumpable   = 4
	prSetPdeathsig  = 1
	prCapbsetDrop   = 24
	prSetNoNewPrivs = 38
	prCapAmbient    = 47

	prCapAmbientClearAll    = 4
	linuxCapabilityVersion3 = 0x20080522
	seccompSetModeFilter    = 1
)

// openTree is open_tree(2) relative to the working directory.
func openTree(path string, flags uint) (int, error) {
	p, err := syscall.BytePtrFromString(path)
	if err != nil {
		return -1, err
	}
	at := atFDCWD
	fd, _, errno := syscall.Syscall(sysOpenTree, uintptr(at), uintptr(unsafe.Pointer(p)), uintptr(flags))
	return int(fd), asError(errno)
}

// moveMount attaches the detached tree at path.
func moveMount(tree int, path string) error {
	empty := new(byte)
	p, err := syscall.BytePtrFromString(path)
	if err != nil {
		return err
	}
	at := atFDCWD
	_, _, errno := syscall.Syscall6(sysMoveMount, uintptr(tree), uintptr(unsafe.Pointer(empty)), uintptr(at),
		uintptr(unsafe.Pointer(p)), moveMountEmptyPath, 0)
	return asError(errno)
}

// mountSetattr sets attributes of the mount at fd and path.
func mountSetattr(fd int, path string, flags uint, set uint64) error {
	attr := struct{ set, clear, propagation, userns uint64 }{set: set}
	p, err := syscall.BytePtrFromString(path)
	if err != nil {
		return err
	}
	_, _, errno := syscall.Syscall6(sysMountSetattr, uintptr(fd), uintptr(unsafe.Pointer(p)), uintptr(flags),
		uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	return asError(errno)
}

// prctl acts on the calling thread.
func prctl(option int, arg uintptr) error {
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, uintptr(option), arg, 0, 0, 0, 0)
	return asError(errno)
}

// setrlimit sets the soft and the hard limit.
func setrlimit(resource int, value uint64) error {
	limit := syscall.Rlimit{Cur: value, Max: value}
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, 0, uintptr(resource), uintptr(unsafe.Pointer(&limit)), 0, 0, 0)
	return asError(errno)
}

// dropCapabilities empties the three sets of the calling thread.
func dropCapabilities() error {
	header := struct {
		version uint32
		pid     int32
	}{version: linuxCapabilityVersion3}
	var none [2]struct{ effective, permitted, inheritable uint32 }
	_, _, errno := syscall.RawSyscall(syscall.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&none)), 0)
	return asError(errno)
}

func asError(errno syscall.Errno) error {
	if errno != 0 {
		return errno
	}
	return nil
}
