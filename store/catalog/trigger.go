package catalog

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"fcd/fc"
	"fcd/store"
)

// triggers are found by key, id and source, those of type http by function.
type triggers struct {
	mu       sync.RWMutex
	byKey    map[string]*fc.Trigger
	byID     map[string]*fc.Trigger
	bySource map[string]map[string]*fc.Trigger // source ARN, key
	http     map[functionName]*fc.Trigger      // a function has at most one

	watchers []func(old, new *fc.Trigger) // set before the first apply
}

func newTriggers() *triggers {
	return &triggers{
		byKey: map[string]*fc.Trigger{}, byID: map[string]*fc.Trigger{}, bySource: map[string]map[string]*fc.Trigger{},
		http: map[functionName]*fc.Trigger{},
	}
}

func (t *triggers) apply(r store.Record) error {
	var now *fc.Trigger
	if r.Value != nil {
		var err error
		if now, err = DecodeTrigger(r); err != nil {
			return err
		}
	}
	old := t.swap(r.Key, now)
	switch {
	case old == nil && now == nil:
	case old != nil && now != nil && old.ID != now.ID: // deleted and created again
		t.tell(old, nil)
		t.tell(nil, now)
	default:
		t.tell(old, now)
	}
	return nil
}

func (t *triggers) tell(old, now *fc.Trigger) {
	for _, fn := range t.watchers {
		fn(old, now)
	}
}

// swap puts now in the place of what the key named, and returns that.
func (t *triggers) swap(key string, now *fc.Trigger) (old *fc.Trigger) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if old = t.byKey[key]; old != nil {
		delete(t.byKey, key)
		delete(t.byID, old.ID)
		delete(t.bySource[old.SourceARN], key)
		if len(t.bySource[old.SourceARN]) == 0 {
			delete(t.bySource, old.SourceARN)
		}
		if old.Type == fc.TriggerHTTP {
			delete(t.http, functionName{old.ServiceName, old.FunctionName})
		}
	}
	if now != nil {
		t.byKey[key] = now
		t.byID[now.ID] = now
		if t.bySource[now.SourceARN] == nil {
			t.bySource[now.SourceARN] = map[string]*fc.Trigger{}
		}
		t.bySource[now.SourceARN][key] = now
		if now.Type == fc.TriggerHTTP {
			t.http[functionName{now.ServiceName, now.FunctionName}] = now
		}
	}
	return old
}

func (t *triggers) keys() []string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.Collect(maps.Keys(t.byKey))
}

// WatchTriggers calls fn for every trigger that is created (old is nil), changed, or deleted (new is nil), from one
// goroutine and in order; Load reports those that exist. The rules of Watch apply.
func (c *Catalog) WatchTriggers(fn func(old, new *fc.Trigger)) {
	c.triggers.watchers = append(c.triggers.watchers, fn)
}

// Trigger finds a trigger by its id.
func (c *Catalog) Trigger(id string) (*fc.Trigger, bool) {
	c.triggers.mu.RLock()
	defer c.triggers.mu.RUnlock()
	t, ok := c.triggers.byID[id]
	return t, ok
}

// HTTPTrigger finds the trigger of a function that takes HTTP requests.
func (c *Catalog) HTTPTrigger(service, function string) (*fc.Trigger, bool) {
	c.triggers.mu.RLock()
	defer c.triggers.mu.RUnlock()
	t, ok := c.triggers.http[functionName{service, function}]
	return t, ok
}

// Triggers lists all triggers in order of their paths.
func (c *Catalog) Triggers() []*fc.Trigger {
	c.triggers.mu.RLock()
	defer c.triggers.mu.RUnlock()
	return sorted(c.triggers.byKey)
}

// TriggersBySource lists the triggers of one event source in order of their paths. Timer and HTTP triggers have "".
func (c *Catalog) TriggersBySource(arn string) []*fc.Trigger {
	c.triggers.mu.RLock()
	defer c.triggers.mu.RUnlock()
	return sorted(c.triggers.bySource[arn])
}

func sorted(m map[string]*fc.Trigger) []*fc.Trigger {
	return slices.SortedFunc(maps.Values(m), func(a, b *fc.Trigger) int { return cmp.Compare(a.Path(), b.Path()) })
}
