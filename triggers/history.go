package triggers

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"fcd/fc"
	"fcd/store"
)

// Record is where it is kept what became of events; a store is one.
type Record interface {
	store.Events
	Find(ctx context.Context, requestID string) (store.Invocation, error)
}

// BySource finds the triggers of a source; the catalog does.
type BySource interface {
	TriggersBySource(arn string) []*fc.Trigger
}

// Sources finds the source of a type of trigger, nil if there is none; a Manager does.
type Sources interface {
	Source(triggerType string) Source
}

// Finder is a Source that finds triggers of its own by what events are of, which may be wider than what sourceArn names.
type Finder interface {
	Found(source string) []*fc.Trigger
}

// History answers what became of events and delivers them again. It is safe for concurrent use.
type History struct {
	Record   Record
	Triggers BySource
	Sources  Sources // asked before Triggers where it knows better; may be nil
	Bridge   *Bridge
}

// Events lists events, newest first; see store.Events.
func (h *History) Events(ctx context.Context, f store.EventFilter, before int64, limit int) ([]store.Event, error) {
	return h.Record.Events(ctx, f, before, limit)
}

// Payload is the event itself: what was kept of it, or what its invocation holds as long as it is queued or a dead letter.
// nil if neither is there any more.
func (h *History) Payload(ctx context.Context, e *store.Event) ([]byte, error) {
	b, err := h.payload(ctx, e)
	if k, ok := readKept(e, b); ok {
		return k.Body, err
	}
	return b, err
}

// payload is Payload as it is kept, which is a record of how the event came where no trigger wanted it.
func (h *History) payload(ctx context.Context, e *store.Event) ([]byte, error) {
	b, err := h.Record.EventPayload(ctx, e.ID)
	if err == nil || !errors.Is(err, store.ErrNotFound) {
		return b, err
	}
	for i := len(e.Steps) - 1; i >= 0; i-- {
		id := e.Steps[i].RequestID
		if id == "" || i > 0 && e.Steps[i-1].RequestID == id {
			continue
		}
		inv, err := h.Record.Find(ctx, id)
		if err == nil && len(inv.Payload) > 0 {
			return inv.Payload, nil
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
	}
	return nil, nil
}

// redo are the states from which an event is delivered again without being told for which trigger.
var redo = []string{store.FateUnmatched, store.FateDenied, store.FateFailed, store.FateExpired, store.FateDeadLettered, store.FateStopped}

// Replay delivers an event again, through all checks: to the trigger of that path, whatever became of the event there, or,
// with an empty path, to each one that it did not reach or that failed. Triggers that the source got since are among
// them for an event that met none. allow is asked for each trigger before anything is delivered. Errors are *fc.Error:
// EventNotFound, InvalidArgument if nothing is left to do, ResourceExhausted if the queue is full.
func (h *History) Replay(ctx context.Context, eventID, path string, allow func(*fc.Trigger) error) ([]fc.Replayed, error) {
	rows, err := h.Record.Events(ctx, store.EventFilter{EventID: eventID}, 0, 0)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, fc.Errorf(fc.EventNotFound, "there is no event '%s', or it is forgotten by now", eventID)
	}
	targets := h.targets(rows, path)
	if len(targets) == 0 {
		if path != "" {
			return nil, fc.Errorf(fc.TriggerNotFound, "event '%s' is not of the source of a trigger '%s'", eventID, path)
		}
		return nil, fc.Errorf(fc.InvalidArgument, "no trigger is without event '%s': name one to deliver it there again", eventID)
	}
	for _, t := range targets {
		if err := allow(t.trigger); err != nil {
			return nil, err
		}
	}
	out := make([]fc.Replayed, len(targets))
	for i, t := range targets {
		if out[i], err = h.again(ctx, t); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// target is a trigger that gets an event again, and the record that the event is taken from.
type target struct {
	trigger *fc.Trigger
	event   *store.Event
}

// targets finds who is to get the event of the rows again.
func (h *History) targets(rows []store.Event, path string) (all []target) {
	known := map[string]bool{}
	for i := range rows {
		e := &rows[i]
		t, ok := h.Bridge.o.Triggers.Trigger(e.Trigger)
		if !ok {
			continue
		}
		known[t.ID] = true
		if path == t.Path() || path == "" && slices.Contains(redo, e.State) {
			all = append(all, target{t, e})
		}
	}
	if path == "" && rows[0].Trigger != "" || path != "" && len(all) > 0 || rows[0].Source == "" {
		return all
	}
	for _, t := range h.bySource(rows[0].Type, rows[0].Source) { // those that came after the event
		if !known[t.ID] && (rows[0].Type == "" || t.Type == rows[0].Type) && (path == "" || path == t.Path()) {
			all = append(all, target{t, &rows[0]})
		}
	}
	return all
}

// bySource are the triggers that events of the type and source find now.
func (h *History) bySource(typ, source string) []*fc.Trigger {
	if h.Sources != nil {
		if f, ok := h.Sources.Source(typ).(Finder); ok {
			return f.Found(source)
		}
	}
	return h.Triggers.TriggersBySource(source)
}

// again delivers one event to one trigger.
func (h *History) again(ctx context.Context, to target) (fc.Replayed, error) {
	t, e := to.trigger, to.event
	r := fc.Replayed{Trigger: t.Path(), State: FateUnmatched}
	payload, err := h.payload(ctx, e)
	if err != nil {
		return r, err
	}
	if payload == nil {
		r.Reason, r.Detail = "forgotten", "the event itself is not kept any more"
		return r, nil
	}
	ev := Event{TriggerID: t.ID, ID: e.EventID, Subject: e.Subject, Payload: payload, Replayed: true,
		Source: SourceIdentity{Service: h.Bridge.o.Kinds.RoleService(t.Type), ARN: e.Source}}
	kind := h.Bridge.o.Kinds.byType[t.Type]
	if kind.SourceOf != nil {
		ev.Source.ARN = t.SourceARN // made of the trigger, where what it is found by is wider
	}
	if last := e.Last(); last.RequestID != "" && e.Trigger == t.ID && slices.Contains(redo, e.State) {
		ev.replaces = last.RequestID
	}
	_, asItCame := readKept(e, payload)
	if kind.Again != nil && (asItCame || !looksKept(payload)) {
		ev.Payload, r.Reason, r.Detail = kind.Again(t, payload)
		if r.Reason != "" {
			ev.Payload = payload
			_ = h.Bridge.gone(ev, t, r.Reason, r.Detail)
			return r, nil
		}
	} else if e.State == FateUnmatched && e.Last().Reason != ReasonDisabled && e.Last().Reason != ReasonNoFunction {
		r.Reason, r.Detail = e.Last().Reason, fmt.Sprintf("triggers of type %s cannot be asked whether they want it by now", t.Type)
		return r, nil
	}
	return h.outcome(ctx, ev, r)
}

// outcome dispatches the event and says what became of it.
func (h *History) outcome(ctx context.Context, ev Event, r fc.Replayed) (fc.Replayed, error) {
	id, err := h.Bridge.dispatch(ctx, ev, nil)
	var d *denial
	var g *goneError
	switch {
	case err == nil:
		r.State, r.RequestID = FateQueued, id
	case errors.As(err, &d):
		r.State, r.Reason, r.Detail = FateDenied, d.reason, d.cause.Error()
	case errors.As(err, &g):
		r.Reason, r.Detail = g.reason, g.detail
	case errors.Is(err, ErrGone):
		r.Reason, r.Detail = ReasonNoTrigger, "the trigger has been deleted"
	case errors.Is(err, ErrThrottled):
		return r, &fc.Error{Code: fc.ResourceExhausted, Message: "the queue is full", Err: err}
	default:
		return r, err
	}
	return r, nil
}
