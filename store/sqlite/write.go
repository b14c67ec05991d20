package sqlite

import "fcd/store"

// write puts a checked group into the open transaction.
func (g *group) write() error {
	for _, step := range []func() error{
		g.writeRecords, g.writeCheckpoints, g.writeMessages, g.writeOutcomes, g.writeDead, g.writeFates, g.writeLeases,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	g.wakes = len(g.messages)+len(g.retries)+len(g.redrives) > 0
	if g.counters == g.w.counters {
		return nil
	}
	_, err := g.w.c.exec(sqlMetaSet, "counters", g.counters.String())
	return err
}

func (g *group) writeRecords() error {
	for _, r := range g.changes {
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
	for _, c := range g.checkpoints {
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

func (g *group) writeMessages() error {
	expires := micros(g.now.Add(g.w.s.opt.DedupFor))
	for i := range g.messages {
		m := &g.messages[i]
		if m.DedupKey != "" {
			if _, err := g.w.c.exec(sqlDedupPut, m.DedupKey, expires); err != nil {
				return err
			}
		}
		if _, err := g.w.c.exec(sqlQueuePut, m.ID, m.RequestID, m.Fn, m.Trigger, m.DedupKey, micros(m.Enqueued),
			micros(m.Due), micros(m.NotAfter), int64(m.Attempt), m.InvocationID, m.Payload); err != nil {
			return err
		}
	}
	return nil
}

func (g *group) writeOutcomes() error {
	now := micros(g.now)
	for _, d := range g.done {
		if _, err := g.w.c.exec(sqlOutcomePut, d.State, now, int64(d.Attempts), d.Cause, d.Keep, d.ID); err != nil {
			return err
		}
		if _, err := g.w.c.exec(sqlQueueEnd, d.ID); err != nil {
			return err
		}
	}
	for _, r := range g.retries {
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

func (g *group) writeFates() error {
	for _, f := range g.fates {
		if _, err := g.w.c.exec(sqlFatePut, f.Trigger, micros(f.At), f.EventID, f.State, f.Reason, f.RequestID); err != nil {
			return err
		}
	}
	return nil
}

func (g *group) writeLeases() error {
	for name, l := range g.leases {
		if _, err := g.w.c.exec(sqlLeasePut, name, l.owner, l.token, micros(l.wall)); err != nil {
			return err
		}
	}
	return nil
}
