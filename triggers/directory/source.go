package directory

import (
	"context"
	"encoding/json"
	"maps"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"fcd/fc"
	"fcd/triggers"
)

// interval is the time between two looks.
const interval = time.Second

// source watches the folders of all triggers.
type source struct {
	env     triggers.Env
	folders map[string]string

	mu      sync.Mutex
	watches map[string]*watch // by trigger; guarded by mu
}

// watch is one trigger. Its fields belong to Run, but for the gate.
type watch struct {
	trigger *fc.Trigger
	config  config
	folder  string // name
	gate    triggers.Gate
	seen    listing // reported so far; nil until it was read
	before  listing // at the last look
}

func newSource(env triggers.Env, folders map[string]string) *source {
	if env.Log == nil {
		env.Log = zap.NewNop()
	}
	return &source{env: env, folders: folders, watches: map[string]*watch{}}
}

// Apply takes up a new or changed trigger.
func (s *source) Apply(_ context.Context, t *fc.Trigger) error {
	w := &watch{trigger: t, folder: t.SourceARN[strings.LastIndexByte(t.SourceARN, ':')+1:]}
	if err := json.Unmarshal(t.Config, &w.config); err != nil {
		return err
	}
	if !t.Enabled {
		w = nil
	}
	s.replace(t.ID, w)
	return nil
}

// Remove forgets a trigger.
func (s *source) Remove(_ context.Context, id string) error {
	s.replace(id, nil)
	return nil
}

// replace puts w in the place of what has the id, and returns when nobody acts on that any more.
func (s *source) replace(id string, w *watch) {
	s.mu.Lock()
	old := s.watches[id]
	delete(s.watches, id)
	if w != nil {
		s.watches[id] = w
	}
	s.mu.Unlock()
	if old != nil {
		old.gate.Close()
	}
}

// Run looks at every folder now and then until ctx ends.
func (s *source) Run(ctx context.Context) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		s.mu.Lock()
		all := maps.Clone(s.watches)
		s.mu.Unlock()
		folders := map[string]listing{}
		for _, w := range all {
			if folders[w.folder] == nil {
				now, err := list(s.folders[w.folder])
				if err != nil {
					s.env.Log.Warn("folder cannot be read; it is tried again", zap.String("folder", w.folder), zap.Error(err))
					continue
				}
				folders[w.folder] = now
			}
			s.contained(ctx, w, folders[w.folder])
		}
	}
}

// contained looks for one trigger. A panic concerns this trigger alone: the next look tries again.
func (s *source) contained(ctx context.Context, w *watch, now listing) {
	defer func() {
		if p := recover(); p != nil {
			s.env.Log.Error("looking for a trigger panicked", zap.String("trigger", w.trigger.Path()), zap.Any("panic", p))
		}
	}()
	s.look(ctx, w, now)
}
