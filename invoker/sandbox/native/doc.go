// Package native is the sandbox driver that needs nothing but a Linux kernel (5.12 or newer): namespaces, cgroups,
// seccomp and capabilities, put together by the daemon itself. It works as root and, with EnterRootless, as an ordinary
// user.
//
// An instance is a process tree whose pid 1 is the function's interpreter. It sees a root file system of its own: the
// host's /usr (or that of the runtime's root directory) read-only, a handful of files in /etc, its code at /code and the
// bootstrap at /var/fc/bootstrap, both read-only, a private /tmp and /dev/shm, its own /proc, and a network namespace
// with lo and, by sandbox.NetNAT, the internet. It runs under a user id of its own, without capabilities, behind an allow-list of system calls,
// in a cgroup that bounds memory, processor share and process count.
//
// How a start goes:
//
//	daemon: Start                              init (package inside, same binary)
//	  reserve uid, make the cgroup
//	  write the plan into a socket
//	  clone into namespaces and cgroup ------> read the plan
//	  open /proc/PID/ns/{mnt,net}              build the root, pivot, drop privileges
//	  wait for Ready and end of stream <------ Ready, seccomp, execve of the interpreter
//
// main (and TestMain of every package that starts instances) calls Main first of all, since the init is the same
// binary under another name:
//
//	func main() {
//		native.Main()                       // does not return in an init
//		if err := native.EnterRootless(); err != nil { ... } // does nothing when root
//		driver, err := native.New(native.Options{ID: "main"})
//
// Where no cgroup can be written (most often: an ordinary user outside a delegated subtree), limits are weak: resource
// limits plus a watch over the resident memory of each tree. Probe says so in Caps.
//
// Package nat leads those instances to the internet that are to have it. None of this is a boundary against exploits of
// the kernel, which the instances share with the host.
package native
