package async

import (
	"time"

	"fcd/fc"
)

// Configs tell how asynchronous invocations of a function are delivered; nil if nobody said. The catalog is one.
type Configs interface {
	AsyncConfig(ref fc.FunctionRef) *fc.AsyncConfig
}

// terms are what a message is delivered on: the daemon's defaults, and what its function's configuration says otherwise.
type terms struct {
	retries              int
	notAfter             time.Time // zero = never
	onSuccess, onFailure string
}

func (d *Dispatcher) termsOf(a *attempt) terms {
	t := terms{retries: d.opt.Retries, notAfter: a.NotAfter}
	if d.opt.Configs == nil || a.isDelivery() {
		return t
	}
	ref, err := fc.ParseFunctionRef(a.Fn)
	if err != nil {
		return t
	}
	c := d.opt.Configs.AsyncConfig(ref)
	if c == nil {
		return t
	}
	if c.MaxRetryAttempts != nil {
		t.retries = *c.MaxRetryAttempts
	}
	if c.MaxEventAgeSeconds != nil {
		t.notAfter = a.Enqueued.Add(time.Duration(*c.MaxEventAgeSeconds) * time.Second)
	}
	t.onSuccess, t.onFailure = c.OnSuccess, c.OnFailure
	return t
}

// doubled is first * 2^times, at most limit.
func doubled(first time.Duration, times int, limit time.Duration) time.Duration {
	wait := first
	for range times {
		if wait *= 2; wait >= limit {
			return limit
		}
	}
	return min(wait, limit)
}
