// Package oci is the sandbox driver for an external runtime that speaks the Open Container Initiative's interface: runc,
// or gVisor's runsc, whose kernel of its own is a boundary for hostile tenants.
//
// Each instance is a container of one process. Its bundle lies below Options.Dir: a root file system of empty targets
// built by package layout, and a config.json with the same root, limits, capabilities and system calls that the driver
// native gives. The cgroup is made by this driver, with its limits set and read back, and the runtime only puts the
// process there; the network is a namespace that this driver makes, with lo, and that package nat leads to the internet where
// asked for. The runtime is given its path.
//
//	driver                                   runtime
//	make cgroup, network and bundle
//	create --preserve-fds 2 ---------------> namespaces, mounts; the init waits
//	open the init's pidfd
//	start ---------------------------------> execve of the program
//	wait for the init, which is our child
//	delete --force ------------------------> forgets the container
//
// The frames' pipes are descriptors 3 and 4 of the create command, which hands on exactly the two (--preserve-fds 2) and
// closes whatever else it has inherited. When create ends the init becomes a child of this process, which is therefore
// made the reaper of its descendants (PR_SET_CHILD_SUBREAPER): only so can it learn an exit code.
//
// gVisor's runsc differs in some of this: see gvisor.go.
//
// There is no Claim: every start is fresh, and takes several times as long as one of native. The driver needs root. What
// an earlier life left is deleted by New.
package oci
