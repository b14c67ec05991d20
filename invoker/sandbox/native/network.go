package native

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"go.uber.org/zap"

	"fcd/invoker/sandbox"
	"fcd/invoker/sandbox/nat"
	"fcd/invoker/sandbox/netns"
	"fcd/invoker/sandbox/pasta"
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
	o.ID, o.Log = d.opts.ID, d.log
	if !netns.Owned() {
		if d.pasta, err = pasta.Open(pasta.Options{Command: d.opts.Pasta, Log: d.log}); err == nil {
			o.Inside = d.pasta.Namespace()
		}
	}
	if err == nil {
		if d.router, err = nat.Open(o); err == nil {
			return nil
		}
	}
	if d.pasta != nil {
		d.pasta.Close()
	}
	d.pasta, d.router, d.noNAT = nil, nil, err.Error()
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
		link, err := i.driver.router.Connect(i.net)
		i.link = link // seen by whoever reads the channel
		done <- err
	}()
	return done
}

// namespace is where the instance's sockets are: nil for the host's, where we are already.
func (i *Instance) namespace() (*os.File, error) {
	switch {
	case i.gone:
		return nil, errGone
	case i.onHost:
		return nil, nil
	}
	return i.net, nil
}

// Listen opens a TCP listener inside the instance's network namespace, for example on 127.100.0.1:80: every address of
// 127.0.0.0/8 is at lo. network is tcp, tcp4 or tcp6; address is numeric, port 0 lets the kernel choose. The listener
// holds the namespace until it is closed, which is the caller's task. On the host's network every instance shares the
// host's loopback: the same address can be listened on for each, and the kernel chooses one of them for a connection.
func (i *Instance) Listen(network, address string) (net.Listener, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	ns, err := i.namespace()
	if err == nil {
		var l net.Listener
		if l, err = netns.Listen(ns, network, address); err == nil {
			return l, nil
		}
	}
	return nil, fmt.Errorf("listen on %s in instance %s: %w", address, i.id, err)
}

// Dial connects to a TCP address inside the instance's network namespace. network and address are as for Listen.
func (i *Instance) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := i.dial(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("dial %s in instance %s: %w", address, i.id, err)
	}
	return c, nil
}

func (i *Instance) dial(ctx context.Context, network, address string) (net.Conn, error) {
	i.mu.Lock()
	ns, err := i.namespace()
	if err != nil {
		i.mu.Unlock()
		return nil, err
	}
	pending, err := netns.Begin(ns, network, address)
	i.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return pending.Finish(ctx)
}
