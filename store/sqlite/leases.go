package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"time"

	"fcd/store"
)

// leases are the rights to names. Owners and tokens are durable; when they expire is known to this process only, whose
// clock does not jump, and is over with it.
type leases struct {
	mu     sync.Mutex
	byName map[string]leaseRow
}

type leaseRow struct {
	owner   string
	token   int64
	expires time.Time // zero: free
	wall    time.Time // the same, as written to disk for people to read
}

type leaseRequest struct {
	name, owner string
	ttl         time.Duration
}

func newLeases() *leases { return &leases{byName: map[string]leaseRow{}} }

func (l *leases) load(c *conn) error {
	return c.query(func(v []driver.Value) error {
		l.byName[v[0].(string)] = leaseRow{owner: v[1].(string), token: v[2].(int64)}
		return nil
	}, sqlLeaseLoad)
}

func (l *leases) get(name string) leaseRow {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.byName[name]
}

func (l *leases) publish(taken map[string]leaseRow) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, row := range taken {
		l.byName[name] = row
	}
}

// Acquire takes a free or expired name, or takes it again for its own holder; ErrConflict while another holds it.
func (s *Store) Acquire(ctx context.Context, name, owner string, ttl time.Duration) (store.Lease, error) {
	if name == "" || owner == "" || ttl <= 0 {
		return store.Lease{}, errors.New("a lease needs a name, an owner and a lifetime")
	}
	j := s.newJob(ctx)
	j.lease, j.ops = &leaseRequest{name, owner, ttl}, 1
	r := s.submit(j)
	return r.lease, r.err
}

// lease is a name's row as the group sees it.
func (g *group) lease(name string) leaseRow {
	if row, ok := g.leases[name]; ok {
		return row
	}
	return g.w.s.leases.get(name)
}

func (g *group) acquire(r *leaseRequest) (store.Lease, error) {
	row := g.lease(r.name)
	if row.owner != r.owner && row.expires.After(g.now) {
		return store.Lease{}, fmt.Errorf("lease %q is held by %s: %w", r.name, row.owner, store.ErrConflict)
	}
	expires := g.now.Add(r.ttl)
	row = leaseRow{owner: r.owner, token: row.token + 1, expires: expires, wall: expires}
	set(g, g.leases, r.name, row)
	return store.Lease{Name: r.name, Owner: r.owner, Token: row.token, Expires: expires}, nil
}

// fence is ErrFenced if the lease has been taken over.
func (g *group) fence(l *store.Lease) error {
	if l == nil {
		return nil
	}
	if row := g.lease(l.Name); row.token != l.Token || row.owner != l.Owner {
		return fmt.Errorf("lease %q has token %d, not %d: %w", l.Name, row.token, l.Token, store.ErrFenced)
	}
	return nil
}

// Renew lets a lease live for ttl from now, even one that has expired, as long as nobody took it.
func (s *Store) Renew(_ context.Context, l store.Lease, ttl time.Duration) (store.Lease, error) {
	expires := s.opt.Now().Add(ttl)
	if err := s.changeLease(l, expires); err != nil {
		return store.Lease{}, err
	}
	l.Expires = expires
	return l, nil
}

// Release frees the name at once.
func (s *Store) Release(_ context.Context, l store.Lease) error { return s.changeLease(l, time.Time{}) }

func (s *Store) changeLease(l store.Lease, expires time.Time) error {
	if err := s.usable(); err != nil {
		return err
	}
	s.leases.mu.Lock()
	defer s.leases.mu.Unlock()
	row := s.leases.byName[l.Name]
	if row.token != l.Token || row.owner != l.Owner || row.token == 0 {
		return fmt.Errorf("lease %q: %w", l.Name, store.ErrFenced)
	}
	row.expires = expires
	s.leases.byName[l.Name] = row
	return nil
}
