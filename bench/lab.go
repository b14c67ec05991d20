package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"fcd/bench/comparators"
)

// A lab is what experiments share: a scratch directory, the programs, one daemon for those that leave no state behind,
// and how long to measure.
type lab struct {
	bin, self    string // fcd; this program
	node, python interpreter
	dir          string
	quick        bool
	profiles     string // where profiles of the daemon go; "" for none
	shared       *server
	until        time.Time // of the experiment: no further turn after it; zero in full mode
}

// newLab makes the scratch directory below parent.
func newLab(bin, parent string, quick bool) (*lab, error) {
	l := &lab{bin: bin, quick: quick}
	var err error
	if l.self, err = os.Executable(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return nil, err
	}
	if l.dir, err = os.MkdirTemp(parent, "bench-"); err != nil {
		return nil, err
	}
	if l.dir, err = filepath.Abs(l.dir); err != nil {
		return nil, err
	}
	if err := l.findInterpreters(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(l.dir))
	}
	return l, os.CopyFS(filepath.Join(l.dir, "comparators"), comparators.Files)
}

// close stops the shared daemon and removes the directory.
func (l *lab) close() error {
	var err error
	if l.shared != nil {
		err = l.shared.stop()
	}
	return errors.Join(err, os.RemoveAll(l.dir))
}

// main is the shared daemon.
func (l *lab) main(ctx context.Context) (*server, error) {
	if l.shared != nil {
		return l.shared, nil
	}
	s, err := l.fresh(ctx, "main")
	if err != nil {
		return nil, err
	}
	for name, file := range map[string]string{"node": "hello.js", "python": "hello.py", "lines": "lines.py", "entered": "entered.py"} {
		if err := s.deploy(ctx, name, file, 0); err != nil {
			s.stop()
			return nil, fmt.Errorf("deploy %s: %w", name, err)
		}
	}
	l.shared = s
	return s, nil
}

// comparator is the path of one of the comparators' files.
func (l *lab) comparator(name string) string { return filepath.Join(l.dir, "comparators", name) }

// quickTime bounds the turns of one experiment in quick mode, whatever else the machine does.
const quickTime = 1100 * time.Millisecond

// begin starts the time of an experiment, again once its loads are warm.
func (l *lab) begin() {
	if l.quick {
		l.until = time.Now().Add(quickTime)
	}
}

// turn is how long one side is measured at a time, and how many turns there are. Those of a quick run are short: of many, few
// meet what else the machine does.
func (l *lab) turn() time.Duration { return pick(l, 100*time.Millisecond, time.Second) }
func (l *lab) turns() int          { return pick(l, 12, 5) }

// pick is the first value in quick mode, the second in full mode.
func pick[T any](l *lab, quick, full T) T {
	if l.quick {
		return quick
	}
	return full
}

// discard stops a daemon and removes its state.
func (l *lab) discard(s *server) error { return errors.Join(s.stop(), os.RemoveAll(s.dir)) }

// forget removes the state of a daemon that has been stopped.
func (l *lab) forget(name string) error { return os.RemoveAll(filepath.Join(l.dir, name)) }
