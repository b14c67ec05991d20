package invoker

import (
	"slices"
	"sync/atomic"

	"fcd/invoker/runtimes/frame"
)

// A mixed is the attribution of lines where fences around whole requests cannot give it: several requests are in flight,
// or the program knows no fences. A line belongs to the request that its label names, without a label to the one that
// began last of those in flight, and when there is none to the one that ended last, as a late line.
//
// A request ends with its answer. What it wrote before is in the pipes by then, and whoever has the answer empties them
// first.
type mixed struct {
	begun  atomic.Bool // the first request has; what the program says before stays in the pipes for it
	flight []*section  // in the order they began
	past   []*section  // the last ones that ended, the latest last
}

// maxPast is how many ended requests may still be named by labels.
const maxPast = 128

// end moves s from flight to past.
func (m *mixed) end(s *section) {
	m.flight = slices.DeleteFunc(m.flight, func(f *section) bool { return f == s })
	if len(m.past) == maxPast {
		m.past = slices.Delete(m.past, 0, 1)
	}
	m.past = append(m.past, s)
}

// newest is the section of unlabelled bytes; nil before the first one.
func (m *mixed) newest() (s *section, late bool) {
	if n := len(m.flight); n > 0 {
		return m.flight[n-1], false
	}
	if n := len(m.past); n > 0 {
		return m.past[n-1], true
	}
	return nil, true
}

// named finds the section of a label, the latest with that id.
func (m *mixed) named(id string) (s *section, late bool) {
	for _, list := range [][]*section{m.past, m.flight} {
		for _, x := range list {
			if x.id == id {
				s = x
			}
		}
	}
	return s, !slices.Contains(m.flight, s)
}

// A mixedPipe is a log pipe of an instance whose journal is mixed.
type mixedPipe struct {
	*logPipe
	label string // of the bytes at hand; "" = none
}

func (p *mixedPipe) line(text []byte) {
	j := p.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	p.heapOut = p.heapOut || heapWords(text)
	s, late := j.mixed.newest()
	if p.label != "" {
		s, late = j.mixed.named(p.label)
	}
	j.write(s, text, p.at, late)
}

// accept takes labels of requests that are in flight or have ended lately, and the end of a label.
func (p *mixedPipe) accept(f frame.Fence) bool {
	switch f.Mark {
	case frame.FenceLabel:
		p.journal.mu.Lock()
		defer p.journal.mu.Unlock()
		s, _ := p.journal.mixed.named(string(f.ID))
		return s != nil
	case frame.FenceUnlabel:
		return p.label == string(f.ID)
	}
	return false
}

func (p *mixedPipe) fence(f frame.Fence) {
	p.label = ""
	if f.Mark == frame.FenceLabel {
		p.label = string(f.ID)
	}
}
