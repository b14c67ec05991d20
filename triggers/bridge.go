package triggers

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"fcd/fc"
	"fcd/ram"
	"fcd/store"
)

// The states of events, as package store has them, and the reasons beyond those of package ram.
const (
	FateUnmatched    = store.FateUnmatched
	FateDenied       = store.FateDenied
	FateDuplicate    = store.FateDuplicate
	FateQueued       = store.FateQueued
	FateSucceeded    = store.FateSucceeded
	FateDeadLettered = store.FateDeadLettered
	FateRedriven     = store.FateRedriven

	ReasonARNMismatch = "arn-mismatch" // the event is not from the source that the trigger names
	ReasonTooLarge    = "too-large"
	ReasonDisabled    = "disabled"
	ReasonNoFunction  = "no-function"
	ReasonNoTrigger   = "no-trigger"
	ReasonUnreadable  = "unreadable" // what was kept of it cannot be read any more
)

const invokeAction = "fc:InvokeFunction"

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
	held  atomic.Int64 // bytes of the payloads in notes
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
	_, err := b.dispatch(ctx, ev, checkpoints)
	return err
}

// dispatch is Dispatch and tells the invocation's request id.
func (b *Bridge) dispatch(ctx context.Context, ev Event, checkpoints []store.Checkpoint) (requestID string, err error) {
	t, err := b.admit(ev)
	var d *denial
	switch {
	case errors.As(err, &d):
		return "", b.deny(ctx, ev, t, d, checkpoints)
	case err != nil:
		return "", err
	}
	msg := b.message(ev, t)
	fate := b.fate(ev, t, FateQueued, "", "")
	fate.RequestID, fate.At = msg.RequestID, msg.Enqueued
	batch := store.Batch{Enqueue: []store.Msg{msg}, Checkpoints: checkpoints, Fates: steps(ev, fate)}
	if ev.replaces != "" {
		batch.Purge = []string{ev.replaces}
	}
	done, err := b.o.Store.Apply(ctx, batch)
	switch {
	case errors.Is(err, store.ErrFull):
		return "", fmt.Errorf("%w: %w", ErrThrottled, err)
	case err != nil:
		return "", fmt.Errorf("trigger %s: %w", t.Path(), err)
	case len(done.Duplicates) > 0:
		b.m.count(t.Type, FateDuplicate)
		return "", ErrDuplicate
	}
	b.m.count(t.Type, FateQueued)
	return msg.RequestID, nil
}

// Invoke checks an event and runs the function at once. A failure is recorded as an attempt: only the source knows whether
// another follows, and notes what it comes to in the end.
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
	id := fc.NewRequestID()
	res, err := b.o.Invoker.Invoke(ctx, fc.Call{RequestID: id, Ref: t.Ref(), Payload: ev.Payload, RetryCount: ev.Attempt})
	state, o := FateSucceeded, fc.OutcomeOf(res, err)
	if o.ErrorType != "" {
		state = store.FateAttempt
	}
	f := b.fate(ev, t, state, o.ErrorType, o.Cause)
	f.RequestID, f.Attempt, f.Status, f.Payload = id, ev.Attempt+1, o.Status, ev.Payload
	b.Note(f)
	return res, err
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
		b.Note(store.Fate{Trigger: ev.TriggerID, EventID: ev.ID, Source: ev.Source.ARN, Subject: ev.subject(),
			State: FateUnmatched, Reason: ReasonNoTrigger, Detail: "the trigger has been deleted"})
		return nil, fmt.Errorf("%w: no trigger %s", ErrGone, ev.TriggerID)
	}
	if !t.Enabled {
		return t, b.gone(ev, t, ReasonDisabled, "the trigger is disabled")
	}
	if _, err := b.o.Functions.Target(t.Ref()); err != nil {
		switch fc.CodeOf(err) {
		case fc.ServiceNotFound, fc.FunctionNotFound, fc.VersionNotFound, fc.AliasNotFound:
			return t, b.gone(ev, t, ReasonNoFunction, err.Error())
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

func (b *Bridge) gone(ev Event, t *fc.Trigger, reason, detail string) error {
	f := b.fate(ev, t, FateUnmatched, reason, detail)
	f.Payload = ev.Payload
	for _, f := range steps(ev, f) {
		b.Note(f)
	}
	return &goneError{t.Path(), reason, detail}
}

// goneError is an ErrGone that says why.
type goneError struct{ path, reason, detail string }

func (g *goneError) Error() string {
	return fmt.Sprintf("%v: trigger %s: %s", ErrGone, g.path, g.reason)
}
func (g *goneError) Unwrap() error { return ErrGone }

// fate is a step of the event on its way to t, with what describes the event should it be the first.
func (b *Bridge) fate(ev Event, t *fc.Trigger, state, reason, detail string) store.Fate {
	return store.Fate{
		EventID: ev.ID, Trigger: t.ID, Type: t.Type, Function: t.ServiceName + "/" + t.FunctionName, Name: t.Name,
		Source: ev.Source.ARN, Subject: ev.subject(), State: state, Reason: reason, Detail: detail, At: b.o.Clock(),
	}
}

// steps puts in front of the step that somebody had the event delivered again, if so.
func steps(ev Event, f store.Fate) []store.Fate {
	if !ev.Replayed {
		return []store.Fate{f}
	}
	again := f
	again.State, again.Reason, again.Detail, again.RequestID, again.Payload = FateRedriven, "", "", "", nil
	return []store.Fate{again, f}
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
		RequestID: fc.NewRequestID(), Fn: t.Ref().String(), Trigger: t.ID, EventID: ev.ID, DedupKey: ev.DedupKey,
		Enqueued: now, NotAfter: now.Add(b.o.MaxAge), Payload: ev.Payload,
	}
}

// deny records an event that a check refused and, if it is to be kept, makes it a dead letter in the same commit.
func (b *Bridge) deny(ctx context.Context, ev Event, t *fc.Trigger, d *denial, checkpoints []store.Checkpoint) error {
	b.o.Log.Warn("event denied", zap.String("trigger", t.Path()), zap.String("type", t.Type), zap.String("reason", d.reason),
		zap.String("event", ev.ID), zap.Error(d.cause))
	b.m.denied.WithLabelValues(t.Type, d.reason).Inc()
	fate := b.fate(ev, t, FateDenied, d.reason, d.cause.Error())
	batch := store.Batch{Checkpoints: checkpoints}
	if ev.KeepDenied || d.reason == ReasonTooLarge {
		dead := store.Ended{Msg: b.message(ev, t), State: store.StateDead, Cause: d.Error()}
		fate.RequestID = dead.RequestID
		if d.reason == ReasonTooLarge {
			fate.State = FateDeadLettered
		}
		batch.Ended = []store.Ended{dead}
	} else if !ev.Replayed {
		fate.Payload = ev.Payload // its source holds it; it may be delivered again before that gives it again
	}
	batch.Fates = steps(ev, fate)
	_, err := b.o.Store.Apply(ctx, batch)
	if errors.Is(err, store.ErrTooLarge) || errors.Is(err, store.ErrFull) {
		batch.Ended, batch.Fates[len(batch.Fates)-1].RequestID = nil, "" // too much even for a dead letter: the fate alone remains
		_, err = b.o.Store.Apply(ctx, batch)
	}
	if err != nil {
		return fmt.Errorf("trigger %s: %w", t.Path(), err)
	}
	b.m.count(t.Type, fate.State)
	return fmt.Errorf("%w: trigger %s: %w", ErrDenied, t.Path(), d)
}
