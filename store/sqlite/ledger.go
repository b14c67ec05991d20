package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"math"
	"slices"

	"fcd/store"
)

// named tells whether an invocation of fn with the caller's id is known, and marks it as such.
func (g *group) named(fn, id string) (bool, error) {
	if id == "" {
		return false, nil
	}
	key := fn + " " + id
	if g.names[key] {
		return true, nil
	}
	known, _, err := g.w.c.number(sqlKnownID, fn, id)
	if err != nil || known != 0 {
		return err == nil, err
	}
	set(g, g.names, key, true)
	return false, nil
}

// FindByID is an invocation by the id that its caller gave, or else by its request id.
func (s *Store) FindByID(ctx context.Context, fn, id string) (store.Invocation, error) {
	m, err := first(ctx, s, scanMsg, sqlQueueByID, fn, id)
	if err == nil {
		return s.stateOf(m), nil
	}
	if !errors.Is(err, store.ErrNotFound) {
		return store.Invocation{}, err
	}
	inv, err := first(ctx, s, scanOutcome, sqlOutcomeByID, fn, id)
	if !errors.Is(err, store.ErrNotFound) {
		return inv, err
	}
	inv, err = s.Find(ctx, id)
	if err == nil && inv.Fn != fn {
		return store.Invocation{}, store.ErrNotFound
	}
	return inv, err
}

// stateOf tells whether a message of the queue runs.
func (s *Store) stateOf(m store.Msg) store.Invocation {
	s.claims.mu.Lock()
	defer s.claims.mu.Unlock()
	if !s.claims.free(m.ID, s.opt.Now()) {
		return store.Invocation{Msg: m, State: store.StateRunning}
	}
	return store.Invocation{Msg: m, State: store.StateQueued}
}

// Invocations lists a function's invocations in order of their acceptance. It may walk all that the function has: it is
// for people, not for each call.
func (s *Store) Invocations(ctx context.Context, q store.InvocationQuery) ([]store.Invocation, error) {
	limit := pageSize(q.Limit)
	var all []store.Invocation
	if q.State == "" || q.State == store.StateQueued || q.State == store.StateRunning {
		if err := s.unfoldOf(ctx, q.Fn); err != nil {
			return nil, err
		}
		// Among so many there are limit ones of either state, or all of them.
		waiting, err := list(ctx, s, scanMsg, sqlQueueOf, q, "", s.claimBound(q, limit))
		if err != nil {
			return nil, err
		}
		for _, m := range waiting {
			if inv := s.stateOf(m); q.State == "" || q.State == inv.State {
				all = append(all, inv)
			}
		}
	}
	if q.State != store.StateQueued && q.State != store.StateRunning {
		ended, err := list(ctx, s, scanOutcome, sqlOutcomesOf, q, q.State, limit)
		if err != nil {
			return nil, err
		}
		all = append(all, ended...)
	}
	slices.SortFunc(all, func(a, b store.Invocation) int {
		c := cmp.Or(a.Enqueued.Compare(b.Enqueued), cmp.Compare(a.RequestID, b.RequestID))
		if q.Newest {
			return -c
		}
		return c
	})
	return all[:min(limit, len(all))], nil
}

// claimBound is how many messages must be read to find limit ones of a state.
func (s *Store) claimBound(q store.InvocationQuery, limit int) int {
	s.claims.mu.Lock()
	defer s.claims.mu.Unlock()
	switch q.State {
	case store.StateQueued:
		return limit + len(s.claims.byID)
	case store.StateRunning:
		return math.MaxInt32
	}
	return limit
}

// list runs one of the two listings. state "" selects all.
func list[T any](ctx context.Context, s *Store, scan func(*sql.Rows) (T, error), query string, q store.InvocationQuery, state string, limit int) ([]T, error) {
	from, to := micros(q.From), int64(math.MaxInt64)
	if !q.To.IsZero() {
		to = micros(q.To)
	}
	after, order := int64(math.MinInt64), sqlEarliestFirst
	if q.Newest {
		after, order = math.MaxInt64, sqlLatestFirst
	}
	if q.After != (store.Place{}) {
		after = micros(q.After.Enqueued)
	}
	return collect(ctx, s, scan, query+order, q.Fn, from, to, q.IDPrefix, after, q.After.RequestID, limit, state)
}
