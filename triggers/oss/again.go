package oss

import (
	"encoding/json"
	"fmt"
	"strings"

	"fcd/fc"
)

// subjectOf says for people what happened to which object.
func subjectOf(records []record) string {
	first := records[0]
	s := first.EventName + " " + first.OSS.Bucket.Name + "/" + first.OSS.Object.Key
	if n := len(records) - 1; n > 0 {
		s += fmt.Sprintf(" and %d more", n)
	}
	return s
}

// detail says in words why the rule does not want the events.
func (r *rule) detail(reason string, records []record) string {
	var name, key string
	for _, rec := range records {
		name, key = rec.EventName, rec.OSS.Object.Key
		if r.mismatch(name, key) == reason {
			break
		}
	}
	switch reason {
	case "event":
		return fmt.Sprintf("the trigger's events are %s, not %s%s", strings.Join(r.Events, ", "), scheme, name)
	case "prefix":
		return fmt.Sprintf("the key '%s' does not begin with '%s'", key, r.Filter.Key.Prefix)
	case "suffix":
		return fmt.Sprintf("the key '%s' does not end with '%s'", key, r.Filter.Key.Suffix)
	}
	return ""
}

// again makes of a recorded event what the trigger gets now, or says why it does not want it.
func (o Options) again(t *fc.Trigger, recorded []byte) (body []byte, reason, detail string) {
	var d document
	c, err := read(t.Config)
	if err == nil {
		err = json.Unmarshal(recorded, &d)
	}
	if err != nil || len(d.Events) == 0 {
		return nil, "unreadable", "what was recorded is no document of object events"
	}
	r := rule{config: c, id: ruleID(o.Account, t)}
	var wanted []record
	for _, rec := range d.Events {
		if m := r.mismatch(rec.EventName, rec.OSS.Object.Key); m != "" {
			reason = m
			continue
		}
		wanted = append(wanted, rec)
	}
	if len(wanted) == 0 {
		return nil, reason, r.detail(reason, d.Events)
	}
	return payload(wanted, r.id), "", ""
}
