package nat

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"fcd/invoker/sandbox/netns"
)

// closed is every address of the host, as two sets of nftables, for a Router outside of the host's network: no hook of
// the kernel tells there what the host takes for its own. The sets follow the host's local routes, and so lag behind a new
// address by milliseconds. A connection that was made meanwhile goes no further, since every packet is looked at.
//
// Nothing was found that does not lag. Sockets of pasta that are bound to an interface (--outbound-if4, SO_BINDTODEVICE)
// do not reach the addresses of other interfaces, but those of the same one they do, and they lose the host's other routes;
// hooks at connect(2) are root's (BPF), know ports alone (Landlock), or look before the kernel does (seccomp's notification).
type closed struct {
	v4, v6  *nftables.Set
	host    ranges            // what the host has, as far as is known
	changes *nl.NetlinkSocket // of the host's routes; nil until followed
	quit    chan struct{}
	done    chan struct{} // closed when nobody follows any more
}

func newClosed() *closed { return &closed{quit: make(chan struct{}), done: make(chan struct{})} }

// look learns what the host has now.
func (s *closed) look() error {
	host, err := hostRanges()
	if err != nil {
		return err
	}
	s.host = host
	return nil
}

// add makes the sets.
func (s *closed) add(c *nftables.Conn, t *nftables.Table) error {
	s.v4 = &nftables.Set{Table: t, ID: 1, Name: "host4", KeyType: nftables.TypeIPAddr, Interval: true}
	s.v6 = &nftables.Set{Table: t, ID: 2, Name: "host6", KeyType: nftables.TypeIP6Addr, Interval: true}
	for _, set := range []*nftables.Set{s.v4, s.v6} {
		if err := c.AddSet(set, nil); err != nil {
			return err
		}
	}
	return s.fill(c)
}

// matches are the parts of rules about packets to the host.
func (s *closed) matches() [][]expr.Any {
	in := func(set *nftables.Set) expr.Any {
		return &expr.Lookup{SourceRegister: 1, SetID: set.ID, SetName: set.Name}
	}
	return [][]expr.Any{append(load(unix.NFPROTO_IPV4, 16, 4), in(s.v4)), append(load(unix.NFPROTO_IPV6, 24, 16), in(s.v6))}
}

// fill adds the host's addresses.
func (s *closed) fill(c *nftables.Conn) error {
	const most = 256 // of a message
	for set, ranges := range map[*nftables.Set][]addressRange{s.v4: s.host.v4, s.v6: s.host.v6} {
		for part := range slices.Chunk(ranges, most) {
			var elements []nftables.SetElement
			for _, r := range part {
				elements = append(elements, nftables.SetElement{Key: r.first.AsSlice()})
				if after := r.last.Next(); after.IsValid() {
					elements = append(elements, nftables.SetElement{Key: after.AsSlice(), IntervalEnd: true})
				}
			}
			if err := c.SetAddElements(set, elements); err != nil {
				return err
			}
		}
	}
	return nil
}

// replace puts what the host has in place of what it had, at one moment.
func (s *closed) replace() error {
	c, err := nftables.New()
	if err != nil {
		return err
	}
	c.FlushSet(s.v4)
	c.FlushSet(s.v6)
	if err := s.fill(c); err != nil {
		return err
	}
	return c.Flush()
}

// follow keeps the sets up to date until stop.
func (s *closed) follow(o Options) (err error) {
	if s.changes, err = nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE); err != nil {
		return fmt.Errorf("nat: follow the host's addresses: %w", err)
	}
	refresh := func() error {
		if err := s.look(); err != nil {
			return err
		}
		return netns.Do(o.Inside, s.replace)
	}
	if err := refresh(); err != nil { // what came before the subscription
		return explain("close the host's addresses", err)
	}
	go s.run(refresh, cmp.Or(o.Log, zap.NewNop()))
	return nil
}

func (s *closed) run(refresh func() error, log *zap.Logger) {
	defer close(s.done)
	for {
		messages, _, err := s.changes.Receive()
		select {
		case <-s.quit:
			return
		default:
		}
		// An error is about messages that were lost: the host's addresses are looked at.
		if err == nil && !slices.ContainsFunc(messages, func(m syscall.NetlinkMessage) bool { return localTypes[nl.DeserializeRtMsg(m.Data).Type] }) {
			continue
		}
		for err := refresh(); err != nil; err = refresh() {
			log.Error("a new address of the host may be open to functions until it can be closed", zap.Error(err))
			select {
			case <-s.quit:
				return
			case <-time.After(time.Second):
			}
		}
	}
}

// stop ends the following.
func (s *closed) stop() {
	close(s.quit)
	if s.changes == nil {
		return
	}
	s.changes.Close()
	<-s.done
}

// localTypes are routes to what the host answers for.
var localTypes = map[uint8]bool{unix.RTN_LOCAL: true, unix.RTN_ANYCAST: true, unix.RTN_BROADCAST: true}

// addressRange is from first to last, both included.
type addressRange struct{ first, last netip.Addr }

// ranges are addresses of both families, in order and apart from each other.
type ranges struct{ v4, v6 []addressRange }

// hostRanges are the host's own addresses. It must be called in the host's network namespace.
func hostRanges() (r ranges, err error) {
	h, err := handleIn(nil)
	if err != nil {
		return r, err
	}
	defer h.Close()
	if r.v4, err = localRanges(h, netlink.FAMILY_V4); err != nil {
		return r, err
	}
	r.v6, err = localRanges(h, netlink.FAMILY_V6)
	return r, err
}

func localRanges(h *netlink.Handle, family int) ([]addressRange, error) {
	routes, err := h.RouteListFiltered(family, &netlink.Route{}, netlink.RT_FILTER_TABLE) // of every table
	if err != nil {
		return nil, fmt.Errorf("list the local routes: %w", err)
	}
	var all []addressRange
	for _, r := range routes {
		if !localTypes[uint8(r.Type)] || r.Dst == nil {
			continue
		}
		a, _ := netip.AddrFromSlice(r.Dst.IP)
		bits, _ := r.Dst.Mask.Size()
		all = append(all, rangeOf(netip.PrefixFrom(a.Unmap(), bits)))
	}
	return apart(all), nil
}

// rangeOf are the addresses of a network.
func rangeOf(p netip.Prefix) addressRange {
	last := p.Masked().Addr().AsSlice()
	for bit := p.Bits(); bit < 8*len(last); bit++ {
		last[bit/8] |= 0x80 >> (bit % 8)
	}
	a, _ := netip.AddrFromSlice(last)
	return addressRange{p.Masked().Addr(), a}
}

// apart joins ranges that overlap or touch, as a set of nftables wants it.
func apart(all []addressRange) (joined []addressRange) {
	slices.SortFunc(all, func(a, b addressRange) int { return a.first.Compare(b.first) })
	for _, r := range all {
		if n := len(joined) - 1; n >= 0 && (!joined[n].last.Next().IsValid() || r.first.Compare(joined[n].last.Next()) <= 0) {
			if r.last.Compare(joined[n].last) > 0 {
				joined[n].last = r.last
			}
			continue
		}
		joined = append(joined, r)
	}
	return joined
}
