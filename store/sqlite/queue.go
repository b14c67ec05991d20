package sqlite

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"maps"
	"math"
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
	return collectOf(ctx, s, s.read, scan, query, args...)
}

// reader is a *sql.DB, or a *sql.Tx.
type reader interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func collectOf[T any](ctx context.Context, s *Store, r reader, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	rows, err := r.QueryContext(ctx, query, args...)
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
	folded := s.bursts.earliest() // before the queue, into which their messages move
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
		if first, has := folded[h.fn]; has {
			if !ok || first < due {
				due, ok = first, true
			}
			delete(folded, h.fn)
		}
		if ok {
			all = append(all, store.FnDue{Fn: h.fn, Earliest: fromMicros(due)})
		}
	}
	if len(folded) == 0 {
		return all, nil
	}
	for fn, due := range folded {
		all = append(all, store.FnDue{Fn: fn, Earliest: fromMicros(due)})
	}
	slices.SortFunc(all, func(a, b store.FnDue) int { return cmp.Compare(a.Fn, b.Fn) })
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
func (s *Store) Claim(ctx context.Context, owner string, want map[string]int, lease time.Duration) ([]store.Msg, error) {
	if owner == "" {
		return nil, errors.New("a claim needs an owner")
	}
	var ids []int64
	var short error
	for _, fn := range slices.Sorted(maps.Keys(want)) {
		if want[fn] <= 0 {
			continue
		}
		got, left, err := s.claim(ctx, owner, fn, want[fn], lease)
		ids = append(ids, got...)
		if err != nil {
			s.unclaim(ids)
			return nil, err
		}
		if left != nil {
			short = left
		}
	}
	if len(ids) == 0 && short != nil {
		return nil, short
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

// claim takes what stands in the queue, and unfolds bursts if that is not enough. If they cannot be unfolded, left says
// why: what stands in the queue goes on, when the disk is full too.
func (s *Store) claim(ctx context.Context, owner, fn string, want int, lease time.Duration) (ids []int64, left, err error) {
	for {
		got, more, err := s.take(owner, fn, want-len(ids), lease)
		if ids = append(ids, got...); err != nil || more == 0 {
			return ids, nil, err
		}
		if err := s.unfold(ctx, s.bursts.of(fn, more)); errors.Is(err, store.ErrFatal) {
			return ids, nil, err
		} else if err != nil {
			return ids, err, nil
		}
	}
}

// take claims messages of the queue that stand before all that bursts hold of the function. If they are too few and bursts
// held more when it began, more is up to which message those can be claimed.
func (s *Store) take(owner, fn string, want int, lease time.Duration) (ids []int64, more int64, err error) {
	c := s.claims
	c.mu.Lock()
	defer c.mu.Unlock()
	now := s.opt.Now()
	bound := place{micros(now), math.MaxInt64}
	first, folded := s.bursts.first(fn, c.last) // before the queue, into which their messages move
	if folded = folded && first.compare(bound) < 0; folded {
		bound = first
	}
	candidates, err := look(s, headOf, sqlQueueDue, fn, bound.due, int64(want+c.byFn[fn]+c.byFn[""]))
	if err != nil {
		return nil, 0, err
	}
	for _, m := range candidates {
		if len(ids) == want || bound.compare(place{m.due, m.id}) < 0 {
			break
		}
		if c.take(m.id, fn, owner, now, now.Add(lease)) {
			ids = append(ids, m.id)
		}
	}
	if folded && len(ids) < want {
		more = c.last
	}
	return ids, more, nil
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
	m, err := s.findFolded(requestID) // first: messages move from bursts into the queue, and out of it
	if errors.Is(err, store.ErrNotFound) {
		m, err = first(ctx, s, scanMsg, sqlQueueFind, requestID)
	}
	if errors.Is(err, store.ErrNotFound) {
		return first(ctx, s, scanOutcome, sqlOutcomeFind, requestID)
	}
	if err != nil {
		return store.Invocation{}, err
	}
	return s.stateOf(m), nil
}

// findFolded is a message that stands in a burst.
func (s *Store) findFolded(requestID string) (found store.Msg, err error) {
	if err := s.usable(); err != nil {
		return found, err
	}
	b := s.bursts.get(s.bursts.holder(requestID))
	if b == nil {
		return found, store.ErrNotFound
	}
	head, payloads, _, err := s.burstLog.read(b, nil)
	if broken(err) && s.bursts.get(b.id) != b { // it was unfolded, and overwritten
		return found, store.ErrNotFound
	}
	if err == nil {
		err = readBurst(head, payloads, func(m *store.Msg) error {
			if m.RequestID == requestID {
				found = *m
				return errStop
			}
			return nil
		})
	}
	switch err {
	case errStop:
		found.Payload = bytes.Clone(found.Payload) // not the whole frame
		return found, nil
	case nil:
		return found, store.ErrNotFound
	}
	return found, s.readError(err)
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
	type count struct{ all, due int64 }
	counts := map[string]count{}
	queue, folded, err := s.bothSides(ctx)
	if err != nil {
		return nil, err
	}
	defer queue.Rollback() // it only reads
	for fn, n := range folded {
		counts[fn] = count{n, n}
	}
	_, err = collectOf(ctx, s, queue, func(r *sql.Rows) (_ struct{}, err error) {
		var fn string
		var n count
		err = r.Scan(&fn, &n.all, &n.due)
		counts[fn] = count{counts[fn].all + n.all, counts[fn].due + n.due}
		return struct{}{}, err
	}, sqlQueueDepths, micros(now))
	if err != nil {
		return nil, err
	}
	running := s.claims.running(now)
	depths := make(map[string]store.Depth, len(counts))
	for fn, c := range counts {
		n := min(running[fn], c.all)
		depths[fn] = store.Depth{Ready: max(c.due-n, 0), Waiting: c.all - c.due, Running: n}
	}
	return depths, nil
}

// bothSides is the database as of a moment, and how many messages of each function stood in bursts just then.
func (s *Store) bothSides(ctx context.Context) (_ *sql.Tx, folded map[string]int64, err error) {
	if err := s.usable(); err != nil {
		return nil, nil, err
	}
	tx, err := s.read.BeginTx(ctx, nil)
	if err != nil {
		return nil, nil, s.readError(err)
	}
	s.bursts.moves.RLock()
	defer s.bursts.moves.RUnlock()
	var schema string
	if err := tx.QueryRowContext(ctx, sqlMetaGet, "schema").Scan(&schema); err != nil { // a read begins it
		return nil, nil, errors.Join(s.readError(err), tx.Rollback())
	}
	return tx, s.bursts.depths(), nil
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
