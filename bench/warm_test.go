package main

import (
	"context"
	"testing"
	"time"
)

// growing is a load whose turns have the given rates, the last one from then on.
type growing struct {
	rates []float64
	turns int
}

func (g *growing) run(context.Context, time.Duration) (sample, error) {
	rate := g.rates[min(g.turns, len(g.rates)-1)]
	g.turns++
	return sample{calls: 10, rate: rate}, nil
}

func (g *growing) once() (float64, error) { return 0, nil }
func (g *growing) close()                 {}

func TestWarmGoesOnWhileALoadGrowsFaster(t *testing.T) {
	l := &lab{quick: true}
	for _, c := range []struct {
		name  string
		rates []float64
		turns int
	}{
		{"as fast as ever", []float64{100}, 3},
		{"grows and stays", []float64{100, 200, 400, 410, 405}, 5},
		{"pauses once", []float64{100, 200, 150, 400, 410, 390}, 6},
		{"grows without end", []float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048}, 10},
	} {
		g := &growing{rates: c.rates}
		if err := l.warm(t.Context(), 0, g); err != nil {
			t.Fatal(err)
		}
		if g.turns != c.turns {
			t.Errorf("%s: %d turns, not %d", c.name, g.turns, c.turns)
		}
	}
	if l.until.IsZero() {
		t.Error("the time of the experiment has not begun anew")
	}
	quick, slow := &growing{rates: []float64{100}}, &growing{rates: []float64{100, 200, 400, 410, 405}}
	if err := l.warm(t.Context(), 4, quick, slow); err != nil || quick.turns != 4 || slow.turns != 5 {
		t.Errorf("two loads: %d and %d turns, %v; each goes on until it is warm, and for four", quick.turns, slow.turns, err)
	}
}

func TestAMeteredLoadCountsWhatItsCallsUse(t *testing.T) {
	p, err := start(t.Context(), t.TempDir(), "sh", "sh", "-c", "echo ready; read line")
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	m, err := meter(&growing{rates: []float64{100}}, p)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := m.run(t.Context(), time.Second); err != nil {
			t.Fatal(err)
		}
	}
	if m.calls != 30 {
		t.Errorf("%d calls", m.calls)
	}
	if c, err := m.cost(); err != nil || c[1] != 0 || c[2] <= 0 {
		t.Errorf("cost %v, %v: a shell without children and this program", c, err)
	}
}
