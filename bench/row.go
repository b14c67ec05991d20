package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"text/tabwriter"
)

// A row of the table: something of fcd's, what it is held against, and how the ratio of the two must be.
type row struct {
	name    string
	what    string
	against string
	unit    string
	must    float64
	strive  float64 // 0: nothing beyond must
	lower   bool    // a smaller ratio is better, as of times; else a larger one, as of rates
}

// Verdicts of a row.
const (
	verdictOK    = "ok"
	verdictShort = "short" // worse than it must be
)

func (r row) verdict(ratio float64) string {
	if r.lower && ratio <= r.must || !r.lower && ratio >= r.must {
		return verdictOK
	}
	return verdictShort
}

// margin is how far a ratio is on the good side of must: 2 is twice as good, 0.5 half as good.
func (r row) margin(ratio float64) float64 {
	if r.lower {
		return r.must / ratio
	}
	return ratio / r.must
}

// A point is a row measured at one size.
type point struct {
	Size  int     `json:"size"`
	Ratio float64 `json:"ratio"`
	pair
}

func (p point) ours() float64   { return median(p.Ours) }
func (p point) theirs() float64 { return median(p.Theirs) }

// A result is a row with all that was measured of it. Points are in the order of their sizes; Shown is the one that the
// table shows. Error tells why there is none.
type result struct {
	row
	axis   string
	Points []point
	Shown  int
	Error  string
}

func (r result) shown() point { return r.Points[r.Shown] }

// line is the row as a program may read it.
func (r result) line() string {
	if r.Error != "" {
		return fmt.Sprintf("row %s failed: %s", r.name, r.Error)
	}
	ratio := r.shown().Ratio
	return fmt.Sprintf("row %s ratio %s must %s strive %s %s", r.name, figure(ratio), figure(r.must), orDash(r.strive), r.verdict(ratio))
}

// table prints all rows for people.
func table(w io.Writer, results []result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nrow\tsize\tfcd\tcomparator\tratio\tmust\tstrive\t\tnote")
	for _, r := range results {
		if r.Error != "" {
			fmt.Fprintf(t, "%s\t\t\t\t\t\t\tfailed\t%s\n", r.name, r.Error)
			continue
		}
		p := r.shown()
		fmt.Fprintf(t, "%s\t%d %s\t%s %s\t%s %s\t%s\t%s\t%s\t%s\t%s\n", r.name, p.Size, r.axis, figure(p.ours()), r.unit,
			figure(p.theirs()), r.unit, figure(p.Ratio), figure(r.must), orDash(r.strive), r.verdict(p.Ratio), p.Note)
	}
	return t.Flush()
}

// figure renders a number with three significant digits.
func figure(v float64) string {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	decimals := max(0, 2-int(math.Floor(math.Log10(math.Abs(v)))))
	return strconv.FormatFloat(v, 'f', min(decimals, 6), 64)
}

func orDash(v float64) string {
	if v == 0 {
		return "-"
	}
	return figure(v)
}
