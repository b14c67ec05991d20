package mnstopic

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fcd/fc"
	"fcd/triggers"
	"fcd/triggers/triggertest"
)

var update = flag.Bool("update", false, "write the golden files")

const topic = "acs:mns:cn-shanghai:123456:/topics/T"

func kind() triggers.Kind { return Kind(triggertest.Region, triggertest.Account) }

func newTrigger(id, cfg string) *fc.Trigger {
	return &fc.Trigger{ServiceName: "s", FunctionName: "f", Name: "t", ID: id, Type: fc.TriggerMNSTopic, Enabled: true, SourceARN: topic, Config: json.RawMessage(cfg)}
}

const stream = `{"filterTag":"","notifyContentFormat":"STREAM","notifyStrategy":"BACKOFF_RETRY"}`

func TestConfigurations(t *testing.T) {
	triggertest.Configs(t, kind(), []triggertest.ConfigCase{
		{Name: "nothing said", ARN: topic, Raw: `{}`, Want: stream},
		{Name: "in full", ARN: topic, Raw: `{"NotifyContentFormat":"JSON","filterTag":"x"}`, Want: `{"filterTag":"x","notifyContentFormat":"JSON","notifyStrategy":"BACKOFF_RETRY"}`},
		{Name: "changed", ARN: topic, Old: stream, Raw: `{"filterTag":"y"}`, Want: "!cannot be changed"},
		{Name: "sent again unchanged", ARN: topic, Old: stream, Raw: stream, Want: stream},
		{Name: "a long tag", ARN: topic, Raw: `{"filterTag":"12345678901234567"}`, Want: "!FilterTag"},
		{Name: "an unknown format", ARN: topic, Raw: `{"notifyContentFormat":"XML"}`, Want: "!NotifyContentFormat"},
		{Name: "an unknown strategy", ARN: topic, Raw: `{"notifyStrategy":"NEVER"}`, Want: "!NotifyStrategy"},
		{Name: "a queue", ARN: "acs:mns:cn-shanghai:123456:/queues/T", Raw: `{}`, Want: "!SourceArn"},
		{Name: "without a role", ARN: topic, NoRole: true, Raw: `{}`, Want: "!InvocationRole"},
	})
}

func notice(id, tag string) []byte {
	return fmt.Appendf(nil, `{"TopicOwner":"123456","Message":"hello <topic>","Subscriber":"123456","PublishTime":"1550216302888","SubscriptionName":"sub","MessageMD5":"BA4BA9B48AC81F0F9C66F6C909C39DBB","TopicName":"T","MessageId":%q,"MessageTag":%q}`, id, tag)
}

func TestWhatAFunctionGets(t *testing.T) {
	const asJSON = `{"filterTag":"","notifyContentFormat":"JSON"}`
	const tagged = `{"filterTag":"a","notifyContentFormat":"STREAM"}`
	for _, c := range []struct {
		name, cfg string
		arrival   fc.Arrival
		want      string // payload; "" for none
		reason    string
	}{
		{"the message", stream, fc.Arrival{Body: notice("1", "")}, "hello <topic>", ""},
		{"the notification", asJSON, fc.Arrival{Body: notice("1", "")}, `{"TopicOwner":"123456","Message":"hello <topic>","Subscriber":"123456","PublishTime":1550216302888,"SubscriptionName":"sub","MessageMD5":"BA4BA9B48AC81F0F9C66F6C909C39DBB","TopicName":"T","MessageId":"1"}`, ""},
		{"a bare message of the proved topic", stream, fc.Arrival{Body: []byte(`{"a":1}`), Source: topic, MessageID: "9"}, `{"a":1}`, ""},
		{"a message with the tag", tagged, fc.Arrival{Body: notice("1", "a")}, "hello <topic>", ""},
		{"a message with another tag", tagged, fc.Arrival{Body: notice("1", "b")}, "", "tag"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.arrival.Allow = triggertest.From(topic)
			events, receipts, err := triggertest.Arrive(t, kind(), newTrigger("t1", c.cfg), c.arrival)
			if err != nil || receipts[0].Reason != c.reason {
				t.Fatalf("%v, %v", receipts, err)
			}
			if c.want == "" && len(events) == 0 {
				return
			}
			if len(events) != 1 || string(events[0].Payload) != c.want || events[0].DedupKey == "" || events[0].Source.ARN != topic {
				t.Errorf("got %+v", events)
			}
		})
	}
}

// The events of both formats, byte for byte, without and with attributes; the attributes are those of the cloud's sample.
func TestEventGolden(t *testing.T) {
	with := func(attributes string) []byte {
		plain := notice("2F5B3C281B283D4EAC694B7425288675", "")
		return fmt.Appendf(plain[:len(plain)-1], `,"MessageAttributes":%s}`, attributes)
	}
	for _, c := range []struct {
		name string
		body []byte
	}{
		{"plain", with(`null`)},
		{"extend", with(`{"Extend":"{\"key\":\"value\"}"}`)},
		{"mixed", with(`"{\"Extend\":\"<not an object>\",\"Other\":5,\"Message\":\"not this\"}"`)},
		{"taken", with(`{"Extend":"{\"Message\":\"not this\"}"}`)},
	} {
		for _, format := range []string{formatStream, formatJSON} {
			cfg := fmt.Sprintf(`{"filterTag":"","notifyContentFormat":%q}`, format)
			events, _, err := triggertest.Arrive(t, kind(), newTrigger("t1", cfg), fc.Arrival{Body: c.body, Allow: triggertest.From(topic)})
			if err != nil || len(events) != 1 {
				t.Fatalf("%s: %v, %v", c.name, events, err)
			}
			file := filepath.Join("testdata", c.name+"_"+strings.ToLower(format)+".txt")
			if *update {
				if err := os.WriteFile(file, events[0].Payload, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil || string(want) != string(events[0].Payload) {
				t.Errorf("%s, %s: %v\n got %s\nwant %s", c.name, format, err, events[0].Payload, want)
			}
		}
	}
}

func TestBodiesThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		arrival fc.Arrival
		code    fc.Code
	}{
		{fc.Arrival{Body: []byte("bare")}, fc.InvalidArgument},
		{fc.Arrival{Body: []byte("bare"), Source: "acs:oss:cn-shanghai:123456:photos"}, fc.InvalidArgument},
		{fc.Arrival{Body: []byte(`{"TopicName":"a/b"}`)}, fc.InvalidArgument},
		{fc.Arrival{Body: []byte(`{"TopicName":"T","TopicOwner":"9"}`)}, fc.AccessDenied},
		{fc.Arrival{Body: []byte(`{"TopicName":"T","TopicOwner":"9:x"}`)}, fc.InvalidArgument},
		{fc.Arrival{Body: []byte(`{"TopicName":"U"}`)}, fc.AccessDenied},
	} {
		c.arrival.Allow = triggertest.From(topic)
		events, _, err := triggertest.Arrive(t, kind(), newTrigger("t1", stream), c.arrival)
		if fc.CodeOf(err) != c.code || len(events) != 0 {
			t.Errorf("%s: %v", c.arrival.Body, err)
		}
	}
}

func TestObligations(t *testing.T) {
	triggertest.Run(t, triggertest.Harness{
		Kind:     kind(),
		Trigger:  func(id string) *fc.Trigger { return newTrigger(id, stream) },
		Unwanted: func(id string) *fc.Trigger { return newTrigger(id, strings.Replace(stream, `:""`, `:"a"`, 1)) },
		Happen: func(ctx context.Context, s triggers.Source, n int) error {
			return triggertest.Receive(ctx, s, fc.Arrival{Body: notice(fmt.Sprint(n), ""), Allow: triggertest.From(topic)})
		},
	})
}

func FuzzReceive(f *testing.F) {
	f.Add(notice("1", "a"), "")
	f.Add([]byte("bare"), topic)
	f.Add([]byte(`{"TopicName":"T","MessageAttributes":{"Extend":"{\"a\":1}"}}`), topic)
	f.Add([]byte(`{"TopicName":"a/b","PublishTime":{}}`), "acs:mns:x:y:/topics/")
	f.Fuzz(func(t *testing.T, body []byte, source string) {
		_, _, err := triggertest.Arrive(t, kind(), newTrigger("t1", stream), fc.Arrival{Body: body, Source: source, Allow: triggertest.From(topic)})
		if code := fc.CodeOf(err); err != nil && code != fc.InvalidArgument && code != fc.AccessDenied {
			t.Error(err)
		}
	})
}
