package daemon

import (
	"testing"
	"time"
)

func TestMemoryIsGivenBackOnceAfterEachWork(t *testing.T) {
	r := rest{pages: 1000}
	var used time.Duration
	for i, step := range []struct {
		work  time.Duration
		pages int
		want  bool
	}{
		{50 * time.Millisecond, 4000, false}, // work
		{time.Millisecond, 4000, false},      // it may go on
		{time.Millisecond, 4000, true},
		{time.Millisecond, 4000, false}, // once
		{time.Millisecond, 4000, false},
		{time.Millisecond, 4000, false},
		{50 * time.Millisecond, 1100, false},
		{0, 1100, false},
		{0, 1100, false}, // nothing to gain
		{50 * time.Millisecond, 4000, false},
		{0, 4000, false},
		{50 * time.Millisecond, 4000, false}, // not yet at rest
		{0, 4000, false},
		{0, 4000, true},
	} {
		used += step.work
		if got := r.look(used, step.pages); got != step.want {
			t.Errorf("look %d: %v", i, got)
		}
		if step.want {
			used += 20 * time.Millisecond // it collects the garbage
			r.trimmed(used, 1000)
		}
	}
}

func TestTrimmedPagesAreNoLongerMapped(t *testing.T) {
	before := mappedPages()
	if before == 0 {
		t.Fatal("no pages of the program are mapped")
	}
	if err := unmapProgram(); err != nil {
		t.Fatal(err)
	}
	if after := mappedPages(); after >= before {
		t.Errorf("%d pages mapped before, %d after", before, after)
	}
}
