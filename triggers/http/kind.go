// Package http is the trigger kind "http": requests to a function's own path at the API's address. They come and are
// answered there, so the kind has no source: it holds what the trigger's configuration may be.
//
//	{"authType":"function","methods":["GET","POST"]}
//
// authType anonymous lets everybody call, function those whose signature may invoke the function.
package http

import (
	"encoding/json"
	"slices"
	"strings"

	"fcd/fc"
	"fcd/triggers"
)

// Kind makes the kind "http".
func Kind() triggers.Kind {
	return triggers.Kind{Type: fc.TriggerHTTP, Decode: decode, Alone: true}
}

var (
	authTypes = []string{"anonymous", "function"}
	methods   = []string{"GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"}
)

type config struct {
	AuthType string   `json:"authType"`
	Methods  []string `json:"methods"`
}

// decode lays old, then raw, onto each other and checks the result.
func decode(old, raw json.RawMessage) (triggers.Config, error) {
	var c config
	for _, layer := range []json.RawMessage{old, raw} {
		if err := triggers.Merge(&c, layer); err != nil {
			return triggers.Config{}, err
		}
	}
	if len(c.Methods) == 0 && slices.Contains(authTypes, c.AuthType) {
		return triggers.Config{}, fc.MissingField("TriggerConfig.Methods")
	}
	for _, m := range c.Methods {
		if err := oneOf("TriggerConfig.Methods", m, methods); err != nil {
			return triggers.Config{}, err
		}
	}
	return triggers.Config{JSON: triggers.Canonical(c), Enabled: true}, oneOf("TriggerConfig.AuthType", c.AuthType, authTypes)
}

// oneOf is the refusal of a value outside the list, nil within it.
func oneOf(field, value string, allowed []string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fc.InvalidField(field, strings.Join(allowed, " | "), value)
}
