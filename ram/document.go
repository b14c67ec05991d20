package ram

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// maxDocument bounds a policy document, bytes. The cloud allows 6144 characters for a policy, 2048 for a trust.
const maxDocument = 64 << 10

// document is a parsed policy or trust, ready to be evaluated.
type document struct {
	name       string // of the policy, for people
	statements []statement
}

type statement struct {
	deny       bool
	actions    patterns
	resources  patterns // of a policy
	principals principal
	conditions []condition
	unknown    bool // it has an operator or a key that nobody here knows
}

// patterns is a list of wildcards; not turns it into "none of them".
type patterns struct {
	list []string
	not  bool
}

func (p patterns) cover(s string, fold bool) bool {
	for _, w := range p.list {
		if match(w, s, fold) {
			return !p.not
		}
	}
	return p.not
}

type principal struct{ services, rams []string }

// The JSON forms. Every list may be a bare string.
type rawDocument struct {
	Version   version
	Statement []rawStatement
}

type rawStatement struct {
	Sid, Effect                              string
	Action, NotAction, Resource, NotResource stringList
	Principal                                *struct{ Service, RAM stringList }
	Condition                                map[string]map[string]scalarList
}

// version is "1" or 1.
type version string

func (v *version) UnmarshalJSON(b []byte) error {
	*v = version(strings.Trim(string(b), `"`))
	return nil
}

type stringList []string

func (l *stringList) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		var s string
		err := json.Unmarshal(b, &s)
		*l = stringList{s}
		return err
	}
	return json.Unmarshal(b, (*[]string)(l))
}

// scalarList holds strings, numbers and booleans as text.
type scalarList []string

func (l *scalarList) UnmarshalJSON(b []byte) error {
	var items []json.RawMessage
	if len(b) > 0 && b[0] == '[' {
		if err := json.Unmarshal(b, &items); err != nil {
			return err
		}
	} else {
		items = []json.RawMessage{b}
	}
	*l = make(scalarList, len(items))
	for i, it := range items {
		if len(it) > 0 && it[0] == '"' {
			if err := json.Unmarshal(it, &(*l)[i]); err != nil {
				return err
			}
		} else if len(it) == 0 || it[0] == '{' || it[0] == '[' || it[0] == 'n' {
			return fmt.Errorf("condition value %s is not a string, number or boolean", it)
		} else {
			(*l)[i] = string(it)
		}
	}
	return nil
}

// UnmarshalJSON accepts one statement in place of a list of one.
func (d *rawDocument) UnmarshalJSON(b []byte) error {
	var raw struct {
		Version   version
		Statement json.RawMessage
	}
	if err := strictJSON(b, &raw); err != nil {
		return err
	}
	d.Version = raw.Version
	if len(raw.Statement) > 0 && raw.Statement[0] == '{' {
		d.Statement = make([]rawStatement, 1)
		return strictJSON(raw.Statement, &d.Statement[0])
	}
	if len(raw.Statement) == 0 {
		return nil
	}
	return strictJSON(raw.Statement, &d.Statement)
}

// strictJSON refuses members that it does not know: a misspelt Condition must not widen an Allow.
func strictJSON(b []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	return dec.Decode(into)
}

// parsePolicy reads a permission policy. warnings name the operators and keys that it does not know.
func parsePolicy(b []byte) (doc document, warnings []string, err error) {
	return parseDocument(b, func(r rawStatement, s *statement) error {
		if r.Principal != nil {
			return errors.New("a permission policy has no Principal")
		}
		s.resources, err = choose("Resource", r.Resource, r.NotResource)
		return err
	})
}

// parseTrust reads the trust document of a role.
func parseTrust(b []byte) (doc document, warnings []string, err error) {
	return parseDocument(b, func(r rawStatement, s *statement) error {
		if r.Resource != nil || r.NotResource != nil {
			return errors.New("a trust document has no Resource")
		}
		if r.Principal == nil || len(r.Principal.Service)+len(r.Principal.RAM) == 0 {
			return errors.New("Principal is missing")
		}
		s.principals = principal{services: r.Principal.Service, rams: r.Principal.RAM}
		return nil
	})
}

func parseDocument(b []byte, rest func(rawStatement, *statement) error) (document, []string, error) {
	var raw rawDocument
	if len(b) > maxDocument {
		return document{}, nil, fmt.Errorf("the document has %d bytes, more than %d", len(b), maxDocument)
	}
	if !json.Valid(b) {
		return document{}, nil, errors.New("the document is not JSON")
	}
	if err := json.Unmarshal(b, &raw); err != nil {
		return document{}, nil, err
	}
	if raw.Version != "1" {
		return document{}, nil, fmt.Errorf("Version %q is not \"1\"", string(raw.Version))
	}
	if len(raw.Statement) == 0 {
		return document{}, nil, errors.New("Statement is empty")
	}
	var doc document
	var warnings []string
	for i, r := range raw.Statement {
		s, warn, err := parseStatement(r)
		if err == nil {
			err = rest(r, &s)
		}
		if err != nil {
			return document{}, nil, fmt.Errorf("statement %d: %w", i+1, err)
		}
		for _, w := range warn {
			warnings = append(warnings, fmt.Sprintf("statement %d: %s", i+1, w))
		}
		doc.statements = append(doc.statements, s)
	}
	return doc, warnings, nil
}

func parseStatement(r rawStatement) (s statement, warnings []string, err error) {
	switch r.Effect {
	case "Allow":
	case "Deny":
		s.deny = true
	default:
		return s, nil, fmt.Errorf("Effect %q is not Allow or Deny", r.Effect)
	}
	if s.actions, err = choose("Action", r.Action, r.NotAction); err != nil {
		return s, nil, err
	}
	s.conditions, warnings, err = parseConditions(r.Condition)
	s.unknown = len(warnings) > 0
	return s, warnings, err
}

// choose takes the list that is given of X and NotX.
func choose(name string, yes, no stringList) (patterns, error) {
	switch {
	case len(yes) > 0 && len(no) > 0:
		return patterns{}, fmt.Errorf("%s and Not%s exclude each other", name, name)
	case len(yes) > 0:
		return patterns{list: yes}, nil
	case len(no) > 0:
		return patterns{list: no, not: true}, nil
	}
	return patterns{}, fmt.Errorf("%s is missing", name)
}
