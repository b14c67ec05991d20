// Package roster is what the drivers have in common: which instances there are (Roster), that each ends once and is
// killed once (Life), and what every Spec is held to (Defaults).
//
//	func (d *Driver) Start(ctx context.Context, spec sandbox.Spec) (sandbox.Instance, error) {
//		if err := d.defaults().Fill(&spec); err != nil { ... }
//		i := &Instance{life: roster.NewLife(), ...}
//		if err := d.roster.Start(ctx, spec, i, i.start); err != nil { ... }
//		return i, nil
//	}
package roster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"fcd/invoker/sandbox"
)

// A Killer is an instance as the roster sees it. Kill ends in Roster.Forget.
type Killer interface{ Kill() error }

// Roster is the instances of a driver, by ID. Its methods may be called concurrently.
type Roster[I Killer] struct {
	closing  chan struct{}  // closed by Close: starts under way give up
	starting sync.WaitGroup // starts under way

	mu        sync.Mutex // guards closed and instances
	closed    bool
	instances map[string]I
}

// New makes an empty one.
func New[I Killer]() *Roster[I] {
	return &Roster[I]{closing: make(chan struct{}), instances: map[string]I{}}
}

// Start enters an instance and has start bring it to life, which Close interrupts. What was acquired when that fails, the
// instance's Kill gives back.
func (r *Roster[I]) Start(ctx context.Context, spec sandbox.Spec, i I, start func(context.Context, sandbox.Spec) error) error {
	if err := r.enter(spec.ID, i); err != nil {
		return err
	}
	defer r.starting.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-r.closing:
			cancel()
		case <-ctx.Done():
		}
	}()
	if err := start(ctx, spec); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return errors.Join(fmt.Errorf("start instance %s (%s): %w", spec.ID, spec.Runtime, err), i.Kill())
	}
	return nil
}

// enter adds an instance; a closed roster takes none.
func (r *Roster[I]) enter(id string, i I) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return errors.New("the sandbox driver is closed")
	}
	if _, ok := r.instances[id]; ok {
		return fmt.Errorf("instance %q exists already", id)
	}
	r.instances[id] = i
	r.starting.Add(1)
	return nil
}

// Forget takes an instance off, whose ID can be used again.
func (r *Roster[I]) Forget(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.instances, id)
}

// IDs are the instances that were not killed.
func (r *Roster[I]) IDs() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.instances))
}

// Close takes no further instance, and returns when those that there are have been killed. first is false if it was
// closed already.
func (r *Roster[I]) Close() (first bool, err error) {
	r.mu.Lock()
	first, r.closed = !r.closed, true
	r.mu.Unlock()
	if !first {
		return false, nil
	}
	close(r.closing)
	r.starting.Wait()
	r.mu.Lock()
	left := slices.Collect(maps.Values(r.instances))
	r.mu.Unlock()
	errs := make([]error, len(left))
	var wg sync.WaitGroup
	for n, i := range left {
		wg.Go(func() { errs[n] = i.Kill() })
	}
	wg.Wait()
	return true, errors.Join(errs...)
}
