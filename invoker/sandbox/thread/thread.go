// Package thread is for work that changes what belongs to an operating system thread: its cgroup, its namespaces.
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
