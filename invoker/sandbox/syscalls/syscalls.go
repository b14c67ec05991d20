// Package syscalls is what functions may ask the kernel for: one list for all drivers, each of which makes a filter of it.
// What is not on the list is refused with EPERM.
package syscalls

import (
	_ "embed"
	"strings"

	"golang.org/x/sys/unix"
)

//go:embed allowed.txt
var allowed string

// Names are the calls that are allowed whatever their arguments are; a filter skips those that its architecture lacks.
// Not among them are the four that are decided by argument: clone (no flag of NewNamespaces), clone3 (refused with
// ENOSYS, which libraries fall back from), socket (SocketFamilies) and personality (Personalities).
func Names() (names []string) {
	for line := range strings.Lines(allowed) {
		if name := strings.TrimSpace(line); name != "" && !strings.HasPrefix(name, "#") {
			names = append(names, name)
		}
	}
	return names
}

// NewNamespaces are the flags of clone that would give a process namespaces of its own, and with them capabilities.
const NewNamespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC |
	unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET

// SocketFamilies are the address families of the sockets that may be made.
func SocketFamilies() []uint32 {
	return []uint32{unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK}
}

// Personalities are Linux, 32-bit uname, fixed addresses, both, and the question for the present value.
func Personalities() []uint32 { return []uint32{0x0, 0x8, 0x20000, 0x20008, 0xffffffff} }
