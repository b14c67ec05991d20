package triggers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"fcd/fc"
	"fcd/ram"
	"fcd/store"
)

// States and reasons of fates beyond those of package ram.
const (
	FateUnmatched    = "unmatched"
	FateDenied       = "denied"
	FateDuplicate    = "duplicate"
	FateQueued       = "queued"
	FateDeadLettered = "dead-lettered"

	ReasonARNMismatch = "arn-mismatch" // the event is not from the source that the trigger names
	ReasonTooLarge    = "too-large"
	ReasonDisabled    = "disabled"
	ReasonNoFunction  = "no-function"
	ReasonNoTrigger   = "no-trigger"
)

const invokeAction = "fc:InvokeFunction"

// neverDue is how far off an undeliverable event is queued for the instant until it becomes a dead letter.
const neverDue = 100 * 365 * 24 * time.Hour

// Applier commits batches; a store.Store is one.
type Applier interface {
	Apply(ctx context.Context, b store.Batch) (store.Applied, error)
}

// Triggers finds stored triggers by id; the catalog does.
type Triggers interface {
	Trigger(id string) (*fc.Trigger, bool)
}

// Functions resolves what a trigger invokes; the catalog does.
type Functions interface {
	Target(ref fc.FunctionRef) (*fc.Target, error)
}

// Authorizer decides whether a source may invoke through a role; a ram.Directory does. A refusal is a *ram.Refusal.
type Authorizer interface {
	Authorize(roleARN, service, action, resource string) error
}

// BridgeOptions make a Bridge.
type BridgeOptions struct {
	Store           Applier
	Triggers        Triggers
	Functions       Functions
	Authorizer      Authorizer
	Invoker         fc.Invoker // for kinds that invoke synchronously; may be nil
	Kinds           *Kinds
	Region, Account string
	MaxAge          time.Duration // an event not delivered by then becomes a dead letter; default 5 h
	MaxPayloadBytes int64         // default 128 KiB
	Clock           Clock
	Log             *zap.Logger
	Registerer      prometheus.Registerer
}

// Bridge is the one way from sources to functions. It is safe for concurrent use.
type Bridge struct {
	o     BridgeOptions
	m     bridgeMetrics
	notes chan store.Fate
}

// NewBridge makes a Bridge. Notes are written while Run runs.
func NewBridge(o BridgeOptions) (*Bridge, error) {
	if o.Store == nil || o.Triggers == nil || o.Functions == nil || o.Authorizer == nil || o.Kinds == nil {
		return nil, errors.New("triggers: a bridge needs Store, Triggers, Functions, Authorizer and Kinds")
	}
	if o.MaxAge == 0 {
		o.MaxAge = 5 * time.Hour
	}
	if o.MaxPayloadBytes == 0 {
		o.MaxPayloadBytes = fc.DefaultLimits().MaxAsyncBodyBytes
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	m, err := newBridgeMetrics(o.Registerer)
	if err != nil {
		return nil, err
	}
	return &Bridge{o: o, m: m, notes: make(chan store.Fate, noteBuffer)}, nil
}

// Dispatch checks an event and queues its invocation, in one commit with the checkpoints and the event's fate. See the
// package comment for the errors; after all but ErrGone and the transient ones the checkpoints are written as well.
func (b *Bridge) Dispatch(ctx context.Context, ev Event, checkpoints ...store.Checkpoint) error {
	t, err := b.admit(ev)
	var d *denial
	switch {
	case errors.As(err, &d):
		return b.deny(ctx, ev, t, d, checkpoints)
	case err != nil:
		return err
	}
	msg := b.message(ev, t)
	fate := store.Fate{Trigger: t.ID, EventID: ev.ID, State: FateQueued, RequestID: msg.RequestID, At: msg.Enqueued}
	done, err := b.o.Store.Apply(ctx, store.Batch{Enqueue: []store.Msg{msg}, Checkpoints: checkpoints, Fates: []store.Fate{fate}})
	switch {
	case errors.Is(err, store.ErrFull):
		return fmt.Errorf("%w: %w", ErrThrottled, err)
	case err != nil:
		return fmt.Errorf("trigger %s: %w", t.Path(), err)
	case len(done.Duplicates) > 0:
		fate.State, fate.Reason = FateDuplicate, "delivered before"
		b.Note(fate)
		b.m.events.WithLabelValues(t.Type, FateDuplicate).Inc()
		return ErrDuplicate
	}
	b.m.events.WithLabelValues(t.Type, FateQueued).Inc()
	return nil
}

// Invoke checks an event and runs the function at once.
func (b *Bridge) Invoke(ctx context.Context, ev Event) (fc.Result, error) {
	t, err := b.admit(ev)
	var d *denial
	switch {
	case errors.As(err, &d):
		return fc.Result{}, b.deny(ctx, ev, t, d, nil)
	case err != nil:
		return fc.Result{}, err
	case b.o.Invoker == nil:
		return fc.Result{}, errors.New("triggers: the bridge has no invoker")
	}
	return b.o.Invoker.Invoke(ctx, fc.Call{RequestID: fc.NewRequestID(), Ref: t.Ref(), Payload: ev.Payload})
}

// denial is a check that failed.
type denial struct {
	reason string
	cause  error
}

func (d *denial) Error() string { return d.reason + ": " + d.cause.Error() }

// admit makes the checks of delivery, in this order: enabled, function, source, role, size.
func (b *Bridge) admit(ev Event) (*fc.Trigger, error) {
	t, ok := b.o.Triggers.Trigger(ev.TriggerID)
	if !ok {
		return nil, fmt.Errorf("%w: no trigger %s", ErrGone, ev.TriggerID)
	}
	if !t.Enabled {
		return t, b.gone(ev, t, ReasonDisabled)
	}
	if _, err := b.o.Functions.Target(t.Ref()); err != nil {
		switch fc.CodeOf(err) {
		case fc.ServiceNotFound, fc.FunctionNotFound, fc.VersionNotFound, fc.AliasNotFound:
			return t, b.gone(ev, t, ReasonNoFunction)
		}
		return t, fmt.Errorf("trigger %s: %w", t.Path(), err)
	}
	if err := b.authorize(ev, t); err != nil {
		return t, err
	}
	if n := int64(len(ev.Payload)); n > b.o.MaxPayloadBytes {
		return t, &denial{ReasonTooLarge, fmt.Errorf("the event has %d bytes, more than %d", n, b.o.MaxPayloadBytes)}
	}
	return t, nil
}

func (b *Bridge) gone(ev Event, t *fc.Trigger, reason string) error {
	b.Note(store.Fate{Trigger: t.ID, EventID: ev.ID, State: FateUnmatched, Reason: reason, At: b.o.Clock()})
	return fmt.Errorf("%w: trigger %s: %s", ErrGone, t.Path(), reason)
}

// authorize holds that the event comes from the trigger's source, and that this source may invoke through its role.
func (b *Bridge) authorize(ev Event, t *fc.Trigger) error {
	service, needs := b.o.Kinds.NeedsRole(t.Type)
	if ev.Source.ARN != t.SourceARN || ev.Source.Service != service {
		return &denial{ReasonARNMismatch, fmt.Errorf("the event is of '%s', the trigger's source is '%s'", ev.Source.ARN, t.SourceARN)}
	}
	if !needs {
		return nil
	}
	err := b.o.Authorizer.Authorize(t.InvocationRole, service, invokeAction, fc.FunctionARN(b.o.Region, b.o.Account, t.Ref()))
	var refusal *ram.Refusal
	if errors.As(err, &refusal) {
		return &denial{refusal.Reason, refusal}
	}
	return err
}

func (b *Bridge) message(ev Event, t *fc.Trigger) store.Msg {
	now := b.o.Clock()
	return store.Msg{
		RequestID: fc.NewRequestID(), Fn: t.Ref().String(), Trigger: t.ID, DedupKey: ev.DedupKey,
		Enqueued: now, NotAfter: now.Add(b.o.MaxAge), Payload: ev.Payload,
	}
}

// deny records an event that a check refused and, if it is to be kept, makes it a dead letter.
func (b *Bridge) deny(ctx context.Context, ev Event, t *fc.Trigger, d *denial, checkpoints []store.Checkpoint) error {
	b.o.Log.Warn("event denied", zap.String("trigger", t.Path()), zap.String("type", t.Type), zap.String("reason", d.reason),
		zap.String("event", ev.ID), zap.Error(d.cause))
	b.m.denied.WithLabelValues(t.Type, d.reason).Inc()
	fate := store.Fate{Trigger: t.ID, EventID: ev.ID, State: FateDenied, Reason: d.reason, At: b.o.Clock()}
	batch := store.Batch{Checkpoints: checkpoints, Fates: []store.Fate{fate}}
	if ev.KeepDenied || d.reason == ReasonTooLarge {
		msg := b.message(ev, t)
		msg.Due, msg.NotAfter = msg.Enqueued.Add(neverDue), time.Time{}
		batch.Enqueue = []store.Msg{msg}
		batch.Fates[0].RequestID = msg.RequestID
		if d.reason == ReasonTooLarge {
			batch.Fates[0].State = FateDeadLettered
		}
	}
	done, err := b.o.Store.Apply(ctx, batch)
	if errors.Is(err, store.ErrTooLarge) || errors.Is(err, store.ErrFull) {
		batch.Enqueue = nil // too much even for a dead letter: the fate alone remains
		done, err = b.o.Store.Apply(ctx, batch)
	}
	if err != nil {
		return fmt.Errorf("trigger %s: %w", t.Path(), err)
	}
	if len(done.IDs) == 1 && done.IDs[0] != 0 {
		end := store.Outcome{ID: done.IDs[0], State: store.StateDead, Cause: d.Error(), Keep: true}
		if _, err := b.o.Store.Apply(ctx, store.Batch{Done: []store.Outcome{end}}); err != nil {
			b.o.Log.Error("denied event stays queued instead of becoming a dead letter", zap.String("trigger", t.Path()), zap.Error(err))
		}
	}
	return fmt.Errorf("%w: trigger %s: %w", ErrDenied, t.Path(), d)
}
