package triggers

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"fcd/fc"
	"fcd/store"
)

// What became of a dispatched event, if not nil. Compare with errors.Is; all but ErrThrottled are final.
var (
	ErrDenied    = errors.New("the event was denied")
	ErrDuplicate = errors.New("the event was delivered before")
	ErrGone      = errors.New("the trigger is gone or disabled")
	ErrThrottled = errors.New("the queue is full")
)

// Settled tells whether an event needs no further delivery: err is nil, ErrDenied, ErrDuplicate or ErrGone.
func Settled(err error) bool {
	return err == nil || errors.Is(err, ErrDenied) || errors.Is(err, ErrDuplicate) || errors.Is(err, ErrGone)
}

// Kind is one type of trigger.
type Kind struct {
	Type string // as triggers carry it
	// Service must be trusted by the invocation role, like "oss.aliyuncs.com". "" if the kind takes no role.
	Service string
	// Decode merges raw (nil for none) onto the canonical configuration old (nil at create) and checks the outcome.
	// Errors are *fc.Error InvalidArgument and name the field.
	Decode func(old, raw json.RawMessage) (Config, error)
	// CheckSource checks the form of sourceArn. nil for a kind that is sent none: whatever was sent is dropped.
	CheckSource func(arn string) error
	// SourceOf names the source of a trigger whose sourceArn is not sent but made, from its checked configuration. nil:
	// it is sent, or there is none.
	SourceOf func(t *fc.Trigger, config json.RawMessage) string
	// Alone: a trigger of the kind must be the only one of its function, of whatever kind the others are.
	Alone bool
	// Conflict refuses t beside others, which are of the same source. nil: never.
	Conflict func(t *fc.Trigger, others []*fc.Trigger) error
	// Upcoming tells the next n instants after now at which a trigger fires. nil for kinds that do not fire by the clock.
	Upcoming func(t *fc.Trigger, now time.Time, n int) (fc.Upcoming, error)
	// Again is the payload of an event that was recorded, as t gets it when somebody has it delivered again; or why t does
	// not want it: as a word and for people. nil for kinds whose triggers get what was recorded, if they wanted it before. The
	// function Again makes it for kinds with an Inbox.
	Again func(t *fc.Trigger, payload []byte) (again []byte, reason, detail string)
	// New makes the kind's source. nil: triggers of the kind are stored and never fire.
	New func(Env) (Source, error)
}

// Config is a checked configuration.
type Config struct {
	JSON    json.RawMessage // canonical, lowerCamel
	Enabled bool
	// Schedule differs when a change moves the anchor of a timer's period; "" for kinds without one.
	Schedule string
}

// Source watches where events of one kind come from. Its methods may be called concurrently; Apply and Remove also
// before Run, and they are quick: nothing waits on a network.
type Source interface {
	// Apply takes up a new or changed trigger, which may be disabled.
	Apply(ctx context.Context, t *fc.Trigger) error
	// Remove forgets a trigger; unknown ids are fine.
	Remove(ctx context.Context, id string) error
	// Run works until ctx ends and the dispatches under way have ended. It runs at most once at a time.
	Run(ctx context.Context) error
}

// SourceIdentity is where an event came from, as its adapter proved it: never what the event says of itself.
type SourceIdentity struct {
	Service   string // like "oss.aliyuncs.com"; "" for internal sources
	ARN       string // like a bucket's; "" for internal sources
	Principal string // who caused it, for logs; "" if unknown
}

// Event is something for one trigger.
type Event struct {
	TriggerID string
	ID        string // of the happening, for fates; equal for all triggers it matched
	// DedupKey makes a second delivery a duplicate. It must hold the trigger's id; "" means every delivery counts.
	DedupKey  string
	Source    SourceIdentity
	Scheduled time.Time // of timers: the instant; else zero
	Payload   []byte    // the invocation's event
	// Subject says for people what happened to what, like "ObjectCreated:PutObject photos/a.jpg". "" is the instant of a
	// Scheduled one.
	Subject string
	// Attempt is how often the event was given to Invoke before.
	Attempt int
	// KeepDenied keeps the payload of a denied event as a dead letter. For sources that cannot hold the event back.
	KeepDenied bool
	// Replayed marks an event that somebody has delivered again.
	Replayed bool
	replaces string // request id of the dead letter that such an event was; "" if it was none
}

func (e *Event) subject() string {
	if e.Subject == "" && !e.Scheduled.IsZero() {
		return e.Scheduled.UTC().Format(time.RFC3339)
	}
	return e.Subject
}

// Clock tells the time. nil means time.Now.
type Clock func() time.Time

// Env is what a Source may use.
type Env struct {
	Log             *zap.Logger
	Clock           Clock
	Region, Account string
	// Dispatch hands an event over: on nil it is durably queued together with the checkpoints, in one commit. The errors
	// are those of this package, or any other for "not now".
	Dispatch func(ctx context.Context, ev Event, checkpoints ...store.Checkpoint) error
	// Invoke runs the function at once and gives its result; the checks are those of Dispatch.
	Invoke func(ctx context.Context, ev Event) (fc.Result, error)
	// Save commits checkpoints and fates that belong to no dispatch, in one commit.
	Save func(ctx context.Context, checkpoints []store.Checkpoint, fates ...store.Fate) error
	// Note records the fate of an event that no trigger wanted. It neither waits nor fails; notes may be lost in a crash.
	Note func(store.Fate)
	// Checkpoint reads what Dispatch or Save committed under the key; nil if there is none.
	Checkpoint func(ctx context.Context, key string) ([]byte, error)
	Registerer prometheus.Registerer // may be nil
}

// CheckpointKey is the key under which sources keep how far a trigger has come; part tells partitions apart.
func CheckpointKey(triggerID, part string) string { return "cur/" + triggerID + "/" + part }
