package nat

import (
	"errors"
	"fmt"
	"hash/fnv"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"go.uber.org/zap"
)

// Options say how functions see the internet. ID is required.
type Options struct {
	// ID names the daemon on this host; one living Router per ID. What another life under the same ID left is removed.
	ID string
	// Subnet is the IPv4 range of the instances, /12 to /28, two addresses each. Default: a /20 of 10.224.0.0/11 that
	// depends on ID and that no route or address of the host overlaps.
	Subnet netip.Prefix
	// Allow lists what functions may reach although it is closed, for example a database on the host.
	Allow []Endpoint
	// Deny lists what functions may not reach beside what is always closed.
	Deny []netip.Prefix
	// Resolvers are the name servers of the functions. Default: those of the host that are not on its loopback.
	Resolvers []netip.Addr
	// EnableForwarding lets Open switch on net.ipv4.ip_forward where it is off. It stays on.
	EnableForwarding bool
	// Inside is a network namespace of the daemon's own, for one that may not change the host's: another program leads from
	// it to the outside and makes the host's sockets (package pasta). nil: the host's own, in which this process is.
	Inside *os.File
	Log    *zap.Logger // nil: none
}

// Endpoint is an address, a network, or one port of either.
type Endpoint struct {
	Net  netip.Prefix
	Port uint16 // of TCP and UDP; 0: everything
}

// ParseEndpoint reads "192.0.2.1", "192.0.2.0/24", "192.0.2.1:53", "2001:db8::1", "[2001:db8::1]:443" and
// "192.0.2.0/24:443".
func ParseEndpoint(s string) (Endpoint, error) {
	bad := func() (Endpoint, error) {
		return Endpoint{}, fmt.Errorf("%q is not an address or network, with or without :port", s)
	}
	if p, err := ParseNet(s); err == nil {
		return Endpoint{Net: p}, nil
	}
	at := strings.LastIndexByte(s, ':')
	if at < 0 {
		return bad()
	}
	port, err := strconv.ParseUint(s[at+1:], 10, 16)
	host := s[:at]
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
	} else if strings.Contains(host, ":") {
		return bad() // an IPv6 address with a port wants brackets
	}
	p, err2 := ParseNet(host)
	if err != nil || port == 0 || err2 != nil {
		return bad()
	}
	return Endpoint{Net: p, Port: uint16(port)}, nil
}

// ParseNet reads a network, or an address as the network that holds it alone.
func ParseNet(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("%q is not an address or network", s)
	}
	return p.Masked(), nil
}

func (o Options) check() error {
	switch {
	case o.ID == "":
		return errors.New("nat: Options.ID is missing")
	case o.Subnet != netip.Prefix{} && (!o.Subnet.Addr().Is4() || o.Subnet.Bits() < 12 || o.Subnet.Bits() > 28):
		return fmt.Errorf("nat: subnet %s is not an IPv4 network between /12 and /28", o.Subnet)
	}
	return nil
}

// sum spreads daemons over names and networks.
func (o Options) sum() uint32 {
	h := fnv.New32a()
	h.Write([]byte(o.ID))
	return h.Sum32()
}

// commonPrefix begins the names of the interfaces of every daemon's instances.
const commonPrefix = "fcd"

// linkPrefix begins the names of this daemon's. Names of interfaces have at most 15 bytes; four are left for a number.
func (o Options) linkPrefix() string {
	s := strconv.FormatUint(uint64(o.sum()), 36)
	return commonPrefix + strings.Repeat("0", 7-len(s)) + s + "-"
}

func (o Options) table() string { return tablePrefix + o.ID }
