package rds

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"fcd/fc"
	"fcd/triggers"
	"fcd/triggers/triggertest"
)

const (
	instance = "acs:rds:cn-shanghai:123456:dbinstance/rm-1"
	stored   = `{"subscriptionObjects":["shop.orders"],"retry":3,"concurrency":1,"eventFormat":"protobuf"}`
)

func kind() triggers.Kind { return Kind(triggertest.Region, triggertest.Account) }

func newTrigger(id string) *fc.Trigger {
	return &fc.Trigger{ServiceName: "s", FunctionName: "f", Name: "t", ID: id, Type: fc.TriggerRDS, Enabled: true, SourceARN: instance, Config: []byte(stored)}
}

func TestConfigurations(t *testing.T) {
	const whole = `{"subscriptionObjects":["a.b","a.c"],"retry":0,"concurrency":5,"eventFormat":"json"}`
	with := func(member string) string { return `{"subscriptionObjects":["shop.orders"],` + member + `}` }
	triggertest.Configs(t, kind(), []triggertest.ConfigCase{
		{Name: "tables alone", ARN: instance, Raw: `{"subscriptionObjects":["shop.orders"]}`, Want: stored},
		{Name: "all of it", ARN: instance, Raw: whole, Want: whole},
		{Name: "keys in another case, null and unknown ones", ARN: instance, Raw: `{"SubscriptionObjects":["shop.orders"],"Retry":null,"instanceId":"rm-1"}`, Want: stored},
		{Name: "a change of one", ARN: instance, Old: whole, Raw: `{"retry":2}`, Want: strings.Replace(whole, `"retry":0`, `"retry":2`, 1)},
		{Name: "nothing", ARN: instance, Raw: `{}`, Want: "!TriggerConfig.SubscriptionObjects is required"},
		{Name: "no tables", ARN: instance, Old: whole, Raw: `{"subscriptionObjects":[]}`, Want: "!TriggerConfig.SubscriptionObjects is required"},
		{Name: "a table without a name", ARN: instance, Raw: `{"subscriptionObjects":["a",null]}`, Want: "!TriggerConfig.SubscriptionObjects has an empty name"},
		{Name: "tables that are no list", ARN: instance, Raw: `{"subscriptionObjects":"a"}`, Want: "!TriggerConfig.subscriptionObjects is a string"},
		{Name: "retry too small", ARN: instance, Raw: with(`"retry":-1`), Want: "!TriggerConfig.Retry is set to an invalid value (allowed: 0 to 3, actual: '-1')"},
		{Name: "retry too large", ARN: instance, Raw: with(`"retry":4`), Want: "!actual: '4'"},
		{Name: "retry that is no number", ARN: instance, Raw: with(`"retry":"3"`), Want: "!TriggerConfig.retry is a string"},
		{Name: "concurrency too small", ARN: instance, Raw: with(`"concurrency":0`), Want: "!TriggerConfig.Concurrency is set to an invalid value (allowed: 1 to 5, actual: '0')"},
		{Name: "concurrency too large", ARN: instance, Raw: with(`"concurrency":6`), Want: "!actual: '6'"},
		{Name: "another format", ARN: instance, Raw: with(`"eventFormat":"xml"`), Want: "!TriggerConfig.EventFormat is set to an invalid value (allowed: protobuf | json, actual: 'xml')"},
		{Name: "no role", ARN: instance, NoRole: true, Raw: stored, Want: "!InvocationRole"},
		{Name: "no source", Raw: stored, Want: "!SourceArn is required"},
		{Name: "another region", ARN: "acs:rds:cn-beijing:123456:dbinstance/rm-1", Raw: stored, Want: "!acs:rds:cn-shanghai:123456:dbinstance/<instance>"},
		{Name: "another account", ARN: "acs:rds:cn-shanghai:1:dbinstance/rm-1", Raw: stored, Want: "!SourceArn"},
		{Name: "another service", ARN: "acs:ots:cn-shanghai:123456:dbinstance/rm-1", Raw: stored, Want: "!SourceArn"},
		{Name: "an instance without a name", ARN: "acs:rds:cn-shanghai:123456:dbinstance/", Raw: stored, Want: "!SourceArn"},
		{Name: "all instances", ARN: "acs:rds:cn-shanghai:123456:dbinstance/*", Raw: stored, Want: "!SourceArn"},
		{Name: "more than an instance", ARN: instance + "/table/t", Raw: stored, Want: "!SourceArn"},
		{Name: "not an instance", ARN: "acs:rds:cn-shanghai:123456:rm-1", Raw: stored, Want: "!SourceArn"},
	})
}

func arrive(t testing.TB, a fc.Arrival) ([]triggers.Event, error) {
	t.Helper()
	a.Allow = triggertest.From(instance)
	events, _, err := triggertest.Arrive(t, kind(), newTrigger("t1"), a)
	return events, err
}

// TestTheGoldenEvent pins what an event is known by, so that a new version recognises what an old one delivered. The
// file holds every byte once.
func TestTheGoldenEvent(t *testing.T) {
	body, err := os.ReadFile("testdata/event.bin")
	if err != nil {
		t.Fatal(err)
	}
	events, err := arrive(t, fc.Arrival{Body: bytes.Clone(body), Source: instance, MessageID: "1"})
	if err != nil || len(events) != 1 {
		t.Fatalf("%+v, %v", events, err)
	}
	const id = "rds/e992755184f2a922f426ed79769e28fa"
	ev := events[0]
	if !bytes.Equal(ev.Payload, body) {
		t.Errorf("the function gets %q", ev.Payload)
	}
	if ev.ID != id || ev.DedupKey != "t1/"+id || ev.Subject != "changes of dbinstance/rm-1" || ev.Source.ARN != instance || ev.Source.Service != "rds.aliyuncs.com" {
		t.Errorf("the event is %+v", ev)
	}
}

func TestEventsWithoutAnIDAllCount(t *testing.T) {
	events, err := arrive(t, fc.Arrival{Body: []byte("x"), Source: instance})
	if err != nil || len(events) != 1 || events[0].DedupKey != "" {
		t.Errorf("%+v, %v", events, err)
	}
}

func TestWhatIsRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		a    fc.Arrival
		want fc.Code
	}{
		{"no source", fc.Arrival{Body: []byte("x")}, fc.InvalidArgument},
		{"no body", fc.Arrival{Source: instance}, fc.InvalidArgument},
		{"an instance that the sender may not speak for", fc.Arrival{Body: []byte("x"), Source: instance + "0"}, fc.AccessDenied},
	} {
		if events, err := arrive(t, c.a); fc.CodeOf(err) != c.want || len(events) != 0 {
			t.Errorf("%s: %+v, %v", c.name, events, err)
		}
	}
}

func TestObligations(t *testing.T) {
	triggertest.Run(t, triggertest.Harness{
		Kind: kind(), Trigger: newTrigger,
		Happen: func(ctx context.Context, s triggers.Source, n int) error {
			return triggertest.Receive(ctx, s, fc.Arrival{Body: []byte("\x0a\x00\xff"), Source: instance, MessageID: fmt.Sprint(n), Allow: triggertest.From(instance)})
		},
	})
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(stored), []byte(`{"Retry":0,"subscriptionObjects":["a"]}`))
	f.Add([]byte(`{"subscriptionObjects":["a"],"concurrency":1e1}`), []byte(`{"eventFormat":"json","retry":null}`))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		first, err := decode(nil, a)
		if err != nil {
			if fc.CodeOf(err) != fc.InvalidArgument {
				t.Error(err)
			}
			return
		}
		if again, err := decode(first.JSON, nil); err != nil || !bytes.Equal(again.JSON, first.JSON) {
			t.Fatalf("%s became %s: %v", first.JSON, again.JSON, err)
		}
		if _, err := decode(first.JSON, b); err != nil && fc.CodeOf(err) != fc.InvalidArgument {
			t.Error(err)
		}
	})
}
