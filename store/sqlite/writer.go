package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"runtime"
	"time"

	"fcd/store"
)

// Bounds of a group and of a single Batch.
const (
	maxOps   = 1000
	maxBytes = 8 << 20
	maxKey   = 512
	maxValue = 1 << 20
)

// job is what a caller waits for: a Batch, the taking of a lease, or upkeep that has the connection to itself.
type job struct {
	ctx   context.Context
	batch store.Batch
	lease *leaseRequest
	alone func(*writer) (int64, error) // outside any transaction; nil for the others
	ops   int
	size  int

	result   result        // decided by a group, the caller's as soon as it is answered
	answered chan struct{} // holds one
}

type result struct {
	applied store.Applied
	lease   store.Lease
	rows    int64 // of upkeep
	err     error
}

// newJob is one that nobody has any more, or a new one.
func (s *Store) newJob(ctx context.Context) *job {
	j, ok := s.free.Get().(*job)
	if !ok {
		j = &job{answered: make(chan struct{}, 1)}
	}
	j.ctx = ctx
	return j
}

// answer ends a job. Who calls it has no further use for the job.
func (j *job) answer(r result) {
	j.result = r
	j.answered <- struct{}{}
}

// submit hands a job of newJob to the writer and waits; the caller has the job no more. After it was handed over, ctx ends
// the waiting only.
func (s *Store) submit(j *job) result {
	if err := s.handOver(j); err != nil {
		return result{err: err}
	}
	if over := j.ctx.Done(); over == nil {
		<-j.answered
	} else {
		select {
		case <-j.answered:
		case <-over: // the writer has it still
			return result{err: fmt.Errorf("%w: %w", store.ErrUnavailable, j.ctx.Err())}
		}
	}
	r := j.result
	*j = job{answered: j.answered}
	s.free.Put(j)
	return r
}

// alone lets do have the writer to itself between two groups, outside any transaction. It tells how many rows do changed.
func (s *Store) alone(ctx context.Context, do func(*writer) (rows int64, err error)) (int64, error) {
	j := s.newJob(ctx)
	j.alone = do
	r := s.submit(j)
	return r.rows, r.err
}

// handOver gives the writer a job, once there is room for it. Every job that was handed over is answered.
func (s *Store) handOver(j *job) error {
	if err := s.usable(); err != nil {
		return err
	}
	if err := j.ctx.Err(); err != nil {
		return err
	}
	select {
	case s.jobs <- j:
	default: // costs more than the case before
		select {
		case s.jobs <- j:
		case <-j.ctx.Done():
			return j.ctx.Err()
		case <-s.done:
			return s.ended()
		}
	}
	select {
	case <-s.done: // perhaps before the job was there
		s.turnAway()
	default:
	}
	return nil
}

// turnAway answers jobs that came when the writer had ended.
func (s *Store) turnAway() {
	for {
		select {
		case j := <-s.jobs:
			j.answer(result{err: s.ended()})
		default:
			return
		}
	}
}

func (s *Store) ended() error {
	if err := s.usable(); err != nil {
		return err
	}
	return store.ErrClosed
}

// Apply does the Batch in one transaction, or nothing of it, and returns when it is flushed to disk.
func (s *Store) Apply(ctx context.Context, b store.Batch) (store.Applied, error) {
	ops, size, err := measure(&b)
	if err != nil {
		return store.Applied{}, err
	}
	j := s.newJob(ctx)
	j.batch, j.ops, j.size = b, ops, size
	r := s.submit(j)
	return r.applied, r.err
}

// counters are the writer's numbers. Those of what stands in the tables live in a row of their own and change with each
// commit; what stands in the burst log is counted when the log is opened.
type counters struct {
	rev                 store.Rev
	id                  int64 // last message id given
	messages, bytes     int64 // of those that wait
	folded, foldedBytes int64 // of these, in the burst log
}

// standing are the counters of the tables alone.
func (n counters) standing() counters {
	return counters{rev: n.rev, id: n.id, messages: n.messages - n.folded, bytes: n.bytes - n.foldedBytes}
}

// parseCounters reads what String of those of the tables wrote.
func parseCounters(text string) (n counters, err error) {
	if _, err := fmt.Sscan(text, &n.rev, &n.id, &n.messages, &n.bytes); err != nil {
		return n, fmt.Errorf("counters %q: %w", text, err)
	}
	return n, nil
}

func (n counters) String() string {
	return fmt.Sprintf("%d %d %d %d", n.rev, n.id, n.messages, n.bytes)
}

// writer owns the one connection that writes. Only its goroutine touches its fields.
type writer struct {
	s        *Store
	c        *conn
	counters counters
	standing counters // as they are in the database
	bodies   int64    // running total of the bytes of events that are kept
	held     *job     // taken from the channel but too big for the group at hand
	came     []*job   // room for those that join the group at hand
	space    diskSpace
	args     []driver.Value
	buf      []byte // a frame that was read
	fold     fold
	highest  string      // no request id in the queue is above it
	quiet    *time.Timer // runs out when no message has come for a while
	busy     bool        // it has not run out

	flushes     *flusher
	checkpoints *checkpointer
}

func (w *writer) run() {
	defer w.s.turnAway()
	defer close(w.s.done)
	go w.flushes.run()
	w.quiet = time.NewTimer(w.s.opt.restAfter)
	defer w.quiet.Stop()
	w.busy = true
	for {
		first := w.held
		w.held = nil
		if first == nil {
			if first = w.next(); first == nil {
				w.drain()
				return
			}
		}
		w.handle(first)
	}
}

// next waits for a job, and unfolds bursts if none comes for a while. It is nil once the store is closed.
func (w *writer) next() *job {
	for {
		select {
		case j := <-w.s.jobs:
			return j
		case <-w.s.closing:
			return nil
		default:
		}
		if w.unfoldAtRest() {
			continue
		}
		select {
		case j := <-w.s.jobs:
			return j
		case <-w.s.closing:
			return nil
		case <-w.quiet.C:
			w.busy = false
		}
	}
}

// drain serves what was handed over before Close, then closes the connection.
func (w *writer) drain() {
	for {
		select {
		case j := <-w.s.jobs:
			w.handle(j)
			for w.held != nil {
				j, w.held = w.held, nil
				w.handle(j)
			}
		default:
			if err := errors.Join(w.flushes.end(), w.c.close()); err != nil {
				w.s.log.Error("close the database", errField(err))
			}
			return
		}
	}
}

func (w *writer) handle(first *job) {
	if first.alone != nil {
		first.answer(w.upkeep(first.alone))
		return
	}
	w.commit([]*job{first}, true)
}

func (w *writer) upkeep(do func(*writer) (int64, error)) result {
	if err := w.s.failure(); err != nil {
		return result{err: err}
	}
	n, err := do(w)
	if broken(err) {
		err = w.s.fail(err)
	}
	w.checkpoints.wrote(w.c, int(n), 0)
	return result{rows: n, err: err}
}

// more takes what waits already, as far as it fits into the group; while there is nothing it waits until the flusher is
// free. It is empty when the group is to be committed.
func (w *writer) more(g *group) (jobs []*job) {
	jobs = w.came[:0]
	defer func() { w.came = jobs }()
	runtime.Gosched() // let callers that were just answered come back
	for w.held == nil {
		var j *job
		select {
		case j = <-w.s.jobs:
		default:
			if g.reserved || len(jobs) > 0 {
				return jobs
			}
			select {
			case j = <-w.s.jobs:
			case <-w.flushes.free:
				g.reserved = true // what waits now is still taken
				continue
			}
		}
		if j.alone != nil || g.ops+j.ops > maxOps || g.size+j.size > maxBytes {
			w.held = j
			break
		}
		g.ops, g.size = g.ops+j.ops, g.size+j.size
		jobs = append(jobs, j)
	}
	return jobs
}

// commit runs the jobs as one group, which takes others that come meanwhile if it may grow. If it fails before the commit,
// which a checked Batch does only when the disk is full or a request id is taken, each job is run alone, so that one cannot
// fail the others.
func (w *writer) commit(jobs []*job, grow bool) {
	if err := w.s.failure(); err != nil {
		refuse(jobs, err)
		return
	}
	g := newGroup(w)
	err := w.transact(g, jobs, grow)
	switch jobs = g.jobs; {
	case err == nil:
		w.committed(g)
		return
	case broken(err) || errors.Is(err, errCommit):
		refuse(jobs, w.s.fail(err))
	case len(jobs) == 1 || busy(err): // somebody else holds the database: each alone would wait as long again
		refuse(jobs, translate(err))
	default:
		w.giveBack(g)
		for _, j := range jobs {
			w.commit([]*job{j}, false)
		}
		return
	}
	w.giveBack(g)
}

// giveBack returns the flusher that a group which failed has reserved.
func (w *writer) giveBack(g *group) {
	if g.reserved {
		w.flushes.free <- struct{}{}
	}
}

func refuse(jobs []*job, err error) {
	for _, j := range jobs {
		j.answer(result{err: err})
	}
}

// errCommit marks errors of COMMIT itself: whether the group is on disk is unknown and cannot be asked again.
var errCommit = errors.New("commit")

// transact checks and writes a group, and commits it when the flusher is free. On error nothing of it has happened.
func (w *writer) transact(g *group, jobs []*job, grow bool) (err error) {
	g.jobs = jobs
	defer func() {
		if err == nil || errors.Is(err, errCommit) {
			return
		}
		g.abandon()
		if !g.begun {
			return
		}
		if _, rerr := w.c.exec("ROLLBACK"); rerr != nil && broken(rerr) {
			err = rerr
		}
	}()
	for _, j := range jobs {
		g.ops, g.size = g.ops+j.ops, g.size+j.size
	}
	for len(jobs) > 0 {
		g.now = w.s.opt.Now()
		for _, j := range jobs {
			if err := g.check(j); err != nil {
				return err
			}
		}
		if err := g.write(); err != nil {
			return err
		}
		if jobs = nil; grow {
			jobs = w.more(g)
			g.jobs = append(g.jobs, jobs...)
		}
	}
	if err := g.finish(); err != nil {
		return err
	}
	if !g.reserved {
		<-w.flushes.free
		g.reserved = true
	}
	return g.commit()
}

// committed lets the next group build on this one, and has it flushed.
func (w *writer) committed(g *group) {
	w.counters, w.bodies = g.counters, g.bodies
	rows, size := g.ops+int(g.moved.n), g.size+int(g.moved.bytes)
	if g.hasBurst() {
		b := w.fold.burst
		w.s.bursts.add(b)
		g.logged = true
		rows, size = rows-int(b.n), size-int(b.bytes)
	}
	if g.begun {
		w.standing = g.counters.standing()
		w.s.leases.publish(g.leases)
	}
	if len(g.messages) > 0 || g.logged {
		w.rest(w.s.opt.restAfter)
	}
	w.flushes.groups <- g
	if g.begun {
		w.checkpoints.wrote(w.c, rows, size)
	}
}

// publish makes a flushed group visible, then answers its callers.
func (g *group) publish() {
	s := g.w.s
	s.met.group(len(g.jobs), time.Since(g.began))
	s.met.queue(g.counters)
	s.claims.flushed(g.counters.id, g.ended)
	s.feed.add(g.changes)
	for _, j := range g.jobs {
		j.answer(j.result)
	}
	if g.wakes {
		s.wakeUp()
	}
}
