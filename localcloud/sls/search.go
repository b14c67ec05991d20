package sls

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"
)

// timeRange is [from, to) in Unix nanoseconds.
type timeRange struct{ from, to int64 }

// secondsRange makes a range of seconds and nanosecond parts. Equal ends mean that one second.
func secondsRange(from, to, fromNs, toNs int64) (timeRange, error) {
	const limit = math.MaxInt64/int64(time.Second) - 2
	if from < 0 || to < 0 || from > limit || to > limit || fromNs < 0 || fromNs >= 1e9 || toNs < 0 || toNs >= 1e9 {
		return timeRange{}, badRequest("InvalidTimeRange", "time range [%d,%d) is not one of Unix seconds", from, to)
	}
	r := timeRange{from*1e9 + fromNs, to*1e9 + toNs}
	if r.from == r.to {
		r.to += 1e9
	}
	if r.from > r.to {
		return r, badRequest("InvalidTimeRange", "time range [%d,%d) ends before it begins", from, to)
	}
	return r, nil
}

func (r timeRange) holds(ns int64) bool { return r.from <= ns && ns < r.to }

// overlaps tells whether logs between two seconds, both included, may lie in the range.
func (r timeRange) overlaps(earliest, latest uint32) bool {
	return int64(latest)*1e9+1e9 > r.from && int64(earliest)*1e9 < r.to
}

// search is what to look for in a logstore.
type search struct {
	within timeRange
	topic  string // "" means any
	query  expr
}

// hit is where a matching log stands.
type hit struct {
	ns       int64
	sequence uint64
	shard    int
	line     int // within its group
}

// order is by time, then by arrival.
func (h hit) order(other hit) int {
	return cmp.Or(cmp.Compare(h.ns, other.ns), cmp.Compare(h.sequence, other.sequence),
		cmp.Compare(h.shard, other.shard), cmp.Compare(h.line, other.line))
}

// scan calls found for every matching log, in no useful order. complete is false if ctx ended first.
func (c *call) scan(ctx context.Context, l *logstore, what search, found func(h hit, g *logGroup, ln logLine)) (complete bool, err error) {
	var g logGroup
	want := func(h frameHead) bool { return what.within.overlaps(h.earliest, h.latest) }
	for _, sh := range l.all() {
		for _, seg := range sh.view() {
			if !what.within.overlaps(seg.Earliest, seg.Latest) {
				continue
			}
			more, err := seg.each(0, want, func(h frameHead, b []byte) (bool, error) {
				if err := g.decode(b); err != nil {
					return false, err
				}
				what.matches(&g, func(i int, ln logLine) { found(hit{ln.nanos(), h.sequence, sh.ID, i}, &g, ln) })
				return ctx.Err() == nil, nil
			})
			if err = c.tolerate(err); err != nil || !more {
				return false, err
			}
		}
	}
	return true, nil
}

func (what search) matches(g *logGroup, found func(i int, l logLine)) {
	if what.topic != "" && string(g.topic) != what.topic {
		return
	}
	for i, l := range g.logs {
		if what.within.holds(l.nanos()) && what.query.match(g, l) {
			found(i, l)
		}
	}
}

// pageOf keeps the first limit hits in order of all that are added, in memory bounded by limit.
type pageOf struct {
	limit int
	order func(a, b hit) int
	hits  []hit
}

func (p *pageOf) add(h hit) {
	p.hits = append(p.hits, h)
	if len(p.hits) >= 2*p.limit+1024 {
		p.cut()
	}
}

// cut sorts and forgets what is beyond the limit.
func (p *pageOf) cut() {
	slices.SortFunc(p.hits, p.order)
	p.hits = p.hits[:min(len(p.hits), p.limit)]
}

// rows reads the logs of hits again, in the order of hits.
func (c *call) rows(l *logstore, hits []hit) ([]map[string]string, error) {
	rows := make([]map[string]string, len(hits))
	byPlace := make([]int, len(hits))
	for i := range hits {
		byPlace[i] = i
	}
	slices.SortFunc(byPlace, func(a, b int) int {
		return cmp.Or(cmp.Compare(hits[a].shard, hits[b].shard), cmp.Compare(hits[a].sequence, hits[b].sequence))
	})
	var g logGroup
	for i := 0; i < len(byPlace); {
		at := hits[byPlace[i]]
		sh, err := l.shardByID(itoa(int64(at.shard)))
		if err != nil {
			return nil, err
		}
		group, err := c.groupAt(sh.shard, at.sequence)
		if err != nil {
			return nil, err
		}
		if err := g.decode(group); err != nil {
			return nil, err
		}
		for ; i < len(byPlace) && hits[byPlace[i]].sequence == at.sequence && hits[byPlace[i]].shard == at.shard; i++ {
			if h := hits[byPlace[i]]; h.line < len(g.logs) {
				rows[byPlace[i]] = g.row(g.logs[h.line])
			}
		}
	}
	return slices.DeleteFunc(rows, func(r map[string]string) bool { return r == nil }), nil
}

// groupAt reads one group; nil if it has been deleted meanwhile.
func (c *call) groupAt(sh *shard, sequence uint64) (group []byte, err error) {
	for _, seg := range sh.view() {
		if sequence < seg.First || sequence > seg.Last {
			continue
		}
		_, err = seg.each(sequence, nil, func(h frameHead, b []byte) (bool, error) {
			if h.sequence == sequence {
				group = slices.Clone(b)
			}
			return false, nil
		})
		return group, c.tolerate(err)
	}
	return nil, nil
}

// queryContext bounds a query's time.
func (c *call) queryContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(c.r.Context(), c.s.opts.QueryTimeout)
}

// progress is how the service spells completeness.
func progress(complete bool) string {
	if complete {
		return "Complete"
	}
	return "Incomplete"
}

func elapsedMs(since time.Time) int64 { return time.Since(since).Milliseconds() }
