// Package eventbridge is the trigger kind for events on a bus of EventBridge: CloudEvents of any source, which a pattern
// chooses.
//
// A trigger stands for a rule on a bus, and its source is named by the service: on the default bus, or, where the
// configuration names a source of another type (a queue, a stream), on a bus of the trigger's own:
//
//	acs:eventbridge:<region>:<account>:eventbus/default/rule/<service>-<function>-<trigger>
//	acs:eventbridge:<region>:<account>:eventbus/<type>-<function>-<trigger>/rule/<service>-<function>-<trigger>
//
// On the default bus a function gets one CloudEvent; on a bus of its own a list of those that came together.
package eventbridge

import (
	"encoding/json"
	"strings"

	"fcd/fc"
	"fcd/triggers"
)

// defaultBus is the bus that the account always has.
const defaultBus = "default"

// Kind makes the kind "eventbridge".
func Kind(region, account string) triggers.Kind {
	b := box{region: region, account: account}
	return triggers.Kind{
		Type: fc.TriggerEventBridge, Decode: decode, SourceOf: b.source,
		Again: triggers.Again(readTrigger, b.open),
		New: func(env triggers.Env) (triggers.Source, error) {
			return &triggers.Inbox[rule]{Rules: triggers.NewRules[rule](env, ""), Read: readTrigger, Open: b.open, From: b.from}, nil
		},
	}
}

type box struct{ region, account string }

// arn names a bus.
func (b box) arn(bus string) string { return BusARN(b.region, b.account, bus) }

// BusARN is the resource name of a bus of EventBridge, from which events of its triggers come.
func BusARN(region, account, bus string) string {
	return fc.ARN{Service: "eventbridge", Region: region, Account: account, Resource: "eventbus/" + bus}.String()
}

// source names the rule that a trigger stands for.
func (b box) source(t *fc.Trigger, raw json.RawMessage) string {
	var c config
	_ = json.Unmarshal(raw, &c) // decode wrote it
	return b.arn(c.bus(t)) + "/rule/" + t.ServiceName + "-" + t.FunctionName + "-" + t.Name
}

// from is the bus whose events a trigger is found by.
func (b box) from(t *fc.Trigger, r rule) string { return b.arn(r.bus) }

// config is the triggerConfig of an eventbridge trigger.
type config struct {
	TriggerEnable          *bool           `json:"triggerEnable"`
	AsyncInvocationType    bool            `json:"asyncInvocationType"`
	EventRuleFilterPattern string          `json:"eventRuleFilterPattern"` // JSON; "" takes all
	EventSourceConfig      json.RawMessage `json:"eventSourceConfig,omitempty"`
	EventSinkConfig        json.RawMessage `json:"eventSinkConfig,omitempty"`
	RunOptions             json.RawMessage `json:"runOptions,omitempty"`
}

// bus is the name of the bus that the trigger's source writes to.
func (c *config) bus(t *fc.Trigger) string {
	var source struct {
		Type string `json:"eventSourceType"`
	}
	_ = json.Unmarshal(c.EventSourceConfig, &source)
	if source.Type == "" || strings.EqualFold(source.Type, defaultBus) {
		return defaultBus
	}
	return source.Type + "-" + t.FunctionName + "-" + t.Name
}

func read(layers ...json.RawMessage) (config, pattern, error) {
	on := true
	c := config{TriggerEnable: &on}
	for _, l := range layers {
		if err := triggers.Merge(&c, l, "eventSourceConfig", "eventSinkConfig", "runOptions"); err != nil {
			return c, nil, err
		}
	}
	p, err := parsePattern(c.EventRuleFilterPattern)
	if err != nil {
		return c, nil, fc.Errorf(fc.InvalidArgument, "TriggerConfig.EventRuleFilterPattern: %v", err)
	}
	return c, p, nil
}

func decode(old, raw json.RawMessage) (triggers.Config, error) {
	c, _, err := read(old, raw)
	if err != nil {
		return triggers.Config{}, err
	}
	return triggers.Config{JSON: triggers.Canonical(c), Enabled: *c.TriggerEnable}, nil
}

// rule is a trigger's configuration, ready to be matched.
type rule struct {
	bus     string
	pattern pattern
}

func readTrigger(t *fc.Trigger) (rule, error) {
	c, p, err := read(t.Config)
	return rule{bus: c.bus(t), pattern: p}, err
}
