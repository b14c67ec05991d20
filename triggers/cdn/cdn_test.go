package cdn

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"fcd/fc"
	"fcd/triggers"
	"fcd/triggers/triggertest"
)

const own = "acs:cdn:*:123456"

const written = `{"eventName":"LogFileCreated","eventVersion":"1.0.0","notes":"","filter":{"domain":["example.com"]}}`

func newTrigger(id, cfg string) *fc.Trigger {
	return &fc.Trigger{ServiceName: "s", FunctionName: "f", Name: "t", ID: id, Type: fc.TriggerCDNEvents, Enabled: true, SourceARN: own, Config: json.RawMessage(cfg)}
}

func TestConfigurations(t *testing.T) {
	triggertest.Configs(t, Kind(triggertest.Account), []triggertest.ConfigCase{
		{Name: "in full", ARN: own, Raw: `{"eventName":"LogFileCreated","notes":"n","filter":{"domain":["a"]}}`, Want: `{"eventName":"LogFileCreated","eventVersion":"1.0.0","notes":"n","filter":{"domain":["a"]}}`},
		{Name: "other domains", ARN: own, Old: written, Raw: `{"filter":{"domain":["b"]}}`, Want: `{"eventName":"LogFileCreated","eventVersion":"1.0.0","notes":"","filter":{"domain":["b"]}}`},
		{Name: "another event", ARN: own, Old: written, Raw: `{"eventName":"B"}`, Want: "!cannot be changed"},
		{Name: "another version", ARN: own, Old: written, Raw: `{"eventVersion":"2"}`, Want: "!cannot be changed"},
		{Name: "without an event", ARN: own, Raw: `{"filter":{"domain":["a"]}}`, Want: "!EventName"},
		{Name: "without a filter", ARN: own, Raw: `{"eventName":"A"}`, Want: "!Filter"},
		{Name: "of another account", ARN: "acs:cdn:*:9", Raw: `{}`, Want: "!SourceArn"},
	})
}

func eventOf(name, domain, account, trace string) string {
	return fmt.Sprintf(`{"eventName":%q,"eventSource":"cdn","region":"cn-hangzhou","eventVersion":"1.0.0","eventTime":"2018-06-14T15:31:49+08:00","traceId":%q,"userIdentity":{"aliUid":%q},"resource":{"domain":%q},"eventParameter":{"fileSize":1788115}}`, name, trace, account, domain)
}

func TestEachEventIsAnInvocationAsItCame(t *testing.T) {
	wanted := eventOf("LogFileCreated", "Example.com", "123456", "1")
	body := `{"events":[` + wanted + "," + eventOf("CdnDomainStarted", "example.com", "123456", "2") + "," + eventOf("LogFileCreated", "other.com", "123456", "3") + `]}`
	events, receipts, err := triggertest.Arrive(t, Kind(triggertest.Account), newTrigger("t1", written), fc.Arrival{Body: []byte(body), Allow: triggertest.From(own)})
	if err != nil || len(events) != 1 || string(events[0].Payload) != `{"events":[`+wanted+`]}` || events[0].DedupKey == "" {
		t.Errorf("got %+v, %v", events, err)
	}
	if len(receipts) != 3 || receipts[1].Reason != "event" || receipts[2].Reason != "filter" {
		t.Errorf("receipts %+v", receipts)
	}
}

func TestBodiesThatAreRefused(t *testing.T) {
	for body, code := range map[string]fc.Code{
		"": fc.InvalidArgument, "{}": fc.InvalidArgument, `{"events":[]}`: fc.InvalidArgument, `{"events":[1]}`: fc.InvalidArgument, `{"events":[{}]}`: fc.InvalidArgument,
		`{"events":[` + eventOf("LogFileCreated", "example.com", "9", "1") + `]}`: fc.AccessDenied,
	} {
		events, _, err := triggertest.Arrive(t, Kind(triggertest.Account), newTrigger("t1", written), fc.Arrival{Body: []byte(body), Allow: triggertest.From(own)})
		if fc.CodeOf(err) != code || len(events) != 0 {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestObligations(t *testing.T) {
	triggertest.Run(t, triggertest.Harness{
		Kind:    Kind(triggertest.Account),
		Trigger: func(id string) *fc.Trigger { return newTrigger(id, written) },
		Unwanted: func(id string) *fc.Trigger {
			return newTrigger(id, strings.Replace(written, "example.com", "example.org", 1))
		},
		Happen: func(ctx context.Context, s triggers.Source, n int) error {
			body := `{"events":[` + eventOf("LogFileCreated", "example.com", "123456", fmt.Sprint(n)) + `]}`
			return triggertest.Receive(ctx, s, fc.Arrival{Body: []byte(body), Allow: triggertest.From(own)})
		},
	})
}

func FuzzReceive(f *testing.F) {
	f.Add([]byte(`{"events":[` + eventOf("LogFileCreated", "example.com", "123456", "1") + `]}`))
	f.Add([]byte(`{"events":[{"eventName":"a","userIdentity":{"aliUid":1},"resource":{"domain":[]}}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		events, _, err := triggertest.Arrive(t, Kind(triggertest.Account), newTrigger("t1", written), fc.Arrival{Body: body, Allow: triggertest.From(own)})
		if code := fc.CodeOf(err); err != nil && code != fc.InvalidArgument && code != fc.AccessDenied {
			t.Error(err)
		}
		for _, ev := range events {
			if !json.Valid(ev.Payload) {
				t.Errorf("payload %s", ev.Payload)
			}
		}
	})
}
