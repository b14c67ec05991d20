package api

import (
	"encoding/json"

	"fcd/fc"
)

// lifecycleBody is the instanceLifecycleConfig that a client sends. {} clears it; members that are all null count as
// absent; anything else replaces it whole. A hook with an empty handler is none.
type lifecycleBody struct {
	config      fc.LifecycleConfig
	sent, clear bool
}

// hookBody is one hook; nil means absent.
type hookBody struct {
	Handler *string `json:"handler"`
	Timeout *int    `json:"timeout"`
}

// UnmarshalJSON reads {preFreeze: {handler, timeout}, preStop: {...}}, keys in any case.
func (b *lifecycleBody) UnmarshalJSON(literal []byte) error {
	const name = "InstanceLifecycleConfig"
	var o object
	if literal[0] != '{' {
		return fc.InvalidField(name, "an object", jsonKind(literal))
	}
	if err := o.UnmarshalJSON(literal); err != nil {
		return err
	}
	b.clear = o.empty
	for key, hook := range map[string]**fc.LifecycleHook{"prefreeze": &b.config.PreFreeze, "prestop": &b.config.PreStop} {
		raw := o.set[key]
		if raw == nil {
			continue
		}
		field := name + "." + map[string]string{"prefreeze": "PreFreeze", "prestop": "PreStop"}[key]
		if raw[0] != '{' {
			return fc.InvalidField(field, "an object", jsonKind(raw))
		}
		var h hookBody
		if err := json.Unmarshal(raw, &h); err != nil {
			return fc.InvalidField(field, "a handler, which is a string, and a timeout, which is an integer", string(raw))
		}
		if h.Handler == nil && h.Timeout == nil && string(raw) != "{}" {
			continue // all its members are null
		}
		b.sent = true
		if value(h.Handler) != "" {
			*hook = &fc.LifecycleHook{Handler: *h.Handler, TimeoutSeconds: fc.DefaultHookTimeoutSeconds}
			set(&(*hook).TimeoutSeconds, h.Timeout)
		}
	}
	return nil
}

func (b *lifecycleBody) apply(f *fc.Function) {
	switch {
	case b.clear, b.sent && b.config == (fc.LifecycleConfig{}):
		f.InstanceLifecycleConfig = nil
	case b.sent:
		config := b.config
		f.InstanceLifecycleConfig = &config
	}
}
