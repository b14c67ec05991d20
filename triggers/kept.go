package triggers

import (
	"bytes"
	"encoding/json"

	"fcd/fc"
	"fcd/store"
)

// kept is the record of an event that no trigger wanted, as it was brought: only so can another trigger, or the same one
// with another configuration, be asked about it later. A sender may write a payload that looks like one, so only of an
// event that was unwanted at first is it taken for that, and only with the event's own id, which a sender does not choose.
type kept struct {
	Event     string `json:"fcdKeptEvent"` // Happening.ID
	Source    string `json:"source"`       // that the way proved
	MessageID string `json:"messageId"`
	Body      []byte `json:"body"`
}

// keep renders what came as the record of the event with that id.
func keep(a fc.Arrival, id string) []byte {
	return Canonical(kept{Event: id, Source: a.Source, MessageID: a.MessageID, Body: a.Body})
}

// looksKept tells whether b is written like what keep renders.
func looksKept(b []byte) bool { return bytes.HasPrefix(b, []byte(`{"fcdKeptEvent":`)) }

// readKept is what keep has rendered of the event; ok is false if b is something else.
func readKept(e *store.Event, b []byte) (k kept, ok bool) {
	if !looksKept(b) || len(e.Steps) == 0 || e.Steps[0].State != store.FateUnmatched {
		return kept{}, false
	}
	err := json.Unmarshal(b, &k)
	return k, err == nil && k.Event == e.EventID
}

// Again makes the Again of a Kind whose source is an Inbox with the same functions. An event that a trigger had got or
// failed is delivered as that trigger got it; one that was unwanted is opened anew and the trigger asked whether it wants
// it by now.
func Again[C any](read func(*fc.Trigger) (C, error), open func(fc.Arrival) ([]Happening[C], error)) func(*fc.Trigger, []byte) ([]byte, string, string) {
	return func(t *fc.Trigger, payload []byte) (again []byte, reason, detail string) {
		var k kept
		if !looksKept(payload) || json.Unmarshal(payload, &k) != nil {
			return payload, "", ""
		}
		c, err := read(t)
		if err != nil {
			return nil, ReasonUnreadable, err.Error()
		}
		all, err := open(fc.Arrival{Body: k.Body, Source: k.Source, MessageID: k.MessageID})
		if err != nil {
			return nil, ReasonUnreadable, err.Error()
		}
		rule := &Rule[C]{Trigger: t, Config: c}
		for _, h := range all {
			if h.ID != k.Event {
				continue
			}
			if reason = h.Mismatch(rule); reason == "" {
				return h.Payload(rule), "", ""
			}
			if h.Detail != nil {
				detail = h.Detail(rule, reason)
			}
			return nil, reason, detail
		}
		return nil, ReasonUnreadable, "the record does not hold the event any more"
	}
}
