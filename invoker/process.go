package invoker

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"fcd/fc/nonblock"
	"fcd/invoker/runtimes"
	"fcd/invoker/runtimes/frame"
	"fcd/invoker/sandbox"
)

// A process is a started program: an interpreter that waits for its HELLO, or a function's own that may not listen yet.
// It is a sandbox and the daemon's ends of its pipes.
type process struct {
	v  *Invoker
	id string
	sb sandbox.Instance

	in, out *os.File // fd 3, 4 inside; nil for a program that serves HTTP
	logs    [2]int   // fd 1, 2 inside: descriptors that do not block and that the runtime does not watch
	answers answers  // out, as frames reads it
	frames  *frame.Reader
	writer  *frame.Writer
	limits  sandbox.Limits // to hold the program to once it is ready
	begun   sandbox.Limits // what it started with
	api     *runtimeAPI    // nil where there is a bootstrap

	gone chan struct{} // closed when pid 1 has ended
	exit sandbox.Exit  // set before gone is closed

	mu    sync.Mutex // guards ended
	ended func()     // to be called when pid 1 has ended

	cutOff  atomic.Bool // Close has run out of patience
	killing sync.Once
	doors   []io.Closer // what lets its connections in
	serving sync.WaitGroup
}

// newID names an instance: [a-z0-9-], unique for ever.
func newID() string {
	var b [12]byte
	rand.Read(b[:])
	return "c-" + hex.EncodeToString(b[:])
}

// startProcess starts a sandbox and, where there is a bootstrap, waits until that is READY. Without a CodeDir in spec, the
// process is generic and to be claimed. spec's pipes are filled in here.
func (v *Invoker) startProcess(ctx context.Context, spec sandbox.Spec, bootstrap bool) (*process, error) {
	patience := v.opt.StartTimeout
	if spec.Limits.Background {
		patience *= backgroundPatience
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	p := &process{v: v, id: spec.ID, gone: make(chan struct{})}
	theirs, err := p.openPipes(bootstrap)
	if err != nil {
		return nil, err
	}
	spec.FrameIn, spec.FrameOut, spec.Stdout, spec.Stderr = theirs[0], theirs[1], theirs[2], theirs[3]
	p.limits = spec.Limits
	p.limits.Background = false
	spec.Limits.CPUMilli = 0 // an interpreter starts at full speed; its share begins with the first request
	p.begun = spec.Limits
	p.sb, err = v.opt.Driver.Start(ctx, spec)
	closeAll(theirs[:]...)
	if err != nil {
		p.closePipes()
		return nil, fmt.Errorf("start of a %s sandbox: %w", spec.Runtime, err)
	}
	p.watch()
	if bootstrap {
		p.serve()
	} else {
		p.api = newRuntimeAPI(v.opt.Limits.MaxResultBytes)
		p.serve(Service{Address: runtimes.RuntimeAPI, Serve: p.api.serve})
	}
	v.add(p)
	if !bootstrap {
		return p, nil
	}
	if err := p.bring(ctx, patience); err != nil {
		err = fmt.Errorf("%w%s", err, p.lastWords())
		p.discard()
		return nil, err
	}
	return p, nil
}

// openPipes makes the four pipes; theirs are in the order of their fields in sandbox.Spec.
func (p *process) openPipes(bootstrap bool) (theirs [4]*os.File, err error) {
	p.logs = [2]int{-1, -1}
	if bootstrap {
		theirs[0], p.in, err = os.Pipe()
	}
	if err == nil && bootstrap {
		p.out, theirs[1], err = os.Pipe()
	}
	var in *nonblock.Stream
	if err == nil && bootstrap {
		in, err = nonblock.New(p.in)
	}
	if err == nil && bootstrap {
		p.answers, err = newAnswers(p.out)
	}
	for i := range p.logs {
		if err == nil {
			p.logs[i], theirs[2+i], err = logPipeEnds()
		}
	}
	if err != nil {
		closeAll(theirs[:]...)
		p.closePipes()
		return theirs, fmt.Errorf("pipes of an instance: %w", err)
	}
	if bootstrap {
		p.frames, p.writer = frame.NewReader(&p.answers), frame.NewWriter(in)
		p.frames.MaxBody = int(p.v.opt.Limits.MaxResultBytes)
	}
	return theirs, nil
}

func logPipeEnds() (ours int, theirs *os.File, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return -1, nil, err
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		unix.Close(fds[0])
		unix.Close(fds[1])
		return -1, nil, err
	}
	return fds[0], os.NewFile(uintptr(fds[1]), "log"), nil
}

func (p *process) closePipes() {
	closeAll(p.in, p.out)
	for i, fd := range p.logs {
		if fd >= 0 {
			unix.Close(fd)
			p.logs[i] = -1
		}
	}
}

func closeAll(files ...*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}

// bring waits for the bootstrap and then holds it to the limits of its function.
func (p *process) bring(ctx context.Context, patience time.Duration) error {
	if err := p.awaitReady(ctx, patience); err != nil {
		return err
	}
	return p.hold()
}

// hold ends what is right for a start only: its full speed, or its place behind others.
func (p *process) hold() error {
	l, ok := p.sb.(sandbox.Limiter)
	if !ok || p.limits == p.begun {
		return nil
	}
	if err := l.SetLimits(p.limits); err != nil {
		return fmt.Errorf("processor share of %d thousandths: %w", p.limits.CPUMilli, err)
	}
	return nil
}

func (p *process) awaitReady(ctx context.Context, patience time.Duration) error {
	if at, ok := ctx.Deadline(); ok {
		p.out.SetReadDeadline(at)
	}
	f, err := p.frames.Read()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("the interpreter was not ready within %v", patience)
	case err != nil:
		return fmt.Errorf("the interpreter ended before it was ready: %w", err)
	}
	_, err = frame.ReadReady(f)
	return err
}

// lastWords is what the interpreter wrote to stderr before it failed to start, for the operator.
func (p *process) lastWords() string {
	_, _ = unix.Poll([]unix.PollFd{{Fd: int32(p.logs[1]), Events: unix.POLLIN}}, 20)
	b := make([]byte, 2048)
	n, _ := unix.Read(p.logs[1], b)
	if text := strings.TrimSpace(string(b[:max(n, 0)])); text != "" {
		return fmt.Sprintf(": %q", text)
	}
	return ""
}

// serve opens services inside the sandbox, where the driver can: the daemon's, and own, those of this process alone.
func (p *process) serve(own ...Service) {
	l, ok := p.sb.(sandbox.Listener)
	if !ok {
		return
	}
	for _, d := range p.v.doors {
		if ln := p.listen(l, d.service.Address); ln != nil {
			p.admit(d, ln)
		}
	}
	for _, s := range own {
		if ln := p.listen(l, s.Address); ln != nil {
			p.doors = append(p.doors, ln)
			p.serving.Go(func() { s.Serve(ln) })
		}
	}
}

// listen is nil where the driver cannot or, which is logged, something is in the way.
func (p *process) listen(l sandbox.Listener, address string) net.Listener {
	ln, err := l.Listen("tcp", address)
	if err != nil && !errors.Is(err, sandbox.ErrNotSupported) {
		p.v.opt.Log.Warn("a service cannot be reached from an instance",
			zap.String("instance", p.id), zap.String("address", address), zap.Error(err))
	}
	if err != nil {
		return nil
	}
	return ln
}

// admit leads a listener to a door, or has it served by itself where it is not of the kind that can be waited for.
func (p *process) admit(d *door, ln net.Listener) {
	if many, ok := ln.(listener); ok {
		if g, err := d.open(many); err == nil {
			p.doors = append(p.doors, g)
			return
		}
	}
	p.doors = append(p.doors, ln)
	p.serving.Go(func() { d.service.Serve(ln) })
}

// watch sees to the end of pid 1 when it comes.
func (p *process) watch() {
	if e, ok := p.sb.(sandbox.Ender); ok {
		p.v.work.Add(1)
		e.OnEnd(func(exit sandbox.Exit) {
			defer p.v.work.Done()
			p.end(exit)
		})
		return
	}
	p.v.work.Go(func() {
		exit, err := p.sb.Wait()
		if err != nil {
			p.v.opt.Log.Warn("the end of an instance is not known", zap.String("instance", p.id), zap.Error(err))
			exit = sandbox.Exit{Code: -1, Signal: syscall.SIGKILL}
		}
		p.end(exit)
	})
}

// end tells all who want to know that pid 1 has ended.
func (p *process) end(exit sandbox.Exit) {
	p.exit = exit
	p.mu.Lock()
	close(p.gone)
	ended := p.ended
	p.mu.Unlock()
	if ended != nil {
		ended()
	}
}

// onEnd has f called, on a goroutine of its own, when pid 1 has ended: at once if it has already. It takes the place of an
// earlier f.
func (p *process) onEnd(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = f
	if p.exited() {
		p.v.work.Go(f)
	}
}

// exited tells whether pid 1 has ended.
func (p *process) exited() bool {
	select {
	case <-p.gone:
		return true
	default:
		return false
	}
}

// awaitExit waits for the end of pid 1, at most d.
func (p *process) awaitExit(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-p.gone:
		return true
	case <-t.C:
		return false
	}
}

// cut ends the process under a running request: Close has no time left.
func (p *process) cut() {
	p.cutOff.Store(true)
	p.kill()
}

// kill ends the whole tree and returns when it is gone. The pipes stay open: they may hold the last lines.
func (p *process) kill() {
	p.killing.Do(func() {
		for _, d := range p.doors {
			d.Close()
		}
		if err := p.sb.Kill(); err != nil {
			p.v.opt.Log.Error("an instance was not cleaned up", zap.String("instance", p.id), zap.Error(err))
		}
		p.serving.Wait()
		p.v.remove(p)
	})
}

// discard ends a process that has served nobody.
func (p *process) discard() {
	p.kill()
	p.closePipes()
}
