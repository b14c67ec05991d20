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
// at rest it is as small as ever.
const (
	heapLook    = time.Second
	busyCycles  = 3        // collections between two looks from which there is load
	busyRoom    = 48 << 20 // bytes
	restPercent = 100      // the default: the heap may double
	restLooks   = 10       // without load until memory goes back to the system
)

// heapPercent is the value for debug.SetGCPercent with which a heap of so many live bytes has room for busyRoom more.
func heapPercent(live uint64) int {
	return max(restPercent, int(100*busyRoom/max(live, 4<<20)))
}

// tendMemory gives room for garbage while there is load, and memory back at rest, until ctx ends. Whoever has set GOGC or
// GOMEMLIMIT has his way with the first.
func (d *Daemon) tendMemory(ctx context.Context) error {
	ours := os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == ""
	samples := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}, {Name: "/gc/heap/live:bytes"}}
	tick := time.NewTicker(heapLook)
	defer tick.Stop()
	var h heapTender
	var r rest
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			if ours {
				debug.SetGCPercent(restPercent)
			}
			return nil
		}
		if ours {
			metrics.Read(samples)
			percent, release := h.look(samples[0].Value.Uint64(), samples[1].Value.Uint64())
			if percent != 0 {
				debug.SetGCPercent(percent)
			}
			if release {
				debug.FreeOSMemory()
			}
		}
		if r.look(processorTime(), mappedPages()) {
			d.trim()
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
