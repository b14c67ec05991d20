package pasta

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"fcd/invoker/sandbox/netns"
	"fcd/invoker/sandbox/thread"
)

// Options configure a Network. The zero value works.
type Options struct {
	Command string      // the program's name or path; default pasta
	Log     *zap.Logger // nil: none
}

// tun is the device that pasta makes its interface by.
const tun = "/dev/net/tun"

// Network is a network namespace that pasta leads out of.
type Network struct {
	command string
	log     *zap.Logger
	ipv6    bool

	ns     *os.File
	path   string       // of the namespace, for pasta
	home   *thread.Kept // is in the namespace
	parent *thread.Kept // starts pasta, which dies with it

	quit chan struct{}
	once sync.Once
	done chan struct{} // closed when pasta has ended for good
}

// Open makes the namespace and returns when pasta leads out of it. Its error tells an operator what is missing.
func Open(o Options) (*Network, error) {
	n := &Network{log: cmp.Or(o.Log, zap.NewNop()), quit: make(chan struct{}), done: make(chan struct{})}
	var err error
	if n.command, err = exec.LookPath(cmp.Or(o.Command, "pasta")); err != nil {
		return nil, fmt.Errorf("functions of an ordinary user reach the internet by the program pasta, which is not here (%w): as root run "+
			"apt-get install passt, or name it by network.pasta", err)
	}
	if err := unix.Access(tun, unix.R_OK|unix.W_OK); err != nil {
		return nil, fmt.Errorf("pasta needs %s, which this user may not open: %w (as root: modprobe tun, chmod 666 %s)", tun, err, tun)
	}
	v4, v6, err := netns.Leads(nil)
	if err != nil {
		return nil, err
	}
	if !v4 {
		return nil, errors.New("the host has no default route by which pasta could lead to the internet")
	}
	n.ipv6 = v6
	if err := n.settle(); err != nil {
		return nil, err
	}
	n.parent = thread.Keep()
	ended, err := n.start()
	if err != nil {
		n.parent.Close()
		n.leave()
		return nil, err
	}
	go n.attend(ended)
	return n, nil
}

// settle makes the namespace. The thread in it gives up its capabilities: pasta finds the namespace by the thread, and
// nobody may look at one that has more than he has.
func (n *Network) settle() error {
	n.home = thread.Keep()
	err := n.home.Do(func() (err error) {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("a network namespace for pasta: %w", err)
		}
		n.path = "/proc/" + strconv.Itoa(unix.Gettid()) + "/ns/net"
		if n.ns, err = os.Open(n.path); err != nil {
			return err
		}
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		return unix.Capset(&header, &none[0])
	})
	if err != nil {
		n.leave()
	}
	return err
}

// leave gives the namespace back.
func (n *Network) leave() {
	n.home.Close()
	if n.ns != nil {
		n.ns.Close()
	}
}

// Namespace is the namespace, with an interface and default routes to the internet.
func (n *Network) Namespace() *os.File { return n.ns }

// Close ends pasta and gives the namespace back. It may be called twice.
func (n *Network) Close() {
	n.once.Do(func() {
		close(n.quit)
		<-n.done
		n.parent.Close()
		n.leave()
	})
}
