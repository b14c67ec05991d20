package main

import (
	"context"
	"math"
	"slices"
	"time"
)

// A pair is the same thing measured on fcd and on its comparator, turn by turn. Both have the same number of values.
type pair struct {
	Ours   []float64 `json:"ours"`
	Theirs []float64 `json:"theirs"`
	Note   string    `json:"note,omitempty"`
}

// ratio is the median of the quotients of each turn, so that a machine that grows slower meanwhile does not count.
func (p pair) ratio() float64 {
	q := make([]float64, len(p.Ours))
	for i := range q {
		q[i] = p.Ours[i] / p.Theirs[i]
	}
	return median(q)
}

// sum is a pair as one turn: theirs in the median, ours in p's ratio to it.
func (p pair) sum() pair {
	theirs := median(p.Theirs)
	return pair{Ours: []float64{theirs * p.ratio()}, Theirs: []float64{theirs}, Note: p.Note}
}

// add puts further turns behind those of p, and takes their note.
func (p *pair) add(more pair) {
	p.Ours, p.Theirs, p.Note = append(p.Ours, more.Ours...), append(p.Theirs, more.Theirs...), more.Note
}

// constant is a pair whose comparator is a number that was not measured here.
func constant(ours, theirs float64, note string) pair {
	return pair{Ours: []float64{ours}, Theirs: []float64{theirs}, Note: note}
}

// interleave measures ours and theirs in turn: A B B A, so that each follows the other as often as itself. After the time
// until, unless it is zero, no further turn begins.
func interleave(ctx context.Context, turns int, until time.Time, ours, theirs func(context.Context) (float64, error)) (pair, error) {
	var p pair
	for i := range turns {
		if i > 0 && !until.IsZero() && time.Now().After(until) {
			break
		}
		sides := []side{{ours, &p.Ours}, {theirs, &p.Theirs}}
		if i%2 == 1 {
			slices.Reverse(sides)
		}
		for _, s := range sides {
			v, err := s.measure(ctx)
			if err != nil {
				return p, err
			}
			*s.values = append(*s.values, v)
		}
	}
	return p, nil
}

// side is one of two that are measured in turn.
type side struct {
	measure func(context.Context) (float64, error)
	values  *[]float64
}

// median of no values is NaN.
func median(v []float64) float64 { return percentile(v, 50) }

// percentile is the smallest value that at least p percent of the values do not exceed; for p 50 of an even number, the
// mean of the middle two. NaN for no values.
func percentile(v []float64, p float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(v))
	if n := len(s); p == 50 && n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	i := int(math.Ceil(p/100*float64(len(s)))) - 1
	return s[min(max(i, 0), len(s)-1)]
}

// milliseconds of a duration, with their fraction.
func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
