package triggers

import (
	"context"
	"errors"
	"sync"

	"fcd/fc"
	"fcd/store"
)

// Rule is a trigger with its configuration read, ready to be matched with events.
type Rule[C any] struct {
	Trigger *fc.Trigger
	Config  C
	source  string
	gate    Gate
}

// Rules are the triggers of one kind, found by the source of their events. They are safe for concurrent use.
type Rules[C any] struct {
	env     Env
	service string // of the kind

	mu       sync.RWMutex
	byID     map[string]*Rule[C]
	bySource map[string][]*Rule[C] // the slices are replaced, never changed
}

// NewRules makes an empty set for a kind whose events are of the service, "" for a kind without a role.
func NewRules[C any](env Env, service string) *Rules[C] {
	return &Rules[C]{env: env, service: service, byID: map[string]*Rule[C]{}, bySource: map[string][]*Rule[C]{}}
}

// Set puts t in the place of whatever has its id. Events of the source find it. It returns when nobody acts on the old
// one any more.
func (s *Rules[C]) Set(source string, t *fc.Trigger, config C) {
	s.replace(t.ID, &Rule[C]{Trigger: t, Config: config, source: source})
}

// Remove forgets a trigger and returns when nobody acts on it any more. Unknown ids are fine.
func (s *Rules[C]) Remove(id string) { s.replace(id, nil) }

func (s *Rules[C]) replace(id string, r *Rule[C]) {
	s.mu.Lock()
	old := s.byID[id]
	if old != nil {
		s.dropLocked(old)
	}
	if r != nil {
		s.byID[id] = r
		have := s.bySource[r.source]
		s.bySource[r.source] = append(have[:len(have):len(have)], r)
	}
	s.mu.Unlock()
	if old != nil {
		old.gate.Close()
	}
}

func (s *Rules[C]) dropLocked(old *Rule[C]) {
	delete(s.byID, old.Trigger.ID)
	var rest []*Rule[C]
	for _, r := range s.bySource[old.source] {
		if r != old {
			rest = append(rest, r)
		}
	}
	if len(rest) == 0 {
		delete(s.bySource, old.source)
	} else {
		s.bySource[old.source] = rest
	}
}

func (s *Rules[C]) of(source string) []*Rule[C] {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.bySource[source]
}

func (s *Rules[C]) byTrigger(id string) *Rule[C] {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byID[id]
}

// Happening is an event of a source before it is known which triggers want it.
type Happening[C any] struct {
	ID     string // for fates
	Source string // resource name, as Set was told
	// Unique is false for a happening that nothing tells apart from a later one like it: every delivery counts then. Else
	// a second delivery with the same ID is a duplicate.
	Unique     bool
	Principal  string // who caused it; "" if unknown
	KeepDenied bool   // a refused copy becomes a dead letter
	// Mismatch is why the rule does not want it, "" if it does.
	Mismatch func(*Rule[C]) string
	Payload  func(*Rule[C]) []byte
	// What its record says for people; all may be missing. Subject is what happened to what; Detail says a Mismatch in
	// words; Raw is the event as no trigger in particular gets it, kept for a replay.
	Subject string
	Detail  func(r *Rule[C], mismatch string) string
	Raw     func() []byte
}

// unmatched is what the record says of a happening that the trigger, nil for none, did not want.
func (h *Happening[C]) unmatched(r *Rule[C], reason string) store.Fate {
	f := store.Fate{EventID: h.ID, Source: h.Source, Subject: h.Subject, State: FateUnmatched, Reason: reason}
	switch {
	case r == nil:
		f.Detail = "no trigger has this source"
	case reason == ReasonDisabled:
		f.Trigger, f.Detail = r.Trigger.ID, "the trigger is disabled"
	default:
		f.Trigger = r.Trigger.ID
		if h.Detail != nil {
			f.Detail = h.Detail(r, reason)
		}
	}
	if h.Raw != nil {
		f.Payload = h.Raw()
	}
	return f
}

// Delivery is how far a happening came.
type Delivery[C any] struct {
	Receipt  fc.Receipt
	Accepted int        // triggers that have it, now or from before
	Denied   []*Rule[C] // triggers that want it and were refused; nil where refused copies were kept
}

// Deliver hands a happening to every trigger that wants it. On a nil error it is settled for all of them; else it is
// given again, and those that have it find it a duplicate.
func (s *Rules[C]) Deliver(ctx context.Context, h Happening[C]) (Delivery[C], error) {
	d := Delivery[C]{Receipt: fc.Receipt{EventID: h.ID, Matched: []string{}}}
	rules := s.of(h.Source)
	if len(rules) == 0 {
		d.Receipt.Reason = ReasonNoTrigger
		s.env.Note(h.unmatched(nil, ReasonNoTrigger))
		return d, nil
	}
	var errs []error
	fresh := false
	for _, r := range rules {
		unwanted, err := s.offer(ctx, r, h)
		if unwanted != "" {
			if d.Receipt.Reason == "" && len(d.Receipt.Matched) == 0 {
				d.Receipt.Reason = unwanted
			}
			continue
		}
		if len(d.Receipt.Matched) == 0 {
			d.Receipt.Reason = ""
		}
		d.Receipt.Matched = append(d.Receipt.Matched, r.Trigger.ID)
		switch {
		case err == nil:
			fresh = true
			d.Accepted++
		case errors.Is(err, ErrDuplicate):
			d.Accepted++
		case errors.Is(err, ErrDenied):
			d.Receipt.Reason = denialReason(err)
			if !h.KeepDenied {
				d.Denied = append(d.Denied, r)
			}
		default:
			errs = append(errs, err)
		}
	}
	d.Receipt.Duplicate = d.Accepted > 0 && !fresh
	return d, errors.Join(errs...)
}

// Keep makes dead letters of a happening's refused copies. A copy that is allowed by now is queued.
func (s *Rules[C]) Keep(ctx context.Context, h Happening[C], denied []*Rule[C]) error {
	h.KeepDenied = true
	var errs []error
	for _, r := range denied {
		if _, err := s.offer(ctx, r, h); !Settled(err) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// offer dispatches the happening for the rule, or tells why the rule does not want it.
func (s *Rules[C]) offer(ctx context.Context, r *Rule[C], h Happening[C]) (unwanted string, err error) {
	reason := ReasonDisabled
	if r.Trigger.Enabled {
		reason = h.Mismatch(r)
	}
	if reason != "" {
		s.env.Note(h.unmatched(r, reason))
		return reason, nil
	}
	if !r.gate.Enter() { // the trigger was changed meanwhile: its new form decides
		now := s.byTrigger(r.Trigger.ID)
		if now == nil {
			return ReasonNoTrigger, nil
		}
		return s.offer(ctx, now, h)
	}
	defer r.gate.Leave()
	arn := h.Source
	if r.source != r.Trigger.SourceARN { // the trigger is a rule of the source, with a name of its own
		arn = r.Trigger.SourceARN
	}
	ev := Event{
		TriggerID: r.Trigger.ID, ID: h.ID, Subject: h.Subject, Payload: h.Payload(r), KeepDenied: h.KeepDenied,
		Source: SourceIdentity{Service: s.service, ARN: arn, Principal: h.Principal},
	}
	if h.Unique {
		ev.DedupKey = r.Trigger.ID + "/" + h.ID
	}
	err = s.env.Dispatch(ctx, ev)
	if errors.Is(err, ErrGone) {
		return ReasonNoTrigger, nil
	}
	return "", err
}

// denialReason is the reason that a refusal by the Bridge gives.
func denialReason(err error) string {
	var d *denial
	if errors.As(err, &d) {
		return d.reason
	}
	return FateDenied
}
