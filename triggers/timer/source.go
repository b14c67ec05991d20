package timer

import (
	"container/heap"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"fcd/fc"
	"fcd/store"
	"fcd/triggers"
)

const (
	// workers dispatch at a time: enough that commits are shared when many timers are due at once.
	workers = 64
	// maxSleep bounds how long a step of the clock goes unnoticed.
	maxSleep   = 10 * time.Second
	backoffMin = time.Second
	backoffMax = 30 * time.Second
)

// Source fires timers. It is safe for concurrent use.
type Source struct {
	o    Options
	env  triggers.Env
	now  triggers.Clock
	wake chan struct{} // holds one value: the heap's first entry may have changed

	mu   sync.Mutex
	byID map[string]*entry
	due  dueHeap
}

func (o Options) newSource(env triggers.Env) (triggers.Source, error) {
	s := &Source{o: o, env: env, now: env.Clock, wake: make(chan struct{}, 1), byID: map[string]*entry{}}
	if s.now == nil {
		s.now = time.Now
	}
	if s.env.Log == nil {
		s.env.Log = zap.NewNop()
	}
	return s, nil
}

// Apply takes up a new or changed trigger. A change that leaves the schedule alone leaves the next instant alone.
func (s *Source) Apply(ctx context.Context, t *fc.Trigger) error {
	if !t.Enabled {
		return s.Remove(ctx, t.ID)
	}
	var c config
	if err := json.Unmarshal(t.Config, &c); err != nil {
		return fmt.Errorf("configuration of trigger %s: %w", t.Path(), err)
	}
	sch, err := s.o.parse(c.CronExpression, t.ScheduledSince)
	if err != nil {
		return fmt.Errorf("trigger %s: %w", t.Path(), fc.InvalidField("cronExpression", err.Error(), c.CronExpression))
	}
	e := &entry{trigger: t, schedule: sch, index: -1}
	s.mu.Lock()
	old := s.byID[t.ID]
	if old != nil {
		s.dropLocked(old)
	}
	s.byID[t.ID] = e
	s.mu.Unlock()
	if old != nil {
		old.gate.Close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byID[t.ID] == e { // nobody replaced or removed it meanwhile
		s.armLocked(e, old)
	}
	return nil
}

// Remove forgets a trigger and returns when nothing of it is under way.
func (s *Source) Remove(_ context.Context, id string) error {
	s.mu.Lock()
	old := s.byID[id]
	if old != nil {
		delete(s.byID, id)
		s.dropLocked(old)
	}
	s.mu.Unlock()
	if old != nil {
		old.gate.Close()
	}
	return nil
}

func (s *Source) dropLocked(e *entry) {
	if e.index >= 0 {
		heap.Remove(&s.due, int(e.index))
	}
}

// armLocked puts a new entry into the heap; old, if any, is what it replaces.
func (s *Source) armLocked(e, old *entry) {
	now := s.now().UTC()
	if old != nil {
		e.last, e.lastKnown = old.last, old.lastKnown
		if old.scheduled > e.last && e.sameSchedule(old) {
			e.scheduled, e.at, e.backoff = old.scheduled, old.at, old.backoff
			s.pushLocked(e)
			return
		}
	}
	e.set(e.schedule.Next(later(now, instant(e.last))))
	if missed := s.missed(e, now); old == nil && !missed.IsZero() {
		e.set(missed)
	}
	s.pushLocked(e)
}

// sameSchedule tells whether a change left the schedule alone.
func (e *entry) sameSchedule(old *entry) bool {
	var a, b config
	return e.trigger.ScheduledSince.Equal(old.trigger.ScheduledSince) &&
		json.Unmarshal(e.trigger.Config, &a) == nil && json.Unmarshal(old.trigger.Config, &b) == nil &&
		a.CronExpression == b.CronExpression
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (s *Source) pushLocked(e *entry) {
	if e.scheduled == 0 {
		return // never again
	}
	heap.Push(&s.due, e)
	if e.index == 0 {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// Run fires what is due until ctx ends, and returns when the dispatches under way have.
func (s *Source) Run(ctx context.Context) error {
	jobs := make(chan *entry)
	var wg sync.WaitGroup
	alive := s.alive(ctx)
	defer alive()
	defer wg.Wait()
	defer close(jobs)
	for range workers {
		wg.Go(func() {
			for e := range jobs {
				s.fire(ctx, e)
			}
		})
	}
	sleep := time.NewTimer(0)
	defer sleep.Stop()
	for {
		e, wait := s.next()
		if e != nil {
			select {
			case jobs <- e:
				continue
			case <-ctx.Done():
				s.giveBack(e)
				return nil
			}
		}
		sleep.Reset(wait)
		select {
		case <-sleep.C:
		case <-s.wake:
		case <-ctx.Done():
			return nil
		}
	}
}

// next takes the first entry that is due out of the heap, or tells how long there is none.
func (s *Source) next() (*entry, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.due) == 0 {
		return nil, maxSleep
	}
	wait := time.Duration(s.due[0].at - s.now().UnixNano())
	if wait > 0 {
		return nil, min(wait, maxSleep)
	}
	return heap.Pop(&s.due).(*entry), 0
}

// giveBack puts an entry that nobody dispatched back into the heap.
func (s *Source) giveBack(e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byID[e.trigger.ID] == e {
		s.pushLocked(e)
	}
}

// fire dispatches the entry's instant and arms the next one, or the next attempt. A dispatch that has begun is not cut by
// ctx.
func (s *Source) fire(ctx context.Context, e *entry) {
	if !e.gate.Enter() {
		return
	}
	defer e.gate.Leave()
	settled := false
	defer func() { s.rearm(e, settled, recover()) }()
	ctx = context.WithoutCancel(ctx)
	done, err := s.alreadyDone(ctx, e)
	if err == nil && !done {
		err = s.dispatch(ctx, e)
	}
	settled = triggers.Settled(err)
	if !settled {
		s.env.Log.Warn("timer not dispatched yet", zap.String("trigger", e.trigger.Path()), zap.Time("scheduled", instant(e.scheduled)), zap.Error(err))
	}
}

// alreadyDone compares the instant with the last one dispatched, which an earlier life of the daemon may know better: the
// clock may have been set back.
func (s *Source) alreadyDone(ctx context.Context, e *entry) (bool, error) {
	if !e.lastKnown && s.env.Checkpoint != nil {
		last, err := s.instantAt(ctx, triggers.CheckpointKey(e.trigger.ID, ""))
		if err != nil {
			return false, err
		}
		e.last, e.lastKnown = max(e.last, last), true
	}
	return e.last >= e.scheduled, nil
}

// instantAt is the instant that a checkpoint holds, a Unix second; 0 if there is none.
func (s *Source) instantAt(ctx context.Context, key string) (int64, error) {
	b, err := s.env.Checkpoint(ctx, key)
	if err != nil {
		return 0, err
	}
	second, _ := strconv.ParseInt(string(b), 10, 64)
	return second, nil
}

func (s *Source) dispatch(ctx context.Context, e *entry) error {
	second, id := strconv.FormatInt(e.scheduled, 10), eventID(e.trigger, e.scheduled)
	payload, err := event(e.trigger, instant(e.scheduled))
	if err != nil {
		return err
	}
	return s.env.Dispatch(ctx, triggers.Event{
		TriggerID: e.trigger.ID, ID: id, DedupKey: id, Scheduled: instant(e.scheduled), Payload: payload,
	}, store.Checkpoint{Key: triggers.CheckpointKey(e.trigger.ID, ""), Value: []byte(second)})
}

// event is what the function gets: {"triggerTime":..,"triggerName":..,"payload":..}. The payload goes over as the
// configuration holds it, a JSON string; names of triggers need no escaping.
func event(t *fc.Trigger, at time.Time) ([]byte, error) {
	var c struct {
		Payload json.RawMessage `json:"payload"`
	}
	if err := json.Unmarshal(t.Config, &c); err != nil {
		return nil, fmt.Errorf("configuration of trigger %s: %w", t.Path(), err)
	}
	b := make([]byte, 0, 80+len(t.Name)+len(c.Payload))
	b = append(b, `{"triggerTime":"`...)
	b = at.AppendFormat(b, time.RFC3339)
	b = append(b, `","triggerName":"`...)
	b = append(b, t.Name...)
	b = append(b, `","payload":`...)
	b = append(b, c.Payload...)
	return append(b, '}'), nil
}

// givenUp notes an instant that could not be queued while that was still worth it.
func (s *Source) givenUp(e *entry, now time.Time) {
	s.env.Log.Error("timer not dispatched: it is too late for this instant", zap.String("trigger", e.trigger.Path()), zap.Time("scheduled", instant(e.scheduled)))
	if s.env.Note == nil {
		return
	}
	f := expired(e.trigger, instant(e.scheduled))
	f.Detail, f.At = "it could not be queued within "+s.o.MaxLateness.String(), now
	s.env.Note(f)
}

// expired is the fate of an instant of t, in UTC, that was not dispatched, with its event: somebody may have it delivered.
func expired(t *fc.Trigger, at time.Time) store.Fate {
	payload, _ := event(t, at) // the configuration has been read before
	return store.Fate{EventID: eventID(t, at.Unix()), Trigger: t.ID, Type: t.Type, Name: t.Name, Function: t.ServiceName + "/" + t.FunctionName,
		Subject: at.Format(time.RFC3339), State: store.FateExpired, Payload: payload}
}

// eventID names an instant of t.
func eventID(t *fc.Trigger, second int64) string {
	return "timer/" + t.ID + "/" + strconv.FormatInt(second, 10)
}

// rearm puts the entry back after an attempt.
func (s *Source) rearm(e *entry, settled bool, panicked any) {
	if panicked != nil {
		s.env.Log.Error("timer dispatch panicked", zap.String("trigger", e.trigger.Path()), zap.Any("panic", panicked), zap.Stack("stack"))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now().UTC()
	if !settled && now.Sub(instant(e.scheduled)) <= s.o.MaxLateness {
		e.backoff = min(max(2*e.backoff, backoffMin), backoffMax)
		e.at = now.Add(e.backoff).UnixNano()
	} else {
		if settled {
			e.last = max(e.last, e.scheduled)
		} else {
			s.givenUp(e, now)
		}
		e.backoff = 0
		done := instant(max(e.last, e.scheduled))
		next := s.after(e, done, now)
		s.leftOut(e, done, now, next)
		e.set(next)
	}
	if s.byID[e.trigger.ID] == e {
		s.pushLocked(e)
	}
}
