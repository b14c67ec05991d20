package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// A metered load tells what its calls cost in processor time, which changes less than speed does on a machine that has
// other things to do.
type metered struct {
	load
	process *process // that is called
	calls   int
	used    [3]time.Duration // by the process, its descendants and this program
}

func (m *metered) run(ctx context.Context, d time.Duration) (sample, error) {
	before, err := m.look()
	if err != nil {
		return sample{}, err
	}
	own, err := cpuOf(os.Getpid()) // last before the load and first behind it: looks are no part of what a call costs
	if err != nil {
		return sample{}, err
	}
	got, err := m.load.run(ctx, d)
	if err != nil {
		return got, err
	}
	m.calls += got.calls
	used, err := cpuOf(os.Getpid())
	if err != nil {
		return got, err
	}
	m.used[2] += used - own
	after, err := m.look()
	for i := range after {
		m.used[i] += after[i] - before[i]
	}
	return got, err
}

// look reads the clocks of the process and its descendants.
func (m *metered) look() (at [2]time.Duration, err error) {
	if at[0], err = m.process.cpu(); err == nil {
		at[1], err = m.process.cpuBelow()
	}
	return at, err
}

// cost is what a call has cost the process, its descendants and this program, in microseconds.
func (m *metered) cost() (each [3]float64) {
	for i, used := range m.used {
		each[i] = float64(used.Microseconds()) / float64(m.calls)
	}
	return each
}

// costsOf notes what a call costs on both sides.
func costsOf(ours, theirs *metered) string {
	o, t := ours.cost(), theirs.cost()
	return fmt.Sprintf("; µs of processor a call: daemon %.0f, functions %.0f, client %.0f against %.0f, %.0f, %.0f",
		o[0], o[1], o[2], t[0], t[1], t[2])
}
