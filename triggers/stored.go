package triggers

import (
	"encoding/json"
	"slices"
	"strings"

	"fcd/fc"
)

// StoredKinds are the kinds that the guide and its successors have and fcd keeps without firing them: http. Their
// configuration is checked and returned as the cloud does.
func StoredKinds(region, account string) []Kind {
	return []Kind{
		{Type: fc.TriggerHTTP, Decode: decodeHTTP, Conflict: conflictHTTP},
	}
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
