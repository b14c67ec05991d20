// Package pasta is the way to the internet for a daemon that may not change the host's network: a network namespace of
// the daemon's own, and the program pasta (of the package passt), which makes the connections that come out of it again
// as sockets of the host, like any program of the user.
//
//	network namespace of the host     of the daemon                       of an instance
//	sockets of pasta <-----------> uplink0 [ package nat ] fcd1a2b-1 ==== eth0    lo
//
// Open makes the namespace and starts pasta; package nat, told of the namespace by its Options.Inside, does the rest
// there as it does it for root in the host's. pasta would lead to the host's own addresses as to any other: closing them
// is nat's task. It forwards no port, and is told not to take its gateway's address for the host's loopback. When it
// ends it is started again; when the daemon ends it dies.
//
// It needs the capabilities of a user namespace of one's own (native.EnterRootless), /dev/net/tun and a default route.
package pasta
