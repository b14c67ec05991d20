package sqlite

import (
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"
	"time"

	"fcd/store"
)

// group is one transaction in the making, or one frame of the burst log, or both. Batches are checked in order of arrival
// against the database overlaid with what the ones before them decided; a Batch that fails takes its own decisions back and
// leaves the others'.
type group struct {
	w        *writer
	now      time.Time // of the checks at hand
	began    time.Time // by the machine's clock
	counters counters  // as they will be after the commit
	bodies   int64     // running total of the bytes of events that are kept, likewise
	jobs     []*job    // in order of arrival; their results, refusals included, are told after the flush
	ops      int       // of the jobs
	size     int       // of the jobs, in bytes
	reserved bool      // the flusher waits for it
	begun    bool      // it has a transaction: not all of it goes into the burst log
	logged   bool      // it has a frame there
	written  mark      // how much of the lists stands in the transaction

	recs   map[string]store.Rev // revision of a key now; 0 = no record
	tokens map[string]int64     // of checkpoints
	dedups map[string]bool      // seen and not expired
	names  map[string]bool      // invocation ids taken in this group, as "fn id"
	dead   map[string]bool      // dead letters that this group takes away, by request id
	leases map[string]leaseRow  // taken in this group

	changes     []store.Record // in Rev order
	checkpoints []checkpointRow
	messages    []store.Msg
	done        []store.Outcome
	retries     []store.Retry
	endings     []store.Ended // over before they were queued
	redrives    []redriveRow
	purged      []string
	fates       []store.Fate
	ended       []int64 // messages whose claim ends with the commit
	folding     bool    // jobs that may go into the burst log do
	unfolded    []int64 // bursts whose messages stand in the queue with the commit
	moved       moved   // what they had
	wakes       bool

	undo []func() // takes back the current Batch's changes to the maps
}

type redriveRow struct {
	store.Redrive
	id int64
}

type checkpointRow struct {
	store.Checkpoint
	token int64
}

// mark is how far the lists had grown before a Batch.
type mark struct {
	counters                                                                               counters
	changes, checkpoints, messages, done, retries, redrives, purged, endings, fates, ended int
}

func newGroup(w *writer) *group {
	return &group{
		w: w, folding: w.fold.begin(w), now: w.s.opt.Now(), began: time.Now(), counters: w.counters, bodies: w.bodies,
		recs: map[string]store.Rev{}, tokens: map[string]int64{}, dedups: map[string]bool{},
		names: map[string]bool{}, dead: map[string]bool{}, leases: map[string]leaseRow{},
	}
}

// check decides a job. An error means that the database could not be read.
func (g *group) check(j *job) error {
	if err := j.ctx.Err(); err != nil {
		j.result = result{err: err}
		return nil
	}
	if folded, err := g.folds(j); folded || err != nil {
		return err
	}
	if err := g.begin(); err != nil {
		return err
	}
	m := g.mark()
	res, refusal, err := g.decide(j)
	if err != nil {
		return err
	}
	if refusal != nil {
		g.takeBack(m)
		j.result = result{err: refusal}
		return nil
	}
	g.undo = g.undo[:0]
	j.result = res
	return nil
}

func (g *group) decide(j *job) (res result, refusal, err error) {
	if j.lease != nil {
		res.lease, refusal = g.acquire(j.lease)
		return res, refusal, nil
	}
	b := &j.batch
	if refusal = g.fence(b.Fence); refusal != nil {
		return res, refusal, nil
	}
	// What leaves the queue comes before what enters it: an end and the message that tells of it need no further room.
	for _, step := range []func(*store.Batch, *store.Applied) (refusal, err error){
		g.guards, g.puts, g.cursors, g.outcomes, g.enqueues, g.letters, g.overs,
	} {
		if refusal, err = step(b, &res.applied); refusal != nil || err != nil {
			return res, refusal, err
		}
	}
	for _, f := range b.Fates {
		if f.At.IsZero() {
			f.At = g.now
		}
		if f.State == store.FateQueued && isDuplicate(b, res.applied.Duplicates, f.RequestID) {
			f.State, f.RequestID = store.FateDuplicate, ""
		}
		g.fates = append(g.fates, f)
	}
	return res, nil, nil
}

// isDuplicate tells whether the message of that request id was left out.
func isDuplicate(b *store.Batch, duplicates []int, requestID string) bool {
	return slices.ContainsFunc(duplicates, func(i int) bool { return b.Enqueue[i].RequestID == requestID })
}

func (g *group) mark() mark {
	return mark{g.counters, len(g.changes), len(g.checkpoints), len(g.messages), len(g.done), len(g.retries),
		len(g.redrives), len(g.purged), len(g.endings), len(g.fates), len(g.ended)}
}

func (g *group) takeBack(m mark) {
	for i := len(g.undo) - 1; i >= 0; i-- {
		g.undo[i]()
	}
	g.undo = g.undo[:0]
	g.w.s.claims.release(g.ended[m.ended:])
	g.counters = m.counters
	g.changes, g.checkpoints, g.messages = g.changes[:m.changes], g.checkpoints[:m.checkpoints], g.messages[:m.messages]
	g.done, g.retries = g.done[:m.done], g.retries[:m.retries]
	g.redrives, g.purged = g.redrives[:m.redrives], g.purged[:m.purged]
	g.endings, g.fates, g.ended = g.endings[:m.endings], g.fates[:m.fates], g.ended[:m.ended]
}

// abandon takes back what outlives the group: the claims it is about to end, and the request ids of its burst.
func (g *group) abandon() {
	g.w.s.claims.release(g.ended)
	g.dropFold()
}

// set changes the overlay so that takeBack can restore it.
func set[V any](g *group, m map[string]V, key string, v V) {
	old, had := m[key]
	g.undo = append(g.undo, func() {
		if had {
			m[key] = old
		} else {
			delete(m, key)
		}
	})
	m[key] = v
}

// rev is the revision of a key as the group sees it, 0 if there is no record.
func (g *group) rev(key string) (store.Rev, error) {
	if r, ok := g.recs[key]; ok {
		return r, nil
	}
	n, _, err := g.w.c.number(sqlRecRev, key)
	if err != nil {
		return 0, err
	}
	g.recs[key] = store.Rev(n)
	return store.Rev(n), nil
}

func mismatch(key string, is, want store.Rev) error {
	ok := want == store.IfAny || want == is || want == store.IfExists && is != 0
	switch {
	case ok:
		return nil
	case is == 0:
		return fmt.Errorf("record %q does not exist: %w", key, store.ErrConflict)
	case want == store.IfAbsent:
		return fmt.Errorf("record %q exists: %w", key, store.ErrConflict)
	}
	return fmt.Errorf("record %q is at revision %d, not %d: %w", key, is, want, store.ErrConflict)
}

func (g *group) guards(b *store.Batch, _ *store.Applied) (refusal, err error) {
	for _, gd := range b.Guards {
		if gd.Prefix {
			key, err := g.under(gd.Key)
			if err != nil {
				return nil, err
			}
			if key != "" {
				return fmt.Errorf("record %q exists below %q: %w", key, gd.Key, store.ErrConflict), nil
			}
			continue
		}
		is, err := g.rev(gd.Key)
		if err != nil {
			return nil, err
		}
		if refusal := mismatch(gd.Key, is, gd.If); refusal != nil {
			return refusal, nil
		}
	}
	return nil, nil
}

// under is a key of a record that begins with prefix, "" if there is none.
func (g *group) under(prefix string) (found string, err error) {
	for key, rev := range g.recs {
		if rev != 0 && strings.HasPrefix(key, prefix) {
			return key, nil
		}
	}
	err = g.w.c.query(func(v []driver.Value) error {
		key := v[0].(string)
		if !strings.HasPrefix(key, prefix) {
			return errStop
		}
		if rev, ok := g.recs[key]; ok && rev == 0 {
			return nil
		}
		found = key
		return errStop
	}, sqlRecKeys, prefix)
	return found, err
}

func (g *group) puts(b *store.Batch, a *store.Applied) (refusal, err error) {
	if len(b.Puts) > 0 {
		a.Revs = make([]store.Rev, len(b.Puts))
	}
	for i, p := range b.Puts {
		is, err := g.rev(p.Key)
		if err != nil {
			return nil, err
		}
		if refusal := mismatch(p.Key, is, p.If); refusal != nil {
			return refusal, nil
		}
		if p.Delete && is == 0 {
			continue
		}
		g.counters.rev++
		r := store.Record{Key: p.Key, Rev: g.counters.rev}
		if p.Delete {
			set(g, g.recs, p.Key, 0)
		} else {
			r.Value = append(make([]byte, 0, len(p.Value)), p.Value...)
			set(g, g.recs, p.Key, r.Rev)
		}
		g.changes = append(g.changes, r)
		a.Revs[i], a.Rev = r.Rev, r.Rev
	}
	return nil, nil
}

func (g *group) cursors(b *store.Batch, _ *store.Applied) (refusal, err error) {
	for _, c := range b.Checkpoints {
		token, ok := g.tokens[c.Key]
		if !ok {
			if token, _, err = g.w.c.number(sqlCurToken, c.Key); err != nil {
				return nil, err
			}
		}
		if c.IfToken != 0 && c.IfToken < token {
			return fmt.Errorf("checkpoint %q has token %d, later than %d: %w", c.Key, token, c.IfToken, store.ErrConflict), nil
		}
		token = max(token, c.IfToken)
		set(g, g.tokens, c.Key, token)
		g.checkpoints = append(g.checkpoints, checkpointRow{c, token})
	}
	return nil, nil
}

func (g *group) enqueues(b *store.Batch, a *store.Applied) (refusal, err error) {
	if len(b.Enqueue) == 0 {
		return nil, nil
	}
	a.IDs = make([]int64, len(b.Enqueue))
	for i, m := range b.Enqueue {
		dup, err := g.seen(m.DedupKey)
		if err == nil && !dup {
			dup, err = g.named(m.Fn, m.InvocationID)
		}
		if err != nil {
			return nil, err
		}
		if dup {
			a.Duplicates = append(a.Duplicates, i)
			continue
		}
		if refusal := g.room(1, int64(len(m.Payload))); refusal != nil {
			return refusal, nil
		}
		g.counters.id++
		g.counters.messages++
		g.counters.bytes += int64(len(m.Payload))
		m.ID = g.counters.id
		if m.Enqueued.IsZero() {
			m.Enqueued = g.now
		}
		if m.Due.IsZero() {
			m.Due = g.now
		}
		g.messages = append(g.messages, m)
		a.IDs[i] = m.ID
	}
	return nil, nil
}

// seen tells whether a deduplication key is alive, and marks it as such.
func (g *group) seen(key string) (bool, error) {
	if key == "" {
		return false, nil
	}
	if g.dedups[key] {
		return true, nil
	}
	expires, found, err := g.w.c.number(sqlDedupGet, key)
	if err != nil || found && expires > micros(g.now) {
		return err == nil, err
	}
	set(g, g.dedups, key, true)
	return false, nil
}

// outcomes checks that the messages to end or put back are the caller's.
func (g *group) outcomes(b *store.Batch, _ *store.Applied) (refusal, err error) {
	for _, d := range b.Done {
		size, refusal, err := g.end(d.ID, b.Owner)
		if refusal != nil || err != nil {
			return refusal, err
		}
		g.counters.messages--
		g.counters.bytes -= size
		g.done = append(g.done, d)
	}
	for _, r := range b.Retry {
		if _, refusal, err := g.end(r.ID, b.Owner); refusal != nil || err != nil {
			return refusal, err
		}
		if r.Due.IsZero() {
			r.Due = g.now
		}
		g.retries = append(g.retries, r)
	}
	return nil, nil
}

// overs takes invocations that are over already. They are in no queue, so only the disk bounds them.
func (g *group) overs(b *store.Batch, _ *store.Applied) (refusal, err error) {
	for _, e := range b.Ended {
		dup, err := g.seen(e.DedupKey)
		if err != nil {
			return nil, err
		}
		if dup {
			continue
		}
		if refusal := g.space(); refusal != nil {
			return refusal, nil
		}
		if e.Enqueued.IsZero() {
			e.Enqueued = g.now
		}
		g.endings = append(g.endings, e)
	}
	return nil, nil
}

// end reserves a message for this group, so that nobody claims it before the commit.
func (g *group) end(id int64, owner string) (size int64, refusal, err error) {
	if !g.w.s.claims.end(id, owner, g.now) {
		return 0, fmt.Errorf("message %d: %w", id, store.ErrFenced), nil
	}
	g.ended = append(g.ended, id)
	size, found, err := g.w.c.number(sqlQueueSize, id)
	if err == nil && !found {
		if err = g.unfold(id); err == nil {
			size, found, err = g.w.c.number(sqlQueueSize, id)
		}
	}
	if err != nil {
		return 0, nil, err
	}
	if !found {
		return 0, fmt.Errorf("message %d is not in the queue: %w", id, store.ErrFenced), nil
	}
	return size, nil, nil
}
