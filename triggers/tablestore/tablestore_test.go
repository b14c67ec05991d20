package tablestore

import (
	"context"
	"fmt"
	"testing"

	"fcd/fc"
	"fcd/triggers"
	"fcd/triggers/triggertest"
)

const table = "acs:ots:cn-shanghai:123456:instance/i/table/t"

func kind() triggers.Kind { return Kind(triggertest.Region, triggertest.Account) }

func newTrigger(id string) *fc.Trigger {
	return &fc.Trigger{ServiceName: "s", FunctionName: "f", Name: "t", ID: id, Type: fc.TriggerTablestore, Enabled: true, SourceARN: table, Config: []byte("{}")}
}

func TestConfigurations(t *testing.T) {
	triggertest.Configs(t, kind(), []triggertest.ConfigCase{
		{Name: "nothing to configure", ARN: table, Raw: `{"a":1}`, Want: "{}"},
		{Name: "without a table", ARN: "acs:ots:cn-shanghai:123456:instance/i", Raw: `{}`, Want: "!SourceArn"},
	})
}

func TestABatchOfChangesIsHandedOnAsItCame(t *testing.T) {
	cbor := "\xa2\x67Version\x67Sync-v1\x67Records\x80"
	for _, body := range []string{`{"Version":"Sync-v1","Records":[{"Type":"PutRow"}]}`, cbor} {
		events, _, err := triggertest.Arrive(t, kind(), newTrigger("t1"), fc.Arrival{Body: []byte(body), Source: table, MessageID: "1", Allow: triggertest.From(table)})
		if err != nil || len(events) != 1 || string(events[0].Payload) != body || events[0].DedupKey == "" {
			t.Errorf("%q: %+v, %v", body, events, err)
		}
	}
	for _, a := range []fc.Arrival{{Body: []byte(cbor)}, {Source: table}, {Body: []byte("{}"), Source: table}, {Body: []byte("x"), Source: table}} {
		if _, _, err := triggertest.Arrive(t, kind(), newTrigger("t1"), a); fc.CodeOf(err) != fc.InvalidArgument {
			t.Errorf("%q from %q: %v", a.Body, a.Source, err)
		}
	}
}

func TestObligations(t *testing.T) {
	triggertest.Run(t, triggertest.Harness{
		Kind: kind(), Trigger: newTrigger,
		Happen: func(ctx context.Context, s triggers.Source, n int) error {
			return triggertest.Receive(ctx, s, fc.Arrival{Body: []byte(`{"Records":[{}]}`), Source: table, MessageID: fmt.Sprint(n), Allow: triggertest.From(table)})
		},
	})
}
