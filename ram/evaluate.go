package ram

import (
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

// evaluate tells whether the documents allow the request: a Deny that matches beats every Allow, and without an Allow
// that matches the answer is no.
func evaluate(docs []document, r *request) bool {
	allowed := false
	for i := range docs {
		for j := range docs[i].statements {
			s := &docs[i].statements[j]
			if !s.deny && allowed || !s.actions.cover(r.action, true) || !s.resources.cover(r.resource, r.foldResource) {
				continue
			}
			if !s.applies(r) {
				continue
			}
			if s.deny {
				return false
			}
			allowed = true
		}
	}
	return allowed
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
