package sls

import (
	"context"
	"time"

	"go.uber.org/zap"
)

// expireEvery deletes old logs from time to time until ctx ends.
func (s *Server) expireEvery(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.expire()
		case <-ctx.Done():
			return
		}
	}
}

// expire deletes segments received before their logstore's time to live, then the oldest ones beyond MaxBytes.
func (s *Server) expire() {
	now := s.opts.Clock()
	stores := s.logstores()
	for _, l := range stores {
		ttl, ends := l.ttl()
		if !ends {
			continue
		}
		before := uint64(now.Add(-ttl).UnixNano())
		s.drop(l, func(seg segment) bool { return seg.Received < before })
		if err := s.forgetShards(l, now.Add(-ttl)); err != nil {
			s.log.Error("old shards could not be deleted", zap.String("project", l.project), zap.String("logstore", l.name), zap.Error(err))
		}
	}
	for excess := s.bytes() - s.opts.MaxBytes; excess > 0; {
		oldest := oldestSegment(stores)
		if oldest == nil {
			return
		}
		first := true
		removed := s.drop(oldest.store, func(seg segment) bool {
			this := first && seg.First == oldest.first
			first = first && !this
			return this
		})
		if removed == 0 {
			return
		}
		excess -= removed
	}
}

func (s *Server) drop(l *logstore, drop func(segment) bool) (removed int64) {
	for _, sh := range l.all() {
		n, err := sh.expire(drop)
		removed += n
		if err != nil {
			s.log.Error("old logs could not be deleted", zap.String("project", l.project), zap.String("logstore", l.name), zap.Error(err))
		}
	}
	return removed
}

type segmentRef struct {
	store *logstore
	first uint64
}

// oldestSegment finds the segment that begins first.
func oldestSegment(stores []*logstore) *segmentRef {
	var oldest *segmentRef
	for _, l := range stores {
		for _, sh := range l.all() {
			if segs := sh.view(); len(segs) > 0 && (oldest == nil || segs[0].First < oldest.first) {
				oldest = &segmentRef{l, segs[0].First}
			}
		}
	}
	return oldest
}
