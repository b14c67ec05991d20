package disk

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.uber.org/zap"

	"fcd/fc"
)

// ackDelay is how long the row of a delivered event may wait for another write to leave with.
const ackDelay = 100 * time.Millisecond

// outbox holds the events between their commit and their delivery. Each bucket with events has one goroutine that
// reads them in order; it ends when there are none.
type outbox struct {
	ix      *index
	deliver func(context.Context, fc.ObjectEvent) error
	log     *zap.Logger
	depth   atomic.Int64 // rows
	work    sync.WaitGroup

	mu    sync.Mutex
	ctx   context.Context  // of the goroutines; nil before start
	lanes map[string]*lane // by bucket; guarded by mu
	acked []int64          // delivered, row still there; guarded by mu
}

// lane is one bucket's way out.
type lane struct {
	last    uint64 // the last sequence delivered; owned by the lane's goroutine
	running bool   // guarded by outbox.mu
	more    bool   // rows were added since the goroutine last looked; guarded by outbox.mu
}

func newOutbox(ix *index, deliver func(context.Context, fc.ObjectEvent) error, log *zap.Logger) *outbox {
	return &outbox{ix: ix, deliver: deliver, log: log, lanes: map[string]*lane{}}
}

// load counts the events an earlier life left.
func (o *outbox) load(ctx context.Context) error {
	var n int64
	if err := o.ix.readers.QueryRowContext(ctx, "SELECT count(*) FROM outbox").Scan(&n); err != nil {
		return fmt.Errorf("read outbox: %w", err)
	}
	o.depth.Store(n)
	return nil
}

// start begins to deliver until ctx ends.
func (o *outbox) start(ctx context.Context) {
	if o.deliver == nil {
		return
	}
	o.mu.Lock()
	o.ctx = ctx
	o.mu.Unlock()
	if o.depth.Load() == 0 {
		return
	}
	o.work.Go(func() {
		buckets, err := o.ix.outboxBuckets(ctx)
		if err != nil && ctx.Err() == nil {
			o.log.Error("read outbox", zap.Error(err))
		}
		o.wake(buckets)
	})
}

// wait returns when all goroutines have ended; the context given to start has.
func (o *outbox) wait() {
	o.mu.Lock()   // a wake that did not see the end of the context has counted its goroutine
	o.mu.Unlock() //nolint:staticcheck // the empty section is the point
	o.work.Wait()
}

// add records an event in the operation's transaction. Its Sequence is given by the index.
func (t *txn) add(e fc.ObjectEvent) error {
	if t.ix.outbox.deliver == nil || e.Name == "" {
		return nil
	}
	body, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	t.buckets = append(t.buckets, e.Bucket)
	return t.exec("INSERT INTO outbox (bucket, event) VALUES (?, ?)", e.Bucket, string(body))
}

// addAll records the events of one request, up to together of them in one.
func (t *txn) addAll(events []fc.ObjectEvent, together int) error {
	for len(events) > 0 {
		n := min(together, len(events))
		e := events[0]
		e.Also = events[1:n:n]
		if err := t.add(e); err != nil {
			return err
		}
		events = events[n:]
	}
	return nil
}

// committed is told by the writer of a commit: the buckets of new events and the number of rows deleted.
func (o *outbox) committed(buckets []string, deleted int) {
	o.depth.Add(int64(len(buckets) - deleted))
	if len(buckets) > 0 {
		o.wake(buckets)
	}
}

func (o *outbox) wake(buckets []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ctx == nil || o.ctx.Err() != nil {
		return
	}
	for _, b := range buckets {
		l := o.lanes[b]
		if l == nil {
			l = &lane{}
			o.lanes[b] = l
		}
		l.more = true
		if !l.running {
			l.running = true
			ctx := o.ctx
			o.work.Go(func() { o.run(ctx, b, l) })
		}
	}
}

// run delivers a bucket's events until there are none or ctx ends.
func (o *outbox) run(ctx context.Context, bucket string, l *lane) {
	for o.again(ctx, l) {
		events, err := o.ix.outboxEvents(ctx, bucket, l.last)
		if err != nil {
			o.log.Error("read outbox", zap.String("bucket", bucket), zap.Error(err))
			o.rerun(l)
			pause(ctx, time.Second)
			continue
		}
		for _, e := range events {
			if !o.hand(ctx, e) {
				break
			}
			l.last = e.Sequence
			o.ack(e.Sequence)
		}
		if len(events) > 0 {
			o.rerun(l) // the page may not have been the last
		}
	}
}

func (o *outbox) rerun(l *lane) {
	o.mu.Lock()
	defer o.mu.Unlock()
	l.more = true
}

// again says whether the lane has something to read; if not, its goroutine is over and the next wake starts another.
func (o *outbox) again(ctx context.Context, l *lane) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	l.running = l.more && ctx.Err() == nil
	l.more = false
	return l.running
}

// hand delivers one event, again and again until it is taken over. It is false if ctx ended before that.
func (o *outbox) hand(ctx context.Context, e fc.ObjectEvent) bool {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = 50*time.Millisecond, 10*time.Second
	for {
		err := o.deliver(ctx, e)
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		o.log.Warn("object event was not taken over; it is kept and offered again", zap.String("bucket", e.Bucket),
			zap.Uint64("sequence", e.Sequence), zap.String("event", e.Name), zap.Error(err))
		if !pause(ctx, wait.NextBackOff()) {
			return false
		}
	}
}

// pause waits for d; it is false if ctx ended before.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// ack lets the row leave with the next commit, at the latest after ackDelay.
func (o *outbox) ack(seq uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.acked = append(o.acked, int64(seq))
	if len(o.acked) == 1 {
		time.AfterFunc(ackDelay, func() {
			select {
			case o.ix.flush <- struct{}{}:
			default:
			}
		})
	}
}

func (o *outbox) takeAcked() []int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	acked := o.acked
	o.acked = nil
	return acked
}

// putBack returns rows whose deletion was rolled back.
func (o *outbox) putBack(acked []int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.acked = append(acked, o.acked...)
}
