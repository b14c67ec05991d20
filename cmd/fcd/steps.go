package main

import (
	"fmt"
	"io"
	"time"
)

// steps shows the progress of a long command: one line a step, with what came of it and how long it took.
type steps struct {
	out   io.Writer
	total int
	done  int
	start time.Time
}

// do announces a step, runs it and says how it ended. What f returns as text is shown behind the step.
func (s *steps) do(what string, f func() (string, error)) error {
	s.done++
	fmt.Fprintf(s.out, "[%*d/%d] %-52s ", len(fmt.Sprint(s.total)), s.done, s.total, what)
	begin := time.Now()
	got, err := f()
	took := time.Since(begin).Round(10 * time.Millisecond)
	if err != nil {
		fmt.Fprintf(s.out, "failed after %v\n", took)
		return fmt.Errorf("%s: %w", what, err)
	}
	fmt.Fprintf(s.out, "%7.2f s  %s\n", took.Seconds(), got)
	return nil
}
