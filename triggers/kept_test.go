package triggers

import (
	"testing"

	"fcd/fc"
	"fcd/store"
)

// TestAPayloadThatLooksKeptIsNot: a sender may write what looks like the record of an event that nobody wanted.
func TestAPayloadThatLooksKeptIsNot(t *testing.T) {
	b := keep(fc.Arrival{Body: []byte("inner"), Source: "acs:mns:r:1:/topics/T", MessageID: "1"}, "mns/T/1")
	unmatched, queued := store.Step{State: store.FateUnmatched}, store.Step{State: store.FateQueued}
	for name, c := range map[string]struct {
		event store.Event
		kept  bool
	}{
		"an event that nobody wanted": {store.Event{EventID: "mns/T/1", Steps: []store.Step{unmatched}}, true},
		"one that was offered again":  {store.Event{EventID: "mns/T/1", Steps: []store.Step{unmatched, {State: FateRedriven}, unmatched}}, true},
		"one that was taken later":    {store.Event{EventID: "mns/T/1", Steps: []store.Step{unmatched, {State: FateRedriven}, queued}}, true},
		"one that was queued":         {store.Event{EventID: "mns/T/1", Steps: []store.Step{queued, unmatched}}, false},
		"another event's":             {store.Event{EventID: "mns/T/2", Steps: []store.Step{unmatched}}, false},
	} {
		if k, ok := readKept(&c.event, b); ok != c.kept || ok && string(k.Body) != "inner" {
			t.Errorf("%s: kept is %v, %q", name, ok, k.Body)
		}
	}
	if _, ok := readKept(&store.Event{EventID: "mns/T/1", Steps: []store.Step{unmatched}}, []byte(`{"fcdKeptEvent":"mns/T/1"`)); ok {
		t.Error("half a record is taken for one")
	}
}

// FuzzReadKept reads strange records.
func FuzzReadKept(f *testing.F) {
	f.Add([]byte(`{"fcdKeptEvent":"e","source":"s","messageId":"1","body":"AAA="}`))
	f.Add([]byte(`{"fcdKeptEvent":"e","body":7}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, ok := readKept(&store.Event{EventID: "e", Steps: []store.Step{{State: store.FateUnmatched}}}, b); ok && k.Event != "e" {
			t.Errorf("the record of %q is taken for that of e", k.Event)
		}
	})
}
