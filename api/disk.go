package api

import (
	"errors"
	"syscall"

	"fcd/store"
)

// diskTrouble is what a caller is told where the daemon's disk has no room or fails, "" for any other error. Only an
// operator can mend it, and often the caller is the one who tells the operator, so it names the place and the cure.
func (a *API) diskTrouble(err error) string {
	switch {
	case errors.Is(err, store.ErrNoSpace), errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "the disk under " + a.o.Disk + " is full. Free some room there (queue.minFreeBytes says how much) and retry."
	case errors.Is(err, store.ErrFatal), errors.Is(err, syscall.EROFS), errors.Is(err, syscall.EIO):
		return "the disk under " + a.o.Disk + " fails: see the log of the daemon, and retry when it runs again."
	}
	return ""
}
