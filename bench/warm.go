package main

import (
	"context"
	"time"
)

// warm runs each load until it no longer grows faster: an interpreter compiles what is called often, and a log that is
// overwritten in place has grown to its size. Twice no better than by a twentieth is enough. The time of the experiment
// begins behind it.
func (l *lab) warm(ctx context.Context, sides ...load) error {
	const slices, better = 10, 1.05
	for _, side := range sides {
		best := 0.0
		for i, same := 0, 0; i < slices && same < 2; i++ {
			got, err := side.run(ctx, l.turn()/2)
			if err != nil {
				return err
			}
			if same++; got.rate > best*better {
				same = 0
			}
			best = max(best, got.rate)
		}
	}
	l.begin()
	return nil
}

// restful is a load whose daemon has work to do behind its answers. A turn ends when it is done, so that it does not cost
// the other side's; it is not part of what the turn measures.
type restful struct {
	load
	s *server
	l *lab
}

func (r restful) run(ctx context.Context, d time.Duration) (sample, error) {
	got, err := r.load.run(ctx, d)
	if err == nil {
		err = r.s.rest(ctx, pick(r.l, time.Second, 10*time.Second))
	}
	return got, err
}

// rest waits until the daemon uses less than a tenth of a core, or for so long. What it puts off until nothing comes any
// more it begins within the first look.
func (s *server) rest(ctx context.Context, atMost time.Duration) error {
	const first, look = 150 * time.Millisecond, 50 * time.Millisecond
	if err := pause(ctx, first); err != nil {
		return err
	}
	used, err := s.cpu()
	for end := time.Now().Add(atMost); err == nil && time.Now().Before(end); {
		if err = pause(ctx, look); err != nil {
			break
		}
		before := used
		if used, err = s.cpu(); err == nil && used-before < look/10 {
			break
		}
	}
	return err
}
