package daemon

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Garbage is collected when the heap has doubled, which for a heap as small as the daemon's is many times a second under
// load and costs a fifth of the processor. So while there is load the heap may grow by busyRoom between two collections;
// at rest it is as small as ever. Much more room would cost more than it saves: it is new memory to the kernel, whose page
// faults cost more than the collections unless load lasts, and it does not fit into the processor's caches.
const (
	heapLook    = time.Second
	busyCycles  = 3        // collections between two looks from which there is load
	busyRoom    = 24 << 20 // bytes
	restPercent = 100      // the default: the heap may double
	restLooks   = 10       // without load until memory goes back to the system
)

// heapPercent is the value for debug.SetGCPercent with which a heap of so many live bytes has room for busyRoom more.
func heapPercent(live uint64) int {
	return max(restPercent, int(100*busyRoom/max(live, 4<<20)))
}

// ownHeap tells whether the size of the heap is left to the daemon: whoever has set GOGC or GOMEMLIMIT has his way.
func ownHeap() bool { return os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" }

// tendMemory gives room for garbage while there is load, and memory back at rest, until ctx ends.
func (d *Daemon) tendMemory(ctx context.Context) error {
	setPercent := func(int) {}
	if ownHeap() {
		setPercent = func(percent int) { debug.SetGCPercent(percent) }
	}
	samples := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}, {Name: "/gc/heap/live:bytes"}}
	metrics.Read(samples)
	h := heapTender{cycles: samples[0].Value.Uint64()} // those of the start are no load
	var r rest
	tick := time.NewTicker(heapLook)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			setPercent(restPercent)
			return nil
		}
		metrics.Read(samples)
		percent, release := h.look(samples[0].Value.Uint64(), samples[1].Value.Uint64())
		atRest := r.look(processorTime(), mappedPages())
		if atRest {
			percent, release = h.rest(), true
		}
		if percent != 0 {
			setPercent(percent)
		}
		if release {
			d.releaseHeap()
		}
		if atRest {
			d.releaseProgram()
			r.trimmed(processorTime(), mappedPages())
		}
	}
}

// A heapTender decides from what the collector did between two looks.
type heapTender struct {
	cycles uint64
	busy   bool
	calm   int // looks without load since
}

// look gives the percentage to set, 0 for no change, and tells whether memory is to go back to the system.
func (h *heapTender) look(cycles, live uint64) (percent int, release bool) {
	since := cycles - h.cycles
	h.cycles = cycles
	switch {
	case !h.busy && since >= busyCycles:
		h.busy, h.calm = true, 0
		return heapPercent(live), false
	case h.busy && since > 0:
		h.calm = 0
		return heapPercent(live), false // live has been counted anew
	case h.busy:
		if h.calm++; h.calm >= restLooks {
			h.busy = false
			return restPercent, true
		}
	}
	return 0, false
}

// rest tells that memory goes back for another reason, and gives the percentage to set.
func (h *heapTender) rest() int {
	h.busy = false
	return restPercent
}
