package logsink

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"go.uber.org/zap"

	"fcd/fc"
	"fcd/logsink/spool"
)

// lane sends one queue: a window of lines is read, grouped by topic, and sent group by group; when all groups are taken
// over the cursor passes the window.
type lane struct {
	s *Shipper
	q *spool.Queue

	missing atomic.Uint64 // lines not kept since the last one that was
	began   time.Time     // when the last window was read; run's

	mu       sync.Mutex // guards the fields below
	status   Status
	emptied  chan struct{} // closed and replaced when the queue runs empty
	attempts int           // failed sends in a row
}

// line is a record with its number in the queue.
type line struct {
	seq uint64
	rec fc.LogRecord
	raw []byte
}

// windows is a pool of memory for windows, no state: that of a full one is more than its lines.
var windows windowPool

type windowPool struct{ sync.Pool }

// get gives room for n lines.
func (p *windowPool) get(n int) []line {
	if lines, ok := p.Get().(*[]line); ok && cap(*lines) >= n {
		return (*lines)[:0]
	}
	return make([]line, 0, n)
}

// put takes back what get gave, or nil.
func (p *windowPool) put(lines []line) {
	if lines != nil {
		clear(lines)
		p.Put(&lines)
	}
}

func newLane(s *Shipper, q *spool.Queue) *lane {
	st := Status{Project: q.Project, Logstore: q.Logstore, State: StateOK}
	return &lane{s: s, q: q, status: st, emptied: make(chan struct{})}
}

// append spools records, or counts as dropped those that the spool has no room for. The first record after dropped ones
// comes with a line that tells how many they were.
func (l *lane) append(e *encoder) {
	if len(e.recs) == 0 {
		return
	}
	if l.missing.Load() == 0 && l.q.Append(l.s.opts.Block, e.recs...) == nil {
		l.s.metrics.appended.Add(float64(len(e.recs)))
		return
	}
	for _, rec := range e.recs {
		l.appendOne(rec, e.at, e.from)
	}
}

// appendOne spools one record of a time and service while others may be missing.
func (l *lane) appendOne(rec []byte, at time.Time, service string) {
	missing := l.missing.Swap(0)
	recs := make([][]byte, 0, 2)
	if missing > 0 {
		note := fc.LogRecord{Time: at, Service: service, Message: fmt.Sprintf("%d log lines dropped", missing)}
		recs = append(recs, encode(nil, note))
	}
	err := l.q.Append(l.s.opts.Block, append(recs, rec)...)
	if err == nil {
		l.s.metrics.appended.Inc()
		return
	}
	l.s.metrics.lines.WithLabelValues("dropped").Inc()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.missing.Add(missing+1) == 1 {
		l.s.log.Warn("log lines are dropped", l.fields(zap.Error(err))...)
	}
	l.status.Dropped++
}

func (l *lane) run(ctx context.Context) {
	for ctx.Err() == nil {
		lines, end, err := l.next(ctx)
		if err != nil {
			l.failed(err)
			l.pause(ctx, l.backoff(Temporary))
			continue
		}
		if len(lines) > 0 && l.ship(ctx, lines) != nil {
			return // ctx ended; the window stays
		}
		windows.put(lines)
		if err := l.q.Commit(end); err != nil {
			l.failed(fmt.Errorf("log spool cursor: %w", err))
			l.pause(ctx, l.backoff(Temporary))
			continue
		}
		l.checkEmpty()
	}
}

// next reads the window to send, waiting until there is one. After a restart it is the one that was under way.
func (l *lane) next(ctx context.Context) ([]line, uint64, error) {
	from := l.q.Cursor()
	if end, ok := l.q.Window(); ok {
		return l.read(from, int(end-from), 1<<62)
	}
	if !l.awaitFull(ctx) {
		return nil, from, nil
	}
	l.began = time.Now()
	lines, end, err := l.read(from, l.s.opts.MaxBatchLines, l.s.opts.MaxBatchBytes)
	if err != nil || len(lines) == 0 {
		return lines, end, err
	}
	// Lines that somebody has under their numbers may not be lost to a power cut: others would get the numbers, and their
	// batch would be taken for one that is there.
	if err = l.s.Sync(ctx); ctx.Err() != nil {
		return nil, from, nil
	}
	if err == nil {
		err = l.q.SetWindow(end)
	}
	return lines, end, err
}

// awaitFull returns true when a full batch is there, when the linger after the first line is over, or when draining.
func (l *lane) awaitFull(ctx context.Context) bool {
	var linger <-chan time.Time
	records, bytes := uint64(l.s.opts.MaxBatchLines), l.s.opts.MaxBatchBytes
	for {
		st := l.q.Await(records, bytes)
		if st.Records >= records || st.Bytes >= bytes {
			return true
		}
		drain := l.s.drain
		switch {
		case st.Records == 0:
			if st = l.q.Await(1, bytes); st.Records > 0 {
				continue
			}
			drain = nil
			l.checkEmpty()
		case linger == nil:
			t := time.NewTimer(max(l.s.opts.Linger, l.s.opts.Pace-time.Since(l.began)))
			defer t.Stop()
			linger = t.C
		}
		select {
		case <-l.q.Appended():
		case <-linger:
			return true
		case <-drain:
			return true
		case <-ctx.Done():
			return false
		}
	}
}

func (l *lane) read(from uint64, maxLines int, maxBytes int64) ([]line, uint64, error) {
	raws, start, end, err := l.q.Read(from, maxLines, maxBytes)
	if err != nil {
		return nil, from, err
	}
	lines := windows.get(len(raws))
	var like likeness
	for i, raw := range raws {
		rec, err := decode(raw, &like)
		if err != nil {
			l.reject(line{seq: start + uint64(i), raw: raw}, err)
			continue
		}
		rec.Project, rec.Logstore = l.q.Project, l.q.Logstore
		lines = append(lines, line{seq: start + uint64(i), rec: rec, raw: raw})
	}
	return lines, end, nil
}

// ship sends a window and returns nil when every line of it is taken over or put aside; else ctx has ended.
func (l *lane) ship(ctx context.Context, lines []line) error {
	todo := l.byTopic(lines)
	for len(todo) > 0 {
		batch := todo[0]
		err := l.send(ctx, batch)
		switch {
		case err == nil:
			l.succeeded(len(batch))
			todo = todo[1:]
		case ctx.Err() != nil:
			return ctx.Err()
		case ClassOf(err) == Content && len(batch) == 1:
			l.reject(batch[0], err)
			todo = todo[1:]
		case ClassOf(err) == Content:
			l.s.metrics.batches.WithLabelValues("halved").Inc()
			half := len(batch) / 2
			todo = append([][]line{batch[:half], batch[half:]}, todo[1:]...)
		default:
			l.failed(err)
			l.pause(ctx, l.backoff(ClassOf(err)))
		}
	}
	return nil
}

// byTopic groups a window by topic, in the order of each topic's first line.
func (l *lane) byTopic(lines []line) [][]line {
	first := l.s.opts.Topic(lines[0].rec)
	if !slices.ContainsFunc(lines, func(ln line) bool { return l.s.opts.Topic(ln.rec) != first }) {
		return [][]line{lines} // a logstore of one service
	}
	var groups [][]line
	index := map[string]int{}
	for _, ln := range lines {
		topic := l.s.opts.Topic(ln.rec)
		i, ok := index[topic]
		if !ok {
			i = len(groups)
			index[topic] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], ln)
	}
	return groups
}

// send makes one attempt when it is this lane's turn.
func (l *lane) send(ctx context.Context, lines []line) error {
	select {
	case l.s.slots <- struct{}{}:
		defer func() { <-l.s.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	b := Batch{
		Project:  l.q.Project,
		Logstore: l.q.Logstore,
		Topic:    l.s.opts.Topic(lines[0].rec),
		PackID:   packID(l.s.opts.Spool.ID(), lines),
		Records:  make([]fc.LogRecord, len(lines)),
	}
	for i, ln := range lines {
		b.Records[i] = ln.rec
	}
	begin := time.Now()
	err := l.s.opts.Sink.Send(ctx, b)
	l.s.metrics.seconds.Observe(time.Since(begin).Seconds())
	return err
}

// packID names a run of lines of one topic: the number of the first and how many there are tell which ones they are.
func packID(spoolID string, lines []line) string {
	return fmt.Sprintf("%s-%016x%04x", spoolID, lines[0].seq, len(lines))
}

// backoff is how long to wait after the next failure of a class: full jitter below a doubling bound.
func (l *lane) backoff(c Class) time.Duration {
	l.mu.Lock()
	n := min(l.attempts, 16)
	l.attempts++
	l.mu.Unlock()
	if c == Slow {
		slow := l.s.opts.SlowRetry
		return slow + rand.N(min(slow<<n, 11*slow))
	}
	return rand.N(min(l.s.opts.Retry<<n, 30*time.Second)) + time.Millisecond
}

func (l *lane) pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// rejected is a line of the rejected folder.
type rejected struct {
	Time     time.Time    `json:"time"`
	Project  string       `json:"project"`
	Logstore string       `json:"logstore"`
	Reason   string       `json:"reason"`
	Record   fc.LogRecord `json:"record"`
	Raw      []byte       `json:"raw,omitempty"` // base64 of the record as spooled; only when JSON cannot hold it
}

// reject puts a line aside that will never be taken.
func (l *lane) reject(ln line, reason error) {
	out := rejected{Time: time.Now().UTC(), Project: l.q.Project, Logstore: l.q.Logstore, Reason: reason.Error(), Record: ln.rec}
	if ln.rec.Project == "" || !utf8.ValidString(ln.rec.Message) {
		out.Raw = ln.raw
	}
	b, err := json.Marshal(out)
	if err == nil {
		err = l.s.opts.Spool.Reject(b)
	}
	l.s.metrics.lines.WithLabelValues("rejected").Inc()
	l.mu.Lock()
	l.status.Rejected++
	l.mu.Unlock()
	l.s.log.Warn("log line rejected", l.fields(zap.String("requestId", ln.rec.RequestID),
		zap.NamedError("reason", reason), zap.NamedError("err", err))...)
}
