package sandboxtest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
	handle "github.com/vishvananda/netns"
	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"

	"fcd/invoker/sandbox/nat"
	"fcd/invoker/sandbox/netns"
)

// networkEnv marks a run of a test binary in a network namespace of its own.
const networkEnv = "FCD_TEST_NETWORK"

// InOwnNetwork runs the calling test once more in network and mount namespaces of its own, where it may change
// everything, and tells whether this is that run.
func InOwnNetwork(t *testing.T) bool {
	t.Helper()
	if os.Getenv(networkEnv) != "" {
		return true
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), networkEnv+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()+" ") {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// Addresses of the little world that NewInternet makes: a host with an uplink to the internet.
var (
	hostNets     = []string{"192.0.2.1/24", "2001:db8::1/64"}
	hostLo       = []string{"203.0.113.9/32", "127.0.0.1/8"}
	internetNets = []string{"192.0.2.2/24", "2001:db8::2/64"}
	internetLo   = []string{"198.51.100.7/32", "198.51.100.53/32", "198.51.100.66/32", "169.254.169.254/32", "100.100.100.200/32",
		"2001:db8:1::7/128", "fd00:ec2::254/128", "64:ff9b::a9fe:a9fe/128"}
)

// Internet is a network namespace that stands for the rest of the world as seen from the host, which is the namespace of
// the test. On every address of it port 80 answers with the caller's address, and port 81 does what it is asked for (ask).
type Internet struct {
	ns *os.File // nil in a process that did not make it
	// Resolver knows public.example, metadata.example and host.example. Denied is to be in the driver's list of denied
	// networks, Allowed, an endpoint of the host, in that of allowed ones.
	Resolver netip.Addr
	Denied   netip.Prefix
	Allowed  netip.AddrPort

	spoofed chan string // what comes to the UDP port 9999
}

// World is the internet that another process has made around this one.
func World() *Internet {
	return &Internet{Resolver: netip.MustParseAddr("198.51.100.53"), Denied: netip.MustParsePrefix("198.51.100.66/32"),
		Allowed: netip.MustParseAddrPort("192.0.2.1:8081"), spoofed: make(chan string, 16)}
}

// NAT are a driver's options for this world.
func (i *Internet) NAT() *nat.Options {
	return &nat.Options{Resolvers: []netip.Addr{i.Resolver}, Deny: []netip.Prefix{i.Denied},
		Allow: []nat.Endpoint{{Net: netip.PrefixFrom(i.Allowed.Addr(), 32), Port: i.Allowed.Port()}}}
}

// NewInternet makes the world around the calling process, which must be in a network namespace of its own.
func NewInternet(t *testing.T) *Internet {
	t.Helper()
	i := World()
	var err error
	i.ns, err = netns.New()
	check(t, err)
	t.Cleanup(func() { i.ns.Close() })
	for name, value := range map[string]string{"ipv4/ip_forward": "1", "ipv6/conf/all/forwarding": "1"} {
		if err := os.WriteFile("/proc/sys/net/"+name, []byte(value), 0); err != nil {
			t.Fatal(err)
		}
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "uplink"
	check(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "wire", PeerNamespace: netlink.NsFd(int(i.ns.Fd()))}))
	here, err := netlink.NewHandle()
	check(t, err)
	defer here.Close()
	there, err := netlink.NewHandleAt(handle.NsHandle(i.ns.Fd()))
	check(t, err)
	defer there.Close()
	addAddresses(t, here, "lo", hostLo)
	addAddresses(t, here, "uplink", hostNets)
	addAddresses(t, there, "lo", internetLo)
	addAddresses(t, there, "wire", internetNets)
	for _, gateway := range []string{"192.0.2.2", "2001:db8::2"} {
		addRoute(t, here, "uplink", "", gateway)
	}
	// The world knows the way to the instances, as a neighbour of the host would who tries.
	addRoute(t, there, "wire", "10.224.0.0/11", "192.0.2.1")
	i.serve(t)
	redirect(t)
	return i
}

// ShareTun lets every user open /dev/net/tun, in the mount namespace of this run.
func ShareTun(t *testing.T) {
	t.Helper()
	check(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	check(t, os.MkdirAll("/dev/net", 0o755))
	check(t, unix.Mount("tun", "/dev/net", "tmpfs", 0, "mode=755"))
	const tun = "/dev/net/tun"
	check(t, unix.Mknod(tun, unix.S_IFCHR, int(unix.Mkdev(10, 200))))
	check(t, os.Chmod(tun, 0o666))
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func addAddresses(t *testing.T, h *netlink.Handle, name string, addresses []string) {
	t.Helper()
	link, err := h.LinkByName(name)
	check(t, err)
	check(t, h.LinkSetUp(link))
	for _, a := range addresses {
		addr, err := netlink.ParseAddr(a)
		check(t, err)
		if strings.Contains(a, ":") {
			addr.Flags = unix.IFA_F_NODAD
		}
		if err := h.AddrAdd(link, addr); err != nil && err != unix.EEXIST {
			t.Fatalf("%s: %v", a, err)
		}
	}
}

func addRoute(t *testing.T, h *netlink.Handle, name, to, gateway string) {
	t.Helper()
	link, err := h.LinkByName(name)
	check(t, err)
	gw := net.ParseIP(gateway)
	dst := &net.IPNet{IP: make(net.IP, 16), Mask: net.CIDRMask(0, 128)}
	if gw.To4() != nil {
		dst = &net.IPNet{IP: make(net.IP, 4), Mask: net.CIDRMask(0, 32)}
	}
	if to != "" {
		_, dst, err = net.ParseCIDR(to)
		check(t, err)
	}
	check(t, h.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: dst, Gw: gw}))
}

// serve answers in the internet, and on the host's own port 8080 and 8081.
func (i *Internet) serve(t *testing.T) {
	var web, desk net.Listener
	var dns, spoof net.PacketConn
	check(t, netns.Do(i.ns, func() (err error) {
		if web, err = net.Listen("tcp", ":80"); err != nil {
			return err
		}
		if desk, err = net.Listen("tcp", ":81"); err != nil {
			return err
		}
		if dns, err = net.ListenPacket("udp", i.Resolver.String()+":53"); err != nil {
			return err
		}
		spoof, err = net.ListenPacket("udp", ":9999")
		return err
	}))
	all := []net.Listener{web}
	for _, port := range []string{":8080", ":8081"} {
		l, err := net.Listen("tcp", port)
		check(t, err)
		all = append(all, l)
	}
	done := make(chan struct{})
	running := 0
	start := func(f func()) {
		running++
		go func() { f(); done <- struct{}{} }()
	}
	for _, l := range all {
		start(func() { greet(l) })
	}
	start(func() { i.oblige(desk) })
	start(func() { resolve(dns) })
	start(func() {
		b := make([]byte, 100)
		for {
			n, from, err := spoof.ReadFrom(b)
			if err != nil {
				return
			}
			i.spoofed <- fmt.Sprint(string(b[:n]), " from ", from.(*net.UDPAddr).IP)
		}
	})
	t.Cleanup(func() {
		for _, l := range append(all, desk) {
			l.Close()
		}
		dns.Close()
		spoof.Close()
		for range running {
			<-done
		}
	})
}

// greet tells every caller who he is.
func greet(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		fmt.Fprint(c, c.RemoteAddr().(*net.TCPAddr).IP)
		c.Close()
	}
}

// oblige does what callers ask for, one after the other.
func (i *Internet) oblige(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		line, _ := bufio.NewReader(c).ReadString('\n')
		what, about, _ := strings.Cut(strings.TrimSpace(line), " ")
		fmt.Fprint(c, i.favour(what, about))
		c.Close()
	}
}

// favour is one thing asked for: to connect from the internet, to tell what came to the UDP port, to give the host one
// more address.
func (i *Internet) favour(what, about string) string {
	var err error
	switch what {
	case "dial":
		err = netns.Do(i.ns, func() error {
			c, err := net.DialTimeout("tcp", about, 300*time.Millisecond) // dropped: nothing comes
			if err == nil {
				c.Close()
			}
			return err
		})
	case "spoofed":
		select {
		case text := <-i.spoofed:
			return text
		case <-time.After(patience):
			return "nothing came"
		}
	case "move":
		err = move(about)
	}
	if err != nil {
		return err.Error()
	}
	return "ok"
}

// move gives the host an address.
func move(address string) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	a, err := netlink.ParseAddr(address)
	if err != nil {
		return err
	}
	return netlink.AddrAdd(lo, a)
}

// ask asks the internet for something.
func (i *Internet) ask(t *testing.T, what string) string {
	t.Helper()
	c, err := net.DialTimeout("tcp", "198.51.100.7:81", patience)
	check(t, err)
	defer c.Close()
	fmt.Fprintln(c, what)
	answer, err := io.ReadAll(c)
	check(t, err)
	return string(answer)
}

// names are what the resolver knows.
var names = map[string][2]string{ // A, AAAA
	"public.example.":   {"198.51.100.7", "2001:db8:1::7"},
	"metadata.example.": {"169.254.169.254", "fd00:ec2::254"},
	"host.example.":     {"192.0.2.1", "2001:db8::1"},
}

// resolve answers questions of the domain name system.
func resolve(c net.PacketConn) {
	b := make([]byte, 512)
	for {
		n, from, err := c.ReadFrom(b)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if err := m.Unpack(b[:n]); err != nil || len(m.Questions) != 1 {
			continue
		}
		q := m.Questions[0]
		m.Header.Response, m.Additionals = true, nil
		known, ok := names[q.Name.String()]
		head := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1}
		switch {
		case !ok:
			m.Header.RCode = dnsmessage.RCodeNameError
		case q.Type == dnsmessage.TypeA:
			m.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.AResource{A: netip.MustParseAddr(known[0]).As4()}}}
		case q.Type == dnsmessage.TypeAAAA:
			m.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.AAAAResource{AAAA: netip.MustParseAddr(known[1]).As16()}}}
		}
		if packed, err := m.Pack(); err == nil {
			c.WriteTo(packed, from)
		}
	}
}

// redirect publishes port 80 of the public address as port 8088 of the host, as container engines do.
func redirect(t *testing.T) {
	t.Helper()
	c, err := nftables.New()
	check(t, err)
	table := c.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: "engine"})
	hooks := map[string]*nftables.ChainHook{"prerouting": nftables.ChainHookPrerouting, "output": nftables.ChainHookOutput}
	for name, hook := range hooks {
		chain := c.AddChain(&nftables.Chain{Table: table, Name: name, Type: nftables.ChainTypeNAT, Hooknum: hook,
			Priority: nftables.ChainPriorityNATDest})
		c.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.BigEndian.PutUint16(8088)},
			&expr.Immediate{Register: 1, Data: []byte{198, 51, 100, 7}},
			&expr.Immediate{Register: 2, Data: binaryutil.BigEndian.PutUint16(80)},
			&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: 1, RegProtoMin: 2},
		}})
	}
	check(t, c.Flush())
	t.Cleanup(func() {
		c.DelTable(table)
		if err := c.Flush(); err != nil {
			t.Error(err)
		}
	})
}
