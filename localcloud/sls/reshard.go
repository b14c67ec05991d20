package sls

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"
)

// splitShard cuts a shard in two, at the key given or in the middle, or into shardCount parts. The shard keeps its groups
// and takes no more.
func (c *call) splitShard() error {
	key, parts := c.r.URL.Query().Get("key"), int64(2)
	var err error
	if key != "" {
		key, err = parseKey(key)
	} else {
		parts, err = c.intParam("shardCount", parts)
	}
	if err != nil {
		return err
	}
	if parts < 2 || parts > maxShards {
		return badRequest("ParameterInvalid", "shardCount %d is not between 2 and %d", parts, maxShards)
	}
	return c.reshard(func(_ []partition, sh partition) ([]partition, [][2]string, error) {
		if key == "" {
			return []partition{sh}, cutKeys(sh.BeginKey, sh.EndKey, int(parts)), nil
		}
		if key <= sh.BeginKey || key >= sh.EndKey {
			return nil, nil, badRequest("ParameterInvalid", "key %s does not lie within shard %d, from %s to %s", key, sh.ID, sh.BeginKey, sh.EndKey)
		}
		return []partition{sh}, [][2]string{{sh.BeginKey, key}, {key, sh.EndKey}}, nil
	})
}

// mergeShards makes one of a shard and its neighbour to the right.
func (c *call) mergeShards() error {
	return c.reshard(func(all []partition, sh partition) ([]partition, [][2]string, error) {
		for _, right := range all {
			if !right.ReadOnly && right.BeginKey == sh.EndKey {
				return []partition{sh, right}, [][2]string{{sh.BeginKey, right.EndKey}}, nil
			}
		}
		return nil, nil, badRequest("ParameterInvalid", "shard %d has no neighbour to merge with", sh.ID)
	})
}

// reshard closes the shards that plan names to writes and opens new ones with the key ranges that it gives. The answer is
// what became of the old and the new ones: parents first for a split, the new shard first for a merge.
func (c *call) reshard(plan func(all []partition, sh partition) (parents []partition, ranges [][2]string, err error)) error {
	c.s.changing.Lock()
	defer c.s.changing.Unlock()
	l, err := c.logstore()
	if err != nil {
		return err
	}
	sh, err := l.shardByID(c.parts["shard"])
	if err != nil {
		return err
	}
	if sh.ReadOnly {
		return badRequest("ParameterInvalid", "shard %d is readonly", sh.ID)
	}
	all := l.all()
	parents, ranges, err := plan(all, sh)
	if err != nil {
		return err
	}
	for _, r := range ranges {
		if r[0] >= r[1] {
			return badRequest("ParameterInvalid", "shard %d has too few keys for %d parts", sh.ID, len(ranges))
		}
	}
	if n := writable(all) - len(parents) + len(ranges); n > maxShards {
		return badRequest("ExceedQuota", "logstore %s would have %d shards, more than %d", l.name, n, maxShards)
	}
	changed, err := c.s.replaceShards(c.r.Context(), l, parents, ranges)
	if err != nil {
		return err
	}
	if len(parents) > 1 {
		slices.SortStableFunc(changed, func(a, b partition) int { return b.ID - a.ID })
		slices.SortFunc(changed[1:], func(a, b partition) int { return a.ID - b.ID })
	}
	return c.json(answerShards(changed))
}

func writable(shards []partition) (n int) {
	for _, sh := range shards {
		if !sh.ReadOnly {
			n++
		}
	}
	return n
}

// replaceShards makes parents readonly and opens their children, and gives both. Writes wait meanwhile. A crash leaves the
// old layout, perhaps beside empty folders of shards to come; the caller holds changing.
func (s *Server) replaceShards(ctx context.Context, l *logstore, parents []partition, ranges [][2]string) (changed []partition, err error) {
	l.layout.Lock()
	defer l.layout.Unlock()
	now := s.opts.Clock().Unix()
	var ids []int
	for _, p := range parents {
		ids = append(ids, p.ID)
	}
	layout := slices.Clone(l.shards)
	for i := range layout {
		if slices.Contains(ids, layout[i].ID) {
			layout[i].ReadOnly, layout[i].CloseTime = true, now
			changed = append(changed, layout[i])
		}
	}
	var children []partition
	defer func() {
		if err != nil {
			for _, child := range children {
				err = errors.Join(err, child.close())
			}
		}
	}()
	next := layout[len(layout)-1].ID + 1
	for i, r := range ranges {
		d := shardDoc{ID: next + i, BeginKey: r[0], EndKey: r[1], CreateTime: now, Parents: ids}
		sh, err := openShard(shardDir(l.dir, d.ID), now, s.limits())
		if err != nil {
			return nil, err
		}
		children = append(children, partition{sh, d})
	}
	layout = append(layout, children...)
	if err := s.keepLayoutLocked(ctx, l, layout); err != nil {
		return nil, err
	}
	return append(changed, children...), nil
}

// keepLayoutLocked stores a layout and makes it the logstore's. The caller holds changing and the layout's lock.
func (s *Server) keepLayoutLocked(ctx context.Context, l *logstore, layout []partition) error {
	l.mu.Lock()
	doc := l.doc
	l.mu.Unlock()
	doc.Table, doc.Shards = make([]shardDoc, len(layout)), writable(layout)
	for i, sh := range layout {
		doc.Table[i] = sh.shardDoc
	}
	if err := s.meta.apply(ctx, change{"logstore/" + l.project + "/" + l.name, doc}); err != nil {
		return err
	}
	l.shards = layout
	l.mu.Lock()
	l.doc = doc
	l.mu.Unlock()
	return nil
}

// forgetShards deletes readonly shards that were closed before the instant and hold no groups any more.
func (s *Server) forgetShards(l *logstore, before time.Time) error {
	old := func(sh partition) bool {
		return sh.ReadOnly && sh.CloseTime < before.Unix() && len(sh.view()) == 0
	}
	if !slices.ContainsFunc(l.all(), old) {
		return nil
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	if now, err := s.logstore(l.project, l.name); err != nil || now != l {
		return nil // it was deleted meanwhile
	}
	l.layout.Lock()
	defer l.layout.Unlock()
	var kept, gone []partition
	for _, sh := range l.shards {
		if old(sh) {
			gone = append(gone, sh)
		} else {
			kept = append(kept, sh)
		}
	}
	if err := s.keepLayoutLocked(context.Background(), l, kept); err != nil {
		return err
	}
	var errs []error
	for _, sh := range gone {
		errs = append(errs, sh.close(), os.RemoveAll(sh.dir))
	}
	return errors.Join(errs...)
}
