package triggers

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"fcd/fc"
)

// maxConfig bounds a configuration as sent and as stored, bytes.
const maxConfig = 64 << 10

// Merge lays raw onto the configuration into: members match without case, null is absent, objects merge member by
// member, everything else is replaced, and unknown members are dropped. Members named opaque are taken as they are.
// Errors are *fc.Error InvalidArgument. An empty raw changes nothing.
func Merge(into any, raw json.RawMessage, opaque ...string) error {
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil
	}
	if len(raw) > maxConfig {
		return fc.Errorf(fc.InvalidArgument, "TriggerConfig has %d bytes, more than %d", len(raw), maxConfig)
	}
	clean, err := withoutNull(raw, opaque)
	if err == nil && (len(clean) == 0 || clean[0] != '{') {
		err = errors.New("it is not an object")
	}
	if err == nil {
		err = json.Unmarshal(clean, into)
	}
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fc.Errorf(fc.InvalidArgument, "TriggerConfig.%s is a %s where a %s is wanted", wrong.Field, wrong.Value, wrong.Type)
	}
	if err != nil {
		return fc.Errorf(fc.InvalidArgument, "TriggerConfig cannot be read: %v", err)
	}
	return nil
}

// withoutNull drops members that are null, at any depth of objects. Lists are left alone.
func withoutNull(raw json.RawMessage, opaque []string) (json.RawMessage, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || raw[0] != '{' {
		return raw, nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, err
	}
	for k, v := range members {
		if string(v) == "null" {
			delete(members, k)
			continue
		}
		if slices.ContainsFunc(opaque, func(o string) bool { return strings.EqualFold(o, k) }) {
			continue
		}
		clean, err := withoutNull(v, opaque)
		if err != nil {
			return nil, err
		}
		members[k] = clean
	}
	return Canonical(members), nil
}

// Canonical renders a configuration compactly, without escaping HTML.
func Canonical(v any) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // the types of configurations and events hold nothing that cannot be rendered
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
