package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"fcd/fc"
	"fcd/store"
	"fcd/store/catalog"
	"fcd/store/sqlite"
)

// nuclio is what nuclio's processor and one Node worker hold in memory when idle, in MiB. It is a constant: the machine
// that measures need not have it.
const nuclio = 109

// memory measures the daemon with so many idle instances. Each function of nuclio has a processor of its own.
func memory(ctx context.Context, l *lab, instances int) (_ []pair, err error) {
	s, err := l.fresh(ctx, "memory")
	if err != nil {
		return nil, err
	}
	defer func() { err = closing(err, l.discard(s)) }()
	for i := range instances {
		name := fmt.Sprint("node", i)
		if err := s.deploy(ctx, name, "hello.js", 0); err != nil {
			return nil, err
		}
		if _, err := s.first(name); err != nil {
			return nil, err
		}
	}
	if err := pause(ctx, pick(l, 4*time.Second, 10*time.Second)); err != nil {
		return nil, err
	}
	all, err := s.pss()
	if err != nil {
		return nil, err
	}
	own, err := pssOf(s.cmd.Process.Pid)
	return []pair{constant(all, float64(nuclio*instances), fmt.Sprintf("the daemon alone %.0f MiB", own/1024))}, err
}

// copies writes so many copies of a record, as change makes them.
func copies(ctx context.Context, s *sqlite.Store, key string, n int, change func(store.Record, int) (store.Put, error)) error {
	r, err := s.Get(ctx, key)
	if err != nil {
		return fmt.Errorf("record %s: %w", key, err)
	}
	for at := 0; at < n; at += 1000 {
		var b store.Batch
		for i := range min(1000, n-at) {
			put, err := change(r, at+i)
			if err != nil {
				return err
			}
			b.Puts = append(b.Puts, put)
		}
		if _, err := s.Apply(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// functionCopy is a function of another name and the same code.
func functionCopy(r store.Record, i int) (store.Put, error) {
	f, err := catalog.DecodeFunction(r)
	if err != nil {
		return store.Put{}, err
	}
	f.Name, f.ID = fmt.Sprintf("copy%06d", i), fc.NewRequestID()
	return store.Put{Key: catalog.FunctionKey(service, f.Name), Value: catalog.Encode(f)}, nil
}

// crowd makes the state of a daemon with so many functions, one of which is called hello.
func (l *lab) crowd(ctx context.Context, name string, functions int, file string) error {
	s, err := l.fresh(ctx, name)
	if err != nil {
		return err
	}
	if err := errors.Join(s.deploy(ctx, "hello", file, 0), s.stop()); err != nil {
		return err
	}
	return fill(ctx, s.dir, func(db *sqlite.Store) error {
		return copies(ctx, db, catalog.FunctionKey(service, "hello"), functions-1, functionCopy)
	})
}

// lives is how many starts of a daemon a comparison with another one is spread over, each as one turn: where a start happens
// to put code and data in memory makes two daemons that are the same differ by some hundredths, now and then by a fifth.
func (l *lab) lives() int { return pick(l, 2, 7) }

// functions measures the start with so many functions, and a call among them against a call among 100.
func functions(ctx context.Context, l *lab, n int) ([]pair, error) {
	const bound = 2 // seconds
	if err := errors.Join(l.crowd(ctx, "many", n, "hello.py"), l.crowd(ctx, "few", 100, "hello.py")); err != nil {
		return nil, err
	}
	var begin, lookup pair
	for range l.lives() {
		err := func() (err error) {
			many, err := l.serve(ctx, "many")
			if err != nil {
				return err
			}
			defer func() { err = closing(err, many.stop()) }()
			few, err := l.serve(ctx, "few")
			if err != nil {
				return err
			}
			defer func() { err = closing(err, few.stop()) }()
			begin.add(constant(many.took.Seconds(), bound, fmt.Sprintf("%.2f s with 100 functions", few.took.Seconds())))
			p, err := l.among(ctx, many, few)
			lookup.add(p.sum())
			return err
		}()
		if err != nil {
			return nil, err
		}
	}
	return []pair{begin, lookup}, errors.Join(l.forget("many"), l.forget("few"))
}

// among compares one connection's calls of hello where there is much else with those where there is little.
func (l *lab) among(ctx context.Context, many, few *server) (pair, error) {
	ours, err := many.load("hello", event(1<<10), 1)
	if err != nil {
		return pair{}, err
	}
	defer ours.close()
	theirs, err := few.load("hello", event(1<<10), 1)
	if err != nil {
		return pair{}, err
	}
	defer theirs.close()
	if err := l.warm(ctx, 0, ours, theirs); err != nil {
		return pair{}, err
	}
	return contest(ours, theirs, many.process, few.process, func(ours, theirs load) (pair, error) {
		return l.callByCall(ctx, pick(l, 1000, 6000), ours, theirs)
	})
}

// idle measures a call of one function among so many that have an idle instance each, and 100,000 that are registered,
// against a call where there is nothing else. Python's instances are the smaller ones: a thousand need 10 GiB.
func idle(ctx context.Context, l *lab, instances int) (_ []pair, err error) {
	const registered = 100_000
	if err := errors.Join(l.crowd(ctx, "idle", registered, "hello.py"), l.crowd(ctx, "alone", 100, "hello.py")); err != nil {
		return nil, err
	}
	many, err := l.serve(ctx, "idle")
	if err != nil {
		return nil, err
	}
	defer func() { err = closing(err, l.discard(many)) }()
	begin := time.Now()
	for i := range instances - 1 {
		if _, err := many.first(fmt.Sprintf("copy%06d", i)); err != nil {
			return nil, fmt.Errorf("instance %d: %w", i, err)
		}
	}
	took := time.Since(begin)
	var p pair
	for range l.lives() {
		few, err := l.serve(ctx, "alone")
		if err != nil {
			return nil, err
		}
		one, err := l.among(ctx, many, few)
		if err := closing(err, few.stop()); err != nil {
			return nil, err
		}
		p.add(one.sum())
	}
	if err := pause(ctx, 5*time.Second); err != nil { // it comes to rest
		return nil, err
	}
	holds, err := many.holdings()
	p.Note = fmt.Sprintf("%d functions, ready in %.2f s, first calls in %.1f s; %s; %s", registered, many.took.Seconds(), took.Seconds(), holds, p.Note)
	return []pair{p}, errors.Join(err, l.forget("alone"))
}

// holdings tells what a daemon and all its instances hold.
func (s *server) holdings() (string, error) {
	own, err := pssOf(s.cmd.Process.Pid)
	if err != nil {
		return "", err
	}
	all, err := s.pss()
	if err != nil {
		return "", err
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid))
	if err != nil {
		return "", err
	}
	goroutines, err := s.metric("go_goroutines")
	if err != nil {
		return "", err
	}
	threads, err := s.metric("go_threads")
	return fmt.Sprintf("the daemon %.0f MiB, with its instances %.0f MiB, %d descriptors, %.0f goroutines, %.0f threads",
		own/1024, all, len(files), goroutines, threads), err
}

// schedules are what the waiting timers have, mixed; none is due within the hour that follows now.
func schedules(now time.Time, i int) string {
	at := now.UTC().Add(2*time.Hour + time.Duration(i%72000)*time.Second) // the next 20 hours
	clock := fmt.Sprintf("%d %d %d", at.Second(), at.Minute(), at.Hour())
	switch i % 3 {
	case 0:
		return clock + " * * *"
	case 1:
		return clock + " * * MON-FRI"
	}
	return fmt.Sprintf("@every %dm", 120+i%1440)
}

// timerCopy is a trigger of another name and schedule.
func timerCopy(r store.Record, i int) (store.Put, error) {
	t, err := catalog.DecodeTrigger(r)
	if err != nil {
		return store.Put{}, err
	}
	now := time.Now().UTC()
	t.Name, t.ID, t.ScheduledSince = fmt.Sprintf("copy%06d", i), fc.NewRequestID(), now
	t.Config = timerConfig(schedules(now, i))
	return store.Put{Key: catalog.TriggerKey(service, "tick", t.Name), Value: catalog.Encode(t)}, nil
}

func timerConfig(cron string) json.RawMessage {
	return catalog.Encode(m{"cronExpression": cron, "payload": "", "enable": true})
}

func (s *server) timer(ctx context.Context, name, cron string) error {
	return s.post(ctx, "/services/"+service+"/functions/tick/triggers", m{"triggerName": name, "triggerType": "timer",
		"triggerConfig": timerConfig(cron)})
}

// timed starts a daemon with so many timers that wait.
func (l *lab) timed(ctx context.Context, n int) (*server, error) {
	s, err := l.fresh(ctx, "timers")
	if err != nil {
		return nil, err
	}
	err = s.deploy(ctx, "tick", "entered.py", 0)
	if err == nil {
		err = s.timer(ctx, "first", schedules(time.Now(), 0))
	}
	if err := errors.Join(err, s.stop()); err != nil {
		return nil, err
	}
	err = fill(ctx, s.dir, func(db *sqlite.Store) error {
		return copies(ctx, db, catalog.TriggerKey(service, "tick", "first"), n-1, timerCopy)
	})
	if err != nil {
		return nil, err
	}
	return l.serve(ctx, "timers")
}

// timers measures what waiting timers cost, and how late the handler is entered for those that fire among them.
func timers(ctx context.Context, l *lab, n int) (_ []pair, err error) {
	const bound = 50 // milliseconds
	s, err := l.timed(ctx, n)
	if err != nil {
		return nil, err
	}
	defer func() { err = closing(err, l.discard(s)) }()
	none, err := l.main(ctx)
	if err != nil {
		return nil, err
	}
	if err := pause(ctx, pick(l, 4*time.Second, 6*time.Second)); err != nil { // what a start leaves to do is done, the trim of memory too
		return nil, err
	}
	busy, idle, err := shares(ctx, pick(l, time.Second, 20*time.Second), s, none)
	if err != nil {
		return nil, err
	}
	late, err := s.lateness(ctx, pick(l, 2, 20))
	if err != nil {
		return nil, err
	}
	cpu := constant(busy*100, 100, fmt.Sprintf("a daemon without timers %.2f %%", idle*100))
	lag := constant(percentile(late, 99), bound, fmt.Sprintf("p50 %.1f ms of %d; start to ready %.2f s", median(late), len(late), s.took.Seconds()))
	return []pair{cpu, lag}, nil
}

// shares are the shares of a core that two processes use over the same time.
func shares(ctx context.Context, d time.Duration, a, b *server) (float64, float64, error) {
	var used [2]time.Duration
	begin := time.Now()
	for i, p := range []*server{a, b} {
		t, err := p.cpu()
		if err != nil {
			return 0, 0, err
		}
		used[i] = -t
	}
	if err := pause(ctx, d); err != nil {
		return 0, 0, err
	}
	took := time.Since(begin)
	for i, p := range []*server{a, b} {
		t, err := p.cpu()
		if err != nil {
			return 0, 0, err
		}
		used[i] += t
	}
	return used[0].Seconds() / took.Seconds(), used[1].Seconds() / took.Seconds(), nil
}

// lateness lets ten timers fire in each of the coming seconds and tells how late each entered its function, in
// milliseconds.
func (s *server) lateness(ctx context.Context, seconds int) ([]float64, error) {
	const each = 10
	if _, err := s.first("tick"); err != nil {
		return nil, err
	}
	first := time.Now().Add(time.Duration(2+seconds/4) * time.Second).Truncate(time.Second)
	for i := range seconds * each {
		at := first.Add(time.Duration(i/each) * time.Second)
		if err := s.timer(ctx, fmt.Sprint("due", i), fmt.Sprintf("%d * * * * *", at.Second())); err != nil {
			return nil, err
		}
	}
	if time.Now().After(first) {
		return nil, fmt.Errorf("making %d timers took longer than %v", seconds*each, time.Until(first))
	}
	last := first.Add(time.Duration(seconds) * time.Second)
	if err := pause(ctx, time.Until(last)); err != nil {
		return nil, err
	}
	entries, err := s.entries(ctx, "tick", seconds*each+1)
	if err != nil {
		return nil, err
	}
	var late []float64
	for _, e := range entries {
		var tick struct{ TriggerTime time.Time }
		if json.Unmarshal([]byte(e.event), &tick) == nil && !tick.TriggerTime.IsZero() && tick.TriggerTime.Before(last) {
			late = append(late, e.at*1000-float64(tick.TriggerTime.UnixMilli()))
		}
	}
	return late, nil
}
