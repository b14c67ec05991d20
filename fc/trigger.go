package fc

import (
	"encoding/json"
	"regexp"
	"strings"
	"time"
)

// The types of triggers that the cloud has.
const (
	TriggerOSS         = "oss"
	TriggerTimer       = "timer"
	TriggerLog         = "log"
	TriggerHTTP        = "http"
	TriggerMNSTopic    = "mns_topic"
	TriggerCDNEvents   = "cdn_events"
	TriggerTablestore  = "tablestore"
	TriggerRDS         = "rds"
	TriggerEventBridge = "eventbridge"
)

// Trigger binds an event source to a function.
// As a stored record it is never changed in place: an update makes a new value.
type Trigger struct {
	ServiceName  string `json:"serviceName"`
	FunctionName string `json:"functionName"`
	Name         string `json:"triggerName"`
	ID           string `json:"triggerId"` // UUID, given at create; checkpoints and fates carry it
	Description  string `json:"description"`
	Type         string `json:"triggerType"` // one of the Trigger... constants; "logs" is stored as "log"
	// Qualifier is the version or alias to invoke; "" means LATEST.
	Qualifier string `json:"qualifier"`
	// SourceARN is the event source; empty for timer and http triggers. Immutable.
	SourceARN string `json:"sourceArn"`
	// InvocationRole is the role the source assumes to invoke the function; required where SourceARN is.
	InvocationRole string `json:"invocationRole"`
	// Config is the kind's own configuration in canonical lowerCamel JSON, as the kind's Decode returned it.
	Config json.RawMessage `json:"triggerConfig"`
	// Enabled is what the kind's configuration says; kinds without such a field are always enabled.
	Enabled bool `json:"enabled"`
	// ScheduledSince is the instant of the change that last set the schedule of a timer trigger or enabled it: the
	// anchor of @every, so that its phase survives restarts.
	ScheduledSince time.Time `json:"scheduledSince"`

	CreatedTime      time.Time `json:"createdTime"`
	LastModifiedTime time.Time `json:"lastModifiedTime"`
}

// Upcoming is when a trigger that fires by the clock does so next.
type Upcoming struct {
	Schedule string      // as configured
	Next     []time.Time // in order, UTC; fewer than asked for if the schedule ends
	Warning  string      // what the schedule does if it is probably not what was meant; "" otherwise
}

// Ref is the function that the trigger invokes.
func (t *Trigger) Ref() FunctionRef {
	return FunctionRef{Service: t.ServiceName, Qualifier: t.Qualifier, Function: t.FunctionName}
}

// Path is "service/function/trigger": the trigger's name in logs, metrics' absence and derived ids.
func (t *Trigger) Path() string { return t.ServiceName + "/" + t.FunctionName + "/" + t.Name }

// TriggerTypes lists the names that a trigger's type may have on the wire, "logs" aside.
func TriggerTypes() []string {
	return []string{TriggerOSS, TriggerTimer, TriggerLog, TriggerHTTP, TriggerMNSTopic, TriggerCDNEvents,
		TriggerTablestore, TriggerRDS, TriggerEventBridge}
}

// extensionPrefix begins the types of triggers that are not the cloud's.
const extensionPrefix = "x-"

// Unlisted tells whether lists leave the trigger out for clients that do not ask for all: fc-go-sdk fails a whole list on a
// type that it does not know.
func (t *Trigger) Unlisted() bool {
	return t.Type == TriggerRDS || strings.HasPrefix(t.Type, extensionPrefix)
}

var extensionType = regexp.MustCompile(`^` + extensionPrefix + `[a-z0-9][a-z0-9-]{0,31}$`)

// Validate checks the fields that all kinds of triggers share; the kind itself checks SourceARN, InvocationRole and
// Config. Errors are *Error with InvalidArgument and name the field and the value.
func (t *Trigger) Validate() error {
	if err := ValidateName("TriggerName", t.Name, MaxNameLength); err != nil {
		return err
	}
	if t.Type == "" {
		return MissingField("TriggerType")
	}
	if !extensionType.MatchString(t.Type) {
		if err := validateOneOf("TriggerType", t.Type, TriggerTypes()); err != nil {
			return err
		}
	}
	return validateDescription(t.Description)
}
