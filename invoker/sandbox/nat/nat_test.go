package nat

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEndpointsAreRead(t *testing.T) {
	for _, c := range []struct {
		text string
		net  string // "": refused
		port uint16
	}{
		{"192.0.2.1", "192.0.2.1/32", 0}, {"192.0.2.1/24", "192.0.2.0/24", 0}, {"192.0.2.1:53", "192.0.2.1/32", 53},
		{"10.0.0.0/8:443", "10.0.0.0/8", 443}, {"2001:db8::1", "2001:db8::1/128", 0}, {"2001:db8::/32", "2001:db8::/32", 0},
		{"[2001:db8::1]:443", "2001:db8::1/128", 443}, {"[2001:db8::/32]:443", "2001:db8::/32", 443},
		{"::ffff:192.0.2.1", "192.0.2.1/32", 0}, {"", "", 0}, {"example.com", "", 0}, {"192.0.2.1:0", "", 0},
		{"192.0.2.1:65536", "", 0}, {"192.0.2.1:", "", 0}, {"192.0.2.1/33", "", 0}, {"fe80::1%eth0", "", 0}, {":80", "", 0},
	} {
		e, err := ParseEndpoint(c.text)
		if c.net == "" {
			if err == nil || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%q: %v, %v", c.text, e, err)
			}
			continue
		}
		if want := (Endpoint{netip.MustParsePrefix(c.net), c.port}); err != nil || e != want {
			t.Errorf("%q: %v, %v; want %v", c.text, e, err, want)
		}
	}
}

func TestEachInstanceHasAPairOfAddresses(t *testing.T) {
	for _, c := range []struct {
		network, own, gateway string
		slot                  int
	}{
		{"10.224.16.0/20", "10.224.16.3/31", "10.224.16.2/31", 1},
		{"10.224.16.0/20", "10.224.31.255/31", "10.224.31.254/31", 2047},
		{"fd01:203:405:fc00::/64", "fd01:203:405:fc00::201/127", "fd01:203:405:fc00::200/127", 256},
	} {
		own, gateway := of(netip.MustParsePrefix(c.network), c.slot)
		if own.String() != c.own || gateway.String() != c.gateway {
			t.Errorf("number %d of %s: %s by %s, want %s by %s", c.slot, c.network, own, gateway, c.own, c.gateway)
		}
		if !netip.MustParsePrefix(c.network).Contains(own.Addr()) {
			t.Errorf("%s is outside of %s", own, c.network)
		}
	}
	if n := (addresses{net4: netip.MustParsePrefix("10.224.16.0/20")}).slots(); n != 2047 {
		t.Errorf("%d instances in a /20, want 2047", n)
	}
}

func TestNumbersAreGivenOutOnceAndAgain(t *testing.T) {
	r := &Router{plan: addresses{net4: netip.MustParsePrefix("192.0.2.0/28")}, used: map[int]bool{}}
	for range 7 {
		if _, err := r.take(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.take(); err == nil || !strings.Contains(err.Error(), "192.0.2.0/28") {
		t.Errorf("an eighth: %v", err)
	}
	r.give(3)
	if n, err := r.take(); n != 3 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

func TestNamesOfInterfacesFit(t *testing.T) {
	for _, id := range []string{"a", "0123456789abcdef", strings.Repeat("x", 64)} {
		r := &Router{prefix: Options{ID: id}.linkPrefix()}
		if name := r.linkName(maxSlots); len(name) > 15 || !strings.HasPrefix(name, commonPrefix) {
			t.Errorf("%q", name)
		}
	}
}

func TestResolversOfTheHost(t *testing.T) {
	got := resolvers(`# a comment
domain example
nameserver 127.0.0.53
nameserver ::1
nameserver 192.0.2.53
nameserver fe80::1%eth0
nameserver 2001:db8::53
nameserver nonsense
nameserver
nameserver ::ffff:192.0.2.54
nameserver 192.0.2.55
`)
	want := []netip.Addr{netip.MustParseAddr("192.0.2.53"), netip.MustParseAddr("2001:db8::53"), netip.MustParseAddr("192.0.2.54")}
	if d := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestAConfiguredSubnetIsChecked(t *testing.T) {
	for _, s := range []string{"10.0.0.0/8", "192.0.2.0/29", "fd00::/64"} {
		if err := (Options{ID: "x", Subnet: netip.MustParsePrefix(s)}).check(); err == nil || !strings.Contains(err.Error(), s) {
			t.Errorf("%s: %v", s, err)
		}
	}
	if p, ok := overlap([]netip.Prefix{netip.MustParsePrefix("10.230.1.0/24")}, netip.MustParsePrefix("10.230.0.0/20")); !ok || p.Bits() != 24 {
		t.Errorf("%v, %v", p, ok)
	}
}

func TestAddressesOfTheHostAreRangesThatDoNotTouch(t *testing.T) {
	var all []addressRange
	for _, p := range []string{"192.0.2.1/32", "127.0.0.0/8", "127.0.0.1/32", "192.0.2.0/32", "255.255.255.255/32", "192.0.2.255/32", "255.255.255.254/32"} {
		all = append(all, rangeOf(netip.MustParsePrefix(p)))
	}
	var got []string
	for _, r := range apart(all) {
		got = append(got, r.first.String()+"-"+r.last.String())
	}
	want := []string{"127.0.0.0-127.255.255.255", "192.0.2.0-192.0.2.1", "192.0.2.255-192.0.2.255", "255.255.255.254-255.255.255.255"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if r := rangeOf(netip.MustParsePrefix("2001:db8::/33")); r.last.String() != "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff" {
		t.Errorf("%v", r)
	}
}
