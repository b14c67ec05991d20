package logs

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"fcd/fc"
	"fcd/store"
	"fcd/triggers"
)

// What becomes of ranges, in metrics and records, and as reasons of fates.
const (
	outcomeSucceeded = "succeeded"
	outcomeFailed    = "failed"  // one attempt did
	outcomeStalled   = "stalled" // the retries are used up; it is tried on
	outcomeSkipped   = "skipped" // the retries were used up, and the range was given up
	outcomeExpired   = "expired" // the logstore kept the range no longer
)

// maxError bounds how much of an error is kept, bytes.
const maxError = 512

// attempt is what a record tells of a call, or of the end of a range.
type attempt struct {
	n                       int // of the range, from 1
	outcome, requestID, why string
	took                    time.Duration
}

// call makes one attempt at the pending range. It tells how long to wait, and whether that counts from the beginning of the
// attempt.
func (s *Source) call(ctx context.Context, v view, sh *shard) (wait time.Duration, pace bool) {
	if v.calls.Err() != nil {
		return parked, false
	}
	task := taskID(v.trigger.ID, sh.id, sh.cp)
	begin := time.Now()
	res, err := s.env.Invoke(v.calls, triggers.Event{
		TriggerID: v.trigger.ID, ID: task, Attempt: sh.attempts,
		Subject: subject(v, sh),
		Source:  triggers.SourceIdentity{Service: service, ARN: s.arn(v.project)},
		Payload: payload(s.o.Endpoint, v.project, v.config, v.name, sh.id, sh.cp, task),
	})
	a := attempt{n: sh.attempts + 1, outcome: outcomeSucceeded, requestID: res.RequestID, why: failure(res, err), took: time.Since(begin)}
	if a.why == "" {
		s.record(v, sh, a)
		s.m.attempts.WithLabelValues(outcomeSucceeded).Inc()
		s.m.ranges.WithLabelValues(outcomeSucceeded).Inc()
		if !s.commit(ctx, v, sh, save{cp: sh.cp.next()}) {
			return retryMin, false
		}
		if sh.catching {
			return s.o.CatchUpEvery, true
		}
		return v.interval(), true
	}
	if err != nil && (v.calls.Err() != nil || ctx.Err() != nil) {
		return parked, false // cut by a stop or a switch: it does not count
	}
	sh.attempts++
	s.m.attempts.WithLabelValues(outcomeFailed).Inc()
	a.outcome = outcomeFailed
	s.record(v, sh, a)
	if sh.attempts <= v.config.JobConfig.MaxRetryTime {
		return min(retryMin<<min(sh.attempts-1, 10), retryMax), false
	}
	a.took = 0
	return s.exhausted(ctx, v, sh, a), false
}

// exhausted is what becomes of a range whose retries are used up.
func (s *Source) exhausted(ctx context.Context, v view, sh *shard, a attempt) time.Duration {
	fields := []zap.Field{zap.String("trigger", v.trigger.Path()), zap.Int("shard", sh.id), zap.Int("attempts", sh.attempts),
		zap.String("beginCursor", sh.cp.Cursor), zap.String("endCursor", sh.cp.End), zap.String("err", a.why)}
	if s.o.OnExhausted == Skip {
		s.env.Log.Error("log range given up", fields...)
		s.m.ranges.WithLabelValues(outcomeSkipped).Inc()
		a.outcome = outcomeSkipped
		s.record(v, sh, a)
		fate := s.fate(v, sh, store.FateFailed, a)
		s.commit(ctx, v, sh, save{sh.cp.next(), &fate})
		return 0
	}
	if !sh.stalled.Swap(true) {
		s.env.Log.Error("log shard stalled: later logs wait until the function takes this range", fields...)
		s.m.ranges.WithLabelValues(outcomeStalled).Inc()
		a.outcome = outcomeStalled
		s.record(v, sh, a)
		s.env.Note(s.fate(v, sh, store.FateAttempt, a))
	}
	return max(v.interval(), stalledMin)
}

// failure is why an attempt did not succeed, "" if it did.
func failure(res fc.Result, err error) string {
	why := ""
	switch {
	case err != nil:
		why = plain(err)
	case res.ErrorType != "":
		why = fmt.Sprintf("%s: %s", res.ErrorType, res.Body)
	}
	if len(why) > maxError {
		why = why[:maxError] + "..."
	}
	return why
}

func (s *Source) arn(project string) string {
	return fc.ARN{Service: "log", Region: s.o.Region, Account: s.o.Account, Resource: projectPrefix + project}.String()
}

// fate is what the Bridge cannot know of a range; its attempts are noted by the Bridge.
func (s *Source) fate(v view, sh *shard, state string, a attempt) store.Fate {
	return store.Fate{EventID: taskID(v.trigger.ID, sh.id, sh.cp), Trigger: v.trigger.ID, Type: v.trigger.Type,
		Function: v.trigger.ServiceName + "/" + v.trigger.FunctionName, Name: v.trigger.Name, Source: s.arn(v.project),
		Subject: subject(v, sh), State: state, Reason: a.outcome, Detail: a.why, RequestID: a.requestID, Attempt: a.n, At: s.now()}
}

// subject says for people what a range is of.
func subject(v view, sh *shard) string {
	return fmt.Sprintf("logs of %s/%s, shard %d", v.project, v.config.SourceConfig.Logstore, sh.id)
}
