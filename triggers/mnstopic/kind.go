// Package mnstopic is the trigger kind for messages of topics of Message Service (MNS): a message is published, and
// functions run that a trigger binds to its topic.
//
// A body is a notification as MNS pushes it, in its JSON form, or, where whoever brings it has proved the topic, the bare
// message:
//
//	{"TopicOwner":"123456","TopicName":"t","Subscriber":"123456","SubscriptionName":"s","MessageId":"5F..","Message":"hello",
//	 "MessageMD5":"5D..","MessageTag":"","PublishTime":1550216302888,"MessageAttributes":{"Extend":"{\"key\":\"value\"}"}}
//
// With notifyContentFormat STREAM the function gets the message itself, or message and attributes if there are any; with
// JSON the notification, in front of it the attributes. Message is handed on as it was published: MNS clients often
// publish base64.
//
//	hello
//	{"body":"hello","attrs":{"Extend":"{\"key\":\"value\"}"}}
//	{"key":"value","TopicOwner":"123456","Message":"hello",...}
package mnstopic

import (
	"encoding/json"
	"slices"
	"strings"

	"fcd/fc"
	"fcd/triggers"
)

const (
	service  = "mns.aliyuncs.com" // whom the invocation role must trust
	maxTag   = 16
	resource = "/topics/"
)

// Values of notifyContentFormat.
const (
	formatStream = "STREAM"
	formatJSON   = "JSON"
)

// Kind makes the kind "mns_topic" for topics of the region and account.
func Kind(region, account string) triggers.Kind {
	b := box{region: region, account: account}
	return triggers.Kind{
		Type: fc.TriggerMNSTopic, Service: service, Decode: decode,
		CheckSource: triggers.RegionalARN("mns", region, account, resource+"<topic>", isTopic),
		Again:       triggers.Again(readTrigger, b.open),
		New: func(env triggers.Env) (triggers.Source, error) {
			return &triggers.Inbox[config]{Rules: triggers.NewRules[config](env, service), Read: readTrigger, Open: b.open}, nil
		},
	}
}

func isTopic(s string) bool {
	name, ok := strings.CutPrefix(s, resource)
	return ok && name != "" && !strings.Contains(name, "/")
}

// config is the triggerConfig of a mns_topic trigger.
type config struct {
	FilterTag           string `json:"filterTag"` // "" takes messages of any tag
	NotifyContentFormat string `json:"notifyContentFormat"`
	NotifyStrategy      string `json:"notifyStrategy"` // of the topic's own push; kept and returned
}

func readTrigger(t *fc.Trigger) (config, error) {
	var c config
	return c, triggers.Merge(&c, t.Config)
}

// decode takes a configuration at create; it cannot change.
func decode(old, raw json.RawMessage) (triggers.Config, error) {
	c := config{NotifyContentFormat: formatStream, NotifyStrategy: "BACKOFF_RETRY"}
	if err := triggers.Merge(&c, old); err != nil {
		return triggers.Config{}, err
	}
	before := c
	if err := triggers.Merge(&c, raw); err != nil {
		return triggers.Config{}, err
	}
	switch {
	case old != nil && c != before:
		return triggers.Config{}, fc.Errorf(fc.InvalidArgument, "TriggerConfig of a mns_topic trigger cannot be changed")
	case len(c.FilterTag) > maxTag:
		return triggers.Config{}, fc.InvalidField("TriggerConfig.FilterTag", "at most 16 bytes", c.FilterTag)
	case !slices.Contains([]string{formatStream, formatJSON}, c.NotifyContentFormat):
		return triggers.Config{}, fc.InvalidField("TriggerConfig.NotifyContentFormat", "STREAM | JSON", c.NotifyContentFormat)
	case !slices.Contains([]string{"BACKOFF_RETRY", "EXPONENTIAL_DECAY_RETRY"}, c.NotifyStrategy):
		return triggers.Config{}, fc.InvalidField("TriggerConfig.NotifyStrategy", "BACKOFF_RETRY | EXPONENTIAL_DECAY_RETRY", c.NotifyStrategy)
	}
	return triggers.Config{JSON: triggers.Canonical(c), Enabled: true}, nil
}
