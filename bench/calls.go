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

// bare opens connections to a comparator that printed its port.
func bare(p *process, event []byte, connections int) (*load, error) {
	r, err := http.NewRequest(http.MethodPost, "http://127.0.0.1:"+p.first+"/", bytes.NewReader(event))
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", "")
	return newLoad(r.URL.Host, connections, http.StatusOK, r)
}

func (l *lab) bareNode(ctx context.Context) (*process, error) {
	return start(ctx, l.dir, "bare-node", l.node, l.comparator("server.js"), l.comparator("hello.js"))
}

func (l *lab) bareHop(ctx context.Context) (*process, error) {
	return start(ctx, l.dir, "bare-hop", l.self, "hop", l.python, l.comparator("worker.py"), l.comparator("hello.py"))
}

func warmNode(ctx context.Context, l *lab, connections int) ([]pair, error) {
	return l.duel(ctx, "node", l.bareNode, 1<<10, connections, rate)
}

func warmPython(ctx context.Context, l *lab, connections int) ([]pair, error) {
	return l.duel(ctx, "python", l.bareHop, 1<<10, connections, rate)
}

func single(ctx context.Context, l *lab, bytes int) ([]pair, error) {
	return l.duel(ctx, "node", l.bareNode, bytes, 1, p50)
}

// What a duel looks at.
func rate(s sample) float64 { return s.rate }
func p50(s sample) float64  { return s.p50 }

// duel measures a function of the shared daemon against a comparator that serves HTTP.
func (l *lab) duel(ctx context.Context, function string, comparator func(context.Context) (*process, error),
	size, connections int, figure func(sample) float64) ([]pair, error) {
	s, err := l.main(ctx)
	if err != nil {
		return nil, err
	}
	p, err := comparator(ctx)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	ours, err := s.load(function, event(size), connections)
	if err != nil {
		return nil, err
	}
	defer ours.close()
	theirs, err := bare(p, event(size), connections)
	if err != nil {
		return nil, err
	}
	defer theirs.close()
	got, err := l.compare(ctx, ours, theirs, figure)
	if err == nil && l.profiles != "" {
		err = l.profile(ctx, s, ours, fmt.Sprintf("%s-%d-%d", function, connections, size))
	}
	return []pair{got}, err
}

// compare runs two loads in turn, once without looking.
func (l *lab) compare(ctx context.Context, ours, theirs *load, figure func(sample) float64) (pair, error) {
	for _, side := range []*load{ours, theirs} {
		if _, err := side.run(ctx, l.turn()); err != nil {
			return pair{}, err
		}
	}
	var tails [2][]float64
	side := func(i int, side *load) func(context.Context) (float64, error) {
		return func(ctx context.Context) (float64, error) {
			s, err := side.run(ctx, l.turn())
			tails[i] = append(tails[i], s.p99)
			return figure(s), err
		}
	}
	p, err := interleave(ctx, l.turns(), side(0, ours), side(1, theirs))
	p.Note = fmt.Sprintf("p99 %.2f ms against %.2f ms", median(tails[0]), median(tails[1]))
	return p, err
}

// profile runs a load once more, while the daemon is profiled.
func (l *lab) profile(ctx context.Context, s *server, ours *load, name string) error {
	const seconds = 5
	done := make(chan error, 1)
	go func() { done <- s.profile(ctx, filepath.Join(l.profiles, name+".pprof"), seconds) }()
	_, err := ours.run(ctx, (seconds+1)*time.Second)
	if got := <-done; err == nil {
		err = got
	}
	return err
}
