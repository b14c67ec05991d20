package ram

import (
	"fmt"
	"strings"
	"time"
)

// request is one question to the policies.
type request struct {
	action, resource string
	env              Env
	now              func() time.Time
	foldResource     bool
}

func newRequest(action, resource string, env Env, now func() time.Time) *request {
	fold := strings.HasPrefix(resource, "acs:ram:") && strings.Contains(resource, ":role/")
	return &request{action: action, resource: resource, env: env, now: now, foldResource: fold}
}

// value is what the request holds for a condition key; keys compare without case.
func (r *request) value(key string) (string, bool) {
	if v, ok := r.env[key]; ok {
		return v, true
	}
	for k, v := range r.env {
		if strings.EqualFold(k, key) {
			return v, true
		}
	}
	if strings.EqualFold(key, keyCurrentTime) {
		return r.now().UTC().Format(time.RFC3339), true
	}
	return "", false
}

// evaluate tells whether the documents allow the request.
func evaluate(docs []document, r *request) bool { return decide(docs, r).allowed }

// decision is an answer and, for a no that a Deny made, whose statement it was: document and statement, from 0.
type decision struct {
	allowed             bool
	denied              bool
	document, statement int
}

// decide is the evaluation: a Deny that matches beats every Allow, and without an Allow that matches the answer is no.
func decide(docs []document, r *request) (d decision) {
	for i := range docs {
		for j := range docs[i].statements {
			s := &docs[i].statements[j]
			if !s.deny && d.allowed || !s.actions.cover(r.action, true) || !s.resources.cover(r.resource, r.foldResource) {
				continue
			}
			if !s.applies(r) {
				continue
			}
			if s.deny {
				return decision{denied: true, document: i, statement: j}
			}
			d.allowed = true
		}
	}
	return d
}

// why says in words what a no comes from.
func (d decision) why(docs []document) string {
	if d.denied {
		return fmt.Sprintf("statement %d of policy '%s' denies it", d.statement+1, docs[d.document].name)
	}
	if len(docs) == 0 {
		return "it has no policies"
	}
	names := make([]string, len(docs))
	for i := range docs {
		names[i] = docs[i].name
	}
	return fmt.Sprintf("no statement of its policies allows it (%s)", strings.Join(names, ", "))
}

// applies tells whether the conditions hold. What is unknown or unclear narrows an Allow and widens a Deny.
func (s *statement) applies(r *request) bool {
	doubt := s.unknown
	for i := range s.conditions {
		switch s.conditions[i].test(r) {
		case no:
			return s.unknown && s.deny
		case unclear:
			doubt = true
		}
	}
	return !doubt || s.deny
}

// trusts tells whether a trust document lets the service assume its role.
func (d document) trusts(service string, r *request) bool {
	trusted := false
	for i := range d.statements {
		s := &d.statements[i]
		if !s.actions.cover(r.action, true) || !contains(s.principals.services, service) || !s.applies(r) {
			continue
		}
		if s.deny {
			return false
		}
		trusted = true
	}
	return trusted
}

func contains(list []string, s string) bool {
	for _, e := range list {
		if strings.EqualFold(e, s) {
			return true
		}
	}
	return false
}
