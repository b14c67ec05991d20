// Package thread is for work that changes, or hangs on, what belongs to an operating system thread: its cgroup, its
// namespaces, its life.
package thread

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// Run runs f on an operating system thread of its own that ends with it, so that f may change what belongs to a
// thread: its cgroup, its namespaces.
func Run(f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			// The first thread of a process never ends: Go parks it, changed for good. While it is held here, f gets another.
			result <- Run(f)
			runtime.UnlockOSThread()
			return
		}
		result <- f() // not unlocked: the thread ends with this goroutine
	}()
	return <-result
}

// Kept is one thread that stays until Close: for processes that are told to die when the thread that started them ends,
// and for a namespace that others find by the thread that is in it. It is never the first thread of the process.
type Kept struct {
	work  chan func()
	quit  chan struct{}
	ready chan struct{} // closed when the thread has been found
	done  chan struct{}
}

// Keep begins a thread.
func Keep() *Kept {
	k := &Kept{work: make(chan func()), quit: make(chan struct{}), ready: make(chan struct{}), done: make(chan struct{})}
	go k.run()
	<-k.ready
	return k
}

func (k *Kept) run() {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() { // as in Run
		go k.run()
		<-k.ready
		runtime.UnlockOSThread()
		return
	}
	close(k.ready)
	defer close(k.done)
	for {
		select {
		case f := <-k.work:
			f()
		case <-k.quit:
			return
		}
	}
}

// Do runs f on the thread.
func (k *Kept) Do(f func() error) error {
	result := make(chan error, 1)
	k.work <- func() { result <- f() }
	return <-result
}

// Close ends the thread; no Do may be under way.
func (k *Kept) Close() {
	close(k.quit)
	<-k.done
}
