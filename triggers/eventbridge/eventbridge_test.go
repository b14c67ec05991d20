package eventbridge

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

const (
	bus   = "acs:eventbridge:cn-shanghai:123456:eventbus/default"
	queue = "acs:eventbridge:cn-shanghai:123456:eventbus/MNS-fn-trg"
	end   = "/rule/svc-fn-trg"
)

func kind() triggers.Kind { return Kind(triggertest.Region, triggertest.Account) }

// newTrigger is a trigger as it is stored.
func newTrigger(t testing.TB, id, cfg string) *fc.Trigger {
	tr := &fc.Trigger{ServiceName: "svc", FunctionName: "fn", Name: "trg", ID: id, Type: fc.TriggerEventBridge}
	kinds, err := triggers.NewKinds(kind())
	if err == nil {
		err = kinds.Normalize(nil, tr, json.RawMessage(cfg))
	}
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func TestConfigurations(t *testing.T) {
	triggertest.Configs(t, kind(), []triggertest.ConfigCase{
		{Name: "in full", NoRole: true, Raw: `{"triggerEnable":false,"eventRuleFilterPattern":"{}","eventSourceConfig":{"X":null}}`,
			Want: `{"triggerEnable":false,"asyncInvocationType":false,"eventRuleFilterPattern":"{}","eventSourceConfig":{"X":null}}`},
		{Name: "an operator that is none", Raw: `{"eventRuleFilterPattern":"{\"a\":[{\"cidr\":\"10.0.0.0/8\"}]}"}`, Want: "!EventRuleFilterPattern: a: the operator \"cidr\""},
		{Name: "a pattern that is no object", Raw: `{"eventRuleFilterPattern":"[]"}`, Want: "!EventRuleFilterPattern"},
		{Name: "another source than at create", ARN: bus + end, Old: `{"triggerEnable":true}`, Raw: `{"eventSourceConfig":{"eventSourceType":"MNS"}}`, Want: "!would change the source"},
	})
}

func TestTheServiceNamesTheSource(t *testing.T) {
	for cfg, want := range map[string]string{
		`{}`: bus + end, `{"eventSourceConfig":{"eventSourceType":"Default"}}`: bus + end, `{"eventSourceConfig":{"EventSourceType":"MNS"}}`: queue + end,
	} {
		if got := newTrigger(t, "t", cfg).SourceARN; got != want {
			t.Errorf("%s: %s", cfg, got)
		}
	}
}

const put = `{"id":"1","source":"acs.oss","specversion":"1.0","type":"oss:ObjectCreated:PutObject","subject":"acs:oss:cn-shanghai:123456:photos/a.jpg","data":{"oss":{"object":{"key":"a.jpg","size":7}},"labels":["x","y"]}}`

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern string
		want    bool
	}{
		{``, true},
		{`{}`, true},
		{`{"source":["acs.oss"]}`, true},
		{`{"source":["acs.mns"]}`, false},
		{`{"source":["acs.mns","acs.oss"],"type":[{"prefix":"oss:ObjectCreated:"}]}`, true},
		{`{"source":["acs.oss"],"type":["other"]}`, false},
		{`{"data":{"oss":{"object":{"key":[{"suffix":".jpg"}]}}}}`, true},
		{`{"data":{"oss":{"object":{"key":[{"suffix":".png"}]}}}}`, false},
		{`{"data":{"oss":{"object":{"size":[7]}}}}`, true},
		{`{"data":{"oss":{"object":{"size":[{"prefix":"7"}]}}}}`, false},
		{`{"data":{"labels":["y"]}}`, true},
		{`{"data":{"labels":["z"]}}`, false},
		{`{"data":{"oss":["x"]}}`, false},
		{`{"absent":[{"exists":false}],"id":[{"exists":true}]}`, true},
		{`{"absent":[{"exists":true}]}`, false},
		{`{"absent":{"deeper":[{"exists":false}]}}`, true},
		{`{"absent":[null]}`, false},
		{`{"type":[{"anything-but":"other"}]}`, true},
		{`{"type":[{"anything-but":["oss:ObjectCreated:PutObject","x"]}]}`, false},
		{`{"type":[{"anything-but":{"prefix":"oss:"}}]}`, false},
		{`{"type":[{"anything-but":{"suffix":"CopyObject"}}]}`, true},
	} {
		tr := newTrigger(t, "t1", string(triggers.Canonical(map[string]string{"eventRuleFilterPattern": c.pattern})))
		events, receipts, err := triggertest.Arrive(t, kind(), tr, fc.Arrival{Body: []byte(put), Allow: triggertest.From(bus)})
		if err != nil || (len(events) == 1) != c.want || !c.want && receipts[0].Reason != "pattern" {
			t.Errorf("%s: %d events, %v, %v", c.pattern, len(events), receipts, err)
		}
	}
	for _, bad := range []string{`x`, `{"a":1}`, `{"a":[]}`, `{"a":[[1]]}`, `{"a":[{}]}`, `{"a":[{"prefix":1}]}`, `{"a":[{"exists":1}]}`,
		`{"a":[{"anything-but":{"exists":true}}]}`, `{"a":[{"anything-but":[]}]}`, strings.Repeat(`{"a":`, 20) + `[1]` + strings.Repeat(`}`, 20)} {
		if _, err := parsePattern(bad); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}

func TestEventsOfTheDefaultBusComeOneByOneOthersTogether(t *testing.T) {
	list := []byte("[" + put + ", " + strings.Replace(put, `"1"`, `"2"`, 1) + "]")
	events, _, err := triggertest.Arrive(t, kind(), newTrigger(t, "t1", `{}`), fc.Arrival{Body: list, Allow: triggertest.From(bus)})
	if err != nil || len(events) != 2 || string(events[0].Payload) != put || events[0].Source.ARN != bus+end || events[0].DedupKey == events[1].DedupKey {
		t.Errorf("default: %+v, %v", events, err)
	}
	mns := newTrigger(t, "t1", `{"eventSourceConfig":{"eventSourceType":"MNS"}}`)
	for _, source := range []string{queue, queue + end} {
		events, _, err = triggertest.Arrive(t, kind(), mns, fc.Arrival{Body: list, Source: source, Allow: triggertest.From(queue)})
		if err != nil || len(events) != 1 || events[0].Source.ARN != queue+end || string(events[0].Payload) != strings.Replace(string(list), ", ", ",", 1) {
			t.Errorf("%s: %+v, %v", source, events, err)
		}
	}
	if _, _, err := triggertest.Arrive(t, kind(), mns, fc.Arrival{Body: list, Allow: triggertest.From(queue)}); fc.CodeOf(err) != fc.AccessDenied {
		t.Errorf("a bus that was not proved: %v", err)
	}
}

func TestObligations(t *testing.T) {
	triggertest.Run(t, triggertest.Harness{
		Kind: kind(), Trigger: func(id string) *fc.Trigger { return newTrigger(t, id, `{}`) },
		Unwanted: func(id string) *fc.Trigger {
			return newTrigger(t, id, `{"eventRuleFilterPattern":"{\"source\":[\"another\"]}"}`)
		},
		Happen: func(ctx context.Context, s triggers.Source, n int) error {
			return triggertest.Receive(ctx, s, fc.Arrival{Body: []byte(strings.Replace(put, `"1"`, fmt.Sprintf(`"%d"`, n), 1)), Allow: triggertest.From(bus)})
		},
	})
}

func FuzzPattern(f *testing.F) {
	f.Add(`{"source":["acs.oss"],"a":{"b":[{"anything-but":{"prefix":"x"}},null,1]}}`, []byte(put))
	f.Add(`{"data":[{"exists":false}]}`, []byte(`[{"specversion":"1.0","id":"1","source":"s","type":"t","data":[[1],{}]}]`))
	f.Fuzz(func(t *testing.T, text string, body []byte) {
		p, err := parsePattern(text)
		if err != nil {
			return
		}
		list, err := triggers.ParseCloudEvents(body)
		if err != nil {
			if fc.CodeOf(err) != fc.InvalidArgument {
				t.Error(err)
			}
			return
		}
		for _, e := range list {
			var v map[string]any
			if json.Unmarshal(e.Raw, &v) == nil {
				p.matches(v)
			}
		}
	})
}
