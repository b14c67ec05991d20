package api

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"fcd/fc"
	"fcd/store"
)

// History knows what became of events.
type History interface {
	Events(ctx context.Context, f store.EventFilter, before int64, limit int) ([]store.Event, error)
	// Payload is the event itself, nil if it is not kept any more.
	Payload(ctx context.Context, e *store.Event) ([]byte, error)
	// Replay delivers an event again; see triggers.History. allow is asked for each trigger that is to get it.
	Replay(ctx context.Context, eventID, trigger string, allow func(*fc.Trigger) error) ([]fc.Replayed, error)
}

// eventView is an event on its way to a trigger. Reason, Detail, RequestID and Time are those of what came to it last.
type eventView struct {
	EventID      string `json:"eventId"`
	Type         string `json:"type"`              // of trigger: oss, timer, ...
	Subject      string `json:"subject"`           // what happened to what, for people
	Source       string `json:"source,omitempty"`  // resource name of what it came from
	Trigger      string `json:"trigger,omitempty"` // SERVICE/FUNCTION/TRIGGER
	TriggerID    string `json:"triggerId,omitempty"`
	ReceivedTime string `json:"receivedTime"`
	State        string `json:"state"`
	Reason       string `json:"reason,omitempty"`
	Detail       string `json:"detail,omitempty"`
	RequestID    string `json:"requestId,omitempty"`
	Attempt      int    `json:"attempt,omitempty"`
	Time         string `json:"time"`

	Steps []stepView `json:"steps,omitempty"` // of GetEvent
	// Payload is the event as the function got it, or would have; of GetEvent, as long as it is kept. PayloadBase64
	// stands in its place where it is not text.
	Payload       string `json:"payload,omitempty"`
	PayloadBase64 []byte `json:"payloadBase64,omitempty"`
}

type stepView struct {
	Time      string `json:"time"`
	State     string `json:"state"`
	Reason    string `json:"reason,omitempty"`
	Detail    string `json:"detail,omitempty"`
	RequestID string `json:"requestId,omitempty"`
	Attempt   int    `json:"attempt,omitempty"`
	Status    int    `json:"status,omitempty"`
}

// stepTime is finer than the API's own: steps of one event are milliseconds apart.
const stepTime = "2006-01-02T15:04:05.000Z"

func viewEvent(e *store.Event) eventView {
	last := e.Last()
	v := eventView{
		EventID: e.EventID, Type: e.Type, Subject: e.Subject, Source: e.Source, TriggerID: e.Trigger,
		ReceivedTime: e.Received.UTC().Format(stepTime), State: e.State,
		Reason: last.Reason, Detail: last.Detail, RequestID: last.RequestID, Attempt: last.Attempt, Time: last.At.UTC().Format(stepTime),
	}
	if e.Function != "" {
		v.Trigger = e.Function + "/" + e.Name
	}
	return v
}

func (a *API) history(c *call) (History, error) {
	if a.o.History == nil {
		return nil, fc.Errorf(fc.PathNotSupported, "'%s' against '%s' is not supported", c.Method, c.URL.Path)
	}
	return a.o.History, nil
}

func (a *API) allowed(c *call, resource string) error {
	return a.o.Policy.Allowed(c.caller, "fcd:"+c.op.name, resource, a.environment(c))
}

// eventFilter reads trigger, function, state, since and event, and names the resource that the caller must be allowed:
// the trigger or the function, or, for all events, every trigger there may be.
func (a *API) eventFilter(c *call) (f store.EventFilter, resource string, err error) {
	q := c.URL.Query()
	f.State, f.EventID = q.Get("state"), q.Get("event")
	if s := q.Get("since"); s != "" {
		if f.Since, err = time.Parse(time.RFC3339, s); err != nil {
			return f, "", fc.InvalidField("since", "a time like 2006-01-02T15:04:05Z", s)
		}
	}
	resource = a.triggerARN("*", "*", "*")
	name, form, parts := q.Get("function"), "SERVICE/FUNCTION", 2
	if t := q.Get("trigger"); t != "" {
		name, form, parts = t, "SERVICE/FUNCTION/TRIGGER", 3
	}
	if name == "" {
		return f, resource, nil
	}
	p := strings.Split(name, "/")
	if len(p) != parts {
		return f, "", fc.InvalidField("function or trigger", form, name)
	}
	f.Function, resource = p[0]+"/"+p[1], a.triggerARN(p[0], p[1], "*")
	if parts == 3 {
		f.Name, resource = p[2], a.triggerARN(p[0], p[1], p[2])
	}
	return f, resource, nil
}

// listEvents answers what became of events, newest first. The token is the number of the last one of the page.
func (a *API) listEvents(c *call) (answer, error) {
	h, err := a.history(c)
	if err != nil {
		return answer{}, err
	}
	f, of, err := a.eventFilter(c)
	if err != nil {
		return answer{}, err
	}
	if err := a.allowed(c, of); err != nil {
		return answer{}, err
	}
	p, err := readPage(c.URL.Query())
	if err != nil {
		return answer{}, err
	}
	var before int64
	if p.start != "" {
		if before, err = strconv.ParseInt(p.start, 10, 64); err != nil || before < 1 {
			return answer{}, fc.InvalidField("nextToken", "one that was given out", p.start)
		}
	}
	events, err := h.Events(c.Context(), f, before, p.limit+1)
	if err != nil {
		return answer{}, storeError("Events", err)
	}
	out := map[string]any{}
	if len(events) > p.limit {
		events = events[:p.limit]
		out["nextToken"] = strconv.FormatInt(events[p.limit-1].ID, 10)
	}
	views := make([]eventView, len(events)) // never null in JSON
	for i := range events {
		views[i] = viewEvent(&events[i])
	}
	out["events"] = views
	return resource(out, "")
}

// getEvent answers all that became of one event, for each trigger that the caller may see.
func (a *API) getEvent(c *call) (answer, error) {
	h, err := a.history(c)
	if err != nil {
		return answer{}, err
	}
	events, err := h.Events(c.Context(), store.EventFilter{EventID: c.params.event}, 0, 0)
	if err != nil {
		return answer{}, storeError("Events", err)
	}
	views, refusal := []eventView{}, a.noEvent(c, len(events) == 0)
	for i := range events {
		e := &events[i]
		if err := a.allowed(c, a.eventARN(e)); err != nil {
			refusal = err
			continue
		}
		v, err := a.wholeEvent(c, h, e)
		if err != nil {
			return answer{}, err
		}
		views = append(views, v)
	}
	if len(views) == 0 {
		return answer{}, refusal
	}
	return resource(map[string]any{"events": views}, "")
}

// noEvent is the refusal for an event that is not there: who may see none need not know which there are.
func (a *API) noEvent(c *call, none bool) error {
	if !none {
		return nil
	}
	if err := a.allowed(c, a.triggerARN("*", "*", "*")); err != nil {
		return err
	}
	return fc.Errorf(fc.EventNotFound, "there is no event '%s', or it is forgotten by now", c.params.event)
}

// eventARN is what policies are asked about: the trigger, or, for an event that met none, its source.
func (a *API) eventARN(e *store.Event) string {
	if service, function, ok := strings.Cut(e.Function, "/"); ok {
		return a.triggerARN(service, function, e.Name)
	}
	return e.Source
}

func (a *API) wholeEvent(c *call, h History, e *store.Event) (eventView, error) {
	v := viewEvent(e)
	for _, s := range e.Steps {
		v.Steps = append(v.Steps, stepView{Time: s.At.UTC().Format(stepTime), State: s.State, Reason: s.Reason, Detail: s.Detail,
			RequestID: s.RequestID, Attempt: s.Attempt, Status: s.Status})
	}
	payload, err := h.Payload(c.Context(), e)
	if err != nil {
		return v, storeError("Payload", err)
	}
	if utf8.Valid(payload) {
		v.Payload = string(payload)
	} else {
		v.PayloadBase64 = payload
	}
	return v, nil
}

// replayEvent delivers an event again: to the trigger named, or to all that it did not reach or that failed.
func (a *API) replayEvent(c *call) (answer, error) {
	h, err := a.history(c)
	if err != nil {
		return answer{}, err
	}
	done, err := h.Replay(context.WithoutCancel(c.Context()), c.params.event, c.URL.Query().Get("trigger"), func(t *fc.Trigger) error {
		return a.allowed(c, a.triggerARN(t.ServiceName, t.FunctionName, t.Name))
	})
	var refusal *fc.Error
	switch {
	case errors.As(err, &refusal):
		return answer{}, refusal
	case err != nil:
		return answer{}, storeError("Replay", err)
	}
	return resource(map[string]any{"replayed": done}, "")
}
