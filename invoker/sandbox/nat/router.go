package nat

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"fcd/invoker/sandbox/netns"
)

const (
	forward4 = "/proc/sys/net/ipv4/ip_forward"
	forward6 = "/proc/sys/net/ipv6/conf/all/forwarding"
)

// Router is what the instances of a daemon share. Its methods may be called concurrently.
type Router struct {
	opts   Options
	host   *netlink.Handle // where the interfaces are: Options.Inside, or the host's network namespace
	plan   addresses
	prefix string
	mtu    int
	closed *closed // the host's addresses; nil unless Options.Inside

	mu   sync.Mutex // guards used and next
	used map[int]bool
	next int
}

// Open removes what an earlier life left, chooses the addresses and installs the table. Its error tells an operator what
// is missing. It must be called in the host's network namespace, on whichever thread.
func Open(o Options) (*Router, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if err := netns.Do(o.Inside, o.forwarding); err != nil {
		return nil, err
	}
	host, err := handleIn(o.Inside)
	if err != nil {
		return nil, fmt.Errorf("nat: %w", err)
	}
	r := &Router{opts: o, host: host, prefix: o.linkPrefix(), used: map[int]bool{}}
	if err := r.open(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *Router) open() (err error) {
	if err := r.reap(); err != nil {
		return err
	}
	if r.plan, err = r.choose(); err != nil {
		return err
	}
	if r.mtu, err = uplinkMTU(r.host); err != nil {
		return err
	}
	if len(r.opts.Resolvers) == 0 {
		r.opts.Resolvers = hostResolvers()
	}
	if r.opts.Inside != nil {
		r.closed = newClosed()
		if err := r.closed.look(); err != nil {
			return err
		}
	}
	if err := netns.Do(r.opts.Inside, r.installRules); err != nil {
		return explain("install the rules of nftables", err)
	}
	if err := r.tryPair(); err != nil || r.closed == nil {
		return err
	}
	return r.closed.follow(r.opts)
}

// choose finds addresses that nobody on the host has, and IPv6 where it leads somewhere.
func (r *Router) choose() (addresses, error) {
	outer, err := handleIn(nil)
	if err != nil {
		return addresses{}, fmt.Errorf("nat: %w", err)
	}
	defer outer.Close()
	ipv6 := on(forward6)
	if r.opts.Inside != nil {
		if _, ipv6, err = netns.Leads(r.opts.Inside); err != nil {
			return addresses{}, fmt.Errorf("nat: %w", err)
		}
	}
	return chooseAddresses(outer, r.opts, ipv6)
}

// handleIn opens a socket for questions about a network namespace; nil is that of this process.
func handleIn(ns *os.File) (h *netlink.Handle, err error) {
	err = netns.Do(ns, func() (err error) {
		h, err = netlink.NewHandle(unix.NETLINK_ROUTE)
		return err
	})
	return h, err
}

// forwarding makes sure that packets are handed on between interfaces.
func (o Options) forwarding() error {
	if o.Inside != nil {
		if err := os.WriteFile(forward6, []byte("1"), 0); err != nil && !errors.Is(err, fs.ErrNotExist) { // a kernel without IPv6
			return fmt.Errorf("forward packets: %w", err)
		}
	}
	switch {
	case on(forward4):
		return nil
	case !o.EnableForwarding && o.Inside == nil:
		return errors.New("the host does not forward packets: set the sysctl net.ipv4.ip_forward to 1 " +
			"(sysctl -w net.ipv4.ip_forward=1), or network.enableForwarding to true to let fcd do so")
	}
	if err := os.WriteFile(forward4, []byte("1"), 0); err != nil {
		return fmt.Errorf("set the sysctl net.ipv4.ip_forward: %w", err)
	}
	return nil
}

func on(sysctl string) bool {
	data, err := os.ReadFile(sysctl)
	return err == nil && strings.TrimSpace(string(data)) == "1"
}

// explain adds what an operator can do.
func explain(what string, err error) error {
	switch {
	case errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES):
		return fmt.Errorf("%s: %w: fcd needs to be root of the host's network (CAP_NET_ADMIN)", what, err)
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOENT), errors.Is(err, unix.EPROTONOSUPPORT):
		return fmt.Errorf("%s: %w: the kernel may lack it (modules nf_tables, nft_masq, nft_fib_inet, nft_reject_inet, veth)", what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// reap removes the interfaces and the table that an earlier life left.
func (r *Router) reap() error {
	links, err := r.host.LinkList()
	if err != nil {
		return fmt.Errorf("nat: list the interfaces: %w", err)
	}
	for _, l := range links {
		if !strings.HasPrefix(l.Attrs().Name, r.prefix) {
			continue
		}
		if err := remove(r.host, l.Attrs().Name); err != nil {
			return explain("remove the leftover interface "+l.Attrs().Name, err)
		}
	}
	return nil
}

// tryPair makes a pair and takes it away again, to know at the start what a first instance would find out.
func (r *Router) tryPair() error {
	name := r.prefix + "t"
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	if err := r.host.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: name + "p"}); err != nil {
		return explain("make a pair of virtual interfaces", err)
	}
	if err := remove(r.host, name); err != nil {
		return explain("remove a virtual interface", err)
	}
	return nil
}

// ResolvConf is the /etc/resolv.conf of the instances; "" if no name server is known.
func (r *Router) ResolvConf() string {
	var b strings.Builder
	for _, a := range r.opts.Resolvers {
		if a.Is4() || r.plan.net6.IsValid() {
			fmt.Fprintf(&b, "nameserver %s\n", a)
		}
	}
	return b.String()
}

// IPv6 tells whether instances get an IPv6 address.
func (r *Router) IPv6() bool { return r.plan.net6.IsValid() }

// take reserves the number of an instance, from which its name and addresses follow.
func (r *Router) take() (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	slots := r.plan.slots()
	for range slots {
		if r.next++; r.next > slots {
			r.next = 1
		}
		if !r.used[r.next] {
			r.used[r.next] = true
			return r.next, nil
		}
	}
	return 0, fmt.Errorf("every address of %s is in use", r.plan.net4)
}

func (r *Router) give(slot int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.used, slot)
}

// InUse is how many instances are connected.
func (r *Router) InUse() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.used)
}

// Leftovers names the interfaces of this daemon that exist on the host.
func (r *Router) Leftovers() (names []string) {
	links, err := r.host.LinkList()
	if err != nil {
		return []string{err.Error()}
	}
	for _, l := range links {
		if strings.HasPrefix(l.Attrs().Name, r.prefix) {
			names = append(names, l.Attrs().Name)
		}
	}
	return names
}

// tablePrefix begins the names of the tables of every daemon.
const tablePrefix = "fcd-"

// Tables names the tables of all daemons on this host; none where they cannot be listed.
func Tables() (names []string) {
	c, err := nftables.New()
	if err != nil {
		return nil
	}
	tables, _ := c.ListTablesOfFamily(nftables.TableFamilyINet)
	for _, t := range tables {
		if strings.HasPrefix(t.Name, tablePrefix) {
			names = append(names, t.Name)
		}
	}
	return names
}

// Close removes the table. Links must be closed before.
func (r *Router) Close() error {
	defer r.host.Close()
	if r.closed != nil {
		r.closed.stop()
	}
	return netns.Do(r.opts.Inside, func() error { return RemoveTable(r.opts.ID) })
}

// RemoveTable removes the table of the daemon with the ID, which is dead and has no instance left, if there is one.
func RemoveTable(id string) error {
	name := Options{ID: id}.table()
	if !slices.Contains(Tables(), name) {
		return nil
	}
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("nat: %w", err)
	}
	c.DelTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: name})
	if err := c.Flush(); err != nil {
		return fmt.Errorf("nat: remove the table %s: %w", name, err)
	}
	return nil
}

func (r *Router) linkName(slot int) string {
	return r.prefix + strconv.FormatInt(int64(slot), 36)
}
