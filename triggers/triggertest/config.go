package triggertest

import (
	"encoding/json"
	"strings"
	"testing"

	"fcd/fc"
	"fcd/triggers"
)

// ConfigCase is a trigger that a client sends, and what it is stored as.
type ConfigCase struct {
	Name     string
	ARN      string // as sent
	NoRole   bool   // none is sent
	Old, Raw string // Old "" is a create
	// Want is the stored configuration, or "!" and a part of the refusal.
	Want string
}

// Configs holds a kind to what it stores and refuses.
func Configs(t *testing.T, kind triggers.Kind, cases []ConfigCase) {
	t.Helper()
	kinds, err := triggers.NewKinds(kind)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			tr := trigger(kind.Type, c)
			var old *fc.Trigger
			if c.Old != "" {
				old = trigger(kind.Type, c)
				old.Config = json.RawMessage(c.Old)
			}
			err := kinds.Normalize(old, tr, json.RawMessage(c.Raw))
			if want, refused := strings.CutPrefix(c.Want, "!"); refused {
				if fc.CodeOf(err) != fc.InvalidArgument || !strings.Contains(err.Error(), want) {
					t.Errorf("got %s, %v", tr.Config, err)
				}
			} else if err != nil || string(tr.Config) != c.Want {
				t.Errorf("got %s, %v", tr.Config, err)
			}
		})
	}
}

func trigger(typ string, c ConfigCase) *fc.Trigger {
	t := &fc.Trigger{ServiceName: "svc", FunctionName: "fn", Name: "trg", ID: "t", Type: typ, SourceARN: c.ARN}
	if !c.NoRole {
		t.InvocationRole = "acs:ram::" + Account + ":role/r"
	}
	return t
}

// Arrive brings a body to a source with one trigger and returns what is dispatched and what is answered.
func Arrive(t testing.TB, kind triggers.Kind, tr *fc.Trigger, a fc.Arrival) ([]triggers.Event, []fc.Receipt, error) {
	t.Helper()
	env, events := Recorder(func(triggers.Event) error { return nil })
	s, err := kind.New(env)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(t.Context(), tr); err != nil {
		t.Fatal(err)
	}
	receipts, err := s.(triggers.Receiver).Receive(t.Context(), a)
	return *events, receipts, err
}

// From allows events of one source only.
func From(source string) func(string) error {
	return func(arn string) error {
		if arn != source {
			return fc.Errorf(fc.AccessDenied, "events of '%s' may not come this way", arn)
		}
		return nil
	}
}
