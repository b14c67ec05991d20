// Package flock takes the lock that makes a directory one process's own.
package flock

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long the lock of a process that has just died is waited for.
const patience = 2 * time.Second

// Take locks the open file or directory for its holder alone (flock(2)), until it is closed or the process ends. A child
// that was just being started when its parent was killed has the parent's lock until it becomes another program, so a lock
// that another has is waited for, 2 s at the most; it is unix.EWOULDBLOCK then. It may be called concurrently.
func Take(f *os.File) (err error) {
	for end := time.Now().Add(patience); ; time.Sleep(patience / 100) { // the kernel has no wait with an end
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) || time.Now().After(end) {
			return err
		}
	}
}
