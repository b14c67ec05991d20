package main

import (
	"context"
	"fmt"
	"os/exec"
	"time"
)

func coldPython(ctx context.Context, l *lab, bytes int) ([]pair, error) {
	return l.cold(ctx, "hello.py", bytes, l.python.Path, "-c", "pass")
}

func coldNode(ctx context.Context, l *lab, bytes int) ([]pair, error) {
	return l.cold(ctx, "hello.js", bytes, l.node.Path, "-e", "0")
}

// newFunctionEvery is the time between two functions that are called for the first time. fcd has a few interpreters ready
// and starts others after each answer: more new functions than it can start interpreters for would measure those starts.
const newFunctionEvery = 300 * time.Millisecond

// cold measures the first answers of functions that were made before, and of functions that have just been made, against
// the start of the bare interpreter.
func (l *lab) cold(ctx context.Context, file string, bytes int, command ...string) (_ []pair, err error) {
	s, err := l.fresh(ctx, "cold")
	if err != nil {
		return nil, err
	}
	defer func() { err = closing(err, l.discard(s)) }()
	turns := pick(l, 4, 21)
	for i := range turns + 1 {
		if err := s.deploy(ctx, fmt.Sprint("known", i), file, bytes); err != nil {
			return nil, err
		}
	}
	bare := func(ctx context.Context) (float64, error) {
		begin := time.Now()
		err := exec.CommandContext(ctx, command[0], command[1:]...).Run()
		return milliseconds(time.Since(begin)), err
	}
	if _, err := s.first("known0"); err != nil { // the files of the interpreter are in the page cache from now on
		return nil, err
	}
	i, j := 0, 0
	known, err := interleave(ctx, turns, l.until, func(ctx context.Context) (float64, error) {
		i++
		if err := pause(ctx, newFunctionEvery); err != nil {
			return 0, err
		}
		return s.first(fmt.Sprint("known", i))
	}, bare)
	if err != nil {
		return nil, err
	}
	var creates []float64
	created, err := interleave(ctx, turns, l.until, func(ctx context.Context) (float64, error) {
		j++
		if err := pause(ctx, newFunctionEvery); err != nil {
			return 0, err
		}
		begin := time.Now()
		if err := s.deploy(ctx, fmt.Sprint("new", j), file, bytes); err != nil {
			return 0, err
		}
		creates = append(creates, milliseconds(time.Since(begin)))
		return s.first(fmt.Sprint("new", j))
	}, bare)
	created.Note = fmt.Sprintf("CreateFunction itself %.1f ms", median(creates))
	return []pair{known, created}, err
}

// first is the time of a call, in milliseconds, on a connection of its own.
func (s *server) first(function string) (float64, error) {
	l, err := s.load(function, event(1<<10), 1)
	if err != nil {
		return 0, err
	}
	defer l.close()
	return l.once()
}

// closing is the error of an experiment, or else that of its end.
func closing(err, end error) error {
	if err != nil {
		return err
	}
	return end
}
