package pasta

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/vishvananda/netlink/nl"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"fcd/invoker/sandbox/netns"
)

// The addresses at pasta's interface, which package nat closes to instances. What the host sends has the host's own;
// those of IPv4 are set aside for the ends of such a link (RFC 7335), the others are for private use.
const (
	own4, gateway4 = "192.0.0.2", "192.0.0.1"
	own6, gateway6 = "fd00:6663:64::2", "fd00:6663:64::1"
)

// upWait is how long pasta may take until it leads out.
const upWait = 10 * time.Second

// arguments are understood by every pasta since that of Debian 12. The ports of both sides stay closed to the other.
func (n *Network) arguments() []string {
	a := []string{"--foreground", "--quiet", "--netns-only", "--netns", n.path, "--ns-ifname", "uplink0", "--config-net",
		"--no-map-gw", "--tcp-ports", "none", "--udp-ports", "none", "--tcp-ns", "none", "--udp-ns", "none",
		"--no-dhcp", "--no-dhcpv6", "--no-ra", "--address", own4, "--netmask", "30", "--gateway", gateway4}
	if n.ipv6 {
		return append(a, "--address", own6, "--gateway", gateway6)
	}
	return append(a, "--ipv4-only")
}

// start starts pasta and waits until it leads out. The channel gets how it ended.
func (n *Network) start() (<-chan error, error) {
	routes, err := subscribe(n.ns)
	if err != nil {
		return nil, err
	}
	defer routes.Close()
	words := new(last)
	cmd := exec.Command(n.command, n.arguments()...)
	cmd.Env, cmd.Stdout, cmd.Stderr = []string{}, words, words
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := n.parent.Do(cmd.Start); err != nil {
		return nil, fmt.Errorf("start pasta: %w", err)
	}
	ended := make(chan error, 1)
	up := make(chan error, 1)
	gone := make(chan struct{})
	go func() {
		err := cmd.Wait()
		ended <- fmt.Errorf("pasta ended (%v): %s", err, words)
		close(gone)
	}()
	go func() { up <- n.awaitRoutes(routes) }()
	var failure error
	select {
	case failure = <-up:
		if failure == nil {
			go func() {
				select {
				case <-n.quit:
					_ = cmd.Process.Kill() // it may have ended
				case <-gone:
				}
			}()
			return ended, nil
		}
	case <-gone:
		routes.Close()
		<-up
	case <-n.quit:
		routes.Close()
		<-up
	}
	_ = cmd.Process.Kill() // it may have ended
	return nil, errors.Join(failure, <-ended)
}

// attend starts pasta again when it ends.
func (n *Network) attend(ended <-chan error) {
	defer close(n.done)
	wait := backoff.NewExponentialBackOff()
	wait.MaxInterval = 30 * time.Second
	for {
		err := <-ended
		select {
		case <-n.quit:
			return
		default:
		}
		n.log.Error("functions have no internet until pasta runs again", zap.Error(err))
		for ended = nil; ended == nil; {
			select {
			case <-n.quit:
				return
			case <-time.After(wait.NextBackOff()):
			}
			if ended, err = n.start(); err != nil {
				n.log.Error("pasta does not start", zap.Error(err))
			}
		}
		wait.Reset()
		n.log.Info("pasta runs again")
	}
}

// subscribe opens a socket that hears of new routes in a namespace.
func subscribe(ns *os.File) (s *nl.NetlinkSocket, err error) {
	err = netns.Do(ns, func() (err error) {
		if s, err = nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE); err != nil {
			return err
		}
		s.SetReceiveTimeout(&unix.Timeval{Sec: int64(upWait / time.Second)})
		return nil
	})
	return s, err
}

// awaitRoutes returns when the namespace has its default routes.
func (n *Network) awaitRoutes(routes *nl.NetlinkSocket) error {
	for {
		v4, v6, err := netns.Leads(n.ns)
		if err != nil || v4 && (v6 || !n.ipv6) {
			return err
		}
		if _, _, err := routes.Receive(); err != nil {
			return fmt.Errorf("pasta gave its interface no default routes within %v: %w", upWait, err)
		}
	}
}

// last keeps the end of what pasta says, but for what it says of a missing system logger.
type last struct {
	mu    sync.Mutex // guards lines
	lines [][]byte
}

func (l *last) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	const most = 10
	for line := range bytes.Lines(p) {
		line = bytes.TrimSpace(line)
		if len(line) > 0 && !bytes.HasPrefix(line, []byte("Failed to send")) {
			l.lines = append(l.lines, bytes.Clone(line[:min(len(line), 300)]))
		}
	}
	l.lines = l.lines[max(0, len(l.lines)-most):]
	return len(p), nil
}

func (l *last) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(bytes.Join(l.lines, []byte("; ")))
}
