package netns

import (
	"fmt"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Leads tells by which families of addresses a default route leads out of a namespace.
func Leads(ns *os.File) (v4, v6 bool, err error) {
	var routes []netlink.Route
	err = Do(ns, func() error {
		h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		defer h.Close()
		routes, err = h.RouteList(nil, netlink.FAMILY_ALL)
		return err
	})
	if err != nil {
		return false, false, fmt.Errorf("list the routes: %w", err)
	}
	for _, r := range routes {
		if r.Dst != nil && !r.Dst.IP.IsUnspecified() || r.Type != unix.RTN_UNICAST {
			continue
		}
		v4, v6 = v4 || r.Family == netlink.FAMILY_V4, v6 || r.Family == netlink.FAMILY_V6
	}
	return v4, v6, nil
}

// raise sets an interface up.
func raise(name string) error {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer h.Close()
	link, err := h.LinkByName(name)
	if err != nil {
		return err
	}
	return h.LinkSetUp(link)
}
