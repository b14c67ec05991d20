package store

import (
	"sync"
	"time"
)

// SteadyClock is the time of day for whoever compares times of its own: what it gives never goes back while the process
// lives. A step back of the system's clock passes it by; it follows steps forward.
//
// Without it a step back of an hour would leave everything that was queued before it waiting for an hour.
func SteadyClock() func() time.Time {
	begin := time.Now()
	return steady(time.Now, func() time.Duration { return time.Since(begin) })
}

// steady makes such a clock of the system's, and of one that measures and is never set.
func steady(system func() time.Time, elapsed func() time.Duration) func() time.Time {
	var mu sync.Mutex
	base, from := system(), elapsed()
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now, passed := system(), elapsed()
		at := base.Add(passed - from)
		if now.Round(0).After(at.Round(0)) {
			base, from, at = now, passed, now
		}
		return at
	}
}
