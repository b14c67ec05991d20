package native

import (
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"fcd/invoker/sandbox"
	"fcd/invoker/sandbox/nat"
	"fcd/invoker/sandbox/netns"
	"fcd/invoker/sandbox/sandboxtest"
	"fcd/invoker/sandbox/watch"
)

func TestNetworkOn(t *testing.T) {
	if !sandboxtest.InOwnNetwork(t) {
		return
	}
	world := sandboxtest.NewInternet(t)
	d := open(t, Options{NAT: world.NAT(), NATRequired: true})
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	sandboxtest.RunNetwork(t, world, d, leftovers)
}

// TestNetworkOnAsAnOrdinaryUser: root makes the world, and somebody without privileges runs the suite in it.
func TestNetworkOnAsAnOrdinaryUser(t *testing.T) {
	if os.Getenv(ordinaryEnv) == "" {
		if os.Geteuid() != 0 || !sandboxtest.InOwnNetwork(t) {
			return
		}
		sandboxtest.NewInternet(t)
		sandboxtest.ShareTun(t)
		out, err := ordinary(t, t.Name())
		if err != nil || !strings.Contains(out, "--- PASS: "+t.Name()+" ") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	world := sandboxtest.World()
	d := open(t, Options{NAT: world.NAT(), NATRequired: true})
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if left := pastas(os.Getpid()); len(left) > 0 {
			t.Errorf("pasta runs still: %v", left)
		}
	}()
	sandboxtest.RunNetwork(t, world, d, leftovers)

	for _, pid := range pastas(os.Getpid()) {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
	}
	eventually(t, "the internet behind a pasta that was started again", func() bool {
		return len(pastas(os.Getpid())) == 1 && netns.Do(d.pasta.Namespace(), func() error {
			c, err := net.DialTimeout("tcp", "198.51.100.7:80", time.Second)
			if err == nil {
				c.Close()
			}
			return err
		}) == nil
	})
	earlierLife(t, fmt.Sprint("pasta-", os.Getpid()), " nat weak")
}

// pastas are the children of a process that lead to the internet.
func pastas(of int) (pids []int) {
	for _, pid := range watch.Descendants(of)[1:] {
		if name, err := os.ReadFile(procPath(pid, "comm")); err == nil && strings.HasPrefix(string(name), "pas") { // passt.avx2 on some machines
			pids = append(pids, pid)
		}
	}
	return pids
}

// TestTheNetworkOfAnEarlierLifeIsReaped kills a daemon with a networked instance, as no daemon should die.
func TestTheNetworkOfAnEarlierLifeIsReaped(t *testing.T) {
	if !sandboxtest.InOwnNetwork(t) {
		return
	}
	sandboxtest.NewInternet(t)
	for _, how := range []string{" nat", " nat weak"} {
		id := fmt.Sprint("netlife-", os.Getpid())
		earlierLife(t, id, how)
		o := nat.Options{}
		d := open(t, Options{ID: id, NAT: &o, NATRequired: true, NoCgroups: strings.Contains(how, "weak")})
		if left := leftovers(d); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
		// Its addresses can be given out again.
		i, err := startSleeper(d, id, sandbox.NetNAT)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(d.router.Leftovers()); n != 1 {
			t.Errorf("%d interfaces of one instance", n)
		}
		if err := i.Kill(); err != nil {
			t.Error(err)
		}
		if left := leftovers(d); len(left) > 0 {
			t.Errorf("left behind by a kill: %q", left)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if tables := nat.Tables(); len(tables) > 0 {
			t.Errorf("tables left: %q", tables)
		}
	}
}

// TestWithoutForwardingThereIsNoNetwork: the reason is named, functions are started without, and nothing is switched on
// behind the operator's back.
func TestWithoutForwardingThereIsNoNetwork(t *testing.T) {
	if !sandboxtest.InOwnNetwork(t) {
		return
	}
	const forward = "/proc/sys/net/ipv4/ip_forward"
	if err := os.WriteFile(forward, []byte("0"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{NAT: &nat.Options{}, NATRequired: true}); err == nil || !strings.Contains(err.Error(), "net.ipv4.ip_forward") {
		t.Errorf("required: %v", err)
	}
	d := open(t, Options{NAT: &nat.Options{}})
	caps, err := d.Probe()
	if err != nil || caps.NetNAT || !strings.Contains(caps.Missing["NetNAT"], "net.ipv4.ip_forward") {
		t.Errorf("%+v, %v", caps, err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if now, _ := os.ReadFile(forward); string(now) != "0\n" {
		t.Errorf("forwarding is %q", now)
	}
	d = open(t, Options{NAT: &nat.Options{EnableForwarding: true}, NATRequired: true})
	if now, _ := os.ReadFile(forward); string(now) != "1\n" {
		t.Errorf("forwarding is %q", now)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

func TestTheHostsNetworkIsNotForRoot(t *testing.T) {
	if os.Geteuid() != 0 || os.Getenv(ordinaryEnv) != "" {
		return
	}
	if _, err := New(Options{HostNetwork: true}); err == nil || !strings.Contains(err.Error(), "ordinary users") {
		t.Errorf("error %v", err)
	}
}
