package api

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.uber.org/zap"

	"fcd/fc"
	"fcd/store"
)

const (
	// maxTries bounds how often a write is built anew after losing a race.
	maxTries = 16
	// viewPatience bounds how long an answer waits for the view to hold what was written.
	viewPatience = 5 * time.Second
)

// commit applies the Batch that build makes. When another writer came between build's reads and the commit, build runs
// again on the new state. On return the catalog holds the write, so that the caller's next request sees it.
func (a *API) commit(c *call, build func(context.Context) (store.Batch, error)) (store.Applied, error) {
	ctx := c.Context()
	for range maxTries {
		batch, err := build(ctx)
		if err != nil {
			return store.Applied{}, err
		}
		done, err := a.o.Store.Apply(ctx, batch)
		if errors.Is(err, store.ErrConflict) {
			continue
		}
		if err != nil {
			return store.Applied{}, storeError("Apply", err)
		}
		a.awaitView(ctx, done.Rev)
		return done, nil
	}
	return store.Applied{}, fc.Errorf(fc.ConcurrentUpdateError, "the resource is being changed by others. Please retry.")
}

// awaitView waits for the catalog. What was written stands, so a view that lags is only logged.
func (a *API) awaitView(ctx context.Context, rev store.Rev) {
	ctx, cancel := context.WithTimeout(ctx, viewPatience)
	defer cancel()
	if err := a.o.Catalog.Wait(ctx, rev); err != nil {
		a.log.Warn("the view of the records lags behind", zap.Int64("rev", int64(rev)), zap.Error(err))
	}
}

// match compares If-Match with the record that was read. An absent or empty header matches anything.
func match(c *call, key string, rev store.Rev) error {
	want := strings.Trim(c.Header.Get("If-Match"), `"`)
	if want == "" || want == fc.ETag(key, int64(rev)) {
		return nil
	}
	return fc.Errorf(fc.PreconditionFailed, "the resource being modified has been changed")
}

// now is the time that records carry: UTC, in the resolution of the wire.
func (a *API) now() time.Time { return a.o.Now().UTC().Truncate(time.Millisecond) }
