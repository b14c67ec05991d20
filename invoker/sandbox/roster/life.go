package roster

import (
	"os"
	"sync"
	"syscall"

	"fcd/invoker/sandbox"
)

// Life is the end of an instance's pid 1 and the kill of the whole, each of which happens once.
type Life struct {
	ended chan struct{} // closed when exit is set
	exit  sandbox.Exit

	once   sync.Once
	killed chan struct{} // closed when err is set
	err    error
}

// NewLife begins one.
func NewLife() *Life { return &Life{ended: make(chan struct{}), killed: make(chan struct{})} }

// End says how it ended. It is called once.
func (l *Life) End(e sandbox.Exit) {
	l.exit = e
	close(l.ended)
}

// Ended is closed when it has ended.
func (l *Life) Ended() <-chan struct{} { return l.ended }

// HasEnded tells whether it has.
func (l *Life) HasEnded() bool {
	select {
	case <-l.ended:
		return true
	default:
		return false
	}
}

// Wait returns when it has ended, and how.
func (l *Life) Wait() sandbox.Exit {
	<-l.ended
	return l.exit
}

// Kill calls kill, once for all callers, who all wait for it and get its error.
func (l *Life) Kill(kill func() error) error {
	l.once.Do(func() {
		defer close(l.killed)
		l.err = kill()
	})
	<-l.killed
	return l.err
}

// Reap waits for a child to end. An error says that it was not ours to wait for.
func Reap(p *os.Process) (sandbox.Exit, error) {
	state, err := p.Wait()
	if err != nil {
		return sandbox.Exit{Code: -1}, err
	}
	if status := state.Sys().(syscall.WaitStatus); status.Signaled() {
		return sandbox.Exit{Code: -1, Signal: status.Signal()}, nil
	}
	return sandbox.Exit{Code: state.ExitCode()}, nil
}
