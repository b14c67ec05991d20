package native

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
)

// reasonNAT is why Caps.NetNAT is false.
const reasonNAT = "this build gives functions no network but lo"

// Listen opens a TCP listener inside the instance's network namespace, for example on 127.100.0.1:80: every address of
// 127.0.0.0/8 is at lo. network is tcp, tcp4 or tcp6; address is numeric, port 0 lets the kernel choose. The listener
// holds the namespace until it is closed, which is the caller's task.
func (i *Instance) Listen(network, address string) (net.Listener, error) {
	addr, err := parseAddress(network, address)
	if err != nil {
		return nil, fmt.Errorf("listen in instance %s: %w", i.id, err)
	}
	f, err := i.socket(addr, func(fd int) error {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
			return err
		}
		if err := unix.Bind(fd, sockaddr(addr)); err != nil {
			return err
		}
		return unix.Listen(fd, unix.SOMAXCONN)
	})
	if err != nil {
		return nil, fmt.Errorf("listen on %s in instance %s: %w", address, i.id, err)
	}
	defer f.Close()
	return net.FileListener(f)
}

// Dial connects to a TCP address inside the instance's network namespace. network and address are as for Listen.
func (i *Instance) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	addr, err := parseAddress(network, address)
	if err != nil {
		return nil, fmt.Errorf("dial in instance %s: %w", i.id, err)
	}
	f, err := i.socket(addr, func(fd int) error {
		if err := unix.Connect(fd, sockaddr(addr)); !errors.Is(err, unix.EINPROGRESS) {
			return err
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("dial %s in instance %s: %w", address, i.id, err)
	}
	defer f.Close()
	if err := connected(ctx, f); err != nil {
		return nil, fmt.Errorf("dial %s in instance %s: %w", address, i.id, err)
	}
	return net.FileConn(f)
}

// socket makes a non-blocking TCP socket in the instance's network namespace and prepares it there. Which namespace a
// socket belongs to is settled when it is made, so only this part needs a thread of its own.
func (i *Instance) socket(addr netip.AddrPort, prepare func(fd int) error) (*os.File, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.gone {
		return nil, errGone
	}
	family := unix.AF_INET
	if addr.Addr().Is6() {
		family = unix.AF_INET6
	}
	var f *os.File
	err := onThread(func() error {
		if err := unix.Setns(int(i.net.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter the network namespace: %w", err)
		}
		fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		if err := prepare(fd); err != nil {
			return errors.Join(err, unix.Close(fd))
		}
		f = os.NewFile(uintptr(fd), addr.String())
		return nil
	})
	return f, err
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
