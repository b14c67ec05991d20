package sandboxtest

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"fcd/invoker/sandbox"
	"fcd/invoker/sandbox/netns"
)

// RunNetwork is the part of the suite about instances with sandbox.NetNAT. It runs in a network namespace of its own
// (InOwnNetwork). open makes a driver that takes the resolver, the denied and the allowed addresses of the world.
func RunNetwork(t *testing.T, world *Internet, d sandbox.Driver, leftovers func(sandbox.Driver) []string) {
	caps, err := d.Probe()
	if err != nil {
		t.Fatalf("probe: %v", err)
	}
	if !caps.NetNAT {
		t.Fatalf("no network: %s", caps.Missing["NetNAT"])
	}
	n := &network{suite: &suite{driver: d, caps: caps, leftovers: leftovers}, world: world}
	for _, test := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"a public address answers, by number and by name, and sees the host's address", n.public},
		{"metadata services, the host, its loopback and denied networks are refused", n.closed},
		{"an address that the host gets later is refused", n.moved},
		{"a name that leads to a closed address changes nothing", n.names},
		{"another instance is refused, and so is a caller from outside", n.neighbours},
		{"a packet with another's source address goes nowhere", n.spoofed},
		{"the daemon's services and the instance's own loopback stay", n.loopback},
		{"a function cannot change its network", n.fixed},
		{"an instance that waited has its network, and its bounds, when it is claimed", n.claimed},
		{"an instance without internetAccess stays without", n.off},
	} {
		n.run(t, test.name, test.run)
	}
}

// network is the suite in its world.
type network struct {
	*suite
	world *Internet
}

func online(spec *sandbox.Spec) { spec.Network = sandbox.NetNAT }

// dialing is what scripts try addresses with: an answer, or the name of an error.
const dialing = `
def dial(host, port):
    try:
        c = socket.create_connection((host, port), timeout=5)
        return c.makefile().read()
    except OSError as e:
        return errno.errorcode.get(e.errno, type(e).__name__)
def dials(*addresses): return {"%s %d" % a: dial(*a) for a in addresses}
`

func (n *network) public(t *testing.T) {
	var got map[string]string
	n.ask(t, dialing+`answer(dials(("198.51.100.7", 80), ("2001:db8:1::7", 80), ("public.example", 80)))`, &got, online)
	expect(t, got, map[string]string{"198.51.100.7 80": "192.0.2.1", "2001:db8:1::7 80": "2001:db8::1",
		"public.example 80": "192.0.2.1|2001:db8::1"})
}

// refused is how closed addresses answer, if they answer.
const refused = "EHOSTUNREACH|EACCES|ECONNREFUSED|ENETUNREACH|EINVAL|EADDRNOTAVAIL"

func (n *network) closed(t *testing.T) {
	for _, a := range []string{"169.254.169.254:80", "100.100.100.200:80", "198.51.100.66:80", "[fd00:ec2::254]:80"} {
		c, err := net.DialTimeout("tcp", a, patience)
		if err != nil {
			t.Fatalf("this proves nothing: %s does not answer the host: %v", a, err)
		}
		c.Close()
	}
	var got map[string]string
	n.ask(t, dialing+`
gateway = [l.split() for l in open("/proc/net/route")][1][2]
gateway = socket.inet_ntoa(bytes.fromhex(gateway)[::-1])
r = dials(("169.254.169.254", 80), ("100.100.100.200", 80), ("198.51.100.66", 80), ("fd00:ec2::254", 80), ("64:ff9b::a9fe:a9fe", 80),
  ("::ffff:169.254.169.254", 80), ("192.0.2.1", 8080), ("203.0.113.9", 8080), ("2001:db8::1", 8080), ("192.0.2.1", 8088), (gateway, 8080),
  ("192.0.0.1", 8080), ("192.0.0.2", 8080), # pasta's ends of its link
  ("127.0.0.1", 8080), ("::1", 8080), ("224.0.0.1", 80))
answer(r)`, &got, online)
	if len(got) != 16 {
		t.Errorf("%d answers: %v", len(got), got)
	}
	for address, went := range got {
		if !oneOf(went, refused) {
			t.Errorf("%s: %s", address, went)
		}
	}
	n.ask(t, dialing+`answer(dials(("192.0.2.1", 8081)))`, &got, online)
	if went := got["192.0.2.1 8081"]; !strings.HasPrefix(went, "10.") && went != "192.0.2.1" { // as who it is sees the caller
		t.Errorf("the allowed endpoint of the host: %s", went)
	}
}

// moved gives the host one more address while instances run.
func (n *network) moved(t *testing.T) {
	const address = "203.0.113.77"
	if said := n.world.ask(t, "move "+address+"/32"); said != "ok" {
		t.Fatal(said)
	}
	c, err := net.DialTimeout("tcp", address+":8080", patience)
	if err != nil {
		t.Fatalf("this proves nothing: it does not answer the host: %v", err)
	}
	c.Close()
	waitFor(t, "the address to be closed", func() bool {
		var got map[string]string
		n.ask(t, dialing+`answer(dials(("203.0.113.77", 8080)))`, &got, online)
		return oneOf(got[address+" 8080"], refused)
	})
}

func (n *network) names(t *testing.T) {
	var got map[string]string
	n.ask(t, dialing+`answer(dials(("metadata.example", 80), ("host.example", 8080)))`, &got, online)
	expect(t, got, map[string]string{"metadata.example 80": refused, "host.example 8080": refused})
}

// listening is an instance that serves on every address it has and tells the first.
const listening = `
l = socket.create_server(("", 9000))
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(("198.51.100.7", 1))
os.write(1, s.getsockname()[0].encode())
wait()`

// listen starts one and returns its address.
func (n *network) listen(t *testing.T) (*box, string) {
	t.Helper()
	b := n.start(t, listening, online)
	b.ready()
	address := ""
	waitFor(t, "the address", func() bool { address = b.sofar(); return strings.Count(address, ".") == 3 })
	return b, address
}

func (n *network) neighbours(t *testing.T) {
	b, address := n.listen(t)
	defer b.end()
	var got map[string]string
	n.ask(t, dialing+`answer(dials((sys.argv[2], 9000), (sys.argv[2], 22)))`, &got, func(spec *sandbox.Spec) {
		online(spec)
		spec.Args = append(spec.Args, address)
	})
	expect(t, got, map[string]string{address + " 9000": refused, address + " 22": refused})
	if n.world.ask(t, "dial "+address+":9000") == "ok" {
		t.Error("the instance answers the internet")
	}
}

// spoofed sends, with the privileges of the test, what a function could not even make.
func (n *network) spoofed(t *testing.T) {
	if n.caps.OwnKernel {
		t.Log("not tried: the rule is the host's and the same for all drivers")
		return
	}
	b, address := n.listen(t)
	defer b.end()
	procs := processesWith(b.token)
	if len(procs) != 1 {
		t.Fatalf("processes: %q", procs)
	}
	ns, err := os.Open(filepath.Join(filepath.Dir(procs[0]), "ns/net"))
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	for _, source := range []string{"192.0.2.77", "127.0.0.1", "169.254.1.1", address} {
		packet := datagram(netip.MustParseAddr(source), netip.MustParseAddr("198.51.100.7"), 9999, "as "+source)
		check(t, netns.Do(ns, func() error {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			err = unix.Sendto(fd, packet, 0, &unix.SockaddrInet4{Addr: [4]byte{198, 51, 100, 7}})
			if err != nil && source != address {
				t.Logf("as %s: not even sent: %v", source, err)
				return nil
			}
			return err
		}))
	}
	// The last one is honest: when it has come, the others would have.
	if got, want := n.world.ask(t, "spoofed"), "as "+address+" from 192.0.2.1"; got != want {
		t.Errorf("%q came, want only %q", got, want)
	}
}

// datagram is an IPv4 packet with an UDP datagram; a checksum of 0 is none, and the kernel fills in the header's.
func datagram(from, to netip.Addr, port uint16, text string) []byte {
	p := make([]byte, 28, 28+len(text))
	p[0], p[8], p[9] = 0x45, 64, unix.IPPROTO_UDP
	binary.BigEndian.PutUint16(p[2:], uint16(28+len(text)))
	f, d := from.As4(), to.As4()
	copy(p[12:], f[:])
	copy(p[16:], d[:])
	binary.BigEndian.PutUint16(p[20:], 1234)
	binary.BigEndian.PutUint16(p[22:], port)
	binary.BigEndian.PutUint16(p[24:], uint16(8+len(text)))
	return append(p, text...)
}

func (n *network) loopback(t *testing.T) {
	b := n.start(t, dialing+`
l = socket.create_server(("127.0.0.1", 9000)); threading.Thread(target=lambda: l.accept()[0].sendall(b"own"), daemon=True).start()
wait()
r = dials(("127.100.0.1", 80)); c = socket.create_connection(("127.0.0.1", 9000)); r["own"] = c.recv(3).decode()
answer(r)`, online)
	ln, err := b.Instance.(sandbox.Listener).Listen("tcp", "127.100.0.1:80")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go serveOnce(ln, "daemon")
	b.input.Close()
	if out, exit := b.finish(); out != `{"127.100.0.1 80": "daemon", "own": "own"}` {
		t.Errorf("exit %+v, output %s", exit, out)
	}
}

// claimed starts an instance without code, as those of the pool are, and claims it.
func (n *network) claimed(t *testing.T) {
	if !n.caps.Claim {
		t.Logf("not tried: %s", n.caps.Missing["Claim"])
		return
	}
	b := n.start(t, dialing+`
os.write(1, b"ready"); wait()
r = dials(("198.51.100.7", 80), ("169.254.169.254", 80), ("192.0.2.1", 8080)); r["code"] = open("/code/index.py").read()
answer(r)`, online)
	b.ready()
	code := codeDir(t, map[string]string{"index.py": "the code"})
	if err := b.Claim(t.Context(), code, sandbox.Limits{MemoryMB: 256, Pids: 64}); err != nil {
		t.Fatal(err)
	}
	b.input.Close()
	out, exit := b.finish()
	var got map[string]string
	if err := json.Unmarshal([]byte(strings.TrimPrefix(out, "ready")), &got); err != nil {
		t.Fatalf("exit %+v, output %q: %v", exit, out, err)
	}
	expect(t, got, map[string]string{"198.51.100.7 80": "192.0.2.1", "169.254.169.254 80": refused, "192.0.2.1 8080": refused, "code": "the code"})
}

func (n *network) fixed(t *testing.T) {
	var got map[string]string
	n.ask(t, `
import fcntl, struct
s = socket.socket()
def ioctl(number, data): return lambda: fcntl.ioctl(s, number, data)
down = struct.pack("16sH22x", b"eth0", 0)
address = struct.pack("16sHH4s16x", b"eth0", socket.AF_INET, 0, socket.inet_aton("192.0.2.77"))
def netlink(family, kind, body):
    c = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, family)
    c.send(struct.pack("IHHII", 16 + len(body), kind, 0x605, 1, 0) + body) # request, ack, create, exclusive
    error = struct.unpack("i", c.recv(4096)[16:20])[0]
    if error: raise OSError(-error, "")
answer({"down": attempt(ioctl(0x8914, down)), "address": attempt(ioctl(0x8916, address)), "promiscuous": attempt(ioctl(0x8914, struct.pack("16sH22x", b"eth0", 0x143))),
  "link": attempt(netlink, 0, 16, struct.pack("BxHiII", 0, 0, 1, 0, 0xffffffff)), "table": attempt(netlink, 12, 0xa00, struct.pack("BBH", 1, 0, 0)),
  "bind": attempt(lambda: s.setsockopt(socket.SOL_SOCKET, 25, b"lo")), "transparent": attempt(lambda: s.setsockopt(0, 19, 1)),
  "forward": attempt(lambda: open("/proc/sys/net/ipv4/ip_forward", "w").write("1"))})`, &got, online)
	if n.caps.OwnKernel { // it has no such calls; what it lets through of another's source address, the host drops
		expect(t, got, map[string]string{"down": "EPERM|ENOTTY", "address": "EPERM|ENOTTY", "promiscuous": "EPERM|ENOTTY",
			"link": "EPERM", "table": "EPERM|EPROTONOSUPPORT", "forward": "EROFS|EACCES"})
		return
	}
	expect(t, got, map[string]string{"down": "EPERM", "address": "EPERM", "promiscuous": "EPERM", "link": "EPERM", "table": "EPERM",
		"bind": "ok|EPERM", "transparent": "EPERM", "forward": "EROFS|EACCES"})
}

func (n *network) off(t *testing.T) {
	var got struct {
		Interfaces []string
		Tried      map[string]string
	}
	n.ask(t, dialing+`answer(dict(Interfaces=[x for _, x in socket.if_nameindex()], Tried=dials(("198.51.100.7", 80), ("192.0.2.1", 8081))))`, &got, nil)
	if fmt.Sprint(got.Interfaces) != "[lo]" {
		t.Errorf("interfaces %q", got.Interfaces)
	}
	expect(t, got.Tried, map[string]string{"198.51.100.7 80": "ENETUNREACH", "192.0.2.1 8081": "ENETUNREACH"})
}
