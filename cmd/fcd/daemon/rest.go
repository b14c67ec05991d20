package daemon

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
	"time"
)

const (
	restShare = heapLook / 100 // processor time between two looks below which there is nothing to do
	calmLooks = 2              // such looks in a row until memory is given back
	restPages = 512            // mapped since the last time that are worth it: 2 MiB of 4 KiB pages
)

// A rest tells when the daemon has come to rest and holds pages that it does not need there. A request, the start of an
// instance, a new function: each maps parts of the program that it then has no use for, until the next one. To map them
// again takes some tenths of a millisecond, once after each rest, which is why it is not done sooner.
type rest struct {
	used  time.Duration // processor time at the last look
	calm  int           // looks without work since the last work
	pages int           // that were mapped right after the last trim
}

// look is told the processor time that the process has used and how many pages of files it has mapped, and decides
// whether to give memory back.
func (r *rest) look(used time.Duration, pages int) bool {
	since := used - r.used
	r.used = used
	if since > restShare {
		r.calm = 0
		return false
	}
	r.calm++
	return r.calm == calmLooks && pages-r.pages >= restPages
}

// trimmed is told the processor time and how many pages are mapped once memory has been given back, which is no work that
// another rest could follow.
func (r *rest) trimmed(used time.Duration, pages int) { r.used, r.pages = used, pages }

// processorTime is what this process has used until now.
func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// mappedPages is the number of pages of files, the program among them, in this process; 0 if it cannot be had.
func mappedPages() int {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(b) // size, resident, of which from files
	if len(fields) < 3 {
		return 0
	}
	n, _ := strconv.Atoi(string(fields[2]))
	return n
}
