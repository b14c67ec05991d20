package logsink

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"fcd/fc"
	"fcd/logsink/spool"
)

// Options of a Shipper. Spool and Sink are required.
type Options struct {
	Spool *spool.Spool
	Sink  Sink
	// Topic names the topic of a record; default its service.
	Topic func(fc.LogRecord) string
	// Block makes Append wait when the spool is full, so that the printer's pipe is no longer read. Default: the line is
	// dropped and counted.
	Block         bool
	MaxBatchLines int           // 1-4096, default 4096
	MaxBatchBytes int64         // of messages and names as spooled; default 1 MiB
	Linger        time.Duration // how long a batch that is not full waits for more, after a pause; default 200 ms
	Pace          time.Duration // how soon such batches follow each other; default five times Linger
	Senders       int           // batches under way at a time; default 4
	Retry         time.Duration // the longest first pause after a passing failure; default 100 ms, doubling to 30 s
	SlowRetry     time.Duration // the shortest pause while somebody must act first; default 5 s, at most twelve times that

	Log        *zap.Logger           // nil logs nothing
	Registerer prometheus.Registerer // nil registers nothing
}

func (o *Options) defaults() {
	if o.Topic == nil {
		o.Topic = func(r fc.LogRecord) string { return r.Service }
	}
	if o.MaxBatchLines <= 0 || o.MaxBatchLines > 4096 {
		o.MaxBatchLines = 4096
	}
	if o.MaxBatchBytes <= 0 {
		o.MaxBatchBytes = 1 << 20
	}
	if o.Linger <= 0 {
		o.Linger = 200 * time.Millisecond
	}
	if o.Pace <= 0 {
		o.Pace = 5 * o.Linger
	}
	if o.Retry <= 0 {
		o.Retry = 100 * time.Millisecond
	}
	if o.SlowRetry <= 0 {
		o.SlowRetry = 5 * time.Second
	}
	if o.Senders <= 0 {
		o.Senders = 4
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
}

// Shipper takes records, spools them and sends them. Its methods may be called from several goroutines.
// The Spool is its owner's to close, after Run has returned.
type Shipper struct {
	opts    Options
	log     *zap.Logger
	metrics *metrics
	slots   chan struct{} // one value per batch that may be under way; waiting lanes are served in turn
	drain   chan struct{} // closed by the first Flush: batches wait for nothing more

	mu       sync.Mutex // guards the fields below
	lanes    map[laneKey]*lane
	added    chan struct{} // closed and replaced when a lane is added
	draining bool
}

type laneKey struct{ project, logstore string }

// NewShipper makes a Shipper of what the spool holds. Nothing is sent before Run.
func NewShipper(opts Options) (*Shipper, error) {
	opts.defaults()
	if opts.Spool == nil || opts.Sink == nil {
		return nil, errors.New("log shipper: it needs a spool and a sink")
	}
	s := &Shipper{
		opts:  opts,
		log:   opts.Log,
		slots: make(chan struct{}, opts.Senders),
		drain: make(chan struct{}),
		lanes: map[laneKey]*lane{},
		added: make(chan struct{}),
	}
	s.metrics = newMetrics(opts.Registerer, opts.Spool)
	for _, q := range opts.Spool.Queues() {
		s.lanes[laneKey{q.Project, q.Logstore}] = newLane(s, q)
	}
	return s, nil
}

// Append hands records over, in order; those of one logstore that stand together are written together. A record without
// Project or Logstore is not kept. A message above 900 KiB becomes several records. Append returns after write(2), or at
// once while another goroutine writes to the same queue, unless the queue's buffer of 1 MiB is full or Options.Block is
// set and the spool is full. It keeps neither rs nor what it points to.
func (s *Shipper) Append(rs ...fc.LogRecord) {
	for len(rs) > 0 {
		n := 1
		for n < len(rs) && rs[n].Project == rs[0].Project && rs[n].Logstore == rs[0].Logstore {
			n++
		}
		if rs[0].Project != "" && rs[0].Logstore != "" {
			s.appendTo(rs[0].Project, rs[0].Logstore, rs[:n])
		}
		rs = rs[n:]
	}
}

func (s *Shipper) appendTo(project, logstore string, rs []fc.LogRecord) {
	l, err := s.lane(project, logstore)
	if err != nil {
		s.drop(err, rs...)
		return
	}
	e := encoders.Get().(*encoder)
	defer e.release()
	for _, r := range rs {
		if err := check(r); err != nil {
			s.drop(err, r)
			continue
		}
		for len(r.Message) > maxMessageBytes {
			part := r
			part.Message, r.Message = cut(r.Message)
			e.add(part)
		}
		e.add(r)
	}
	l.append(e)
}

func (s *Shipper) drop(err error, rs ...fc.LogRecord) {
	s.metrics.lines.WithLabelValues("dropped").Add(float64(len(rs)))
	for _, r := range rs {
		s.log.Error("log line dropped", zap.String("project", r.Project), zap.String("logstore", r.Logstore),
			zap.String("requestId", r.RequestID), zap.Error(err))
	}
}

// Deliver spools one record and returns when it is on the disk. Unlike Append it says so when it cannot: spool.ErrFull,
// ErrClosed or the disk's error; the record is not kept then. A message of at most 900 KiB.
func (s *Shipper) Deliver(ctx context.Context, r fc.LogRecord) error {
	l, err := s.lane(r.Project, r.Logstore)
	if err == nil {
		err = check(r)
	}
	if err == nil {
		err = l.q.Append(false, encode(nil, r))
	}
	if err != nil {
		return fmt.Errorf("log record for %s/%s: %w", r.Project, r.Logstore, err)
	}
	s.metrics.lines.WithLabelValues("appended").Inc()
	return s.Sync(ctx)
}

// lane finds or makes the lane of a logstore.
func (s *Shipper) lane(project, logstore string) (*lane, error) {
	key := laneKey{project, logstore}
	s.mu.Lock()
	l := s.lanes[key]
	s.mu.Unlock()
	if l != nil {
		return l, nil
	}
	q, err := s.opts.Spool.Queue(project, logstore)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.lanes[key]; l != nil {
		return l, nil
	}
	l = newLane(s, q)
	s.lanes[key] = l
	close(s.added)
	s.added = make(chan struct{})
	return l, nil
}

// Run sends until ctx ends; then it returns nil when no batch is under way any more. It is called once.
func (s *Shipper) Run(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	started := map[*lane]bool{}
	for {
		s.mu.Lock()
		added := s.added
		for _, l := range s.lanes {
			if !started[l] {
				started[l] = true
				running.Go(func() { l.run(ctx) })
			}
		}
		s.mu.Unlock()
		select {
		case <-added:
		case <-ctx.Done():
			return nil
		}
	}
}

// Sync returns when every line appended before the call is on the disk, or with ctx's or the disk's error.
// Calls at the same time share one flush.
func (s *Shipper) Sync(ctx context.Context) error { return s.opts.Spool.Sync(ctx) }

// Flush sends what is there without waiting for fuller batches, and returns when nothing is left or ctx ends; then the
// error says how many lines stay in the spool. It is for the stop: later lines are sent at once as well.
func (s *Shipper) Flush(ctx context.Context) error {
	s.mu.Lock()
	if !s.draining {
		s.draining = true
		close(s.drain)
	}
	lanes := make([]*lane, 0, len(s.lanes))
	for _, l := range s.lanes {
		lanes = append(lanes, l)
	}
	s.mu.Unlock()
	for _, l := range lanes {
		if err := l.waitEmpty(ctx); err != nil {
			return fmt.Errorf("%d log lines stay in the spool: %w", s.pending(), err)
		}
	}
	return nil
}

func (s *Shipper) pending() (lines uint64) {
	for _, q := range s.opts.Spool.Queues() {
		lines += q.State().Records
	}
	return lines
}
