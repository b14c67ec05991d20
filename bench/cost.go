package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// A metered load tells what its calls cost in processor time, which changes less than speed does on a machine that has
// other things to do. The clocks of the process that is called are read before the first turn and after the last, and never
// between two: to look for its descendants goes through every process of the machine, behind which the first 50 ms of calls
// were a sixth slower, and a turn of single calls is no longer than that.
type metered struct {
	load
	process *process // that is called
	calls   int
	begin   [2]time.Duration // the clocks of the process and of its descendants when the metering began
	client  time.Duration    // what this program has used in the turns
}

// meter begins to count what the calls of a load cost; whatever the process does from now on is counted with them.
func meter(l load, p *process) (*metered, error) {
	m := &metered{load: l, process: p}
	var err error
	m.begin, err = m.look()
	return m, err
}

func (m *metered) run(ctx context.Context, d time.Duration) (sample, error) {
	before, err := cpuOf(os.Getpid())
	if err != nil {
		return sample{}, err
	}
	got, err := m.load.run(ctx, d)
	if err != nil {
		return got, err
	}
	m.calls += got.calls
	after, err := cpuOf(os.Getpid())
	m.client += after - before
	return got, err
}

// look reads the clocks of the process and its descendants.
func (m *metered) look() (at [2]time.Duration, err error) {
	if at[0], err = m.process.cpu(); err == nil {
		at[1], err = m.process.cpuBelow()
	}
	return at, err
}

// cost is what a call has cost the process, its descendants and this program until now, in microseconds.
func (m *metered) cost() (each [3]float64, err error) {
	now, err := m.look()
	for i, used := range []time.Duration{now[0] - m.begin[0], now[1] - m.begin[1], m.client} {
		each[i] = used.Seconds() * 1e6 / float64(m.calls)
	}
	return each, err
}

// contest is a comparison of two metered loads, which tells what a call costs on both sides.
func contest(ours, theirs load, fcd, other *process, compare func(ours, theirs load) (pair, error)) (pair, error) {
	own, err := meter(ours, fcd)
	if err != nil {
		return pair{}, err
	}
	their, err := meter(theirs, other)
	if err != nil {
		return pair{}, err
	}
	p, err := compare(own, their)
	if err != nil {
		return p, err
	}
	o, err := own.cost()
	if err != nil {
		return p, err
	}
	t, err := their.cost()
	p.Note += fmt.Sprintf("; µs of processor a call: daemon %.0f, functions %.0f, client %.0f against %.0f, %.0f, %.0f",
		o[0], o[1], o[2], t[0], t[1], t[2])
	return p, err
}
