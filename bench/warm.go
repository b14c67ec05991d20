package main

import (
	"context"
	"time"
)

// warm runs the loads in turn, each for the least number of slices and until it no longer grows faster: an interpreter
// compiles what is called often, and a log that is overwritten in place has grown to its size. Twice no better than by a
// twentieth is enough. In turn, since a daemon that has rested for some seconds has given memory back, and takes two to have
// it again. The time of the experiment begins behind it.
func (l *lab) warm(ctx context.Context, least int, sides ...load) error {
	const slices, better = 10, 1.05
	slice := pick(l, 150*time.Millisecond, 500*time.Millisecond)
	best, same := make([]float64, len(sides)), make([]int, len(sides))
	for n := range slices {
		for i, side := range sides {
			if same[i] >= 2 && n >= least {
				continue
			}
			got, err := side.run(ctx, slice)
			if err != nil {
				return err
			}
			if same[i]++; got.rate > best[i]*better {
				same[i] = 0
			}
			best[i] = max(best[i], got.rate)
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
