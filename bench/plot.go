package main

import (
	"fmt"
	"image/color"
	"math"
	"path/filepath"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Colours, told apart also by those who see no red and green.
var (
	blue   = color.RGBA{0x1f, 0x77, 0xb4, 0xff}
	orange = color.RGBA{0xd9, 0x6b, 0x0b, 0xff}
	grey   = color.RGBA{0x8a, 0x8a, 0x8a, 0xff}
)

// formats of every plot.
var formats = []string{".svg", ".png"}

func draws(p *plot.Plot, width, height vg.Length, dir, name string) error {
	for _, format := range formats {
		if err := p.Save(width, height, filepath.Join(dir, name+format)); err != nil {
			return err
		}
	}
	return nil
}

// plotTable draws how far each row is from what it must be, on one logarithmic scale: right of 1 is better.
func plotTable(dir string, results []result) error {
	var ok, short, strive plotter.XYs
	var names []string
	for _, r := range slices.Backward(results) {
		if r.Error != "" {
			continue
		}
		y, x := float64(len(names)), r.margin(r.shown().Ratio)
		names = append(names, "  "+r.name) // the left edge cuts what touches it
		if r.verdict(r.shown().Ratio) == verdictOK {
			ok = append(ok, plotter.XY{X: x, Y: y})
		} else {
			short = append(short, plotter.XY{X: x, Y: y})
		}
		if r.strive != 0 {
			strive = append(strive, plotter.XY{X: r.margin(r.strive), Y: y})
		}
	}
	if len(names) == 0 {
		return nil
	}
	p := plot.New()
	p.Title.Text = "How far each row is from its bound"
	p.X.Label.Text = "times as good as it must be"
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, decades{}
	p.NominalY(names...)
	p.Add(plotter.NewGrid())
	if err := line(p, "must", plotter.XYs{{X: 1, Y: -0.5}, {X: 1, Y: float64(len(names)) - 0.5}}, grey); err != nil {
		return err
	}
	for _, s := range []struct {
		label string
		at    plotter.XYs
		color color.Color
		shape draw.GlyphDrawer
	}{{"strive", strive, grey, draw.PlusGlyph{}}, {"ok", ok, blue, draw.CircleGlyph{}}, {"short", short, orange, draw.BoxGlyph{}}} {
		if err := dots(p, s.label, s.at, s.color, s.shape); err != nil {
			return err
		}
	}
	p.X.Min, p.X.Max = min(p.X.Min/1.3, 0.5), max(p.X.Max*4, 4) // room for the legend
	p.Legend.Top = true
	return draws(p, 9*vg.Inch, vg.Length(len(names))*0.3*vg.Inch+1.5*vg.Inch, dir, "table")
}

// A linear axis would show only the larger of values farApart. Where sizes have grown by farGrown, a straight line on
// two logarithmic axes is what a cost in proportion looks like, and one that bends up is a defect.
const (
	farApart = 15
	farGrown = 100
)

// plotCurve draws a row over its sizes, if it has several.
func plotCurve(dir string, r result) error {
	if r.Error != "" || len(r.Points) < 2 {
		return nil
	}
	var ours, theirs plotter.XYs
	for _, q := range r.Points {
		x := float64(max(q.Size, 1))
		ours = append(ours, plotter.XY{X: x, Y: q.ours()})
		theirs = append(theirs, plotter.XY{X: x, Y: q.theirs()})
	}
	p := plot.New()
	p.Title.Text = r.what
	p.X.Label.Text, p.Y.Label.Text = r.axis, r.unit
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, sizes(r.Points)
	p.Add(plotter.NewGrid())
	if err := curve(p, "fcd", ours, blue, draw.CircleGlyph{}); err != nil {
		return err
	}
	if err := curve(p, r.against, theirs, orange, draw.BoxGlyph{}); err != nil {
		return err
	}
	p.X.Min, p.X.Max = p.X.Min/1.5, p.X.Max*1.5
	last := r.Points[len(r.Points)-1]
	if p.Y.Min > 0 && (p.Y.Max > farApart*p.Y.Min || last.Size >= farGrown*max(r.Points[0].Size, 1)) {
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, decades{}
		p.Y.Min, p.Y.Max = p.Y.Min/2, 8*p.Y.Max // room for the legend
	} else {
		p.Y.Min, p.Y.Max = 0, 1.3*p.Y.Max
	}
	p.Legend.Top, p.Legend.Left = true, true
	return draws(p, 7*vg.Inch, 4.2*vg.Inch, dir, r.name)
}

func curve(p *plot.Plot, label string, at plotter.XYs, c color.Color, shape draw.GlyphDrawer) error {
	l, s, err := plotter.NewLinePoints(at)
	if err != nil {
		return err
	}
	l.Color, l.Width, s.Color, s.Shape, s.Radius = c, vg.Points(1.5), c, shape, vg.Points(4)
	p.Add(l, s)
	p.Legend.Add(label, l, s)
	return nil
}

func line(p *plot.Plot, label string, at plotter.XYs, c color.Color) error {
	l, err := plotter.NewLine(at)
	if err != nil {
		return err
	}
	l.Color, l.Width = c, vg.Points(1.5)
	p.Add(l)
	p.Legend.Add(label, l)
	return nil
}

// dots draws nothing where there are none.
func dots(p *plot.Plot, label string, at plotter.XYs, c color.Color, shape draw.GlyphDrawer) error {
	if len(at) == 0 {
		return nil
	}
	s, err := plotter.NewScatter(at)
	if err != nil {
		return err
	}
	s.Color, s.Shape, s.Radius = c, shape, vg.Points(4)
	p.Add(s)
	p.Legend.Add(label, s)
	return nil
}

// sizes are ticks at what was measured.
type sizes []point

// Ticks of the axis.
func (s sizes) Ticks(_, _ float64) (all []plot.Tick) {
	for _, p := range s {
		all = append(all, plot.Tick{Value: float64(max(p.Size, 1)), Label: thousands(p.Size)})
	}
	return all
}

// decades are ticks at 1, 2 and 5 of each power of ten.
type decades struct{}

// Ticks of the axis.
func (decades) Ticks(low, high float64) (all []plot.Tick) {
	for e := math.Floor(math.Log10(low)); e <= math.Log10(high); e++ {
		for _, f := range []float64{1, 2, 5} {
			if v := f * math.Pow(10, e); v >= low && v <= high {
				all = append(all, plot.Tick{Value: v, Label: fmt.Sprintf("%g", v)})
			}
		}
	}
	return all
}

// thousands renders 1000000 as 1,000,000.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
