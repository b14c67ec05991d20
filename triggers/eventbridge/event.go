package eventbridge

import (
	"bytes"
	"encoding/json"
	"strings"

	"fcd/fc"
	"fcd/triggers"
)

// happened is a CloudEvent, ready to be matched.
type happened struct {
	triggers.CloudEvent
	value map[string]any
}

// open cuts a body of CloudEvents into happenings: on the default bus one each, on any other all together. Which bus it
// is has been proved; none means the default one.
func (b box) open(a fc.Arrival) ([]triggers.Happening[rule], error) {
	list, err := triggers.ParseCloudEvents(a.Body)
	if err != nil {
		return nil, err
	}
	bus := a.Source
	if bus == "" {
		bus = b.arn(defaultBus)
	}
	bus, _, _ = strings.Cut(bus, "/rule/")
	events := make([]happened, len(list))
	for i, e := range list {
		events[i].CloudEvent = e
		if err := json.Unmarshal(e.Raw, &events[i].value); err != nil {
			return nil, fc.Errorf(fc.InvalidArgument, "the event '%s' is not a JSON object: %v", e.ID, err)
		}
	}
	if bus != b.arn(defaultBus) {
		return []triggers.Happening[rule]{happening(bus, events, true)}, nil
	}
	all := make([]triggers.Happening[rule], len(events))
	for i := range events {
		all[i] = happening(bus, events[i:i+1], false)
	}
	return all, nil
}

func happening(bus string, events []happened, list bool) triggers.Happening[rule] {
	var keys []string
	for _, e := range events {
		keys = append(keys, e.Key())
	}
	wanted := func(r *triggers.Rule[rule]) (raws [][]byte) {
		for _, e := range events {
			if r.Config.pattern.matches(e.value) {
				raws = append(raws, e.Raw)
			}
		}
		return raws
	}
	return triggers.Happening[rule]{
		ID: "eventbridge/" + triggers.HashKey(keys...), Unique: true, Source: bus,
		Subject: events[0].Type + " " + events[0].Subject,
		Detail:  func(*triggers.Rule[rule], string) string { return "the trigger's pattern does not choose the event" },
		Mismatch: func(r *triggers.Rule[rule]) string {
			if len(wanted(r)) == 0 {
				return "pattern"
			}
			return ""
		},
		Payload: func(r *triggers.Rule[rule]) []byte {
			raws := bytes.Join(wanted(r), []byte(","))
			if list {
				raws = append(append([]byte("["), raws...), ']')
			}
			return raws
		},
	}
}
