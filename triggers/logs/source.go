package logs

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	sdk "github.com/aliyun/aliyun-log-go-sdk"
	"go.uber.org/zap"

	"fcd/fc"
	"fcd/store"
	"fcd/triggers"
)

const (
	// maxSleep bounds how long a step of the clock goes unnoticed.
	maxSleep = 10 * time.Second
	// panicPause is how long what panicked is left alone.
	panicPause = 30 * time.Second
)

// Source follows logstores. It is safe for concurrent use.
type Source struct {
	o       Options
	env     triggers.Env
	now     triggers.Clock
	m       metrics
	records *recorder
	wake    chan struct{} // holds one value: the agenda's first item may have changed

	mu   sync.Mutex // guards the fields below, and those of jobs
	jobs map[string]*job
	due  agenda
}

// job is a trigger with the shards of its logstore. It stays while the trigger is switched off.
type job struct {
	view
	enabled bool
	removed bool
	cut     context.CancelFunc // ends view.calls
	listing *item
	shards  map[int]*shard
	trouble string // why the shards could not be listed; "" if they were
}

// view is what a run needs of its trigger. Copies are snapshots.
type view struct {
	trigger *fc.Trigger
	config  config
	project string
	name    string          // of the job, in events
	calls   context.Context // ends when the trigger is switched off
}

func (v view) interval() time.Duration {
	return time.Duration(v.config.JobConfig.TriggerInterval) * time.Second
}

// start is the time of receipt of the first logs that the trigger wants, Unix seconds.
func (v view) start() int64 {
	if at := v.config.SourceConfig.StartTime; at != nil {
		return *at
	}
	return v.trigger.CreatedTime.Unix()
}

// shard is one shard of a job's logstore. All but job, id and the atomics belongs to whoever runs its item.
type shard struct {
	job  *job
	id   int
	item *item

	readonly atomic.Bool  // as listed last
	stalled  atomic.Bool  // the retries of its range are used up
	behind   atomic.Int64 // since when logs wait, Unix seconds; 0 if none do

	known    bool // cp was read or begun
	cp       checkpoint
	unsaved  *save // what could not be committed yet
	attempts int   // at the pending range
	catching bool
	trouble  string
}

// save is a commit to make: the checkpoint that it brings the shard to, and a fate.
type save struct {
	cp   checkpoint
	fate *store.Fate
}

func (o Options) newSource(env triggers.Env) (triggers.Source, error) {
	s := &Source{o: o, env: env, now: env.Clock, wake: make(chan struct{}, 1), jobs: map[string]*job{}}
	if s.now == nil {
		s.now = time.Now
	}
	if s.env.Log == nil {
		s.env.Log = zap.NewNop()
	}
	var err error
	s.m, err = newMetrics(env.Registerer, s)
	s.records = newRecorder(o.Service, o.Ensure, s.env.Log, s.m.lostRecords)
	return s, err
}

// Apply takes up a new or changed trigger. Calls under way go on; one that is switched off begins none any more, and gives
// up those that wait for an instance.
func (s *Source) Apply(_ context.Context, t *fc.Trigger) error {
	c, err := read(t.Config)
	if err != nil {
		return fmt.Errorf("configuration of trigger %s: %w", t.Path(), err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.jobs[t.ID]
	if j == nil {
		if !t.Enabled {
			return nil
		}
		j = &job{shards: map[int]*shard{}}
		j.listing = &item{job: j, index: -1, run: func(ctx context.Context) time.Duration { return s.list(ctx, j) }}
		s.jobs[t.ID] = j
	}
	j.trigger, j.config, j.project, j.name = t, c, projectOf(t.SourceARN), jobName(s.env.Account, t)
	switch {
	case !t.Enabled:
		s.offLocked(j)
	case !j.enabled:
		j.enabled = true
		j.calls, j.cut = context.WithCancel(context.Background())
		for _, it := range j.itemsLocked() {
			s.planLocked(it, time.Now())
		}
	default:
		for _, it := range j.itemsLocked() { // the interval may have become shorter
			if it.index >= 0 {
				s.planLocked(it, time.Now().Add(j.interval()))
			}
		}
	}
	return nil
}

// Remove forgets a trigger and, in time, its checkpoints. No call begins once it has returned.
func (s *Source) Remove(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.jobs[id]
	if j == nil {
		j = &job{view: view{trigger: &fc.Trigger{ID: id}}} // switched off since the start: it may have checkpoints
	}
	delete(s.jobs, id)
	s.offLocked(j)
	j.removed = true
	if !j.busyLocked() {
		s.planLocked(s.cleanup(j), time.Now())
	}
	return nil
}

func (s *Source) offLocked(j *job) {
	j.enabled = false
	if j.cut != nil {
		j.cut()
	}
	for _, it := range j.itemsLocked() {
		s.dropLocked(it)
	}
}

func (j *job) itemsLocked() (all []*item) {
	if j.listing != nil {
		all = append(all, j.listing)
	}
	for _, sh := range j.shards {
		all = append(all, sh.item)
	}
	return all
}

func (j *job) busyLocked() bool {
	for _, it := range j.itemsLocked() {
		if it.busy {
			return true
		}
	}
	return false
}

// look is a job's trigger of the moment; false if it is switched off.
func (s *Source) look(j *job) (view, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return j.view, j.enabled
}

// Run follows the logstores until ctx ends, and returns when the calls under way have.
func (s *Source) Run(ctx context.Context) error {
	writing, stopWriting := context.WithCancel(context.WithoutCancel(ctx))
	var writer, workers sync.WaitGroup
	writer.Go(func() { s.records.run(writing) })
	defer func() {
		workers.Wait()
		stopWriting()
		writer.Wait()
	}()
	sleep := time.NewTimer(0)
	defer sleep.Stop()
	for ctx.Err() == nil {
		it, wait := s.next()
		if it != nil {
			workers.Go(func() { s.work(ctx, it) })
			continue
		}
		sleep.Reset(wait)
		select {
		case <-sleep.C:
		case <-s.wake:
		case <-ctx.Done():
		}
	}
	return nil
}

// work runs an item. Its panic concerns nothing else.
func (s *Source) work(ctx context.Context, it *item) {
	wait := panicPause
	defer func() { s.done(it, wait) }()
	defer func() {
		if p := recover(); p != nil {
			s.env.Log.Error("following a logstore panicked", zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))
		}
	}()
	wait = it.run(ctx)
}

// list brings the shards of a job up to date.
func (s *Source) list(_ context.Context, j *job) time.Duration {
	v, on := s.look(j)
	if !on {
		return parked
	}
	if early := time.Unix(v.start(), 0).Sub(s.now()); early > 0 {
		return min(early, v.interval())
	}
	listed, err := s.o.Service.ListShards(v.project, v.config.SourceConfig.Logstore)
	s.report(v, &j.trouble, "source logstore cannot be read", err)
	if err == nil {
		s.take(j, listed)
	}
	return v.interval()
}

// report logs a trouble when it begins, changes and ends; state is what is known of it.
func (s *Source) report(v view, state *string, what string, err error) {
	now := ""
	if err != nil {
		now = plain(err)
	}
	if now == *state {
		return
	}
	*state = now
	fields := []zap.Field{zap.String("trigger", v.trigger.Path()), zap.String("project", v.project), zap.String("logstore", v.config.SourceConfig.Logstore)}
	if err == nil {
		s.env.Log.Info("source logstore is read again", fields...)
		return
	}
	s.env.Log.Warn(what, append(fields, zap.String("err", now))...)
}

// take makes the listed shards those of the job.
func (s *Source) take(j *job, listed []*sdk.Shard) {
	s.mu.Lock()
	defer s.mu.Unlock()
	there := map[int]bool{}
	for _, l := range listed {
		there[l.ShardID] = true
		sh := j.shards[l.ShardID]
		if sh == nil {
			sh = &shard{job: j, id: l.ShardID}
			sh.item = &item{job: j, index: -1, run: func(ctx context.Context) time.Duration { return s.step(ctx, sh) }}
			j.shards[l.ShardID] = sh
			if j.enabled {
				s.planLocked(sh.item, time.Now())
			}
		}
		sh.readonly.Store(l.Status == "readonly")
	}
	for id, sh := range j.shards {
		if there[id] || sh.item.busy {
			continue
		}
		sh.item.gone = true
		s.dropLocked(sh.item)
		delete(j.shards, id)
		if sh.cp.pending() {
			s.env.Note(s.fate(j.view, sh, store.FateExpired, attempt{n: sh.attempts, outcome: outcomeExpired, why: "the shard is gone"}))
		}
		s.planLocked(s.forget(j.trigger.ID, id), time.Now())
	}
}

// forget is the item that deletes checkpoints of a trigger.
func (s *Source) forget(trigger string, shards ...int) *item {
	rows := make([]store.Checkpoint, len(shards))
	for i, id := range shards {
		rows[i].Key = checkpointKey(trigger, id)
	}
	return s.commitment(rows)
}

func (s *Source) commitment(rows []store.Checkpoint) *item {
	return &item{index: -1, run: func(ctx context.Context) time.Duration {
		if err := s.env.Save(context.WithoutCancel(ctx), rows); err != nil {
			return panicPause
		}
		return never
	}}
}

// cleanup is the item that deletes all that is kept of a removed trigger.
func (s *Source) cleanup(j *job) *item {
	id := j.trigger.ID
	return &item{index: -1, run: func(ctx context.Context) time.Duration {
		b, err := s.env.Checkpoint(ctx, triggers.CheckpointKey(id, "shards"))
		if err != nil {
			return panicPause
		}
		var shards []int
		if len(b) == 0 || json.Unmarshal(b, &shards) != nil {
			return never
		}
		rows := []store.Checkpoint{{Key: triggers.CheckpointKey(id, "shards")}}
		for _, shard := range shards {
			rows = append(rows, store.Checkpoint{Key: checkpointKey(id, shard)})
		}
		if err := s.env.Save(context.WithoutCancel(ctx), rows); err != nil {
			return panicPause
		}
		return never
	}}
}
