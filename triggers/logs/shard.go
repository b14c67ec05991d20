package logs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	sdk "github.com/aliyun/aliyun-log-go-sdk"
	"go.uber.org/zap"

	"fcd/store"
	"fcd/triggers"
)

const (
	retryMin   = time.Second
	retryMax   = 30 * time.Second
	stalledMin = time.Minute
	// caughtUp ends catching up: logs wait for less than this.
	caughtUp = 10 // seconds
)

// step does what is next for a shard: find a range, or call for the one there is. It tells when to come again.
func (s *Source) step(ctx context.Context, sh *shard) time.Duration {
	v, on := s.look(sh.job)
	if !on || ctx.Err() != nil {
		return parked
	}
	if u := sh.unsaved; u != nil && !s.commit(ctx, v, sh, *u) {
		return retryMin
	}
	begun := time.Now()
	found, err := s.find(ctx, v, sh)
	s.report(v, &sh.trouble, "source shard cannot be read", err)
	switch {
	case sh.cp.Done:
		return never
	case err != nil || !found:
		return v.interval()
	case sh.unsaved != nil:
		return retryMin
	}
	wait, pace := s.call(ctx, v, sh)
	if !pace {
		return wait
	}
	return max(0, wait-time.Since(begun))
}

// find makes sure that the shard has a pending range; false if there is nothing to call for.
func (s *Source) find(ctx context.Context, v view, sh *shard) (bool, error) {
	if !sh.known {
		if err := s.begin(ctx, v, sh); err != nil {
			return false, err
		}
	}
	if sh.cp.pending() && sh.attempts == 0 || sh.stalled.Load() { // kept over a restart, or for long
		if err := s.expire(ctx, v, sh); err != nil {
			return false, err
		}
	}
	if sh.cp.Done || sh.cp.pending() || sh.unsaved != nil {
		return !sh.cp.Done, nil
	}
	return s.seek(ctx, v, sh)
}

// begin finds out how far the shard has come.
func (s *Source) begin(ctx context.Context, v view, sh *shard) error {
	cp, ok, err := s.load(ctx, v.trigger.ID, sh.id)
	if err != nil {
		return err
	}
	if !ok {
		cp.Time = v.start()
		if cp.Cursor, err = s.cursor(v, sh, strconv.FormatInt(cp.Time, 10)); err != nil {
			return err
		}
	}
	sh.cp, sh.known = cp, true
	sh.note()
	return nil
}

// note brings what metrics see up to date.
func (sh *shard) note() {
	sh.behind.Store(0)
	if sh.cp.pending() {
		sh.behind.Store(max(sh.cp.Time, 1))
	}
}

func (s *Source) cursor(v view, sh *shard, from string) (string, error) {
	return s.o.Service.GetCursor(v.project, v.config.SourceConfig.Logstore, sh.id, from)
}

// seek looks for logs behind the checkpoint and begins their range: what was received before the current second, or a part
// of an interval's length if the shard is further behind.
func (s *Source) seek(ctx context.Context, v view, sh *shard) (bool, error) {
	now := s.now().Unix()
	until, endTime := strconv.FormatInt(now, 10), now
	closed := sh.readonly.Load()    // asked before its end is: that is final then
	if closed || now < sh.cp.Time { // nothing is added to it, or the clock was set back: all there is
		until, endTime = "end", max(now+1, sh.cp.Time)
	}
	end, err := s.cursor(v, sh, until)
	if err != nil {
		return false, err
	}
	if end == sh.cp.Cursor {
		sh.cp.Time, sh.catching = endTime, false
		if closed {
			s.commit(ctx, v, sh, save{cp: checkpoint{Cursor: end, Time: endTime, Done: true}})
		}
		return false, nil
	}
	interval := int64(v.config.JobConfig.TriggerInterval)
	lag := endTime - sh.cp.Time
	sh.catching = lag > interval || sh.catching && lag >= caughtUp
	if end, endTime, err = s.narrow(v, sh, end, endTime, interval); err != nil {
		return false, err
	}
	last, err := s.o.Service.GetPrevCursorTime(v.project, v.config.SourceConfig.Logstore, sh.id, end)
	if err != nil {
		return false, err
	}
	if last.Unix() < sh.cp.Time {
		first, err := s.o.Service.GetCursorTime(v.project, v.config.SourceConfig.Logstore, sh.id, sh.cp.Cursor)
		if err != nil {
			return false, err
		}
		if first.After(last) { // an end before the beginning: of a shard that has lost all its logs
			sh.cp.Time = max(sh.cp.Time, first.Unix())
			return false, nil
		}
	}
	cp := sh.cp
	cp.End, cp.EndTime, cp.CursorTime = end, max(endTime, last.Unix()+1), last.Unix()
	s.commit(ctx, v, sh, save{cp: cp})
	sh.attempts = 0
	return true, nil
}

// narrow finds an end at most an interval's length of receipt behind the checkpoint, with something before it. end and
// endTime are known to have something before them. Stretches without logs are passed over in growing strides.
func (s *Source) narrow(v view, sh *shard, end string, endTime, interval int64) (string, int64, error) {
	for span := interval; endTime-sh.cp.Time > interval; {
		at := sh.cp.Time + span
		if at >= endTime {
			span = max(interval, (endTime-sh.cp.Time)/2)
			at = sh.cp.Time + span
		}
		cursor, err := s.cursor(v, sh, strconv.FormatInt(at, 10))
		if err != nil {
			return "", 0, err
		}
		if cursor == sh.cp.Cursor {
			sh.cp.Time, span = at, 2*span
			continue
		}
		end, endTime, span = cursor, at, interval
	}
	return end, endTime, nil
}

// expire gives up a pending range of which the service keeps nothing any more.
func (s *Source) expire(ctx context.Context, v view, sh *shard) error {
	first, err := s.cursor(v, sh, "begin")
	if err != nil {
		return err
	}
	at, err := s.o.Service.GetCursorTime(v.project, v.config.SourceConfig.Logstore, sh.id, first)
	if err != nil {
		return err
	}
	if first != sh.cp.End && at.Unix() < sh.cp.EndTime {
		return nil
	}
	s.env.Log.Error("logs expired before a function took them", zap.String("trigger", v.trigger.Path()), zap.Int("shard", sh.id),
		zap.String("beginCursor", sh.cp.Cursor), zap.String("endCursor", sh.cp.End))
	a := attempt{n: sh.attempts, outcome: outcomeExpired, why: "the logstore keeps the range no longer"}
	fate := s.fate(v, sh, store.FateExpired, a)
	s.record(v, sh, a)
	s.m.ranges.WithLabelValues(outcomeExpired).Inc()
	s.commit(ctx, v, sh, save{checkpoint{Cursor: first, Time: max(sh.cp.EndTime, at.Unix())}, &fate})
	return nil
}

// commit makes the checkpoint durable, with the fate of the range it ends. It is true if that is done; else it is tried
// again before anything else happens to the shard.
func (s *Source) commit(ctx context.Context, v view, sh *shard, to save) bool {
	if !to.cp.pending() {
		sh.attempts = 0
		sh.stalled.Store(false)
	}
	sh.cp, sh.unsaved = to.cp, &to
	sh.note()
	rows := []store.Checkpoint{to.cp.row(v.trigger.ID, sh.id), s.index(sh.job)}
	var fates []store.Fate
	if to.fate != nil {
		fates = append(fates, *to.fate)
	}
	if s.gone(sh.job) {
		sh.unsaved = nil
		return true
	}
	if err := s.env.Save(context.WithoutCancel(ctx), rows, fates...); err != nil {
		s.env.Log.Warn("checkpoint not written yet", zap.String("trigger", v.trigger.Path()), zap.Int("shard", sh.id), zap.Error(err))
		return false
	}
	sh.unsaved = nil
	return true
}

func (s *Source) gone(j *job) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return j.removed
}

// index is the row that names the shards of a trigger that may have checkpoints, so that they can be deleted.
func (s *Source) index(j *job) store.Checkpoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := slices.Sorted(maps.Keys(j.shards))
	return store.Checkpoint{Key: triggers.CheckpointKey(j.trigger.ID, "shards"), Value: triggers.Canonical(ids)}
}

// plain is an error on one line; the SDK's own take several.
func plain(err error) string {
	var e *sdk.Error
	if errors.As(err, &e) {
		return fmt.Sprintf("%s: %s", e.Code, e.Message)
	}
	return err.Error()
}
