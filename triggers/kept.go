package triggers

import (
	"bytes"
	"encoding/json"

	"fcd/fc"
)

// kept is the record of an event that no trigger wanted, as it was brought: only so can another trigger, or the same one
// with another configuration, be asked about it later. No payload that a kind makes has such a member.
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

// readKept tells whether b is what keep has rendered.
func readKept(b []byte) (k kept, ok bool) {
	if !bytes.HasPrefix(b, []byte(`{"fcdKeptEvent":`)) {
		return kept{}, false
	}
	err := json.Unmarshal(b, &k)
	return k, err == nil && k.Event != ""
}

// Again makes the Again of a Kind whose source is an Inbox with the same functions. An event that a trigger had got or
// failed is delivered as that trigger got it; one that was unwanted is opened anew and the trigger asked whether it wants
// it by now.
func Again[C any](read func(*fc.Trigger) (C, error), open func(fc.Arrival) ([]Happening[C], error)) func(*fc.Trigger, []byte) ([]byte, string, string) {
	return func(t *fc.Trigger, payload []byte) (again []byte, reason, detail string) {
		k, ok := readKept(payload)
		if !ok {
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
