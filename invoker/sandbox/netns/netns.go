// Package netns works in the network namespace of an instance, for a process that is in another one: which namespace a
// socket belongs to is settled when it is made.
//
// A namespace is an open /proc/PID/ns/net; nil is the one of this process. Networks are tcp, tcp4 or tcp6, addresses
// numeric.
package netns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"fcd/invoker/sandbox/thread"
)

// Listen opens a listener, which holds the namespace until it is closed. Port 0 lets the kernel choose. In the namespace
// of this process the address is shared with other listeners of the kind.
func Listen(ns *os.File, network, address string) (net.Listener, error) {
	addr, err := parseAddress(network, address)
	if err != nil {
		return nil, err
	}
	f, err := socket(ns, addr, func(fd int) error {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
			return err
		}
		if ns == nil {
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
				return err
			}
		}
		if err := unix.Bind(fd, sockaddr(addr)); err != nil {
			return err
		}
		return unix.Listen(fd, unix.SOMAXCONN)
	})
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return net.FileListener(f)
}

// Pending is a connection that is being made.
type Pending struct{ f *os.File }

// Begin begins to connect; the namespace is not needed any more when it returns. Finish must be called.
func Begin(ns *os.File, network, address string) (Pending, error) {
	addr, err := parseAddress(network, address)
	if err != nil {
		return Pending{}, err
	}
	f, err := socket(ns, addr, func(fd int) error {
		if err := unix.Connect(fd, sockaddr(addr)); !errors.Is(err, unix.EINPROGRESS) {
			return err
		}
		return nil
	})
	return Pending{f}, err
}

// Finish waits until the connection is made, refused or given up.
func (p Pending) Finish(ctx context.Context) (net.Conn, error) {
	defer p.f.Close()
	if err := connected(ctx, p.f); err != nil {
		return nil, err
	}
	return net.FileConn(p.f)
}

// socket makes a non-blocking TCP socket and prepares it there.
func socket(ns *os.File, addr netip.AddrPort, prepare func(fd int) error) (*os.File, error) {
	family := unix.AF_INET
	if addr.Addr().Is6() {
		family = unix.AF_INET6
	}
	var f *os.File
	open := func() error {
		fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		if err := prepare(fd); err != nil {
			return errors.Join(err, unix.Close(fd))
		}
		f = os.NewFile(uintptr(fd), addr.String())
		return nil
	}
	err := Do(ns, open)
	return f, err
}

// Do runs f on a thread that is in the namespace, and ends with f since it may not come back.
func Do(ns *os.File, f func() error) error {
	if ns == nil {
		return f()
	}
	return thread.Run(func() error {
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter the network namespace: %w", err)
		}
		return f()
	})
}

// New makes a namespace with lo up, which lives as long as its file is open or somebody is in it.
func New() (ns *os.File, err error) {
	err = thread.Run(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		if ns, err = os.Open("/proc/thread-self/ns/net"); err != nil {
			return err
		}
		return raise("lo")
	})
	if err != nil && ns != nil {
		ns.Close()
		ns = nil
	}
	return ns, err
}

// Owned tells whether this process may change its own network namespace, given the capability: whether the namespace
// belongs to the process's user namespace. That of the host does not belong to an ordinary user's.
func Owned() bool {
	ns, err := os.Open("/proc/self/ns/net")
	if err != nil {
		return false
	}
	defer ns.Close()
	owner, err := unix.IoctlRetInt(int(ns.Fd()), unix.NS_GET_USERNS)
	if err != nil {
		return false // EPERM: it belongs to one above
	}
	return unix.Close(owner) == nil
}

// connected waits until the connection under way is made, refused or given up.
func connected(ctx context.Context, f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { f.SetWriteDeadline(time.Unix(1, 0)) }) // a socket takes a deadline
	defer stop()
	var state error
	err = raw.Write(func(fd uintptr) bool {
		if _, err := unix.Getpeername(int(fd)); err == nil {
			return true
		}
		code, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && code != 0 {
			err = syscall.Errno(code)
		}
		state = err
		return err != nil
	})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return err
	}
	return state
}

func parseAddress(network, address string) (netip.AddrPort, error) {
	addr, err := netip.ParseAddrPort(address)
	if err != nil {
		return addr, fmt.Errorf("address %q is not a numeric host:port: %w", address, err)
	}
	addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
	switch {
	case network == "tcp",
		network == "tcp4" && addr.Addr().Is4(),
		network == "tcp6" && addr.Addr().Is6():
		return addr, nil
	}
	return addr, fmt.Errorf("network %q does not fit address %q", network, address)
}

func sockaddr(addr netip.AddrPort) unix.Sockaddr {
	if addr.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(addr.Port()), Addr: addr.Addr().As16()}
}
