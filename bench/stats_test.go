package main

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPercentile(t *testing.T) {
	for _, c := range []struct {
		name   string
		values []float64
		p      float64
		want   float64
	}{
		{"the median of an odd number is the middle one", []float64{9, 1, 5}, 50, 5},
		{"the median of an even number is between the middle two", []float64{4, 1, 3, 2}, 50, 2.5},
		{"one value is every percentile", []float64{7}, 99, 7},
		{"a high percentile of few values is the largest", []float64{3, 1, 2}, 99, 3},
		{"the smallest is the percentile 0", []float64{3, 1, 2}, 0, 1},
		{"a quarter of four", []float64{4, 3, 2, 1}, 25, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := percentile(c.values, c.p); got != c.want {
				t.Errorf("percentile %v of %v is %v, want %v", c.p, c.values, got, c.want)
			}
		})
	}
	if got := median(nil); !math.IsNaN(got) {
		t.Errorf("the median of nothing is %v", got)
	}
}

func TestMedianLeavesItsValuesInOrder(t *testing.T) {
	values := []float64{3, 1, 2}
	median(values)
	if diff := cmp.Diff([]float64{3, 1, 2}, values); diff != "" {
		t.Error(diff)
	}
}

func TestASumIsOneTurnOfTheSameRatio(t *testing.T) {
	var all pair
	for _, p := range []pair{
		{Ours: []float64{50, 10, 1}, Theirs: []float64{100, 20, 2}, Note: "first"},
		{Ours: []float64{3}, Theirs: []float64{4}, Note: "last"},
	} {
		all.add(p.sum())
	}
	if diff := cmp.Diff(pair{Ours: []float64{10, 3}, Theirs: []float64{20, 4}, Note: "last"}, all); diff != "" {
		t.Error(diff)
	}
}

func TestRatioIsThatOfTheTurnsNotOfTheMedians(t *testing.T) {
	// A machine that grows slower: each turn has the ratio 0.5.
	p := pair{Ours: []float64{50, 10, 1}, Theirs: []float64{100, 20, 2}}
	if got := p.ratio(); got != 0.5 {
		t.Errorf("ratio %v", got)
	}
	// One disturbed turn does not count.
	p = pair{Ours: []float64{50, 1, 50}, Theirs: []float64{100, 100, 100}}
	if got := p.ratio(); got != 0.5 {
		t.Errorf("ratio with a disturbed turn %v", got)
	}
}

func TestInterleaveTakesTurns(t *testing.T) {
	order := ""
	side := func(name string, value float64) func(context.Context) (float64, error) {
		return func(context.Context) (float64, error) { order += name; return value, nil }
	}
	p, err := interleave(t.Context(), 3, time.Time{}, side("A", 1), side("B", 2))
	if err != nil {
		t.Fatal(err)
	}
	if order != "ABBAAB" {
		t.Errorf("order %s", order)
	}
	if diff := cmp.Diff(pair{Ours: []float64{1, 1, 1}, Theirs: []float64{2, 2, 2}}, p); diff != "" {
		t.Error(diff)
	}
}

func TestInterleaveBeginsNoTurnAfterItsTime(t *testing.T) {
	one := func(context.Context) (float64, error) { return 1, nil }
	p, err := interleave(t.Context(), 3, time.Now().Add(-time.Second), one, one)
	if err != nil || len(p.Ours) != 1 || len(p.Theirs) != 1 {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestInterleaveEndsAtTheFirstError(t *testing.T) {
	broken, calls := errors.New("no answer"), 0
	_, err := interleave(t.Context(), 3, time.Time{}, func(context.Context) (float64, error) { calls++; return 1, nil },
		func(context.Context) (float64, error) { return 0, broken })
	if !errors.Is(err, broken) || calls != 1 {
		t.Errorf("%d calls, error %v", calls, err)
	}
}

func TestMillisecondsKeepTheirFraction(t *testing.T) {
	if got := milliseconds(1500 * time.Microsecond); got != 1.5 {
		t.Errorf("%v", got)
	}
}
