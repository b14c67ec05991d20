package nat

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// inside is the name of the interface that an instance sees.
const inside = "eth0"

// Link is the pair of interfaces of one instance.
type Link struct {
	router *Router
	slot   int
	once   sync.Once
	err    error
}

// Connect makes the pair of an instance: ns is its network namespace, which may belong to a user namespace below that of
// this process. It changes nothing when it fails.
func (r *Router) Connect(ns *os.File) (*Link, error) {
	slot, err := r.take()
	if err != nil {
		return nil, err
	}
	l := &Link{router: r, slot: slot}
	if err := l.make(ns); err != nil {
		return nil, errors.Join(explain("connect to the network", err), l.Close())
	}
	return l, nil
}

// end is one side of a pair.
type end struct {
	mac  net.HardwareAddr
	nets []netip.Prefix
}

// ends follow from the number of the instance.
func (l *Link) ends() (host, instance end) {
	host.mac, instance.mac = hardware(0, l.slot), hardware(1, l.slot)
	for _, network := range []netip.Prefix{l.router.plan.net4, l.router.plan.net6} {
		if network.IsValid() {
			own, gateway := of(network, l.slot)
			host.nets, instance.nets = append(host.nets, gateway), append(instance.nets, own)
		}
	}
	return host, instance
}

// hardware is a locally administered address.
func hardware(side byte, slot int) net.HardwareAddr {
	b := []byte{0x02, side, 0, 0, 0, 0}
	binary.BigEndian.PutUint32(b[2:], uint32(slot))
	return b
}

func (l *Link) make(ns *os.File) error {
	r := l.router
	host, instance := l.ends()
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU, attrs.HardwareAddr = r.linkName(l.slot), r.mtu, host.mac
	err := r.host.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: inside, PeerHardwareAddr: instance.mac,
		PeerMTU: uint32(r.mtu), PeerNamespace: netlink.NsFd(int(ns.Fd()))})
	if err != nil {
		return fmt.Errorf("make the interfaces: %w", err)
	}
	if err := up(r.host, attrs.Name, host, instance); err != nil {
		return fmt.Errorf("interface %s: %w", attrs.Name, err)
	}
	h, err := handleIn(ns)
	if err != nil {
		return err
	}
	defer h.Close()
	if err := up(h, inside, instance, host); err != nil {
		return fmt.Errorf("interface %s of the instance: %w", inside, err)
	}
	return routes(h, host)
}

// up gives an interface its addresses and tells it, for good, where the other end is: neither side has to ask, and
// neither can be misled.
func up(h *netlink.Handle, name string, own, other end) error {
	link, err := h.LinkByName(name)
	if err != nil {
		return err
	}
	for _, p := range own.nets {
		a := &netlink.Addr{IPNet: ipNet(p)}
		if p.Addr().Is6() {
			a.Flags = unix.IFA_F_NODAD // nobody else is there to have it
		}
		if err := h.AddrAdd(link, a); err != nil {
			return fmt.Errorf("address %s: %w", p, err)
		}
	}
	if err := h.LinkSetUp(link); err != nil {
		return fmt.Errorf("set up: %w", err)
	}
	for _, p := range other.nets {
		n := &netlink.Neigh{LinkIndex: link.Attrs().Index, IP: p.Addr().AsSlice(), HardwareAddr: other.mac, State: netlink.NUD_PERMANENT}
		if err := h.NeighSet(n); err != nil {
			return fmt.Errorf("neighbour %s: %w", p.Addr(), err)
		}
	}
	return nil
}

// routes lead everything to the gateway.
func routes(h *netlink.Handle, gateway end) error {
	link, err := h.LinkByName(inside)
	if err != nil {
		return err
	}
	for _, p := range gateway.nets {
		everything := &net.IPNet{IP: make(net.IP, p.Addr().BitLen()/8), Mask: net.CIDRMask(0, p.Addr().BitLen())}
		err := h.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: everything, Gw: p.Addr().AsSlice()})
		if err != nil {
			return fmt.Errorf("route by %s: %w", p.Addr(), err)
		}
	}
	return nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// Close takes the pair away. It may be called when the instance, and with it the pair, is gone already, and twice.
func (l *Link) Close() error {
	l.once.Do(func() {
		name := l.router.linkName(l.slot)
		if err := remove(l.router.host, name); err != nil {
			l.err = fmt.Errorf("remove the interface %s: %w", name, err)
			return // its number stays taken
		}
		l.router.give(l.slot)
	})
	return l.err
}

// remove takes an interface away, if it is still there: it goes by itself with the namespace of its other end.
func remove(h *netlink.Handle, name string) error {
	link, err := h.LinkByName(name)
	if err == nil {
		err = h.LinkDel(link)
	}
	if errors.As(err, new(netlink.LinkNotFoundError)) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}
