package oci

import (
	"fmt"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"fcd/invoker/sandbox"
	"fcd/invoker/sandbox/thread"
)

// connect makes the instance's network before anything of it runs: a namespace with lo, and with the internet where the
// spec says so. The runtime is told to use it.
func (i *Instance) connect(spec sandbox.Spec) (err error) {
	if i.net, err = newNetwork(); err != nil {
		return fmt.Errorf("network namespace: %w", err)
	}
	if spec.Network == sandbox.NetNAT {
		i.link, err = i.driver.router.Connect(int(i.net.Fd()))
	}
	return err
}

// newNetwork makes a network namespace, which lives as long as its file is open or somebody is in it.
func newNetwork() (ns *os.File, err error) {
	err = thread.Run(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		if ns, err = os.Open("/proc/thread-self/ns/net"); err != nil {
			return err
		}
		h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		defer h.Close()
		lo, err := h.LinkByName("lo")
		if err != nil {
			return err
		}
		return h.LinkSetUp(lo)
	})
	if err != nil && ns != nil {
		ns.Close()
		ns = nil
	}
	return ns, err
}
