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
	cancel context.CancelFunc
	lost   bool // guarded by the dispatcher's mu: somebody else has the message now
}

// start runs a claimed message in a goroutine of its own.
func (d *Dispatcher) start(ctx context.Context, m store.Msg) {
	ctx, cancel := context.WithCancel(ctx)
	a := &attempt{Msg: m, cancel: cancel}
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
	ref, err := fc.ParseFunctionRef(a.Fn)
	if err != nil {
		return dead(err.Error())
	}
	if d.tooOld(a, d.opt.Now()) {
		return expired(a)
	}
	res, err := d.opt.Invoker.Invoke(ctx, fc.Call{
		RequestID: a.RequestID, Ref: ref, Payload: a.Payload, RetryCount: a.Attempt,
		Tail: d.opt.LogSync != nil, // the invoker waits for the end of the log then
	})
	if err != nil && ctx.Err() != nil {
		return verdict{label: labelCut, retry: &store.Retry{Due: d.opt.Now()}}
	}
	return d.judge(a, res, err)
}

func (d *Dispatcher) tooOld(a *attempt, at time.Time) bool {
	return !a.NotAfter.IsZero() && at.After(a.NotAfter)
}

// finish writes the verdict in one Apply.
func (d *Dispatcher) finish(ctx context.Context, a *attempt, v verdict) {
	d.mu.Lock()
	lost := a.lost
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

// apply writes a batch. A second write of what had happened already is refused as fenced, which is as good.
func (d *Dispatcher) apply(ctx context.Context, b store.Batch) error {
	wait := 50 * time.Millisecond
	for try := 1; ; try++ {
		_, err := d.opt.Store.Apply(ctx, b)
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
