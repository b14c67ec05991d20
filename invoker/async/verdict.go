package async

import (
	"encoding/json"
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

// Fates of an event's attempts.
const (
	fateAttempt   = "attempt"
	fateSucceeded = "succeeded"
	fateFailed    = "failed"
	fateExpired   = "expired"
	fateStopped   = "stopped"
)

// A verdict says what becomes of a message: one of done and retry is set. Their IDs are filled in later.
type verdict struct {
	label        string
	done         *store.Outcome
	retry        *store.Retry
	fate, reason string

	// For the destination that is told of an end.
	condition, errorType string
	status               int
	result               []byte
}

func dead(cause string) verdict {
	return verdict{label: labelDead, fate: fateFailed, reason: cause, condition: conditionRefused,
		done: &store.Outcome{State: store.StateDead, Cause: cause, Keep: true}}
}

func expired(a *attempt) verdict {
	v := dead(store.CauseTooOld + a.terms.notAfter.Sub(a.Enqueued).Round(time.Second).String())
	v.fate, v.done.Attempts, v.condition = fateExpired, a.Attempt, conditionExpired
	return v
}

// judge decides what becomes of a message after an attempt that was not cut.
func (d *Dispatcher) judge(a *attempt, res fc.Result, err error) verdict {
	switch code := fc.CodeOf(err); {
	case err == nil && res.ErrorType == "":
		return verdict{label: labelSucceeded, fate: fateSucceeded, result: res.Body,
			done: &store.Outcome{State: store.StateSucceeded, Attempts: a.Attempt + 1}}
	case err == nil:
		return d.afterError(a, res)
	case code == fc.ResourceExhausted || code == fc.ResourceThrottled || code == fc.InternalServerError:
		return d.afterRefusal(a)
	}
	v := dead(err.Error()) // the function is gone, or will never take this event
	v.done.Attempts = a.Attempt
	var refusal *fc.Error
	if errors.As(err, &refusal) {
		v.status = refusal.Status()
	}
	return v
}

// afterError is judge for an error of the function: a few counted retries.
func (d *Dispatcher) afterError(a *attempt, res fc.Result) verdict {
	cause, attempts := causeOf(res), a.Attempt+1
	due := d.opt.Now().Add(d.spread(doubled(d.opt.Backoff, a.Attempt, d.opt.MaxBackoff)))
	if attempts > a.terms.retries || d.tooOld(a, due) {
		v := dead(cause)
		v.done.Attempts, v.condition, v.errorType, v.result = attempts, conditionRetries, res.ErrorType, res.Body
		return v
	}
	return verdict{label: labelRetry, retry: &store.Retry{Due: due, Counted: true}, fate: fateAttempt, reason: cause}
}

// afterRefusal is judge for an attempt that found no room or no working daemon: not counted, until the message is too
// old.
func (d *Dispatcher) afterRefusal(a *attempt) verdict {
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
	return verdict{label: labelThrottled, retry: &store.Retry{Due: due}}
}

// spread moves d by up to a fifth either way, so that what failed together does not come back together.
func (d *Dispatcher) spread(wait time.Duration) time.Duration {
	return time.Duration(float64(wait) * (0.8 + 0.4*d.opt.Jitter()))
}

// maxCause is the longest cause that is kept, bytes.
const maxCause = 1024

// causeOf is the class and the message of a function's error.
func causeOf(res fc.Result) string {
	var body struct {
		ErrorMessage string `json:"errorMessage"`
	}
	cause := res.ErrorClass
	if err := json.Unmarshal(res.Body, &body); err == nil && body.ErrorMessage != "" {
		cause += ": " + body.ErrorMessage
	}
	return cause[:min(len(cause), maxCause)]
}
