package api

import (
	"encoding/json"

	"fcd/fc"
)

// customRuntimeBody is the customRuntimeConfig that a client sends. {} clears it; members that are all null count as
// absent; anything else replaces it whole.
type customRuntimeBody struct {
	command, args []string
	sent, clear   bool
}

// UnmarshalJSON reads {command: [...], args: [...]}, keys in any case.
func (b *customRuntimeBody) UnmarshalJSON(literal []byte) error {
	var o object
	if literal[0] != '{' {
		return fc.InvalidField("CustomRuntimeConfig", "an object", jsonKind(literal))
	}
	if err := o.UnmarshalJSON(literal); err != nil {
		return err
	}
	b.clear = o.empty
	for key, list := range map[string]*[]string{"command": &b.command, "args": &b.args} {
		raw := o.set[key]
		if raw == nil {
			continue
		}
		b.sent = true
		if json.Unmarshal(raw, list) != nil {
			return fc.InvalidField("CustomRuntimeConfig."+upperCamel(key), "an array of strings", jsonKind(raw))
		}
	}
	return nil
}

func (b *customRuntimeBody) apply(f *fc.Function) {
	switch {
	case b.clear, b.sent && len(b.command) == 0 && len(b.args) == 0:
		f.CustomRuntimeConfig = nil
	case b.sent:
		f.CustomRuntimeConfig = &fc.CustomRuntimeConfig{Command: words(b.command), Args: words(b.args)}
	}
}

// words is a list that is written as [] when it is empty.
func words(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
