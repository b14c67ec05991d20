// Package cdn is the trigger kind "cdn_events" for what happens on a content delivery network: a log file was written,
// objects were refreshed or blocked, a domain was started or stopped.
//
// A body is the document that the network sends, of one or more events:
//
//	{"events":[{"eventName":"LogFileCreated","eventSource":"cdn","region":"cn-hangzhou","eventVersion":"1.0.0",
//	 "eventTime":"2018-06-14T15:31:49+08:00","traceId":"c6459282-...","userIdentity":{"aliUid":"123456"},
//	 "resource":{"domain":"example.com"},"eventParameter":{"domain":"example.com","endTime":1528959900,"fileSize":1788115}}]}
//
// Each event is an invocation of its own, as it came.
package cdn

import (
	"encoding/json"

	"fcd/fc"
	"fcd/triggers"
)

const service = "cdn.aliyuncs.com" // whom the invocation role must trust

// Kind makes the kind "cdn_events" for the account; the network has no regions.
func Kind(account string) triggers.Kind {
	own := sourceARN(account)
	open := func(a fc.Arrival) ([]triggers.Happening[config], error) { return open(account, a) }
	return triggers.Kind{
		Type: fc.TriggerCDNEvents, Service: service, Decode: decode,
		CheckSource: func(arn string) error {
			if arn != own {
				return fc.InvalidField("SourceArn", own, arn)
			}
			return nil
		},
		Again: triggers.Again(readTrigger, open),
		New: func(env triggers.Env) (triggers.Source, error) {
			return &triggers.Inbox[config]{Rules: triggers.NewRules[config](env, service), Read: readTrigger, Open: open}, nil
		},
	}
}

func sourceARN(account string) string { return "acs:cdn:*:" + account }

// config is the triggerConfig of a cdn_events trigger.
type config struct {
	EventName    string              `json:"eventName"`
	EventVersion string              `json:"eventVersion"`
	Notes        string              `json:"notes"`
	Filter       map[string][]string `json:"filter"` // members of an event's resource, each one of the values
}

func readTrigger(t *fc.Trigger) (config, error) {
	var c config
	return c, triggers.Merge(&c, t.Config)
}

func decode(old, raw json.RawMessage) (triggers.Config, error) {
	c := config{EventVersion: "1.0.0"}
	if err := triggers.Merge(&c, old); err != nil {
		return triggers.Config{}, err
	}
	name, version := c.EventName, c.EventVersion
	if err := triggers.Merge(&c, raw); err != nil {
		return triggers.Config{}, err
	}
	switch {
	case c.EventName == "":
		return triggers.Config{}, fc.MissingField("TriggerConfig.EventName")
	case old != nil && (c.EventName != name || c.EventVersion != version):
		return triggers.Config{}, fc.Errorf(fc.InvalidArgument, "TriggerConfig.EventName and EventVersion cannot be changed")
	case len(c.Filter) == 0:
		return triggers.Config{}, fc.MissingField("TriggerConfig.Filter")
	}
	return triggers.Config{JSON: triggers.Canonical(c), Enabled: true}, nil
}
