package async

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"fcd/fc"
	"fcd/store"
)

// An attempt is one claimed message on its way through the invoker.
type attempt struct {
	store.Msg
	terms  terms
	cancel context.CancelFunc
	stop   chan struct{} // closed when the caller wants it stopped

	// Guarded by the dispatcher's mu.
	lost    bool // somebody else has the message now
	stopped bool // stop is closed
}

// start runs a claimed message in a goroutine of its own.
func (d *Dispatcher) start(ctx context.Context, m store.Msg) {
	ctx, cancel := context.WithCancel(ctx)
	a := &attempt{Msg: m, cancel: cancel, stop: make(chan struct{})}
	a.terms = d.termsOf(a)
	d.mu.Lock()
	d.running[m.ID] = a
	d.perFn[m.Fn]++
	d.mu.Unlock()
	d.metrics.lag.Observe(max(0, d.opt.Now().Sub(m.Due).Seconds()))
	d.work.Go(func() {
		defer cancel()
		defer d.done(a)
		v := d.try(ctx, a)
		d.finish(context.WithoutCancel(ctx), a, v)
	})
}

// done makes room for the next.
func (d *Dispatcher) done(a *attempt) {
	d.mu.Lock()
	delete(d.running, a.ID)
	if d.perFn[a.Fn]--; d.perFn[a.Fn] == 0 {
		delete(d.perFn, a.Fn)
	}
	d.mu.Unlock()
	select {
	case d.freed <- struct{}{}:
	default:
	}
}

// try makes the invocation and judges it.
func (d *Dispatcher) try(ctx context.Context, a *attempt) verdict {
	if d.tooOld(a, d.opt.Now()) {
		return expired(a)
	}
	if a.isDelivery() {
		return d.deliver(ctx, a)
	}
	ref, err := fc.ParseFunctionRef(a.Fn)
	if err != nil {
		return dead(err.Error())
	}
	res, err := d.opt.Invoker.Invoke(ctx, fc.Call{
		RequestID: a.RequestID, Ref: ref, Payload: a.Payload, RetryCount: a.Attempt,
		Tail: d.opt.LogSync != nil, // the invoker waits for the end of the log then
		Stop: a.stop,
	})
	if err != nil && ctx.Err() != nil {
		return verdict{label: labelCut, retry: &store.Retry{Due: d.opt.Now()}}
	}
	return d.judge(a, res, err)
}

func (d *Dispatcher) tooOld(a *attempt, at time.Time) bool {
	return !a.terms.notAfter.IsZero() && at.After(a.terms.notAfter)
}

// finish writes the verdict in one Apply.
func (d *Dispatcher) finish(ctx context.Context, a *attempt, v verdict) {
	d.mu.Lock()
	lost := a.lost
	if a.stopped && (v.done == nil || v.done.State != store.StateSucceeded) {
		v = stoppedVerdict(a)
	}
	if v.label == labelThrottled {
		d.throttled[a.ID] = refused{d.throttled[a.ID].times + 1, d.opt.Now()}
	} else {
		delete(d.throttled, a.ID)
	}
	d.mu.Unlock()
	d.metrics.attempt(v.label)
	log := d.opt.Log.With(zap.String("function", a.Fn), zap.String("requestId", a.RequestID))
	if lost {
		log.Warn("a claim was lost, the result is discarded", zap.String("outcome", v.label))
		return
	}
	if v.done != nil && d.opt.LogSync != nil {
		if err := d.opt.LogSync.Sync(ctx); err != nil {
			log.Warn("log lines are not synced, the attempt will be repeated", zap.Error(err))
			v = verdict{label: labelCut, retry: &store.Retry{Due: d.opt.Now().Add(d.opt.Backoff)}}
		}
	}
	if v.done != nil && v.done.State == store.StateDead {
		log.Warn("an asynchronous invocation is dead", zap.String("cause", v.done.Cause))
	}
	if err := d.apply(ctx, d.batch(a, v)); err != nil {
		log.Error("the end of an attempt was not written", zap.Error(err))
		if errors.Is(err, store.ErrFatal) {
			select {
			case d.fatal <- err:
			default:
			}
		}
	}
}

// batch is the verdict as the store takes it.
func (d *Dispatcher) batch(a *attempt, v verdict) store.Batch {
	b := store.Batch{Owner: d.opt.Owner}
	if v.done != nil {
		o := *v.done
		o.ID = a.ID
		b.Done = []store.Outcome{o}
		if m, ok := d.notice(a, v); ok {
			b.Enqueue = []store.Msg{m}
		}
	}
	if v.retry != nil {
		r := *v.retry
		r.ID = a.ID
		b.Retry = []store.Retry{r}
	}
	if a.Trigger != "" && v.fate.State != "" {
		f := v.fate
		f.Trigger, f.EventID, f.RequestID, f.At = a.Trigger, a.EventID, a.RequestID, d.opt.Now()
		if v.done != nil && !v.done.Keep {
			f.Payload = a.Payload // what the queue held is kept for a replay
		}
		b.Fates = []store.Fate{f}
	}
	return b
}

// applyTries is how often a store that did not answer is asked again: within the lease, which is still extended.
const applyTries = 6

// apply writes a batch. A second write of what had happened already is refused as fenced, which is as good. While there
// is no room, on the disk or for a message to a destination, the attempt holds its place and its claim: nothing is given
// up, and less is started. The end of Run ends that too; the attempt is repeated by the next life then.
func (d *Dispatcher) apply(ctx context.Context, b store.Batch) error {
	wait := 50 * time.Millisecond
	held := false
	for try := 1; ; try++ {
		_, err := d.opt.Store.Apply(ctx, b)
		if errors.Is(err, store.ErrFull) {
			if !held {
				held = true
				d.opt.Log.Warn("an attempt has ended and there is no room to write it: it waits", zap.Error(err))
			}
			if !d.hold() {
				return fmt.Errorf("apply, at the end of the daemon: %w", err)
			}
			try--
			continue
		}
		switch {
		case err == nil, try > 1 && errors.Is(err, store.ErrFenced):
			return nil
		case !errors.Is(err, store.ErrUnavailable) || try == applyTries:
			return fmt.Errorf("apply, try %d: %w", try, err)
		}
		t := time.NewTimer(wait)
		<-t.C
		wait *= 2
	}
}

// hold waits a while for room; false when Run is to end.
func (d *Dispatcher) hold() bool {
	t := time.NewTimer(holdFor)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-d.ending:
		return false
	}
}
