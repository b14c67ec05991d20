package nat

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// closedNets are never reached by a function: this network, loopback, link-local (with the metadata services of most
// clouds), Alibaba Cloud's metadata service, the link of package pasta, multicast and broadcast; for IPv6 the same, AWS's
// metadata service, and the IPv4 ones as they look through NAT64.
func closedNets() []netip.Prefix {
	var all []netip.Prefix
	for _, s := range []string{
		"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "100.100.100.200/32", "192.0.0.0/29", "224.0.0.0/4", "255.255.255.255/32",
		"::/96", "::ffff:0:0/96", "fe80::/10", "ff00::/8", "fd00:ec2::254/128", "fd20:ce::254/128", "fd00:6663:64::/64",
		"64:ff9b::a9fe:0/112", "64:ff9b::6464:64c8/128", "64:ff9b::7f00:0/104",
	} {
		all = append(all, netip.MustParsePrefix(s))
	}
	return all
}

// Bits of the connection tracker's words (linux/netfilter/nf_conntrack_common.h).
const (
	ctEstablished = 1 << 1
	ctRelated     = 1 << 2
	ctRedirected  = 1 << 5 // status: the destination was translated
)

// dnsPort is open at the resolvers.
const dnsPort = 53

// installRules replaces the table as one transaction.
func (r *Router) installRules() error {
	c, err := nftables.New()
	if err != nil {
		return err
	}
	t := &nftables.Table{Family: nftables.TableFamilyINet, Name: r.opts.table()}
	c.AddTable(t) // so that there is one to delete
	c.DelTable(t)
	c.AddTable(t)
	if r.closed != nil {
		if err := r.closed.add(c, t); err != nil {
			return err
		}
	}
	chain := func(name string, kind nftables.ChainType, hook *nftables.ChainHook, priority nftables.ChainPriority) func(...[]expr.Any) {
		ch := c.AddChain(&nftables.Chain{Table: t, Name: name, Type: kind, Hooknum: hook, Priority: &priority})
		return func(parts ...[]expr.Any) {
			var all []expr.Any
			for _, p := range parts {
				all = append(all, p...)
			}
			c.AddRule(&nftables.Rule{Table: t, Chain: ch, Exprs: all})
		}
	}
	r.sourceRules(chain("prerouting", nftables.ChainTypeFilter, nftables.ChainHookPrerouting, -310))
	r.hostRules(chain("input", nftables.ChainTypeFilter, nftables.ChainHookInput, -10))
	r.forwardRules(chain("forward", nftables.ChainTypeFilter, nftables.ChainHookForward, -10))
	r.translationRules(chain("postrouting", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, 100))
	if err := c.Flush(); err != nil {
		return fmt.Errorf("table inet %s: %w", t.Name, err)
	}
	return nil
}

// sourceRules drop what does not come from where its source address leads: the route back to an instance's own address
// is the only one that leads through its interface.
func (r *Router) sourceRules(rule func(...[]expr.Any)) {
	rule(fromOurs(r.prefix), []expr.Any{
		&expr.Fib{Register: 1, FlagSADDR: true, FlagIIF: true, ResultOIF: true},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{0, 0, 0, 0}},
	}, drop())
}

// hostRules close the host itself.
func (r *Router) hostRules(rule func(...[]expr.Any)) {
	r.openings(rule)
	refuse(rule, fromOurs(r.prefix))
}

// forwardRules are about everything that passes through the host.
func (r *Router) forwardRules(rule func(...[]expr.Any)) {
	r.openings(rule)
	refuse(rule, fromOurs(r.prefix), toInterface(commonPrefix)) // other instances
	rule(toInterface(r.prefix), tracked(expr.CtKeySTATE, ctEstablished|ctRelated), accept())
	rule(toInterface(r.prefix), drop()) // nobody calls an instance from outside
	// What another table redirects, for example a published port of a container, was an address of the host.
	refuse(rule, fromOurs(r.prefix), tracked(expr.CtKeySTATUS, ctRedirected))
	if r.closed != nil {
		for _, m := range r.closed.matches() {
			refuse(rule, fromOurs(r.prefix), m)
		}
	}
	for _, p := range append(closedNets(), r.opts.Deny...) {
		refuse(rule, fromOurs(r.prefix), to(p))
	}
}

// openings let through what is asked for, and questions to the resolvers.
func (r *Router) openings(rule func(...[]expr.Any)) {
	open := func(p netip.Prefix, port uint16) {
		if port == 0 {
			rule(fromOurs(r.prefix), to(p), accept())
			return
		}
		for _, protocol := range []byte{unix.IPPROTO_TCP, unix.IPPROTO_UDP} {
			rule(fromOurs(r.prefix), to(p), toPort(protocol, port), accept())
		}
	}
	for _, e := range r.opts.Allow {
		open(e.Net, e.Port)
	}
	for _, a := range r.opts.Resolvers {
		open(netip.PrefixFrom(a, a.BitLen()), dnsPort)
	}
}

// translationRules put the host's address in place of an instance's.
func (r *Router) translationRules(rule func(...[]expr.Any)) {
	for _, p := range []netip.Prefix{r.plan.net4, r.plan.net6} {
		if p.IsValid() {
			rule(from(p), []expr.Any{&expr.Masq{}})
		}
	}
}

// The parts that rules are made of.

func fromOurs(prefix string) []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1}, named(prefix)}
}

func toInterface(prefix string) []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyOIFNAME, Register: 1}, named(prefix)}
}

// named compares the beginning of a name.
func named(prefix string) expr.Any {
	return &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte(prefix)}
}

func to(p netip.Prefix) []expr.Any {
	if p.Addr().Is4() {
		return address(p, unix.NFPROTO_IPV4, 16)
	}
	return address(p, unix.NFPROTO_IPV6, 24)
}

func from(p netip.Prefix) []expr.Any {
	if p.Addr().Is4() {
		return address(p, unix.NFPROTO_IPV4, 12)
	}
	return address(p, unix.NFPROTO_IPV6, 8)
}

// address compares an address of the network header with a network.
func address(p netip.Prefix, family byte, offset uint32) []expr.Any {
	value := p.Masked().Addr().AsSlice()
	mask := make([]byte, len(value))
	for bit := range p.Bits() {
		mask[bit/8] |= 0x80 >> (bit % 8)
	}
	n := uint32(len(value))
	return append(load(family, offset, n),
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: n, Mask: mask, Xor: make([]byte, n)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: value})
}

// load takes an address out of the network header of a packet of the family.
func load(family byte, offset, n uint32) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{family}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: n},
	}
}

func toPort(protocol byte, port uint16) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{protocol}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.BigEndian.PutUint16(port)},
	}
}

// tracked asks the connection tracker for any of some bits.
func tracked(key expr.CtKey, bits uint32) []expr.Any {
	return []expr.Any{
		&expr.Ct{Register: 1, Key: key},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: binaryutil.NativeEndian.PutUint32(bits), Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: make([]byte, 4)},
	}
}

func accept() []expr.Any { return []expr.Any{&expr.Verdict{Kind: expr.VerdictAccept}} }

func drop() []expr.Any { return []expr.Any{&expr.Verdict{Kind: expr.VerdictDrop}} }

// refuse answers, so that a function learns of it at once: a reset for TCP, since the kernel sends few of the messages
// that other protocols get.
func refuse(rule func(...[]expr.Any), match ...[]expr.Any) {
	tcp := []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.IPPROTO_TCP}},
		&expr.Reject{Type: unix.NFT_REJECT_TCP_RST},
	}
	other := []expr.Any{&expr.Reject{Type: unix.NFT_REJECT_ICMPX_UNREACH, Code: unix.NFT_REJECT_ICMPX_ADMIN_PROHIBITED}}
	rule(append(slices.Clip(match), tcp)...)
	rule(append(slices.Clip(match), other)...)
}
