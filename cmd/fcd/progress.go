package main

import (
	"fmt"
	"io"
	"os"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/sys/unix"

	"fcd/invoker/runtimes/install"
)

// progress shows how far installations are: bars on a terminal, lines elsewhere.
type progress interface {
	progress(install.Progress)
	done(runtime, how string)
	close() // everything is shown when it returns
}

func newProgress(out io.Writer) progress {
	if f, ok := out.(*os.File); ok {
		if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err == nil {
			return &bars{all: mpb.New(mpb.WithOutput(out)), bars: map[string]*bar{}}
		}
	}
	return &plainLines{out: out, last: map[string]install.Stage{}}
}

// plainLines says each stage of a runtime once.
type plainLines struct {
	out  io.Writer
	last map[string]install.Stage
}

func (l *plainLines) progress(p install.Progress) {
	if l.last[p.Runtime] == p.Stage {
		return
	}
	l.last[p.Runtime] = p.Stage
	switch p.Stage {
	case install.Fetching:
		fmt.Fprintf(l.out, "%s: fetching %s\n", p.Runtime, bytesText(int(p.Total)))
	case install.Waiting:
		fmt.Fprintf(l.out, "%s: waiting for another installation\n", p.Runtime)
	default:
		fmt.Fprintf(l.out, "%s: %s\n", p.Runtime, p.Stage)
	}
}

func (l *plainLines) done(runtime, how string) { fmt.Fprintf(l.out, "%s: %s\n", runtime, how) }
func (l *plainLines) close()                   {}

// bars are one bar a runtime. Fetching is most of it and unpacking the rest, both counted in bytes of packages.
type bars struct {
	all  *mpb.Progress
	bars map[string]*bar
}

type bar struct {
	*mpb.Bar
	what string // beside the bar; written and read by one goroutine each, between which mpb's own lock stands
	text chan string
}

func (b *bars) progress(p install.Progress) {
	bar := b.bar(p.Runtime)
	what, at := string(p.Stage), p.Done
	if p.Package != "" {
		what += " " + p.Package
	}
	if p.Stage == install.Unpacking || p.Stage == install.Settling {
		at += p.Total
	}
	bar.say(what)
	if p.Total > 0 {
		bar.SetTotal(2*p.Total+1, false)
		bar.SetCurrent(at)
	}
}

func (b *bars) done(runtime, how string) {
	bar := b.bar(runtime)
	bar.say(how)
	bar.SetTotal(-1, true)
}

func (b *bars) close() { b.all.Wait() }

func (b *bars) bar(runtime string) *bar {
	if one, ok := b.bars[runtime]; ok {
		return one
	}
	one := &bar{text: make(chan string, 1)}
	one.Bar = b.all.AddBar(0,
		mpb.PrependDecorators(decor.Name(runtime, decor.WC{W: 10, C: decor.DindentRight})),
		mpb.AppendDecorators(decor.Percentage(decor.WC{W: 5}), decor.Any(func(decor.Statistics) string { return "  " + one.said() })))
	b.bars[runtime] = one
	return one
}

// say leaves the newest text for the one who draws.
func (b *bar) say(text string) {
	select {
	case <-b.text:
	default:
	}
	b.text <- text
}

// said is called by mpb alone.
func (b *bar) said() string {
	select {
	case b.what = <-b.text:
	default:
	}
	return b.what
}
