package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"fcd/bench/comparators"
	"fcd/fc"
	"fcd/store"
	"fcd/store/sqlite"
)

// oneAtATime lets one queued invocation run, so that those behind one that sleeps stay queued.
const oneAtATime = "async: {concurrency: 1, concurrencyPerFunction: 1}"

// startRest bounds how long a daemon may work on what it had and got before the turns begin.
const startRest = 10 * time.Second

// blocked starts a daemon whose queue stands still: it runs a function that sleeps. before may fill its store.
func (l *lab) blocked(ctx context.Context, name string, before func(*sqlite.Store) error) (*server, error) {
	s, err := l.fresh(ctx, name, oneAtATime)
	if err != nil {
		return nil, err
	}
	if err := s.deploy(ctx, "sleeper", "sleeper.py", 0); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	if before == nil {
		return s, nil
	}
	if err := s.stop(); err != nil {
		return nil, err
	}
	if err := fill(ctx, s.dir, before); err != nil {
		return nil, err
	}
	return l.serve(ctx, name, oneAtATime)
}

// accept measures how fast asynchronous calls are accepted, which is when they are on disk.
func accept(ctx context.Context, l *lab, producers int) (_ []pair, err error) {
	s, err := l.blocked(ctx, "accept", nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = closing(err, l.discard(s)) }()
	calls, err := s.load("sleeper", event(1<<10), producers, async...)
	if err != nil {
		return nil, err
	}
	defer calls.close()
	if err := l.warm(ctx, 0, calls); err != nil {
		return nil, err
	}
	if err := s.rest(ctx, startRest); err != nil {
		return nil, err
	}
	l.begin()
	var slow []float64
	ours, err := meter(restful{calls, s, l}, s.process)
	if err != nil {
		return nil, err
	}
	p, err := interleave(ctx, l.turns(), l.until, func(ctx context.Context) (float64, error) {
		got, err := ours.run(ctx, l.turn())
		slow = append(slow, got.p99)
		return got.rate, err
	}, func(context.Context) (float64, error) { return l.appendRate(producers) })
	if err != nil {
		return nil, err
	}
	c, err := ours.cost()
	if err != nil {
		return nil, err
	}
	p.Note = fmt.Sprintf("p99 %.1f ms; µs of processor a call: daemon %.0f, client %.0f", median(slow), c[0], c[2])
	return []pair{p}, l.profile(ctx, s, calls, fmt.Sprintf("accept-%d", producers))
}

// appendRate is how many records of 1 KiB a second a plain file takes from so many producers.
func (l *lab) appendRate(producers int) (float64, error) {
	log, err := comparators.NewLog(filepath.Join(l.dir, "log"))
	if err != nil {
		return 0, err
	}
	record := make([]byte, 1<<10)
	counts, errs := make([]int, producers), make([]error, producers)
	begin := time.Now()
	var wg sync.WaitGroup
	for i := range producers {
		wg.Go(func() {
			for time.Since(begin) < l.turn() && errs[i] == nil {
				errs[i] = log.Append(record)
				counts[i]++
			}
		})
	}
	wg.Wait()
	took := time.Since(begin)
	total := 0
	for _, n := range counts {
		total += n
	}
	return float64(total) / took.Seconds(), errors.Join(append(errs, log.Close())...)
}

// backlog measures the same with so many events queued before, against an empty queue.
func backlog(ctx context.Context, l *lab, events int) (_ []pair, err error) {
	full, err := l.blocked(ctx, "backlog", func(s *sqlite.Store) error { return enqueue(ctx, s, events) })
	if err != nil {
		return nil, err
	}
	defer func() { err = closing(err, l.discard(full)) }()
	empty, err := l.blocked(ctx, "empty", nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = closing(err, l.discard(empty)) }()
	ours, err := full.load("sleeper", event(1<<10), 64, async...)
	if err != nil {
		return nil, err
	}
	defer ours.close()
	theirs, err := empty.load("sleeper", event(1<<10), 64, async...)
	if err != nil {
		return nil, err
	}
	defer theirs.close()
	if err := l.warm(ctx, 0, ours, theirs); err != nil {
		return nil, err
	}
	for _, s := range []*server{full, empty} {
		if err := s.rest(ctx, startRest); err != nil {
			return nil, err
		}
	}
	l.begin()
	p, err := l.compare(ctx, restful{ours, full, l}, restful{theirs, empty, l}, rate)
	p.Note += fmt.Sprintf("; start to ready %.1f s", full.took.Seconds())
	return []pair{p}, err
}

// enqueue puts events of 1 KiB into the queue.
func enqueue(ctx context.Context, s *sqlite.Store, events int) error {
	fn := fc.FunctionRef{Service: service, Function: "sleeper"}.String()
	payload, now := event(1<<10), time.Now().UTC()
	for at := 0; at < events; at += 1000 {
		var b store.Batch
		for range min(1000, events-at) {
			b.Enqueue = append(b.Enqueue, store.Msg{RequestID: fc.NewRequestID(), Fn: fn, Enqueued: now,
				NotAfter: now.Add(5 * time.Hour), Payload: payload})
		}
		if _, err := s.Apply(ctx, b); err != nil {
			return err
		}
	}
	return nil
}
