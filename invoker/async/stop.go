package async

import (
	"context"
	"errors"
	"time"

	"fcd/store"
)

// stopTries and stopPause bound the wait for a message that was claimed a moment ago to show up among the running ones.
const (
	stopTries = 100
	stopPause = 20 * time.Millisecond
)

// Stop ends an invocation for its caller: a waiting one is over at once, a running one is cut (fc.Call.Stop) and is over
// when that has happened. One that has ended already stays as it is, which is no error.
// Errors: store.ErrNotFound, or those of the store.
func (d *Dispatcher) Stop(ctx context.Context, requestID string) error {
	for range stopTries {
		inv, err := d.opt.Queue.Find(ctx, requestID)
		if err != nil {
			return err
		}
		if !inv.Ended.IsZero() || d.stopRunning(inv.ID) {
			return nil
		}
		b := store.Batch{Done: []store.Outcome{{ID: inv.ID, State: store.StateStopped, Cause: causeStopped, Attempts: inv.Attempt}}}
		if inv.EventID != "" {
			b.Fates = []store.Fate{{Trigger: inv.Trigger, EventID: inv.EventID, State: store.FateStopped, Detail: causeStopped,
				RequestID: inv.RequestID, At: d.opt.Now(), Payload: inv.Payload}}
		}
		_, err = d.opt.Store.Apply(ctx, b)
		if !errors.Is(err, store.ErrFenced) {
			return err
		}
		pause := time.NewTimer(stopPause) // claimed, or ended, since it was looked at
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return ctx.Err()
		}
	}
	return store.ErrUnavailable
}

const causeStopped = "stopped by the caller"

// Stopping tells whether a running invocation has been asked to stop.
func (d *Dispatcher) Stopping(id int64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	a, ok := d.running[id]
	return ok && a.stopped
}

func (d *Dispatcher) stopRunning(id int64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	a, ok := d.running[id]
	if ok && !a.stopped {
		a.stopped = true
		close(a.stop)
		a.cancel()
	}
	return ok
}

// stopped is the verdict on an attempt that was asked to stop and did not come to a good end before.
func stoppedVerdict(a *attempt) verdict {
	return verdict{label: labelStopped, fate: store.Fate{State: store.FateStopped, Detail: causeStopped, Attempt: a.Attempt + 1},
		done: &store.Outcome{State: store.StateStopped, Cause: causeStopped, Attempts: a.Attempt + 1}}
}
