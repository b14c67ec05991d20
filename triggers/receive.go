package triggers

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"fcd/fc"
	"fcd/store"
)

// Receiver is a Source that takes the bodies that ways in from outside bring. On a nil error every event of the body is
// durably queued or settled, and the sender may be told so. Errors are *fc.Error: InvalidArgument for a body that cannot
// be read, AccessDenied if its events may not come this way or every trigger that wants them was refused; any other error
// means that the sender keeps the body and gives it again.
type Receiver interface {
	Receive(ctx context.Context, a fc.Arrival) ([]fc.Receipt, error)
}

// ReasonVerify is the reason of events that came by a way that may not bring events of their source.
const ReasonVerify = "verify"

// MaxArrivalEvents bounds the events of one body.
const MaxArrivalEvents = 1000

// Receive hands a body to the source of the type of trigger.
func (m *Manager) Receive(ctx context.Context, triggerType string, a fc.Arrival) (receipts []fc.Receipt, err error) {
	r, ok := m.sources[triggerType].(Receiver)
	if !ok {
		return nil, fc.Errorf(fc.InvalidArgument, "events of type '%s' are not taken from outside", triggerType)
	}
	broken := contain(func() error {
		receipts, err = r.Receive(ctx, a)
		return nil
	})
	if broken != nil {
		return nil, fc.Internal("triggers.Receive "+triggerType, broken)
	}
	var v *verifyError
	if errors.As(err, &v) {
		m.o.Bridge.m.denied.WithLabelValues(triggerType, ReasonVerify).Inc()
		m.o.Log.Warn("events refused: they may not come this way", zap.String("type", triggerType), zap.Error(v.err))
		return nil, v.err
	}
	return receipts, err
}

// KeepUndelivered makes a dead letter of a body that cannot become an event, so that its sender may be told that it
// arrived. It stands under a function that cannot exist: in the service "way:<way>", named for who brought it. On nil it
// is on disk.
func (m *Manager) KeepUndelivered(ctx context.Context, way, name, cause string, body []byte) error {
	now := m.o.Clock()
	origin := fc.FunctionRef{Service: "way:" + way, Function: name}.String()
	msg := store.Msg{RequestID: fc.NewRequestID(), Fn: origin, Enqueued: now, Payload: body}
	m.o.Log.Warn("a message became a dead letter", zap.String("origin", origin), zap.String("cause", cause), zap.String("requestId", msg.RequestID))
	dead := store.Ended{Msg: msg, State: store.StateDead, Cause: cause}
	if _, err := m.o.Bridge.o.Store.Apply(ctx, store.Batch{Ended: []store.Ended{dead}}); err != nil {
		return fmt.Errorf("keep a message of %s: %w", origin, err)
	}
	return nil
}

// verifyError is the refusal of a way in that may not bring events of their source.
type verifyError struct{ err error }

func (v *verifyError) Error() string { return v.err.Error() }
func (v *verifyError) Unwrap() error { return v.err }

// Inbox is the Source of a kind whose events are brought to it. The fields are set before use and do not change.
type Inbox[C any] struct {
	Rules *Rules[C]
	// Read reads the configuration of a stored trigger.
	Read func(*fc.Trigger) (C, error)
	// Open cuts a body into happenings; its errors are *fc.Error InvalidArgument.
	Open func(fc.Arrival) ([]Happening[C], error)
	// From is the source under which a trigger is found; nil means its SourceARN.
	From func(*fc.Trigger, C) string
}

// Apply takes up a new or changed trigger.
func (b *Inbox[C]) Apply(_ context.Context, t *fc.Trigger) error {
	c, err := b.Read(t)
	if err != nil {
		return fmt.Errorf("configuration of trigger %s: %w", t.Path(), err)
	}
	source := t.SourceARN
	if b.From != nil {
		source = b.From(t, c)
	}
	b.Rules.Set(source, t, c)
	return nil
}

// Remove forgets a trigger.
func (b *Inbox[C]) Remove(_ context.Context, id string) error {
	b.Rules.Remove(id)
	return nil
}

// Run has nothing to do: events are brought to Receive.
func (b *Inbox[C]) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Found are the triggers that events of the source find.
func (b *Inbox[C]) Found(source string) (all []*fc.Trigger) {
	for _, r := range b.Rules.of(source) {
		all = append(all, r.Trigger)
	}
	return all
}

// Receive delivers the events of a body, each to the triggers of its source. See Receiver.
func (b *Inbox[C]) Receive(ctx context.Context, a fc.Arrival) ([]fc.Receipt, error) {
	all, err := b.Open(a)
	if err != nil {
		return nil, err
	}
	if len(all) > MaxArrivalEvents {
		return nil, fc.Errorf(fc.InvalidArgument, "the body holds %d events, more than %d", len(all), MaxArrivalEvents)
	}
	for i := range all {
		if a.Allow == nil {
			return nil, &verifyError{fc.Errorf(fc.AccessDenied, "events of '%s' may not come this way", all[i].Source)}
		}
		if err := a.Allow(all[i].Source); err != nil {
			return nil, &verifyError{err}
		}
		all[i].KeepDenied = a.KeepDenied
		all[i].Unique = all[i].Unique && !a.NoDedup
		if all[i].Raw == nil {
			all[i].Raw = func() []byte { return keep(a, all[i].ID) }
		}
	}
	return b.deliver(ctx, all)
}

// deliver hands over every happening. Refused copies are kept if any trigger took something of the body, since its sender
// is then told that it arrived.
func (b *Inbox[C]) deliver(ctx context.Context, all []Happening[C]) ([]fc.Receipt, error) {
	receipts := make([]fc.Receipt, len(all))
	deliveries := make([]Delivery[C], len(all))
	accepted, denied, reason := 0, 0, ""
	var errs []error
	for i, h := range all {
		d, err := b.Rules.Deliver(ctx, h)
		if err != nil {
			errs = append(errs, err)
		}
		receipts[i], deliveries[i] = d.Receipt, d
		accepted += d.Accepted
		if len(d.Denied) > 0 {
			denied += len(d.Denied)
			reason = d.Receipt.Reason
		}
	}
	switch {
	case len(errs) > 0:
		return receipts, undelivered(errs)
	case denied > 0 && accepted == 0:
		return receipts, fc.Errorf(fc.AccessDenied, "every trigger that wants the events may not be fired by them: %s", reason)
	}
	for i, d := range deliveries {
		if err := b.Rules.Keep(ctx, all[i], d.Denied); err != nil {
			errs = append(errs, err)
		}
	}
	return receipts, undelivered(errs)
}

// undelivered is the answer for events that were not all taken: a full queue is told apart, the sender waits longer then.
func undelivered(errs []error) error {
	err := errors.Join(errs...)
	if errors.Is(err, ErrThrottled) {
		return &fc.Error{Code: fc.ResourceExhausted, Message: "the queue is full", Err: err}
	}
	return err
}
