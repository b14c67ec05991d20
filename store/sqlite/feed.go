package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"sync"

	"fcd/store"
)

// Bounds of the changes kept in memory; a feed further behind reads the table.
const (
	logRecords = 8192
	logBytes   = 16 << 20
)

// changeLog holds the latest record writes, so that feeds that keep up read no table.
type changeLog struct {
	mu      sync.Mutex
	records []store.Record // contiguous revisions up to last
	bytes   int
	last    store.Rev     // of the last commit
	floor   store.Rev     // deletions up to here may have been forgotten
	more    chan struct{} // closed by the next change, or by close
	closed  bool
}

func newChangeLog(last, floor store.Rev) *changeLog {
	return &changeLog{last: last, floor: floor, more: make(chan struct{})}
}

func (l *changeLog) add(changes []store.Record) {
	if len(changes) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = append(l.records, changes...)
	l.last = changes[len(changes)-1].Rev
	for _, r := range changes {
		l.bytes += len(r.Key) + len(r.Value)
	}
	cut := 0
	for ; len(l.records)-cut > logRecords || l.bytes > logBytes && cut < len(l.records); cut++ {
		l.bytes -= len(l.records[cut].Key) + len(l.records[cut].Value)
		l.records[cut] = store.Record{}
	}
	l.records = l.records[cut:]
	if !l.closed {
		close(l.more)
		l.more = make(chan struct{})
	}
}

// after returns what follows since, or a channel to wait on if there is nothing; behind means that memory does not
// reach back so far.
func (l *changeLog) after(since store.Rev) (page []store.Record, behind bool, more <-chan struct{}, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case since >= l.last && l.closed:
		return nil, false, nil, store.ErrClosed
	case since >= l.last:
		return nil, false, l.more, nil
	case len(l.records) == 0 || l.records[0].Rev > since+1:
		return nil, true, nil, nil
	}
	start := int(since + 1 - l.records[0].Rev)
	end := min(start+maxPage, len(l.records))
	return append([]store.Record(nil), l.records[start:end]...), false, nil, nil
}

func (l *changeLog) resyncFloor() store.Rev {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.floor
}

func (l *changeLog) forget(floor store.Rev) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.floor = max(l.floor, floor)
}

func (l *changeLog) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.closed = true
		close(l.more)
	}
}

// feed follows the changes for one reader.
type feed struct {
	s     *Store
	last  store.Rev
	floor store.Rev // as it was at the start: what was forgotten before is not missing
	once  sync.Once
	ended chan struct{}
	stop  func() bool // lets go of the context given to Changes
}

// Changes delivers every record write after since, as store.Store says.
func (s *Store) Changes(ctx context.Context, since store.Rev) (store.Feed, error) {
	if err := s.usable(); err != nil {
		return nil, err
	}
	floor := s.feed.resyncFloor()
	if since != 0 && since < floor {
		return nil, fmt.Errorf("changes since revision %d, kept from %d: %w", since, floor, store.ErrResync)
	}
	f := &feed{s: s, last: since, floor: floor, ended: make(chan struct{})}
	f.stop = context.AfterFunc(ctx, f.end)
	return f, nil
}

// Next waits for changes. It is not for concurrent use.
func (f *feed) Next(ctx context.Context) ([]store.Record, error) {
	for {
		page, behind, more, err := f.s.feed.after(f.last)
		if err == nil && behind {
			page, err = f.catchUp(ctx)
		}
		if err != nil {
			return nil, err
		}
		if len(page) > 0 {
			f.last = page[len(page)-1].Rev
			return page, nil
		}
		if more == nil {
			continue
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-f.ended:
			return nil, store.ErrClosed
		case <-f.s.failed:
			return nil, f.s.cause
		}
	}
}

// catchUp reads a page of the table.
func (f *feed) catchUp(ctx context.Context) ([]store.Record, error) {
	page, err := collect(ctx, f.s, func(rows *sql.Rows) (store.Record, error) {
		var r store.Record
		var gone bool
		if err := rows.Scan(&r.Key, &r.Rev, &r.Value, &gone); err != nil || gone {
			return r, err
		}
		return present(r), nil
	}, sqlRecSince, int64(f.last), maxPage)
	if err != nil {
		return nil, err
	}
	if floor := f.s.feed.resyncFloor(); f.last < floor && f.floor < floor {
		return nil, fmt.Errorf("changes since revision %d, kept from %d: %w", f.last, floor, store.ErrResync)
	}
	return page, nil
}

// Close ends the feed; a waiting Next returns store.ErrClosed.
func (f *feed) Close() error {
	f.stop()
	f.end()
	return nil
}

func (f *feed) end() { f.once.Do(func() { close(f.ended) }) }
