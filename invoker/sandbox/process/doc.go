// Package process is the driver of last resort: an instance is a plain process of the daemon's own user. It is for hosts
// that forbid user namespaces to an ordinary user, for development, is chosen by name only and warns at each start.
//
// What holds a function here: resource limits, no_new_privs, the same filter of system calls as everywhere, a session of
// its own, a watch over its memory, and Landlock where the kernel has it, by which it reads system folders, its code and
// the interpreter, writes its own temporary folder and /tmp, and (Linux 6.12) signals nobody outside.
//
// What does not: it sees the host's processes, uses the host's network whatever the service says, shares /tmp and the
// user id with every other function and the daemon, and can escape its end by changing its session, its parents and its
// environment. There are no /code and /var/fc/bootstrap: paths below them in the program, its arguments and its
// environment are replaced by those of the host, and sandbox.Placed tells the invoker where the code is.
//
//	driver: Start                         the same binary as "fcd-process" (Main)
//	  plan into a socket ---------------> limits, Landlock, no_new_privs, filter
//	  wait for the end of the stream <--- execve of the program
package process
