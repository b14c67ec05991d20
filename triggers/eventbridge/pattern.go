package eventbridge

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// pattern chooses events. An object names members that the event must have, to any depth; a list says what a member may
// be, any of its entries:
//
//	{"source":["acs.oss"],"type":[{"prefix":"oss:ObjectCreated:"}],"data":{"oss":{"object":{"key":[{"suffix":".jpg"}]}}}}
//
// An entry is a value, or an object with one of the operators prefix, suffix, exists (true or false) and anything-but (a
// value, a list of values, or a prefix or suffix). Where the event's member is a list, one of its values must do.
type pattern map[string]any

// maxDepth bounds the nesting of a pattern.
const maxDepth = 16

// parsePattern reads a pattern; "" matches everything.
func parsePattern(text string) (pattern, error) {
	if strings.TrimSpace(text) == "" {
		return pattern{}, nil
	}
	var p pattern
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return nil, fmt.Errorf("it is not a JSON object: %w", err)
	}
	return p, checkPattern(p, 1)
}

func checkPattern(p map[string]any, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("it is nested deeper than %d", maxDepth)
	}
	for name, v := range p {
		var err error
		switch v := v.(type) {
		case map[string]any:
			err = checkPattern(v, depth+1)
		case []any:
			err = checkEntries(v)
		default:
			err = errors.New("is neither an object nor a list")
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func checkEntries(entries []any) error {
	if len(entries) == 0 {
		return errors.New("the list is empty")
	}
	for _, e := range entries {
		switch e := e.(type) {
		case []any:
			return errors.New("a list within a list")
		case map[string]any:
			if err := checkOperator(e); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkOperator(op map[string]any) error {
	if len(op) != 1 {
		return fmt.Errorf("an entry has %d operators, not one", len(op))
	}
	for name, arg := range op {
		ok := false
		switch name {
		case "prefix", "suffix":
			_, ok = arg.(string)
		case "exists":
			_, ok = arg.(bool)
		case "anything-but":
			switch arg := arg.(type) {
			case map[string]any:
				_, affix := arg["prefix"]
				_, suffix := arg["suffix"]
				if !affix && !suffix {
					return errors.New("anything-but takes values, a prefix or a suffix")
				}
				return checkOperator(arg)
			case []any:
				ok = len(arg) > 0
			default:
				ok = true
			}
		default:
			return fmt.Errorf("the operator %q is not one of prefix, suffix, exists, anything-but", name)
		}
		if !ok {
			return fmt.Errorf("the operator %s has a value of the wrong type", name)
		}
	}
	return nil
}

// matches tells whether the pattern chooses the event.
func (p pattern) matches(event map[string]any) bool { return matchObject(p, event) }

func matchObject(p, event map[string]any) bool {
	for name, want := range p {
		have, there := event[name]
		switch want := want.(type) {
		case map[string]any:
			inner, _ := have.(map[string]any) // what is not there may still be wanted not to exist
			if !matchObject(want, inner) {
				return false
			}
		case []any:
			if !matchAny(want, have, there) {
				return false
			}
		}
	}
	return true
}

func matchAny(entries []any, have any, there bool) bool {
	values := []any{have}
	if list, ok := have.([]any); ok {
		values = list
	}
	for _, e := range entries {
		if op, ok := e.(map[string]any); ok {
			if exists, ok := op["exists"].(bool); ok {
				if exists == there {
					return true
				}
				continue
			}
		}
		for _, v := range values {
			if there && matchEntry(e, v) {
				return true
			}
		}
	}
	return false
}

func matchEntry(entry, v any) bool {
	op, ok := entry.(map[string]any)
	if !ok {
		return scalar(v) && entry == v
	}
	if but, ok := op["anything-but"]; ok {
		list, ok := but.([]any)
		if !ok {
			list = []any{but}
		}
		for _, b := range list {
			if matchEntry(b, v) {
				return false
			}
		}
		return true
	}
	s, ok := v.(string)
	if !ok {
		return false
	}
	if prefix, ok := op["prefix"].(string); ok {
		return strings.HasPrefix(s, prefix)
	}
	suffix, ok := op["suffix"].(string)
	return ok && strings.HasSuffix(s, suffix)
}

// scalar tells whether v may be compared.
func scalar(v any) bool {
	switch v.(type) {
	case nil, string, float64, bool:
		return true
	}
	return false
}
