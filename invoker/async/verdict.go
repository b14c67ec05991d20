package async

import (
	"errors"
	"time"

	"fcd/fc"
	"fcd/store"
)

// How attempts end, as metrics tell it.
const (
	labelSucceeded = "succeeded"
	labelRetry     = "retry"     // an error of the function, to be tried again
	labelThrottled = "throttled" // 429, 500 or 503
	labelCut       = "cut"       // by shutdown or a store that could not sync
	labelDead      = "dead"
	labelStopped   = "stopped" // by the caller
)

// A verdict says what becomes of a message: one of done and retry is set. Their IDs are filled in later. fate is the step
// that an event's record gets; one without a State is left out.
type verdict struct {
	label string
	done  *store.Outcome
	retry *store.Retry
	fate  store.Fate

	// For the destination that is told of an end.
	condition, errorType string
	status               int
	result               []byte
}

func dead(cause string) verdict {
	return verdict{label: labelDead, fate: store.Fate{State: store.FateFailed, Detail: cause}, condition: conditionRefused,
		done: &store.Outcome{State: store.StateDead, Cause: cause, Keep: true}}
}

func expired(a *attempt) verdict {
	v := dead(store.CauseTooOld + a.terms.notAfter.Sub(a.Enqueued).Round(time.Second).String())
	v.fate.State, v.done.Attempts, v.condition = store.FateExpired, a.Attempt, conditionExpired
	return v
}

// judge decides what becomes of a message after an attempt that was not cut.
func (d *Dispatcher) judge(a *attempt, res fc.Result, err error) verdict {
	switch code := fc.CodeOf(err); {
	case err == nil && res.ErrorType == "":
		return verdict{label: labelSucceeded, fate: fateOf(store.FateSucceeded, a.Attempt+1, res, nil), result: res.Body,
			done: &store.Outcome{State: store.StateSucceeded, Attempts: a.Attempt + 1}}
	case err == nil:
		return d.afterError(a, res)
	case code == fc.ResourceExhausted || code == fc.ResourceThrottled || code == fc.InternalServerError:
		return d.afterRefusal(a, err)
	}
	v := dead(err.Error()) // the function is gone, or will never take this event
	v.done.Attempts = a.Attempt
	v.fate = fateOf(store.FateFailed, a.Attempt+1, res, err)
	var refusal *fc.Error
	if errors.As(err, &refusal) {
		v.status = refusal.Status()
	}
	return v
}

// fateOf is what an event's record says of attempt n.
func fateOf(state string, n int, res fc.Result, err error) store.Fate {
	o := fc.OutcomeOf(res, err)
	return store.Fate{State: state, Attempt: n, Status: o.Status, Reason: o.ErrorType, Detail: o.Cause}
}

// afterError is judge for an error of the function: a few counted retries.
func (d *Dispatcher) afterError(a *attempt, res fc.Result) verdict {
	cause, attempts := fc.OutcomeOf(res, nil).Cause, a.Attempt+1
	due := d.opt.Now().Add(d.spread(doubled(d.opt.Backoff, a.Attempt, d.opt.MaxBackoff)))
	if attempts > a.terms.retries || d.tooOld(a, due) {
		v := dead(cause)
		v.done.Attempts, v.condition, v.errorType, v.result = attempts, conditionRetries, res.ErrorType, res.Body
		v.fate = fateOf(store.FateFailed, attempts, res, nil)
		return v
	}
	return verdict{label: labelRetry, retry: &store.Retry{Due: due, Counted: true}, fate: fateOf(store.FateAttempt, attempts, res, nil)}
}

// afterRefusal is judge for an attempt that found no room or no working daemon: not counted, until the message is too
// old.
func (d *Dispatcher) afterRefusal(a *attempt, err error) verdict {
	d.mu.Lock()
	times := d.throttled[a.ID].times
	d.mu.Unlock()
	now := d.opt.Now()
	due := now.Add(doubled(d.opt.Backoff, times, d.opt.MaxBackoff))
	if d.tooOld(a, due) {
		due = a.terms.notAfter // one more try at the very end
	}
	if !now.Before(due) {
		return expired(a)
	}
	return verdict{label: labelThrottled, retry: &store.Retry{Due: due}, fate: fateOf(store.FateAttempt, a.Attempt+1, fc.Result{}, err)}
}

// spread moves d by up to a fifth either way, so that what failed together does not come back together.
func (d *Dispatcher) spread(wait time.Duration) time.Duration {
	return time.Duration(float64(wait) * (0.8 + 0.4*d.opt.Jitter()))
}
