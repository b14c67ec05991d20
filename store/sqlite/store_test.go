package sqlite_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"fcd/store/sqlite"
	"fcd/store/storetest"
)

// clock is real time plus what a test added.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) advance(d time.Duration) { c.ahead.Add(int64(d)) }

func TestStore(t *testing.T) {
	conform(t, func(o sqlite.Options) sqlite.Options { return o })
}

// TestStoreThatFolds: the same with every message in a burst that may be in one.
func TestStoreThatFolds(t *testing.T) { conform(t, sqlite.Folding) }

func conform(t *testing.T, with func(sqlite.Options) sqlite.Options) {
	var c clock
	storetest.Run(t, storetest.Driver{
		Open: func(tb testing.TB, dir string, maxMessages int64) storetest.Opened {
			return open(tb, with(sqlite.Options{Dir: dir, Now: c.now, MaxMessages: maxMessages}))
		},
		Advance: c.advance,
	})
}

func open(tb testing.TB, opt sqlite.Options) *sqlite.Store {
	tb.Helper()
	s, err := sqlite.Open(context.Background(), opt)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}
