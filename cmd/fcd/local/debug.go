package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"fcd/fc"
	"fcd/invoker"
	"fcd/invoker/runtimes"
	"fcd/invoker/sandbox"
)

// DebugPort is a port of the host's loopback that leads to the debugger of a function's living instance, which listens
// on the same port of its own loopback. Connections made while there is none start one.
type DebugPort struct {
	port     int
	listener net.Listener
	ctx      context.Context // ends with Close; of the connections alone
	cancel   context.CancelFunc
	work     sync.WaitGroup

	attached chan struct{} // capacity 1: a debugger came or said something

	mu       sync.Mutex // guards the rest
	instance sandbox.Instance
	wake     func(context.Context) error
}

// minDebugPort is the first port that functions can take.
const minDebugPort = 1024

// OpenDebugPort listens on port, 1024 to 65535.
func OpenDebugPort(port int) (*DebugPort, error) {
	if port < minDebugPort || port > 65535 {
		return nil, fmt.Errorf("debug port %d: it must be from 1024 to 65535", port)
	}
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, fmt.Errorf("debug port: %w", err)
	}
	p := &DebugPort{port: port, listener: l, attached: make(chan struct{}, 1)}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.work.Go(p.accept)
	return p, nil
}

// Address is where a debugger attaches.
func (p *DebugPort) Address() string { return p.listener.Addr().String() }

// Close ends the listener and all connections.
func (p *DebugPort) Close() error {
	err := p.listener.Close()
	p.cancel()
	p.work.Wait()
	return err
}

// Debug makes an invoker open the function's debugger and tell the port of its instances.
func (p *DebugPort) Debug(ref fc.FunctionRef) *invoker.Debug {
	return &invoker.Debug{Function: ref, Port: p.port, Started: func(i sandbox.Instance) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.instance = i
	}}
}

// Wake sets how an instance is started when a debugger comes and finds none. Without it such a debugger is turned away.
func (p *DebugPort) Wake(start func(context.Context) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wake = start
}

// Forget leads the next debugger past the instance that was told of last: its code is not the function's any more.
func (p *DebugPort) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.instance = nil
}

func (p *DebugPort) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		p.work.Go(func() { p.serve(c) })
	}
}

// serve connects a debugger with the instance until one of them hangs up.
func (p *DebugPort) serve(outer net.Conn) {
	defer outer.Close()
	inner, err := p.dial()
	if err != nil {
		return // to the debugger it looks like a program that has ended
	}
	defer inner.Close()
	stop := context.AfterFunc(p.ctx, func() { outer.Close(); inner.Close() })
	defer stop()
	var back sync.WaitGroup
	answered := make(chan struct{})
	back.Go(func() {
		p.copyBack(outer, inner, answered)
		outer.Close()
	})
	p.copyThere(inner, outer, answered)
	inner.Close()
	back.Wait()
}

// dial finds the living instance, or has one started.
func (p *DebugPort) dial() (net.Conn, error) {
	p.mu.Lock()
	instance, wake := p.instance, p.wake
	p.mu.Unlock()
	if c, err := p.dialTo(instance); err == nil || wake == nil {
		return c, err
	}
	if err := wake(p.ctx); err != nil {
		return nil, err
	}
	p.mu.Lock()
	instance = p.instance
	p.mu.Unlock()
	return p.dialTo(instance)
}

func (p *DebugPort) dialTo(instance sandbox.Instance) (net.Conn, error) {
	d, ok := instance.(sandbox.Dialer)
	if !ok {
		return nil, errors.New("there is no instance that can be reached")
	}
	return d.Dial(p.ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", p.port))
}

// copyBack hands on what the program says. Its first words tell a debugger that has come from one who only asks, over
// plain HTTP, whether there is something to debug.
func (p *DebugPort) copyBack(to, from net.Conn, answered chan<- struct{}) {
	buf := make([]byte, 32<<10)
	for first := true; ; first = false {
		n, err := from.Read(buf)
		if first && n > 0 && isSession(buf[:n]) {
			close(answered)
			p.stir()
		}
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}

func isSession(answer []byte) bool {
	return !bytes.HasPrefix(answer, []byte("HTTP/")) || bytes.HasPrefix(answer, []byte("HTTP/1.1 101 "))
}

// copyThere hands on what the debugger says.
func (p *DebugPort) copyThere(to, from net.Conn, answered <-chan struct{}) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		select {
		case <-answered:
			p.stir()
		default:
		}
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}

func (p *DebugPort) stir() {
	select {
	case p.attached <- struct{}{}:
	default:
	}
}

// settled is how long a debugger that has attached must say nothing to have set its breakpoints.
const settled = 300 * time.Millisecond

// Attached returns when a debugger has attached and set itself up, which no protocol of theirs tells: when it has come
// and then said nothing for a while.
func (p *DebugPort) Attached(ctx context.Context) error {
	select {
	case <-p.attached:
	case <-ctx.Done():
		return ctx.Err()
	}
	quiet := time.NewTimer(settled)
	defer quiet.Stop()
	for {
		select {
		case <-p.attached:
			quiet.Reset(settled)
		case <-quiet.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// debuggable refuses a runtime whose debugger is not there. Python's is a package, debugpy: the interpreter's own, or one
// in the function's folder, which is then put on the interpreter's path.
func (f *Function) debuggable(rt *runtimes.Runtime) error {
	if _, err := rt.Debug([]string{rt.Path, ""}, minDebugPort); err != nil || !strings.HasPrefix(rt.Name, "python") {
		return err
	}
	if _, err := os.Stat(filepath.Join(f.Dir, "debugpy")); err == nil {
		if f.Env["PYTHONPATH"] == "" {
			f.Env = maps.Clone(f.Env)
			if f.Env == nil {
				f.Env = map[string]string{}
			}
			f.Env["PYTHONPATH"] = runtimes.CodeDir
		}
		return nil
	}
	if rt.Root == "" && exec.Command(rt.Path, "-c", "import debugpy").Run() == nil {
		return nil
	}
	return fmt.Errorf("%s has no debugpy, which debugging needs: install the package python3-debugpy, "+
		"or run: pip install --target %s debugpy", rt.Name, f.Dir)
}
