package catalog

import (
	"context"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"fcd/fc"
	"fcd/store"
)

// pagesAhead is how many pages may wait between the store and the view while everything is read.
const pagesAhead = 2

// A page is what the feed gave in one go, its functions decoded: those are most of it, and decoding is most of the work.
type page struct {
	records   []store.Record
	functions map[string]*fc.Function // by key
}

// readAhead gives do all records up to a revision, in order. While do has one page, the next are read and decoded.
func (c *Catalog) readAhead(ctx context.Context, target store.Rev, do func(page) error) error {
	group, ctx := errgroup.WithContext(ctx)
	pages := make(chan page, pagesAhead)
	group.Go(func() error {
		defer close(pages)
		for read := store.Rev(0); read < target; {
			records, err := c.feed.Next(ctx)
			if err != nil {
				return err
			}
			select {
			case pages <- page{records, decodeFunctions(records)}:
			case <-ctx.Done():
				return ctx.Err()
			}
			read = records[len(records)-1].Rev
		}
		return nil
	})
	group.Go(func() error {
		for p := range pages {
			if err := do(p); err != nil {
				return err
			}
		}
		return nil
	})
	return group.Wait()
}

// decodeFunctions decodes the functions among records on all processors. Those that cannot be decoded are left out.
func decodeFunctions(records []store.Record) map[string]*fc.Function {
	all := make([]*fc.Function, len(records))
	share := len(records)/runtime.GOMAXPROCS(0) + 1
	var wg sync.WaitGroup
	for from := 0; from < len(records); from += share {
		wg.Go(func() {
			for i := from; i < min(from+share, len(records)); i++ {
				if r := records[i]; r.Value != nil && strings.HasPrefix(r.Key, functionPrefix) {
					if f, err := DecodeFunction(r); err == nil {
						all[i] = f
					}
				}
			}
		})
	}
	wg.Wait()
	functions := make(map[string]*fc.Function, len(records))
	for i, f := range all {
		if f != nil {
			functions[records[i].Key] = f
		}
	}
	return functions
}
