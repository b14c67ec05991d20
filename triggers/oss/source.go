package oss

import (
	"context"
	"fmt"
	"strings"
	"time"

	"fcd/fc"
	"fcd/triggers"
)

// Source matches object events with the triggers of their bucket. It is safe for concurrent use.
type Source struct {
	*triggers.Inbox[rule]
	o   Options
	env triggers.Env
}

// rule is a trigger's configuration, ready to be matched.
type rule struct {
	config
	id string // in events
}

func (o Options) newSource(env triggers.Env) (triggers.Source, error) {
	s := &Source{o: o, env: env}
	s.Inbox = &triggers.Inbox[rule]{Rules: triggers.NewRules[rule](env, service), Read: s.readRule, Open: s.open}
	return s, nil
}

func (s *Source) readRule(t *fc.Trigger) (rule, error) {
	c, err := read(t.Config)
	return rule{config: c, id: ruleID(s.o.Account, t)}, err
}

func (s *Source) now() time.Time {
	if s.env.Clock != nil {
		return s.env.Clock()
	}
	return time.Now()
}

// ObjectEvent hands an event of the embedded OSS or a listing to every trigger that it matches. On nil the event is
// settled for all of them: queued on disk, or refused for good and kept as a dead letter. Else the caller keeps the event
// and gives it again; those that have it already find it a duplicate.
func (s *Source) ObjectEvent(ctx context.Context, ev fc.ObjectEvent) error {
	arn := fc.BucketARN(s.o.Region, s.o.Account, ev.Bucket)
	records := []record{s.o.recordOf(ev)}
	for _, also := range ev.Also {
		records = append(records, s.o.recordOf(also))
	}
	h := s.happening(arn, records, identity{sequence: ev.Sequence, message: ev.Identity})
	h.KeepDenied = true
	_, err := s.Rules.Deliver(ctx, h)
	return err
}

// identity is what tells an event apart besides its request id.
type identity struct {
	sequence uint64 // of the embedded OSS
	message  string // of the transport
}

// happening is one or more events of a bucket that go into one invocation, as far as a trigger wants them.
func (s *Source) happening(arn string, records []record, id identity) triggers.Happening[rule] {
	first := records[0]
	h := triggers.Happening[rule]{Source: arn, Principal: first.UserIdentity.PrincipalID}
	h.ID, h.Unique = eventID(arn, records, id)
	h.Subject = subjectOf(records)
	h.Raw = func() []byte { return payload(records, "") }
	h.Detail = func(r *triggers.Rule[rule], reason string) string { return r.Config.detail(reason, records) }
	h.Mismatch = func(r *triggers.Rule[rule]) string {
		reason := ""
		for _, rec := range records {
			if reason = r.Config.mismatch(rec.EventName, rec.OSS.Object.Key); reason == "" {
				return ""
			}
		}
		return reason
	}
	h.Payload = func(r *triggers.Rule[rule]) []byte {
		var wanted []record
		for _, rec := range records {
			if r.Config.mismatch(rec.EventName, rec.OSS.Object.Key) == "" {
				wanted = append(wanted, rec)
			}
		}
		return payload(wanted, r.Config.id)
	}
	return h
}

// mismatch is why the rule does not want an event, "" if it does.
func (r *rule) mismatch(event, key string) string {
	named := false
	for _, e := range r.Events {
		named = named || covers(e[len(scheme):], event)
	}
	switch k := r.Filter.Key; {
	case !named:
		return "event"
	case !strings.HasPrefix(key, k.Prefix):
		return "prefix"
	case !strings.HasSuffix(key, k.Suffix):
		return "suffix"
	}
	return ""
}

// eventID names events and tells whether the name is theirs alone: it is their sequence where the source numbers its
// events, else it is made of what tells them apart.
func eventID(arn string, records []record, id identity) (name string, unique bool) {
	bucket := records[0].OSS.Bucket.Name
	if id.sequence > 0 {
		return fmt.Sprintf("oss/%s/%d", bucket, id.sequence), true
	}
	parts := []string{arn, records[0].ResponseElements.RequestID}
	unique = parts[1] != ""
	if !unique && id.message != "" {
		parts[1], unique = id.message, true
	}
	for _, r := range records {
		parts = append(parts, r.EventName, r.OSS.Object.Key)
	}
	return "oss/" + bucket + "/" + triggers.HashKey(parts...), unique
}
