package sqlite

import (
	"fmt"

	"fcd/store"
)

// begin begins the group's transaction, once.
func (g *group) begin() error {
	if g.begun {
		return nil
	}
	_, err := g.w.c.exec("BEGIN IMMEDIATE")
	g.begun = err == nil
	return err
}

// write puts what has been checked since the last time into the open transaction, if there is one.
func (g *group) write() error {
	if !g.begun {
		return nil
	}
	for _, step := range []func() error{
		g.writeRecords, g.writeCheckpoints, g.writeMessages, g.writeOutcomes, g.writeDead, g.writeEnded, g.writeFates,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	g.written = g.mark()
	return nil
}

// finish writes what a group has once.
func (g *group) finish() error {
	g.wakes = len(g.messages)+len(g.retries)+len(g.redrives) > 0 || g.hasBurst()
	g.counters.folded -= g.moved.n
	g.counters.foldedBytes -= g.moved.bytes
	if !g.begun {
		return nil
	}
	if err := g.writeLeases(); err != nil {
		return err
	}
	return g.w.putCounters(g.counters)
}

// commit appends to the burst log and commits, as far as the group has something for either. All that was appended before
// is on disk, so a power cut can tear no frame but the last.
func (g *group) commit() (err error) {
	if err := g.w.s.failure(); err != nil { // the flush just now
		return err
	}
	if g.hasBurst() {
		if err := g.writeBurst(); err != nil {
			return err
		}
	}
	switch {
	case len(g.unfolded) > 0:
		err = g.w.commitMove(g.unfolded)
	case g.begun:
		_, err = g.w.c.exec("COMMIT")
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errCommit, err)
	}
	return nil
}

// putCounters writes the counters of what stands in the tables, if they are not what is written there.
func (w *writer) putCounters(n counters) error {
	if n.standing() == w.standing {
		return nil
	}
	_, err := w.c.exec(sqlMetaSet, "counters", n.standing().String())
	return err
}

// writeMessages puts messages into the queue.
func (g *group) writeMessages() error {
	ms := g.messages[g.written.messages:]
	for i := range ms {
		if err := g.remember(ms[i].DedupKey); err != nil {
			return err
		}
		if err := g.free(ms[i].RequestID); err != nil {
			return err
		}
	}
	return g.w.put(ms)
}

func (g *group) writeRecords() error {
	for _, r := range g.changes[g.written.changes:] {
		var err error
		if r.Value == nil {
			_, err = g.w.c.exec(sqlRecDelete, int64(r.Rev), micros(g.now), r.Key)
		} else {
			_, err = g.w.c.exec(sqlRecPut, r.Key, int64(r.Rev), r.Value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (g *group) writeCheckpoints() error {
	for _, c := range g.checkpoints[g.written.checkpoints:] {
		var err error
		if c.Value == nil {
			_, err = g.w.c.exec(sqlCurDelete, c.Key)
		} else {
			_, err = g.w.c.exec(sqlCurPut, c.Key, c.token, c.Value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// remember makes later messages with the key duplicates.
func (g *group) remember(dedup string) error {
	if dedup == "" {
		return nil
	}
	_, err := g.w.c.exec(sqlDedupPut, dedup, micros(g.now.Add(g.w.s.opt.DedupFor)))
	return err
}

func (g *group) writeEnded() error {
	now := micros(g.now)
	for _, e := range g.endings[g.written.endings:] {
		if err := g.remember(e.DedupKey); err != nil {
			return err
		}
		if _, err := g.w.c.exec(sqlEndedPut, e.RequestID, e.Fn, e.Trigger, e.EventID, e.State, micros(e.Enqueued), now,
			int64(e.Attempt), e.Cause, e.InvocationID, e.Payload); err != nil {
			return err
		}
	}
	return nil
}

func (g *group) writeOutcomes() error {
	now := micros(g.now)
	for _, d := range g.done[g.written.done:] {
		if _, err := g.w.c.exec(sqlOutcomePut, d.State, now, int64(d.Attempts), d.Cause, d.Keep, d.ID); err != nil {
			return err
		}
		if _, err := g.w.c.exec(sqlQueueEnd, d.ID); err != nil {
			return err
		}
	}
	for _, r := range g.retries[g.written.retries:] {
		if _, err := g.w.c.exec(sqlQueueRetry, micros(r.Due), counted(r), r.ID); err != nil {
			return err
		}
	}
	return nil
}

func counted(r store.Retry) int64 {
	if r.Counted {
		return 1
	}
	return 0
}

func (g *group) writeLeases() error {
	for name, l := range g.leases {
		if _, err := g.w.c.exec(sqlLeasePut, name, l.owner, l.token, micros(l.wall)); err != nil {
			return err
		}
	}
	return nil
}
