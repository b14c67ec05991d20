package oss

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"

	"fcd/fc"
	"fcd/store"
	"fcd/triggers"
)

// Source matches object events with the triggers of their bucket. It is safe for concurrent use.
type Source struct {
	env triggers.Env

	mu       sync.RWMutex
	byID     map[string]*rule
	byBucket map[string][]*rule // the slices are replaced, never changed
}

// rule is a trigger, ready to be matched.
type rule struct {
	trigger *fc.Trigger
	config  config
	id      string // in events
	gate    triggers.Gate
}

func newSource(env triggers.Env) (triggers.Source, error) {
	return &Source{env: env, byID: map[string]*rule{}, byBucket: map[string][]*rule{}}, nil
}

// Apply takes up a new or changed trigger.
func (s *Source) Apply(_ context.Context, t *fc.Trigger) error {
	c, err := read(t.Config)
	if err != nil {
		return fmt.Errorf("configuration of trigger %s: %w", t.Path(), err)
	}
	s.replace(t.ID, &rule{trigger: t, config: c, id: ruleID(s.env.Account, t)})
	return nil
}

// Remove forgets a trigger.
func (s *Source) Remove(_ context.Context, id string) error {
	s.replace(id, nil)
	return nil
}

// replace puts r, if any, in the place of the rule for id, and returns when nobody acts on the old one any more.
func (s *Source) replace(id string, r *rule) {
	s.mu.Lock()
	old := s.byID[id]
	if old != nil {
		s.dropLocked(old)
	}
	if r != nil {
		s.byID[id] = r
		b := r.trigger.SourceARN
		s.byBucket[b] = append(s.byBucket[b][:len(s.byBucket[b]):len(s.byBucket[b])], r)
	}
	s.mu.Unlock()
	if old != nil {
		old.gate.Close()
	}
}

func (s *Source) dropLocked(old *rule) {
	delete(s.byID, old.trigger.ID)
	b := old.trigger.SourceARN
	var rest []*rule
	for _, r := range s.byBucket[b] {
		if r != old {
			rest = append(rest, r)
		}
	}
	if len(rest) == 0 {
		delete(s.byBucket, b)
	} else {
		s.byBucket[b] = rest
	}
}

// Run has nothing to do: events are pushed into ObjectEvent.
func (s *Source) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// ObjectEvent hands an event to every trigger that it matches. On nil the event is settled for all of them: queued on
// disk, or refused for good. Else the caller keeps the event and gives it again; those that have it already find it a
// duplicate.
func (s *Source) ObjectEvent(ctx context.Context, ev fc.ObjectEvent) error {
	arn := fc.BucketARN(s.env.Region, s.env.Account, ev.Bucket)
	s.mu.RLock()
	rules := s.byBucket[arn]
	s.mu.RUnlock()
	id := eventID(arn, ev)
	if len(rules) == 0 {
		s.env.Note(store.Fate{EventID: id, State: triggers.FateUnmatched, Reason: triggers.ReasonNoTrigger})
		return nil
	}
	var errs []error
	for _, r := range rules {
		if err := s.offer(ctx, r, arn, id, ev); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// offer dispatches the event if the rule matches it; nil if it is settled.
func (s *Source) offer(ctx context.Context, r *rule, arn, id string, ev fc.ObjectEvent) error {
	if reason := r.mismatch(ev); reason != "" {
		s.env.Note(store.Fate{Trigger: r.trigger.ID, EventID: id, State: triggers.FateUnmatched, Reason: reason})
		return nil
	}
	if !r.gate.Enter() {
		s.mu.RLock()
		now := s.byID[r.trigger.ID]
		s.mu.RUnlock()
		if now == nil {
			return nil
		}
		return s.offer(ctx, now, arn, id, ev) // the trigger was changed meanwhile: its new form decides
	}
	defer r.gate.Leave()
	err := s.env.Dispatch(ctx, triggers.Event{
		TriggerID:  r.trigger.ID,
		ID:         id,
		DedupKey:   r.dedupKey(id, ev),
		Source:     triggers.SourceIdentity{Service: service, ARN: arn, Principal: ev.PrincipalID},
		Payload:    payload(s.env.Region, s.env.Account, ev, r.id),
		KeepDenied: true,
	})
	if triggers.Settled(err) {
		return nil
	}
	return err
}

// mismatch is why the rule does not want the event, "" if it does.
func (r *rule) mismatch(ev fc.ObjectEvent) string {
	if !r.trigger.Enabled {
		return triggers.ReasonDisabled
	}
	named := false
	for _, e := range r.config.Events {
		named = named || covers(e[len(scheme):], ev.Name)
	}
	switch k := r.config.Filter.Key; {
	case !named:
		return "event"
	case !strings.HasPrefix(ev.Key, k.Prefix):
		return "prefix"
	case !strings.HasSuffix(ev.Key, k.Suffix):
		return "suffix"
	}
	return ""
}

// eventID names an event: by its sequence where the source numbers its events, else by what tells it apart.
func eventID(arn string, ev fc.ObjectEvent) string {
	if ev.Sequence > 0 {
		return fmt.Sprintf("oss/%s/%d", ev.Bucket, ev.Sequence)
	}
	sum := sha256.Sum256([]byte(arn + "\x00" + ev.RequestID + "\x00" + ev.Name + "\x00" + ev.Key))
	return "oss/" + ev.Bucket + "/" + hex.EncodeToString(sum[:16])
}

// dedupKey is empty for an event that nothing tells apart from a later one like it.
func (r *rule) dedupKey(id string, ev fc.ObjectEvent) string {
	if ev.Sequence == 0 && ev.RequestID == "" {
		return ""
	}
	return r.trigger.ID + "/" + id
}
