package api

import (
	"context"
	"net/http"

	"fcd/fc"
)

// extensionPath begins the operations that are fcd's own. They are signed like all others.
const extensionPath = "/fcd/v1/"

// putEventsAction is what a caller must be allowed on the source that it reports events of.
const putEventsAction = "fcd:PutEvents"

// Headers of PutEvents. Like every x-fc- header they are signed.
const (
	headerSourceARN = "X-Fc-Source-Arn" // whose events these are, for types whose events do not say
	headerEventID   = "X-Fc-Event-Id"   // tells them apart, for types whose events do not
)

// Events takes events that callers report.
type Events interface {
	// Receive delivers the events of a body to the triggers of the type. On nil they are durably queued or settled. Errors
	// are *fc.Error, or any other for "not now".
	Receive(ctx context.Context, triggerType string, a fc.Arrival) ([]fc.Receipt, error)
}

// extensions are fcd's own operations. Policies know them as "fcd:" and their name.
var extensions = [...]operation{
	{"PutEvents", http.MethodPost, segments("events", aType), (*API).putEvents},
	{"GetUpcoming", http.MethodGet, segments("triggers", aService, aFunction, aTrigger, "next"), (*API).getUpcoming},
	{"ListEvents", http.MethodGet, segments("events"), (*API).listEvents},
	{"GetEvent", http.MethodGet, segments("events", anEvent), (*API).getEvent},
	{"ReplayEvent", http.MethodPost, segments("events", anEvent, "replay"), (*API).replayEvent},

	{"ListDeadLetters", http.MethodGet, segments("deadletters"), (*API).listDeadLetters},
	{"GetDeadLetter", http.MethodGet, segments("deadletters", anID), (*API).getDeadLetter},
	{"RedriveDeadLetters", http.MethodPost, segments("deadletters", anID, "redrive"), (*API).redriveDeadLetter},
	{"RedriveDeadLetters", http.MethodPost, segments("deadletters", "redrive"), (*API).redriveDeadLetters},
	{"PurgeDeadLetters", http.MethodDelete, segments("deadletters", anID), (*API).purgeDeadLetter},
	{"PurgeDeadLetters", http.MethodDelete, segments("deadletters"), (*API).purgeDeadLetters},
}

// putEvents hands the events of the body to the triggers of their sources, and answers when they are safe.
func (a *API) putEvents(c *call) (answer, error) {
	if a.o.Events == nil {
		return answer{}, fc.Errorf(fc.PathNotSupported, "'%s' against '%s' is not supported", c.Method, c.URL.Path)
	}
	dedup := c.URL.Query().Get("dedup")
	if dedup != "" && dedup != "on" && dedup != "off" {
		return answer{}, fc.InvalidField("dedup", "on | off", dedup)
	}
	body, err := readBody(c, smallBody)
	if err != nil {
		return answer{}, err
	}
	env := a.environment(c)
	// The caller may hang up; what was begun is finished, so that no answer and no event go together.
	receipts, err := a.o.Events.Receive(context.WithoutCancel(c.Context()), c.params.kind, fc.Arrival{
		Body: body, Source: c.Header.Get(headerSourceARN), MessageID: c.Header.Get(headerEventID), NoDedup: dedup == "off",
		Allow: func(source string) error { return a.o.Policy.Allowed(c.caller, putEventsAction, source, env) },
	})
	if err != nil {
		return answer{}, err
	}
	return resource(struct {
		Events []fc.Receipt `json:"events"`
	}{receipts}, "")
}
