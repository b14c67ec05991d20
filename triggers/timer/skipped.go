package timer

import (
	"context"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"fcd/store"
	"fcd/triggers"
)

// Instants that the misfire policy leaves out are recorded as expired, with their event, so that somebody may ask for them
// and have them delivered. Those that the daemon slept through lie behind a mark that it leaves while it lives.
const (
	reasonMisfire = "misfire"
	markEvery     = time.Minute
	maxGap        = 24 * time.Hour // further back nothing is remembered
	maxSkipped    = 10_000         // instants that are recorded at a start, but one of each timer in any case
	skippedBatch  = 500            // of one commit
)

// mark is the checkpoint that says until when timers were looked after, a Unix second.
var mark = triggers.CheckpointKey("timer", "alive")

// alive records what was skipped since the mark and keeps the mark until ctx ends; what it returns waits for that, and
// leaves the last mark. It is called before anything fires.
func (s *Source) alive(ctx context.Context) func() {
	if s.env.Save == nil || s.env.Checkpoint == nil {
		return func() {}
	}
	gaps, err := s.gaps(ctx)
	if err != nil {
		s.env.Log.Warn("timers that were left out while the daemon was down are not recorded", zap.Error(err))
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for more := s.record(ctx, gaps); more; more = pause(ctx, markEvery) {
			s.leaveMark()
		}
		s.leaveMark()
	})
	return wg.Wait
}

// pause is false if ctx ended meanwhile.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// leaveMark says that timers are looked after until now. Without timers nothing can be skipped.
func (s *Source) leaveMark() {
	s.mu.Lock()
	n := len(s.byID)
	s.mu.Unlock()
	if n == 0 {
		return
	}
	now := store.Checkpoint{Key: mark, Value: strconv.AppendInt(nil, s.now().Unix(), 10)}
	if err := s.env.Save(context.Background(), []store.Checkpoint{now}); err != nil {
		s.env.Log.Warn("the mark of the timers is not written", zap.Error(err))
	}
}

// gap is a timer and the time in which its instants were skipped: after from and not after until.
type gap struct {
	*entry
	from, until time.Time
}

// gaps are those of the timers that were taken up before Run, since the mark. Those without an instant are left out.
func (s *Source) gaps(ctx context.Context) ([]gap, error) {
	since, err := s.instantAt(ctx, mark)
	if err != nil || since == 0 {
		return nil, err
	}
	s.mu.Lock()
	now := s.now()
	all := make([]gap, 0, len(s.byID))
	for _, e := range s.byID {
		g := gap{e, later(instant(since), now.Add(-maxGap)), now}
		if made := instant(e.scheduled - 1); e.scheduled != 0 && made.Before(now) {
			g.until = made // the policy makes up for what comes then
		}
		all = append(all, g)
	}
	s.mu.Unlock()
	missed := all[:0]
	for _, g := range all {
		g.from = later(g.from, g.trigger.ScheduledSince)
		if !g.any() {
			continue
		}
		last, err := s.instantAt(ctx, triggers.CheckpointKey(g.trigger.ID, ""))
		if err != nil {
			return nil, err
		}
		if g.from = later(g.from, instant(last)); g.any() {
			missed = append(missed, g)
		}
	}
	return missed, nil
}

// any tells whether the timer has an instant in the gap.
func (g *gap) any() bool {
	next := g.schedule.Next(g.from)
	return !next.IsZero() && !next.After(g.until)
}

// record commits the fates of what was skipped; false if ctx ended before that.
func (s *Source) record(ctx context.Context, gaps []gap) bool {
	if len(gaps) == 0 {
		return ctx.Err() == nil
	}
	keep, count := min(max(maxSkipped/len(gaps), 1), s.o.MaxMisfires), 0
	var fates []store.Fate
	for i, g := range gaps {
		fates = append(fates, s.skipped(g, keep)...)
		if len(fates) < skippedBatch && i < len(gaps)-1 {
			continue
		}
		for err := s.env.Save(context.Background(), nil, fates...); err != nil; err = s.env.Save(context.Background(), nil, fates...) {
			s.env.Log.Warn("what was skipped is not recorded yet", zap.Int("instants", len(fates)), zap.Error(err))
			if !pause(ctx, markEvery) {
				return false
			}
		}
		count, fates = count+len(fates), nil
	}
	s.env.Log.Warn("timers were left out while the daemon was down", zap.Int("timers", len(gaps)), zap.Int("instants", count),
		zap.String("misfire", s.o.Misfire))
	return ctx.Err() == nil
}

// leftOut notes the instants between the one that is done and the next that are over: the daemon was late.
func (s *Source) leftOut(e *entry, done, now, next time.Time) {
	if s.env.Note == nil || now.Sub(done) < time.Second {
		return
	}
	until := now
	if !next.IsZero() && !next.After(now) {
		until = next.Add(-time.Second)
	}
	for _, f := range s.skipped(gap{e, later(done, now.Add(-maxGap)), until}, s.o.MaxMisfires) {
		s.env.Note(f)
	}
}

// skipped are the fates of the latest so many instants of a gap.
func (s *Source) skipped(g gap, keep int) (fates []store.Fate) {
	if !g.any() {
		return nil
	}
	for i, at := range s.latest(g, keep) {
		at = at.UTC()
		f := expired(g.trigger, at)
		f.Reason, f.Detail, f.At = reasonMisfire, "skipped by the misfire policy '"+s.o.Misfire+"': the daemon was not there in time", at
		if i == 0 && g.schedule.Next(g.from).Before(at) {
			f.Detail += "; earlier ones are not recorded"
		}
		fates = append(fates, f)
	}
	return fates
}

// latest are the last so many instants of a gap, found without a walk through all of them.
func (s *Source) latest(g gap, keep int) []time.Time {
	for back := 2 * time.Minute; ; back *= 8 {
		begin := later(g.from, g.until.Add(-back))
		all := s.instants(g.entry, begin, g.until, keep)
		if len(all) == keep || !begin.After(g.from) {
			return all
		}
	}
}
