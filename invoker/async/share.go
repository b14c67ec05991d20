package async

import (
	"cmp"
	"slices"

	"fcd/store"
)

// share deals free places out to the functions with due work: round by round one to each, those with the fewest running
// attempts first, then the one whose message has been due longest.
func (d *Dispatcher) share(due []store.FnDue, free int) map[string]int {
	type seat struct {
		store.FnDue
		running int
	}
	seats := make([]seat, 0, len(due))
	d.mu.Lock()
	for _, f := range due {
		if n := d.perFn[f.Fn]; n < d.opt.FunctionConcurrency {
			seats = append(seats, seat{f, n})
		}
	}
	d.mu.Unlock()
	want := make(map[string]int)
	for free > 0 && len(seats) > 0 {
		slices.SortFunc(seats, func(a, b seat) int {
			return cmp.Or(cmp.Compare(a.running, b.running), a.Earliest.Compare(b.Earliest), cmp.Compare(a.Fn, b.Fn))
		})
		fewest, rest := seats[0].running, seats[:0]
		for _, s := range seats {
			if s.running == fewest && free > 0 {
				want[s.Fn]++
				s.running++
				free--
			}
			if s.running < d.opt.FunctionConcurrency {
				rest = append(rest, s)
			}
		}
		seats = rest
	}
	return want
}
