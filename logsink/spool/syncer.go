package spool

import (
	"context"
	"os"
	"sync"
	"time"
)

// syncer flushes written files by group: the first write after a flush starts a timer, Sync cuts it short.
// A file handed over with done set is closed after its flush.
type syncer struct {
	delay     time.Duration
	kick      chan struct{} // holds one wish for a flush now
	dirty     chan struct{} // holds one note that something was written
	stop      chan struct{}
	ended     chan struct{}
	flushFile func(*os.File) error // flushes one file

	mu     sync.Mutex // guards the fields below
	files  map[*os.File]bool
	round  *round        // the flush that the next write belongs to
	failed error         // the first of a flush; final: what it left out cannot be flushed any more
	broken chan struct{} // closed with failed
}

// round is one group flush; err is set before done is closed.
type round struct {
	done chan struct{}
	err  error
}

func newSyncer(delay time.Duration) *syncer {
	s := &syncer{
		delay:     delay,
		kick:      make(chan struct{}, 1),
		dirty:     make(chan struct{}, 1),
		stop:      make(chan struct{}),
		ended:     make(chan struct{}),
		flushFile: (*os.File).Sync,
		broken:    make(chan struct{}),
		files:     map[*os.File]bool{},
		round:     &round{done: make(chan struct{})},
	}
	go s.run()
	return s
}

// wrote notes that f has unflushed bytes. last means that no more will follow and the syncer closes it.
func (s *syncer) wrote(f *os.File, last bool) {
	s.mu.Lock()
	s.files[f] = s.files[f] || last
	s.mu.Unlock()
	poke(s.dirty)
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (s *syncer) run() {
	defer close(s.ended)
	for {
		select {
		case <-s.dirty:
			if !s.linger() {
				s.flush()
				return
			}
			s.flush()
		case <-s.kick:
			s.flush()
		case <-s.stop:
			s.flush()
			return
		}
	}
}

// linger waits for more writes; false means stop.
func (s *syncer) linger() bool {
	t := time.NewTimer(s.delay)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.kick:
	case <-s.stop:
		return false
	}
	return true
}

// flush syncs all files written so far and releases those who wait for them.
func (s *syncer) flush() {
	s.mu.Lock()
	files, r, flushFile := s.files, s.round, s.flushFile
	s.files, s.round = map[*os.File]bool{}, &round{done: make(chan struct{})}
	s.mu.Unlock()
	for f, last := range files {
		if err := flushFile(f); err != nil && r.err == nil {
			r.err = err
		}
		if last {
			f.Close()
		}
	}
	s.mu.Lock()
	if s.failed == nil && r.err != nil {
		s.failed = r.err
		close(s.broken)
	}
	r.err = s.failed
	s.mu.Unlock()
	close(r.done)
}

// sync waits for a flush that covers everything written before the call.
func (s *syncer) sync(ctx context.Context) error {
	s.mu.Lock()
	r := s.round
	s.mu.Unlock()
	poke(s.kick)
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	case <-s.ended:
		return ErrClosed
	}
}

// close flushes a last time and reports how that went.
func (s *syncer) close() error {
	close(s.stop)
	<-s.ended
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}
