package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"time"
)

// event is a JSON event of so many bytes.
func event(size int) []byte {
	const head, tail = `{"id": "0123456789", "items": [{"sku": "A-1", "count": 2}, {"sku": "B-2", "count": 1}], "note": "`, `"}`
	pad := max(0, size-len(head)-len(tail))
	return fmt.Appendf(nil, "%s%s%s", head, bytes.Repeat([]byte("x"), pad), tail)
}

// request is a request to a comparator that printed its port.
func (p *process) request(event []byte) (*http.Request, error) {
	r, err := http.NewRequest(http.MethodPost, "http://127.0.0.1:"+p.first+"/", bytes.NewReader(event))
	if err == nil {
		r.Header.Set("User-Agent", "")
	}
	return r, err
}

func (l *lab) bareNode(ctx context.Context) (*process, error) {
	return start(ctx, l.dir, "bare-node", l.node.Path, l.comparator("server.js"), l.comparator("hello.js"))
}

func (l *lab) bareHop(ctx context.Context) (*process, error) {
	return start(ctx, l.dir, "bare-hop", l.self, "hop", l.python.Path, l.comparator("worker.py"), l.comparator("hello.py"))
}

func warmNode(ctx context.Context, l *lab, connections int) ([]pair, error) {
	return l.duel(ctx, "node", l.bareNode, connections)
}

func warmPython(ctx context.Context, l *lab, connections int) ([]pair, error) {
	return l.duel(ctx, "python", l.bareHop, connections)
}

// duel measures a function of the shared daemon against a comparator that serves HTTP, by calls a second.
func (l *lab) duel(ctx context.Context, function string, comparator func(context.Context) (*process, error), connections int) ([]pair, error) {
	return l.against(ctx, function, comparator, 1<<10, func(s *server, bareProcess *process, fcd, bare *http.Request) (pair, error) {
		ours, err := newLoad(connections, http.StatusOK, fcd)
		if err != nil {
			return pair{}, err
		}
		defer ours.close()
		theirs, err := newLoad(connections, http.StatusOK, bare)
		if err != nil {
			return pair{}, err
		}
		defer theirs.close()
		// A full run takes the time that Node needs until all that is often called is compiled, with pauses in its growth.
		if err := l.warm(ctx, pick(l, 0, 8), ours, theirs); err != nil {
			return pair{}, err
		}
		p, err := contest(ours, theirs, s.process, bareProcess, func(ours, theirs load) (pair, error) {
			return l.compare(ctx, ours, theirs, rate)
		})
		if err == nil {
			err = l.profile(ctx, s, ours, fmt.Sprintf("%s-%d", function, connections))
		}
		return p, err
	})
}

// single measures one connection of an ordinary client, as a program that calls one function after the other.
func single(ctx context.Context, l *lab, bytes int) ([]pair, error) {
	return l.against(ctx, "node", l.bareNode, bytes, func(s *server, bareProcess *process, fcd, bare *http.Request) (pair, error) {
		ours, theirs := newOrdinary(http.StatusOK, fcd), newOrdinary(http.StatusOK, bare)
		defer ours.close()
		defer theirs.close()
		if err := l.warm(ctx, 0, ours, theirs); err != nil {
			return pair{}, err
		}
		// Single calls need few: in short turns the machine changes less from one to the next.
		turns, turn := pick(l, 32, 40), pick(l, 37*time.Millisecond, 125*time.Millisecond)
		return contest(ours, theirs, s.process, bareProcess, func(ours, theirs load) (pair, error) {
			return l.compareBy(ctx, turns, turn, ours, theirs, p50)
		})
	})
}

// What is compared of two loads.
func rate(s sample) float64 { return s.rate }
func p50(s sample) float64  { return s.p50 }

// against starts a comparator and makes the same request for it and for a function of the shared daemon.
func (l *lab) against(ctx context.Context, function string, comparator func(context.Context) (*process, error), size int,
	do func(s *server, p *process, fcd, bare *http.Request) (pair, error)) ([]pair, error) {
	s, err := l.main(ctx)
	if err != nil {
		return nil, err
	}
	p, err := comparator(ctx)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	fcd, err := s.invocation(function, event(size))
	if err != nil {
		return nil, err
	}
	bare, err := p.request(event(size))
	if err != nil {
		return nil, err
	}
	got, err := do(s, p, fcd, bare)
	return []pair{got}, err
}

// compare runs two loads in turn.
func (l *lab) compare(ctx context.Context, ours, theirs load, figure func(sample) float64) (pair, error) {
	return l.compareBy(ctx, l.turns(), l.turn(), ours, theirs, figure)
}

func (l *lab) compareBy(ctx context.Context, turns int, turn time.Duration, ours, theirs load, figure func(sample) float64) (pair, error) {
	var tails [2][]float64
	side := func(i int, side load) func(context.Context) (float64, error) {
		return func(ctx context.Context) (float64, error) {
			s, err := side.run(ctx, turn)
			tails[i] = append(tails[i], s.p99)
			return figure(s), err
		}
	}
	p, err := interleave(ctx, turns, l.until, side(0, ours), side(1, theirs))
	p.Note = fmt.Sprintf("p99 %.2f ms against %.2f ms", median(tails[0]), median(tails[1]))
	return p, err
}

// callByCall runs two loads in turns of one call. What else the machine does, and whether a processor that waits is given to
// others meanwhile, is the same for both then.
func (l *lab) callByCall(ctx context.Context, turns int, ours, theirs load) (pair, error) {
	one := func(side load) func(context.Context) (float64, error) {
		return func(ctx context.Context) (float64, error) {
			s, err := side.run(ctx, 0)
			return p50(s), err
		}
	}
	p, err := interleave(ctx, turns, l.until, one(ours), one(theirs))
	p.Note = fmt.Sprintf("p99 %.2f ms against %.2f ms", percentile(p.Ours, 99), percentile(p.Theirs, 99))
	return p, err
}

// profile runs a load once more, while the daemon is profiled.
func (l *lab) profile(ctx context.Context, s *server, ours load, name string) error {
	return l.profiled(ctx, s, name, func(ctx context.Context, d time.Duration) error {
		_, err := ours.run(ctx, d)
		return err
	})
}

// profiled profiles the daemon while it does some work, if profiles are wanted.
func (l *lab) profiled(ctx context.Context, s *server, name string, work func(context.Context, time.Duration) error) error {
	if l.profiles == "" {
		return nil
	}
	const seconds = 5
	done := make(chan error, 1)
	go func() { done <- s.profile(ctx, filepath.Join(l.profiles, name+".pprof"), seconds) }()
	err := work(ctx, (seconds+1)*time.Second)
	if got := <-done; err == nil {
		err = got
	}
	return err
}
