package triggers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"fcd/fc"
	"fcd/store"
)

// Watcher reports every stored trigger and its changes, in order and one at a time; the catalog does. A nil old means
// created or found at start, a nil new means deleted.
type Watcher interface {
	WatchTriggers(func(old, new *fc.Trigger))
}

// CheckpointReader reads what batches wrote; a store.Store is one. Absent is store.ErrNotFound.
type CheckpointReader interface {
	Checkpoint(ctx context.Context, key string) ([]byte, error)
}

// ManagerOptions make a Manager.
type ManagerOptions struct {
	Kinds           *Kinds
	Bridge          *Bridge
	Watch           Watcher
	Checkpoints     CheckpointReader
	Region, Account string
	Clock           Clock
	Log             *zap.Logger
	Registerer      prometheus.Registerer
}

// Manager owns the sources: it makes one of each kind that has one, keeps them in step with the stored triggers and runs
// them.
type Manager struct {
	o       ManagerOptions
	sources map[string]Source // by type; does not change after New
}

// NewManager makes the sources and begins to watch. Call it before the catalog is loaded: what Load reports is how the
// sources learn of the triggers there are. Nothing fires before Run, except what is pushed into a source.
func NewManager(o ManagerOptions) (*Manager, error) {
	if o.Kinds == nil || o.Bridge == nil || o.Watch == nil {
		return nil, errors.New("triggers: a manager needs Kinds, Bridge and Watch")
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	m := &Manager{o: o, sources: map[string]Source{}}
	for _, typ := range slices.Sorted(maps.Keys(o.Kinds.byType)) {
		kind := o.Kinds.byType[typ]
		if kind.New == nil {
			continue
		}
		s, err := kind.New(m.env(typ))
		if err != nil {
			return nil, fmt.Errorf("trigger source %s: %w", typ, err)
		}
		m.sources[typ] = s
	}
	o.Watch.WatchTriggers(m.change)
	return m, nil
}

func (m *Manager) env(typ string) Env {
	return Env{
		Log: m.o.Log.Named(typ), Clock: m.o.Clock, Region: m.o.Region, Account: m.o.Account,
		Dispatch: m.o.Bridge.Dispatch, Invoke: m.o.Bridge.Invoke, Save: m.o.Bridge.Save, Note: m.note(typ),
		Checkpoint: m.checkpoint, Registerer: m.o.Registerer,
	}
}

// note fills in the type, for events that have no trigger to tell it.
func (m *Manager) note(typ string) func(store.Fate) {
	return func(f store.Fate) {
		f.Type = typ
		m.o.Bridge.Note(f)
	}
}

func (m *Manager) checkpoint(ctx context.Context, key string) ([]byte, error) {
	if m.o.Checkpoints == nil {
		return nil, nil
	}
	b, err := m.o.Checkpoints.Checkpoint(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return b, err
}

// Source is the source of a type of trigger, nil if there is none. It is how happenings inside the daemon (an object put
// into the embedded store) reach their source.
func (m *Manager) Source(typ string) Source { return m.sources[typ] }

// change brings one change of a stored trigger to its source.
func (m *Manager) change(old, new *fc.Trigger) {
	ctx := context.Background()
	if old != nil && (new == nil || new.ID != old.ID || new.Type != old.Type) {
		m.guard(old, func(s Source) error { return s.Remove(ctx, old.ID) })
	}
	if new != nil {
		m.guard(new, func(s Source) error { return s.Apply(ctx, new) })
	}
}

// guard calls the trigger's source; an error or a panic concerns this trigger alone.
func (m *Manager) guard(t *fc.Trigger, call func(Source) error) {
	s := m.sources[t.Type]
	if s == nil {
		return
	}
	if err := contain(func() error { return call(s) }); err != nil {
		m.o.Log.Error("trigger not taken up", zap.String("trigger", t.Path()), zap.String("type", t.Type), zap.Error(err))
	}
}

// contain turns a panic into an error.
func contain(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}

// Restarts of a source that failed wait between these.
const (
	restartMin = time.Second
	restartMax = 30 * time.Second
)

// Run runs all sources and the Bridge's writer until ctx ends and their dispatches have ended. A source that fails is
// logged and run again.
func (m *Manager) Run(ctx context.Context) error {
	notes, stopNotes := context.WithCancel(context.WithoutCancel(ctx))
	defer stopNotes()
	var writer, sources sync.WaitGroup
	writer.Go(func() { _ = m.o.Bridge.Run(notes) })
	for typ, s := range m.sources {
		sources.Go(func() { m.keepRunning(ctx, typ, s) })
	}
	sources.Wait()
	<-ctx.Done()
	stopNotes()
	writer.Wait()
	return nil
}

func (m *Manager) keepRunning(ctx context.Context, typ string, s Source) {
	for wait := restartMin; ; wait = min(2*wait, restartMax) {
		err := contain(func() error { return s.Run(ctx) })
		if ctx.Err() != nil {
			return
		}
		m.o.Log.Error("trigger source stopped", zap.String("type", typ), zap.Duration("restartIn", wait), zap.Error(err))
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}
