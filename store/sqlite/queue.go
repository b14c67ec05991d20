package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"time"

	"fcd/store"
)

const maxPage = 1000

func pageSize(limit int) int {
	if limit < 1 || limit > maxPage {
		return maxPage
	}
	return limit
}

// collect reads all rows of a query; the reader's connection is free again when it returns.
func collect[T any](ctx context.Context, s *Store, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	if err := s.usable(); err != nil {
		return nil, err
	}
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, s.readError(err)
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, s.readError(err)
		}
		all = append(all, v)
	}
	return all, s.readError(rows.Err())
}

// first is the only row of a query; ErrNotFound if there is none.
func first[T any](ctx context.Context, s *Store, scan func(*sql.Rows) (T, error), query string, args ...any) (T, error) {
	all, err := collect(ctx, s, scan, query, args...)
	if err == nil && len(all) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		var none T
		return none, err
	}
	return all[0], nil
}

// Ready names every function with unclaimed messages and when the first of each is due, in order of names.
func (s *Store) Ready(_ context.Context, _ time.Time) ([]store.FnDue, error) {
	heads, err := look(s, functionOf, sqlQueueReady)
	if err != nil {
		return nil, err
	}
	var all []store.FnDue
	for _, h := range heads {
		due, ok, err := s.earliest(h.fn, h.due)
		if err != nil {
			return nil, err
		}
		if ok {
			all = append(all, store.FnDue{Fn: h.fn, Earliest: fromMicros(due)})
		}
	}
	return all, nil
}

// earliest is the due time of a function's first unclaimed message, given that of its first.
func (s *Store) earliest(fn string, due int64) (int64, bool, error) {
	c := s.claims
	c.mu.Lock()
	defer c.mu.Unlock()
	claimed := c.byFn[fn] + c.byFn[""]
	if claimed == 0 {
		return due, true, nil
	}
	heads, err := look(s, headOf, sqlQueueHead, fn, int64(claimed+1))
	if err != nil {
		return 0, false, err
	}
	now := s.opt.Now()
	for _, h := range heads {
		if c.free(h.id, now) {
			return h.due, true, nil
		}
	}
	return 0, false, nil
}

// Claim takes up to want[fn] due messages of each function, earliest due first.
func (s *Store) Claim(_ context.Context, owner string, want map[string]int, lease time.Duration) ([]store.Msg, error) {
	if owner == "" {
		return nil, errors.New("a claim needs an owner")
	}
	var ids []int64
	for _, fn := range slices.Sorted(maps.Keys(want)) {
		if want[fn] <= 0 {
			continue
		}
		got, err := s.claim(owner, fn, want[fn], lease)
		ids = append(ids, got...)
		if err != nil {
			s.unclaim(ids)
			return nil, err
		}
	}
	var all []store.Msg
	for _, id := range ids {
		m, err := look(s, msgOf, sqlQueueGet, id)
		if err == nil && len(m) == 0 {
			err = store.ErrNotFound
		}
		if err != nil {
			s.unclaim(ids)
			return nil, err
		}
		all = append(all, m...)
	}
	return all, nil
}

func (s *Store) claim(owner, fn string, want int, lease time.Duration) ([]int64, error) {
	c := s.claims
	c.mu.Lock()
	defer c.mu.Unlock()
	now := s.opt.Now()
	candidates, err := look(s, idOf, sqlQueueDue, fn, micros(now), int64(want+c.byFn[fn]+c.byFn[""]))
	if err != nil {
		return nil, err
	}
	var ids []int64
	for _, id := range candidates {
		if len(ids) == want {
			break
		}
		if c.take(id, fn, owner, now, now.Add(lease)) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

func (s *Store) unclaim(ids []int64) { s.claims.settle(ids) }

// Extend renews the claims that owner still holds, expired ones that nobody took included.
func (s *Store) Extend(_ context.Context, owner string, ids []int64, lease time.Duration) ([]int64, error) {
	if err := s.usable(); err != nil {
		return nil, err
	}
	return s.claims.extend(owner, ids, s.opt.Now().Add(lease)), nil
}

// Find is an invocation by its request id, queued, running or ended; ErrNotFound after it was swept.
func (s *Store) Find(ctx context.Context, requestID string) (store.Invocation, error) {
	m, err := first(ctx, s, scanMsg, sqlQueueFind, requestID)
	if errors.Is(err, store.ErrNotFound) {
		return first(ctx, s, scanOutcome, sqlOutcomeFind, requestID)
	}
	if err != nil {
		return store.Invocation{}, err
	}
	return s.stateOf(m), nil
}

// Outcomes lists ended invocations by request id. A limit outside 1-1000 is 1000.
func (s *Store) Outcomes(ctx context.Context, f store.InvocationFilter, after string, limit int) ([]store.Invocation, error) {
	n := pageSize(limit)
	switch {
	case f.State == store.StateDead:
		return collect(ctx, s, scanOutcome, sqlOutcomesDead, f.Fn, f.Fn, after, n)
	case f.State != "":
		return collect(ctx, s, scanOutcome, sqlOutcomesState, f.State, f.Fn, f.Fn, after, n)
	case f.Fn != "":
		return collect(ctx, s, scanOutcome, sqlOutcomesFn, f.Fn, after, n)
	}
	return collect(ctx, s, scanOutcome, sqlOutcomes, after, n)
}

// Depths counts every function's queue. It walks an index of the whole queue: for people and metrics, not for each call.
func (s *Store) Depths(ctx context.Context) (map[string]store.Depth, error) {
	now := s.opt.Now()
	type row struct {
		fn       string
		all, due int64
	}
	rows, err := collect(ctx, s, func(r *sql.Rows) (d row, err error) { return d, r.Scan(&d.fn, &d.all, &d.due) },
		sqlQueueDepths, micros(now))
	if err != nil {
		return nil, err
	}
	running := s.claims.running(now)
	depths := make(map[string]store.Depth, len(rows))
	for _, r := range rows {
		n := min(running[r.fn], r.all)
		depths[r.fn] = store.Depth{Ready: max(r.due-n, 0), Waiting: r.all - r.due, Running: n}
	}
	return depths, nil
}

func scanMsg(r *sql.Rows) (m store.Msg, err error) {
	var enqueued, due, notAfter int64
	err = r.Scan(&m.ID, &m.RequestID, &m.Fn, &m.Trigger, &m.EventID, &m.DedupKey, &enqueued, &due, &notAfter, &m.Attempt,
		&m.InvocationID, &m.Payload)
	m.Enqueued, m.Due, m.NotAfter = fromMicros(enqueued), fromMicros(due), fromMicros(notAfter)
	return m, err
}

func scanOutcome(r *sql.Rows) (i store.Invocation, err error) {
	var enqueued, ended int64
	err = r.Scan(&i.RequestID, &i.Fn, &i.Trigger, &i.EventID, &i.State, &enqueued, &ended, &i.Attempt, &i.Cause,
		&i.InvocationID, &i.Payload)
	i.Enqueued, i.Ended = fromMicros(enqueued), fromMicros(ended)
	return i, err
}
