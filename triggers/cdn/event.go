package cdn

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"fcd/fc"
	"fcd/triggers"
)

// event is what is read of an event; functions get it as it came.
type event struct {
	Name     string         `json:"eventName"`
	Version  string         `json:"eventVersion"`
	TraceID  string         `json:"traceId"`
	Resource map[string]any `json:"resource"`
	User     struct {
		Account text `json:"aliUid"`
	} `json:"userIdentity"`
}

// text is a string that may be written as a number.
type text string

// UnmarshalJSON reads a string or a number.
func (t *text) UnmarshalJSON(b []byte) error {
	*t = text(bytes.Trim(b, `"`))
	return nil
}

// open cuts a document into its events. An event names its account, which must be the one that the way in speaks for.
func open(account string, a fc.Arrival) ([]triggers.Happening[config], error) {
	var doc struct {
		Events []json.RawMessage `json:"events"`
	}
	if err := json.Unmarshal(a.Body, &doc); err != nil || len(doc.Events) == 0 {
		return nil, fc.Errorf(fc.InvalidArgument, "the body is not a document of CDN events")
	}
	all := make([]triggers.Happening[config], len(doc.Events))
	for i, raw := range doc.Events {
		var e event
		if err := json.Unmarshal(raw, &e); err != nil || e.Name == "" {
			return nil, fc.Errorf(fc.InvalidArgument, "event %d is not a CDN event", i)
		}
		owner := account
		if e.User.Account != "" {
			owner = string(e.User.Account)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, raw); err != nil {
			return nil, fc.Errorf(fc.InvalidArgument, "event %d is not valid JSON: %v", i, err)
		}
		all[i] = triggers.Happening[config]{
			ID:       "cdn/" + triggers.HashKey(e.Name, e.TraceID, a.MessageID, compact.String()),
			Unique:   e.TraceID != "" || a.MessageID != "",
			Source:   sourceARN(owner),
			Subject:  e.Name + " " + e.member("domain"),
			Detail:   e.detail,
			Mismatch: e.mismatch,
			Payload:  func(*triggers.Rule[config]) []byte { return document(compact.Bytes()) },
		}
	}
	return all, nil
}

func (e event) mismatch(r *triggers.Rule[config]) string {
	if e.Name != r.Config.EventName || e.Version != "" && e.Version != r.Config.EventVersion {
		return "event"
	}
	for member, values := range r.Config.Filter {
		have := e.member(member)
		if !slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, have) }) {
			return "filter"
		}
	}
	return ""
}

// detail says in words why the trigger does not want the event.
func (e event) detail(r *triggers.Rule[config], mismatch string) string {
	if mismatch == "event" {
		return fmt.Sprintf("the trigger's event is %s %s, not %s %s", r.Config.EventName, r.Config.EventVersion, e.Name, e.Version)
	}
	return fmt.Sprintf("the event's resource is of the domain '%s', which the trigger's filter leaves out", e.member("domain"))
}

// member is a member of the event's resource, "" if it has none of the name.
func (e event) member(name string) string {
	s, _ := e.Resource[name].(string)
	return s
}

func document(event []byte) []byte {
	return slices.Concat([]byte(`{"events":[`), event, []byte(`]}`))
}
