package nat

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// addresses are the networks that instances get theirs from: the instance with the number n has the addresses 2n+1 of
// both, its gateway 2n.
type addresses struct {
	net4 netip.Prefix
	net6 netip.Prefix // not valid: no IPv6
}

// maxSlots bounds the numbers to what a name of an interface can hold, and more than a host can run.
const maxSlots = 1 << 19

func (a addresses) slots() int {
	return min(1<<(32-a.net4.Bits()-1)-1, maxSlots)
}

// of are the addresses of an instance and of its gateway; the prefix holds exactly the two.
func of(network netip.Prefix, slot int) (own, gateway netip.Prefix) {
	b := network.Addr().AsSlice()
	low := b[len(b)-4:]
	binary.BigEndian.PutUint32(low, binary.BigEndian.Uint32(low)+uint32(2*slot))
	bits := len(b)*8 - 1
	g, _ := netip.AddrFromSlice(b)
	return netip.PrefixFrom(g.Next(), bits), netip.PrefixFrom(g, bits)
}

// chooseAddresses takes the configured network or the first free one of those that suit the daemon's ID.
func chooseAddresses(h *netlink.Handle, o Options, ipv6 bool) (addresses, error) {
	taken, err := takenNets(h)
	if err != nil {
		return addresses{}, err
	}
	var a addresses
	if ipv6 {
		a.net6 = uniqueLocal(o.sum())
	}
	if o.Subnet.IsValid() {
		a.net4 = o.Subnet.Masked()
		if other, ok := overlap(taken, a.net4); ok {
			return a, fmt.Errorf("network.subnet %s overlaps %s, which this host uses already", a.net4, other)
		}
		return a, nil
	}
	const choices = 1 << 9 // of /20 in 10.224.0.0/11
	for n := range uint32(choices) {
		i := (o.sum() + n) % choices
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 224 | byte(i>>4), byte(i << 4), 0}), 20)
		if _, ok := overlap(taken, p); !ok {
			a.net4 = p
			return a, nil
		}
	}
	return a, fmt.Errorf("no part of 10.224.0.0/11 is free on this host: choose a network by network.subnet")
}

// uniqueLocal is a /64 of the range for private use (RFC 4193).
func uniqueLocal(sum uint32) netip.Prefix {
	b := [16]byte{0: 0xfd, 5: 0xfc}
	binary.BigEndian.PutUint32(b[1:5], sum)
	return netip.PrefixFrom(netip.AddrFrom16(b), 64)
}

func overlap(taken []netip.Prefix, p netip.Prefix) (netip.Prefix, bool) {
	for _, t := range taken {
		if t.Overlaps(p) {
			return t, true
		}
	}
	return netip.Prefix{}, false
}

// takenNets are the networks of the host's addresses and routes but the default ones.
func takenNets(h *netlink.Handle) ([]netip.Prefix, error) {
	var all []netip.Prefix
	add := func(n *net.IPNet) {
		if n == nil {
			return
		}
		if a, ok := netip.AddrFromSlice(n.IP); ok {
			bits, _ := n.Mask.Size()
			if p := netip.PrefixFrom(a.Unmap(), bits); p.Bits() > 0 {
				all = append(all, p.Masked())
			}
		}
	}
	routes, err := h.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return nil, fmt.Errorf("nat: list the routes: %w", err)
	}
	for _, r := range routes {
		add(r.Dst)
	}
	addrs, err := h.AddrList(nil, netlink.FAMILY_V4)
	if err != nil {
		return nil, fmt.Errorf("nat: list the addresses: %w", err)
	}
	for _, a := range addrs {
		add(a.IPNet)
	}
	return all, nil
}

// uplinkMTU is the smallest size of packets among the interfaces that default routes lead to; 1500 without one.
func uplinkMTU(h *netlink.Handle) (int, error) {
	routes, err := h.RouteList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return 0, fmt.Errorf("nat: list the routes: %w", err)
	}
	mtu := 1500
	for _, r := range routes {
		if r.Dst != nil && !r.Dst.IP.IsUnspecified() {
			continue
		}
		if l, err := h.LinkByIndex(r.LinkIndex); err == nil && l.Attrs().MTU > 0 {
			mtu = min(mtu, l.Attrs().MTU)
		}
	}
	return max(mtu, 1280), nil
}
