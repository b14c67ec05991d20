package catalog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"go.uber.org/zap"

	"fcd/fc"
	"fcd/store"
)

// Options are a catalog's surroundings; the zero value is usable.
type Options struct {
	Log *zap.Logger // nothing is logged if nil
}

// Catalog is the view. Its methods may be called concurrently, except that Load, Run and the Watch methods come in the
// order Watch..., Load, Run and each of Load and Run once.
type Catalog struct {
	store store.Store
	log   *zap.Logger
	feed  store.Feed // from Load to the end of Run

	services  *table[string, *service]
	functions *table[functionName, *function]
	triggers  *triggers
	async     *table[string, *fc.AsyncConfig] // by key
	code      *code

	watchers []func(key string)
	progress *progress
	decoded  map[string]*fc.Function // by key, of the page that reload applies
}

// New makes an empty catalog of the store's records.
func New(s store.Store, opt Options) *Catalog {
	if opt.Log == nil {
		opt.Log = zap.NewNop()
	}
	return &Catalog{
		store: s, log: opt.Log,
		services:  newTable[string, *service](),
		functions: newTable[functionName, *function](),
		triggers:  newTriggers(),
		async:     newTable[string, *fc.AsyncConfig](),
		code:      newCode(),
		progress:  newProgress(),
	}
}

// Watch calls fn with the key of every record that changed, after the view shows it, from one goroutine and in order. fn
// must not block for long, since callers of Wait wait for it, and must not call Wait.
func (c *Catalog) Watch(fn func(key string)) { c.watchers = append(c.watchers, fn) }

// Load reads every record. The feed it opened is closed by Run.
func (c *Catalog) Load(ctx context.Context) error {
	if err := c.reload(ctx); err != nil {
		return fmt.Errorf("load the catalog: %w", err)
	}
	return nil
}

// reload reads everything from the start and forgets what is no longer there.
func (c *Catalog) reload(ctx context.Context) (err error) {
	target, err := c.store.Rev(ctx)
	if err != nil {
		return err
	}
	if c.feed, err = c.store.Changes(context.WithoutCancel(ctx), 0); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.feed.Close())
		}
	}()
	seen := map[string]bool{}
	if err := c.readAhead(ctx, target, func(p page) error {
		c.decoded = p.functions
		for _, r := range p.records {
			if err := c.apply(r); err != nil {
				return err
			}
			seen[r.Key] = true
		}
		return nil
	}); err != nil {
		return err
	}
	c.decoded = nil
	for _, key := range c.keys() {
		if !seen[key] {
			if err := c.apply(store.Record{Key: key, Rev: target}); err != nil {
				return err
			}
		}
	}
	c.progress.reach(target)
	return nil
}

// Run follows the store until ctx ends or the store closes; both are no error.
func (c *Catalog) Run(ctx context.Context) error {
	for {
		err := c.follow(ctx)
		if errors.Is(err, store.ErrResync) {
			c.log.Warn("the change feed was cut off, reading all records again")
			if err = errors.Join(c.feed.Close(), c.reload(ctx)); err == nil {
				continue
			}
		}
		err = errors.Join(err, c.feed.Close())
		if ctx.Err() != nil || errors.Is(err, store.ErrClosed) {
			return nil
		}
		return fmt.Errorf("follow the store's changes: %w", err)
	}
}

func (c *Catalog) follow(ctx context.Context) error {
	for {
		page, err := c.feed.Next(ctx)
		if err != nil {
			return err
		}
		for _, r := range page {
			if err := c.apply(r); err != nil {
				c.log.Error("a record cannot be read, the view keeps what it had", zap.String("key", r.Key), zap.NamedError("err", err))
			}
		}
		c.progress.reach(page[len(page)-1].Rev)
	}
}

// apply brings one record into the view and tells the watchers. Only one goroutine calls it at a time.
func (c *Catalog) apply(r store.Record) (err error) {
	switch {
	case strings.HasPrefix(r.Key, servicePrefix):
		err = c.applyService(r)
	case strings.HasPrefix(r.Key, functionPrefix):
		err = c.applyFunction(r)
	case strings.HasPrefix(r.Key, triggerPrefix):
		err = c.triggers.apply(r)
	case strings.HasPrefix(r.Key, asyncPrefix):
		err = c.applyAsync(r)
	}
	if err != nil {
		return err
	}
	for _, fn := range c.watchers {
		fn(r.Key)
	}
	return nil
}

// keys names every record in the view.
func (c *Catalog) keys() []string {
	var all []string
	for name := range c.services.keys() {
		all = append(all, ServiceKey(name))
	}
	for name := range c.functions.keys() {
		all = append(all, FunctionKey(name.service, name.function))
	}
	for key := range c.async.keys() {
		all = append(all, key)
	}
	return append(all, c.triggers.keys()...)
}

// Wait returns once the view holds the revision and its watchers have been told, or when ctx ends.
func (c *Catalog) Wait(ctx context.Context, rev store.Rev) error {
	for {
		more, reached := c.progress.after(rev)
		if reached {
			return nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// progress is how far the view has got.
type progress struct {
	mu   sync.Mutex
	rev  store.Rev
	more chan struct{} // closed by the next step
}

func newProgress() *progress { return &progress{more: make(chan struct{})} }

func (p *progress) reach(rev store.Rev) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rev = max(p.rev, rev)
	close(p.more)
	p.more = make(chan struct{})
}

func (p *progress) after(rev store.Rev) (more <-chan struct{}, reached bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.more, p.rev >= rev
}
