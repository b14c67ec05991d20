package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var (
	asRate = row{name: "warm", unit: "calls/s", must: 0.45, strive: 0.6}
	asTime = row{name: "p50", unit: "ms", must: 2, lower: true}
)

// of is a result at sizes 1, 10 and 100 with the given ratios; the last is shown.
func of(r row, ratios ...float64) result {
	out := result{row: r, axis: "connections", Shown: len(ratios) - 1}
	size := 1
	for _, ratio := range ratios {
		p := constant(ratio*100, 100, "a note")
		out.Points = append(out.Points, point{Size: size, Ratio: p.ratio(), pair: p})
		size *= 10
	}
	return out
}

func TestLine(t *testing.T) {
	failed := result{row: asRate, Error: "at 64 connections: no answer"}
	for _, c := range []struct {
		name   string
		result result
		want   string
	}{
		{"a rate above its bound is ok", of(asRate, 0.5), "row warm ratio 0.500 must 0.450 strive 0.600 ok"},
		{"a rate at its bound is ok", of(asRate, 0.45), "row warm ratio 0.450 must 0.450 strive 0.600 ok"},
		{"a rate below its bound is short", of(asRate, 0.04), "row warm ratio 0.0400 must 0.450 strive 0.600 short"},
		{"a time below its bound is ok, and nothing is striven for", of(asTime, 1.234), "row p50 ratio 1.23 must 2.00 strive - ok"},
		{"a time above its bound is short", of(asTime, 13), "row p50 ratio 13.0 must 2.00 strive - short"},
		{"the shown size counts", of(asTime, 9, 9, 1), "row p50 ratio 1.00 must 2.00 strive - ok"},
		{"a row that was not measured says why", failed, "row warm failed: at 64 connections: no answer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.result.line(); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestFigureHasThreeDigits(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 12345: "12345", 999: "999", 13.14: "13.1", 1: "1.00", 0.04567: "0.0457",
		0.00064: "0.000640", 0.00000012: "0.000000", -2.5: "-2.50"} {
		if got := figure(v); got != want {
			t.Errorf("%v is %s, want %s", v, got, want)
		}
	}
}

func TestMarginIsAboveOneOnTheGoodSide(t *testing.T) {
	if got := asRate.margin(0.9); got != 2 {
		t.Errorf("a rate twice its bound: %v", got)
	}
	if got := asTime.margin(1); got != 2 {
		t.Errorf("half of the time that is allowed: %v", got)
	}
}

func TestTableShowsFailedRowsToo(t *testing.T) {
	var b strings.Builder
	if err := table(&b, []result{of(asRate, 0.5), {row: asTime, Error: "no answer"}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"warm  1 connections  50.0 calls/s  100 calls/s  0.500  0.450  0.600   ok", "a note", "failed  no answer"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func TestSaveWritesReportAndPlots(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "results")
	results := []result{of(asRate, 0.5, 0.4, 0.3), of(asTime, 1), {row: row{name: "broken", must: 1}, Error: "no answer"}}
	r := report{Quick: true}
	for _, x := range results {
		r.Rows = append(r.Rows, reported(x))
	}
	if err := save(dir, r, results); err != nil {
		t.Fatal(err)
	}
	for name, begin := range map[string]string{"table.svg": "<?xml", "table.png": "\x89PNG", "warm.svg": "<?xml", "warm.png": "\x89PNG"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !strings.HasPrefix(string(b), begin) {
			t.Errorf("%s begins with %.8q, error %v", name, b, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "p50.svg")); err == nil {
		t.Error("a row of one size has a curve")
	}
	b, err := os.ReadFile(filepath.Join(dir, "latest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got report
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Rows) != 3 || got.Rows[0].Verdict != "short" || got.Rows[0].Points[2].Ours[0] != 30 || got.Rows[2].Error != "no answer" {
		t.Errorf("latest.json holds %s", b)
	}
}

func TestEveryRowHasABoundAndANameOfItsOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range experiments() {
		if e.quick == 0 && e.sizes[e.base] != 0 || e.run == nil || e.axis == "" {
			t.Errorf("experiment of %s is not complete", e.rows[0].name)
		}
		for _, r := range e.rows {
			if seen[r.name] || r.must <= 0 || r.what == "" || r.against == "" || r.unit == "" {
				t.Errorf("row %q is not complete, or there are two", r.name)
			}
			if r.strive != 0 && r.margin(r.strive) < 1 {
				t.Errorf("row %s strives for less than it must", r.name)
			}
			seen[r.name] = true
		}
	}
}

func TestChoose(t *testing.T) {
	got, err := choose("cold-node", true)
	if err != nil || len(got) != 1 || got[0].rows[0].name != "cold-nodejs" {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := choose("idle-many", true); err == nil {
		t.Error("a quick run takes what is for full runs only")
	}
	if _, err := choose("nothing-like-it", false); err == nil {
		t.Error("a name that no row has is accepted")
	}
	if _, err := choose("(", false); err == nil {
		t.Error("a broken expression is accepted")
	}
}
