package triggers

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"fcd/fc"
)

// Kinds is the table of known types. It is what the API asks about triggers, and does not change after NewKinds.
type Kinds struct {
	byType map[string]Kind
}

// NewKinds makes the table. A type given twice is an error.
func NewKinds(kinds ...Kind) (*Kinds, error) {
	k := &Kinds{byType: map[string]Kind{}}
	for _, kind := range kinds {
		if _, taken := k.byType[kind.Type]; taken || kind.Type == "" || kind.Decode == nil {
			return nil, fmt.Errorf("trigger kind %q is given twice or incomplete", kind.Type)
		}
		k.byType[kind.Type] = kind
	}
	return k, nil
}

// Normalize checks a trigger that is about to be stored and completes it: SourceARN (made or dropped by some kinds),
// Config (raw merged onto that of old, in canonical form), Enabled and, where the schedule or the switch moved,
// ScheduledSince (= LastModifiedTime). old is nil at create. Errors are *fc.Error InvalidArgument and name the field.
func (k *Kinds) Normalize(old, t *fc.Trigger, raw json.RawMessage) error {
	kind, ok := k.byType[t.Type]
	if !ok {
		return fc.Errorf(fc.InvalidArgument, "TriggerType '%s' is not supported", t.Type)
	}
	if err := k.checkSource(kind, t); err != nil {
		return err
	}
	var before Config
	if old != nil {
		var err error
		if before, err = kind.Decode(old.Config, nil); err != nil {
			return fc.Internal("triggers.Normalize "+old.Path(), err)
		}
	}
	cfg, err := kind.Decode(before.JSON, raw)
	if err != nil {
		return err
	}
	if len(cfg.JSON) > maxConfig {
		return fc.Errorf(fc.InvalidArgument, "TriggerConfig has %d bytes, more than %d", len(cfg.JSON), maxConfig)
	}
	t.Config, t.Enabled = cfg.JSON, cfg.Enabled
	if kind.SourceOf != nil {
		t.SourceARN = kind.SourceOf(t, cfg.JSON)
		if old != nil && old.SourceARN != "" && t.SourceARN != old.SourceARN {
			return fc.Errorf(fc.InvalidArgument, "TriggerConfig would change the source of the trigger, which is '%s'", old.SourceARN)
		}
	}
	if old == nil || cfg.Schedule != before.Schedule || cfg.Enabled != before.Enabled {
		t.ScheduledSince = t.LastModifiedTime
	}
	return nil
}

func (k *Kinds) checkSource(kind Kind, t *fc.Trigger) error {
	if kind.CheckSource == nil {
		t.SourceARN = ""
	} else if t.SourceARN == "" {
		return fc.MissingField("SourceArn")
	} else if err := kind.CheckSource(t.SourceARN); err != nil {
		return err
	}
	if kind.Service == "" {
		return nil
	}
	if t.InvocationRole == "" {
		return fc.MissingField("InvocationRole")
	}
	return fc.ValidateRole("InvocationRole", t.InvocationRole)
}

// Conflict refuses t beside others, which are of the same function or the same source. t itself may be among them. Errors
// are *fc.Error InvalidArgument.
func (k *Kinds) Conflict(t *fc.Trigger, others []*fc.Trigger) error {
	kind := k.byType[t.Type]
	var shared []*fc.Trigger // of its source; one that is of its function as well stands among others twice
	for _, o := range others {
		if o.ID == t.ID {
			continue
		}
		only := t.Type
		if !kind.Alone {
			only = o.Type
		}
		if o.ServiceName == t.ServiceName && o.FunctionName == t.FunctionName && k.byType[only].Alone {
			return fc.Errorf(fc.InvalidArgument, "function '%s' has the %s trigger '%s': a trigger of type %s must be the only one of its function",
				t.FunctionName, o.Type, o.Name, only)
		}
		if o.SourceARN == t.SourceARN && t.SourceARN != "" && !slices.ContainsFunc(shared, func(s *fc.Trigger) bool { return s.ID == o.ID }) {
			shared = append(shared, o)
		}
	}
	if kind.Conflict == nil {
		return nil
	}
	return kind.Conflict(t, shared)
}

// Upcoming tells the next n instants after now at which t fires; InvalidArgument for a type that does not fire by the clock.
func (k *Kinds) Upcoming(t *fc.Trigger, now time.Time, n int) (fc.Upcoming, error) {
	kind := k.byType[t.Type]
	if kind.Upcoming == nil {
		return fc.Upcoming{}, fc.Errorf(fc.InvalidArgument, "trigger '%s' of type %s does not fire by the clock", t.Name, t.Type)
	}
	return kind.Upcoming(t, now, n)
}

// NeedsRole tells whether triggers of the type need an invocation role, and which service it must trust.
func (k *Kinds) NeedsRole(triggerType string) (service string, needs bool) {
	service = k.byType[triggerType].Service
	return service, service != ""
}

// RoleService is the service that the invocation role of such a trigger must trust; "" for a type that needs no role.
func (k *Kinds) RoleService(triggerType string) string { return k.byType[triggerType].Service }

// RegionalARN makes a CheckSource for "acs:<service>:<region>:<account>:<resource>" with the region and the account
// given. resource checks the rest; form describes it to the caller.
func RegionalARN(service, region, account, form string, resource func(string) bool) func(string) error {
	allowed := fc.ARN{Service: service, Region: region, Account: account, Resource: form}.String()
	return func(arn string) error {
		a, err := fc.ParseARN(arn)
		if err != nil || a.Service != service || a.Region != region || a.Account != account || !resource(a.Resource) {
			return fc.InvalidField("SourceArn", allowed, arn)
		}
		return nil
	}
}
