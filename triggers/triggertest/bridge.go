package triggertest

import (
	"context"
	"strings"
	"sync"
	"time"

	"fcd/fc"
	"fcd/store"
	"fcd/triggers"
)

// recorder is the Bridge's place: it keeps what was dispatched.
type recorder struct {
	mu     sync.Mutex
	events []triggers.Event
	keys   map[string]bool
	fates  []store.Fate // noted or saved
	cursor map[string][]byte
	offset time.Duration // of the source's clock
	// before, if set, runs at the start of a dispatch; an error is the dispatch's.
	before func(triggers.Event) error
}

// take is what dispatch and invoke have in common.
func (r *recorder) take(ev triggers.Event) error {
	r.mu.Lock()
	before := r.before
	r.mu.Unlock()
	if before != nil {
		return before(ev)
	}
	return nil
}

func (r *recorder) dispatch(_ context.Context, ev triggers.Event, checkpoints ...store.Checkpoint) error {
	if err := r.take(ev); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range checkpoints {
		r.cursor[c.Key] = c.Value
	}
	if ev.DedupKey != "" && r.keys[ev.DedupKey] {
		return triggers.ErrDuplicate
	}
	r.keys[ev.DedupKey] = true
	r.events = append(r.events, ev)
	return nil
}

func (r *recorder) invoke(_ context.Context, ev triggers.Event) (fc.Result, error) {
	if err := r.take(ev); err != nil {
		return fc.Result{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, ev)
	return fc.Result{RequestID: "r-" + ev.ID}, nil
}

func (r *recorder) save(_ context.Context, checkpoints []store.Checkpoint, fates ...store.Fate) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range checkpoints {
		if r.cursor[c.Key] = c.Value; c.Value == nil {
			delete(r.cursor, c.Key)
		}
	}
	r.fates = append(r.fates, fates...)
	return nil
}

func (r *recorder) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Now().Add(r.offset)
}

func (r *recorder) setClock(offset time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.offset = offset
}

func (r *recorder) checkpoint(_ context.Context, key string) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cursor[key], nil
}

func (r *recorder) note(f store.Fate) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fates = append(r.fates, f)
}

func (r *recorder) setBefore(f func(triggers.Event) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.before = f
}

// of lists the ids that were dispatched, joined by blanks.
func (r *recorder) of() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	ids := make([]string, len(r.events))
	for i, e := range r.events {
		ids[i] = e.TriggerID
	}
	return strings.Join(ids, " ")
}

func (r *recorder) first() triggers.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.events) == 0 {
		return triggers.Event{}
	}
	return r.events[0]
}
