package process

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What rules allow (landlock(7)). Rights that the kernel does not know are not asked for.
const (
	readFile  = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE
	readDir   = readFile | unix.LANDLOCK_ACCESS_FS_READ_DIR
	writeFile = readFile | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE
	writeDir  = allRights &^ unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	allRights = 1<<16 - 1 // of version 5
)

// Bits of landlock_ruleset_attr.scoped: nothing outside is reached by abstract sockets and by signals.
const scopeAll = 1<<0 | 1<<1

// handledRights are the rights on files that a version of the kernel's Landlock knows.
func handledRights(version int) uint64 {
	switch {
	case version >= 5:
		return allRights
	case version >= 3:
		return allRights &^ unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	case version == 2:
		return unix.LANDLOCK_ACCESS_FS_TRUNCATE - 1
	}
	return unix.LANDLOCK_ACCESS_FS_REFER - 1
}

// restrict leaves the calling thread, and the program that it is about to execute, the plan's paths and no others, as far as
// the kernel can. The one thread is enough, so that the library for it, which wraps the creation of all threads where cgo is
// on and with that upsets the race detector, is not needed.
func restrict(p *plan) error {
	version := landlockVersion()
	if version == 0 {
		return nil
	}
	attr := unix.LandlockRulesetAttr{Handled_access_fs: handledRights(version)}
	if version >= 6 {
		attr.Scoped = scopeAll
	}
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	if errno != 0 {
		return fmt.Errorf("make a ruleset: %w", errno)
	}
	defer unix.Close(int(fd))
	for _, r := range []struct {
		paths  []string
		rights uint64
	}{{p.ReadDirs, readDir}, {p.ReadFiles, readFile}, {p.WriteDirs, writeDir}, {p.WriteFiles, writeFile}} {
		for _, path := range r.paths {
			if err := allow(int(fd), path, r.rights&attr.Handled_access_fs); err != nil {
				return fmt.Errorf("allow %s: %w", path, err)
			}
		}
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); errno != 0 {
		return fmt.Errorf("restrict: %w", errno)
	}
	return nil
}

// allow adds a rule. A path that is not there needs none.
func allow(ruleset int, path string, rights uint64) error {
	at, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(at)
	rule := unix.LandlockPathBeneathAttr{Allowed_access: rights, Parent_fd: int32(at)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(ruleset), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// landlockVersion is the kernel's, 0 without.
func landlockVersion() int {
	v, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(v)
}
