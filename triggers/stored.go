package triggers

import (
	"encoding/json"
	"slices"
	"strings"

	"fcd/fc"
)

// StoredKinds are the kinds that the guide and its successors have and fcd keeps without firing them: http, mns_topic,
// cdn_events, tablestore and eventbridge. Their configuration is checked and returned as the cloud does.
func StoredKinds(region, account string) []Kind {
	return []Kind{
		{Type: fc.TriggerHTTP, Decode: decodeHTTP, Conflict: conflictHTTP},
		{
			Type: fc.TriggerMNSTopic, Service: "mns.aliyuncs.com", Decode: decodeMNSTopic,
			CheckSource: RegionalARN("mns", region, account, "/topics/<topic>", prefixed("/topics/")),
		},
		{
			Type: fc.TriggerCDNEvents, Service: "cdn.aliyuncs.com", Decode: decodeCDNEvents,
			CheckSource: func(arn string) error {
				if arn != "acs:cdn:*:"+account {
					return fc.InvalidField("SourceArn", "acs:cdn:*:"+account, arn)
				}
				return nil
			},
		},
		{
			Type: fc.TriggerTablestore, Service: "ots.aliyuncs.com", Decode: decodeEmpty,
			CheckSource: RegionalARN("ots", region, account, "instance/<instance>/table/<table>", isTable),
		},
		{Type: fc.TriggerEventBridge, Decode: decodeEventBridge},
	}
}

func prefixed(prefix string) func(string) bool {
	return func(s string) bool {
		rest, ok := strings.CutPrefix(s, prefix)
		return ok && rest != "" && !strings.Contains(rest, "/")
	}
}

func isTable(s string) bool {
	p := strings.Split(s, "/")
	return len(p) == 4 && p[0] == "instance" && p[1] != "" && p[2] == "table" && p[3] != ""
}

// merged lays old, then raw, onto into.
func merged(into any, old, raw json.RawMessage, opaque ...string) error {
	if err := Merge(into, old, opaque...); err != nil {
		return err
	}
	return Merge(into, raw, opaque...)
}

// oneOf is the refusal of a value outside the list, nil within it.
func oneOf(field, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fc.InvalidField(field, strings.Join(allowed, " | "), value)
}

type httpConfig struct {
	AuthType string   `json:"authType"`
	Methods  []string `json:"methods"`
}

func decodeHTTP(old, raw json.RawMessage) (Config, error) {
	var c httpConfig
	if err := merged(&c, old, raw); err != nil {
		return Config{}, err
	}
	if err := oneOf("TriggerConfig.AuthType", c.AuthType, "anonymous", "function"); err != nil {
		return Config{}, err
	}
	if len(c.Methods) == 0 {
		return Config{}, fc.MissingField("TriggerConfig.Methods")
	}
	for _, m := range c.Methods {
		if err := oneOf("TriggerConfig.Methods", m, "GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"); err != nil {
			return Config{}, err
		}
	}
	return Config{JSON: Canonical(c), Enabled: true}, nil
}

// conflictHTTP holds that an http trigger is the only trigger of its function.
func conflictHTTP(t *fc.Trigger, others []*fc.Trigger) error {
	for _, o := range others {
		if o.ServiceName == t.ServiceName && o.FunctionName == t.FunctionName {
			return fc.Errorf(fc.InvalidArgument, "an http trigger must be the only trigger of its function, which has '%s'", o.Name)
		}
	}
	return nil
}

type mnsTopicConfig struct {
	FilterTag           string `json:"filterTag"`
	NotifyContentFormat string `json:"notifyContentFormat"`
	NotifyStrategy      string `json:"notifyStrategy"`
}

// decodeMNSTopic takes a configuration at create; it cannot change.
func decodeMNSTopic(old, raw json.RawMessage) (Config, error) {
	c := mnsTopicConfig{NotifyContentFormat: "STREAM", NotifyStrategy: "BACKOFF_RETRY"}
	if err := Merge(&c, old); err != nil {
		return Config{}, err
	}
	before := c
	if err := Merge(&c, raw); err != nil {
		return Config{}, err
	}
	if old != nil && c != before {
		return Config{}, fc.Errorf(fc.InvalidArgument, "TriggerConfig of a mns_topic trigger cannot be changed")
	}
	if len(c.FilterTag) > 16 {
		return Config{}, fc.InvalidField("TriggerConfig.FilterTag", "at most 16 bytes", c.FilterTag)
	}
	if err := oneOf("TriggerConfig.NotifyContentFormat", c.NotifyContentFormat, "STREAM", "JSON"); err != nil {
		return Config{}, err
	}
	return Config{JSON: Canonical(c), Enabled: true}, oneOf("TriggerConfig.NotifyStrategy", c.NotifyStrategy, "BACKOFF_RETRY", "EXPONENTIAL_DECAY_RETRY")
}

type cdnEventsConfig struct {
	EventName    string              `json:"eventName"`
	EventVersion string              `json:"eventVersion"`
	Notes        string              `json:"notes"`
	Filter       map[string][]string `json:"filter"`
}

func decodeCDNEvents(old, raw json.RawMessage) (Config, error) {
	c := cdnEventsConfig{EventVersion: "1.0.0"}
	if err := Merge(&c, old); err != nil {
		return Config{}, err
	}
	name, version := c.EventName, c.EventVersion
	if err := Merge(&c, raw); err != nil {
		return Config{}, err
	}
	switch {
	case c.EventName == "":
		return Config{}, fc.MissingField("TriggerConfig.EventName")
	case old != nil && (c.EventName != name || c.EventVersion != version):
		return Config{}, fc.Errorf(fc.InvalidArgument, "TriggerConfig.EventName and EventVersion cannot be changed")
	case len(c.Filter) == 0:
		return Config{}, fc.MissingField("TriggerConfig.Filter")
	}
	return Config{JSON: Canonical(c), Enabled: true}, nil
}

// decodeEmpty is for kinds that have nothing to configure.
func decodeEmpty(old, raw json.RawMessage) (Config, error) {
	var c struct{}
	return Config{JSON: json.RawMessage("{}"), Enabled: true}, merged(&c, old, raw)
}

type eventBridgeConfig struct {
	TriggerEnable          *bool           `json:"triggerEnable"`
	AsyncInvocationType    bool            `json:"asyncInvocationType"`
	EventRuleFilterPattern string          `json:"eventRuleFilterPattern"`
	EventSourceConfig      json.RawMessage `json:"eventSourceConfig,omitempty"`
	EventSinkConfig        json.RawMessage `json:"eventSinkConfig,omitempty"`
	RunOptions             json.RawMessage `json:"runOptions,omitempty"`
}

func decodeEventBridge(old, raw json.RawMessage) (Config, error) {
	on := true
	c := eventBridgeConfig{TriggerEnable: &on}
	if err := merged(&c, old, raw, "eventSourceConfig", "eventSinkConfig", "runOptions"); err != nil {
		return Config{}, err
	}
	return Config{JSON: Canonical(c), Enabled: *c.TriggerEnable}, nil
}
