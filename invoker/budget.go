package invoker

import (
	"slices"
	"sync"
	"sync/atomic"
)

// A budget bounds the instances of all functions together. It is asked when an instance starts or has gone, never for
// a request that a warm instance serves.
type budget struct {
	maxInstances, maxMemoryMB int

	mu        sync.Mutex // guards the rest; taken while a function's mu is held, never the other way round
	instances int
	memoryMB  int
	short     []*function // functions that wait for room, in the order they came

	scarce atomic.Bool // short is not empty
}

// reserve takes room for an instance of fn. Without room, fn is noted, to be told by a later release.
func (b *budget) reserve(fn *function, memoryMB int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.instances+1 <= b.maxInstances && b.memoryMB+memoryMB <= b.maxMemoryMB {
		b.instances++
		b.memoryMB += memoryMB
		return true
	}
	if !slices.Contains(b.short, fn) {
		b.short = append(b.short, fn)
		b.scarce.Store(true)
	}
	return false
}

// release gives the room back and returns the functions that had found none: each should try again.
func (b *budget) release(memoryMB int) []*function {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.instances--
	b.memoryMB -= memoryMB
	short := b.short
	b.short = nil
	b.scarce.Store(false)
	return short
}

// forget drops a function that no longer waits.
func (b *budget) forget(fn *function) {
	if !b.scarce.Load() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.short = slices.DeleteFunc(b.short, func(f *function) bool { return f == fn })
	b.scarce.Store(len(b.short) > 0)
}

// used is the number of instances that hold room.
func (b *budget) used() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.instances
}

// waiting are the functions that found no room.
func (b *budget) waiting() []*function {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.short)
}
