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

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"fcd/invoker/sandbox"
	"fcd/invoker/sandbox/nat"
)

// openNetwork prepares what networked instances share.
func (d *Driver) openNetwork() error {
	d.noNAT = "the network is switched off by configuration"
	switch {
	case d.opts.HostNetwork && !d.nested:
		return errors.New("network mode host is for ordinary users: as root, the mode nat closes what host cannot")
	case d.opts.HostNetwork:
		d.log.Warn("functions of services with internetAccess run on the host's network: its loopback, its neighbours " +
			"and metadata services are open to them")
	case d.opts.NAT != nil:
		return d.openNAT()
	}
	return nil
}

func (d *Driver) openNAT() (err error) {
	o := *d.opts.NAT
	o.ID = d.opts.ID
	if d.router, err = nat.Open(o); err == nil {
		return nil
	}
	d.router, d.noNAT = nil, err.Error()
	if d.opts.NATRequired {
		return fmt.Errorf("network mode nat: %w", err)
	}
	d.log.Warn("functions of services with internetAccess have no network", zap.Error(err))
	return nil
}

// checkNetwork refuses what is not offered.
func (d *Driver) checkNetwork(spec *sandbox.Spec) error {
	refuse := func(reason string) error {
		return fmt.Errorf("network %q: %w: %s", spec.Network, sandbox.ErrNotSupported, reason)
	}
	switch spec.Network {
	case "":
		spec.Network = sandbox.NetNone
	case sandbox.NetNone:
	case sandbox.NetNAT:
		if d.router == nil {
			return refuse(d.noNAT)
		}
	case sandbox.NetHost:
		if !d.opts.HostNetwork {
			return refuse("it is for ordinary users, by configuration only")
		}
	default:
		return fmt.Errorf("unknown network mode %q", spec.Network)
	}
	return nil
}

// connect leads the instance's network to the outside, while its init is busy with the rest.
func (i *Instance) connect(spec sandbox.Spec) <-chan error {
	done := make(chan error, 1)
	if spec.Network != sandbox.NetNAT {
		done <- nil
		return done
	}
	go func() {
		link, err := i.driver.router.Connect(int(i.net.Fd()))
		i.link = link // seen by whoever reads the channel
		done <- err
	}()
	return done
}

// Listen opens a TCP listener inside the instance's network namespace, for example on 127.100.0.1:80: every address of
// 127.0.0.0/8 is at lo. network is tcp, tcp4 or tcp6; address is numeric, port 0 lets the kernel choose. The listener
// holds the namespace until it is closed, which is the caller's task. On the host's network every instance shares the
// host's loopback: the same address can be listened on for each, and the kernel chooses one of them for a connection.
func (i *Instance) Listen(network, address string) (net.Listener, error) {
	addr, err := parseAddress(network, address)
	if err != nil {
		return nil, fmt.Errorf("listen in instance %s: %w", i.id, err)
	}
	f, err := i.socket(addr, func(fd int) error {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
			return err
		}
		if i.onHost {
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
		if !i.onHost { // where we are already
			if err := unix.Setns(int(i.net.Fd()), unix.CLONE_NEWNET); err != nil {
				return fmt.Errorf("enter the network namespace: %w", err)
			}
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
