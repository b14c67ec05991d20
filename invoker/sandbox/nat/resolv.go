package nat

import (
	"net/netip"
	"os"
	"strings"
)

// maxResolvers is how many name servers the C library asks.
const maxResolvers = 3

// hostResolvers are the name servers of the host that an instance can reach: the loopback is not among them, behind
// which systemd-resolved and others hide; the first has a file of its own with what it asks itself.
func hostResolvers() []netip.Addr {
	for _, path := range []string{"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"} {
		if data, err := os.ReadFile(path); err == nil {
			if found := resolvers(string(data)); len(found) > 0 {
				return found
			}
		}
	}
	return nil
}

// resolvers reads the lines "nameserver ADDRESS" of a resolv.conf.
func resolvers(conf string) (found []netip.Addr) {
	for line := range strings.Lines(conf) {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != "nameserver" || len(found) == maxResolvers {
			continue
		}
		a, err := netip.ParseAddr(f[1])
		if err != nil || a.IsLoopback() || a.IsUnspecified() || a.Zone() != "" {
			continue
		}
		found = append(found, a.Unmap())
	}
	return found
}
