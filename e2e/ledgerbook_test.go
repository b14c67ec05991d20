package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// book is what the logstore holds of the function mark, in the order in which it came there.
type book struct {
	attempts     map[string]map[string]*attemptLines // by name of the invocation and by attempt
	marks, fails map[string]int                      // attempts that ended well and badly, by name
	lines        int
	again        int // lines that are there more than once
}

// attemptLines are the numbers of an attempt's lines, each where it came first; -1 is a number for its last line.
type attemptLines struct {
	numbers []int
	ended   bool
}

// whole tells that every line of an attempt is there that has ended.
func (a *attemptLines) whole() bool { return a != nil && a.ended && len(a.numbers) == markLines }

func (a *attemptLines) String() string {
	if a == nil {
		return "none"
	}
	return fmt.Sprintf("%v, the last one: %v", a.numbers, a.ended)
}

// last is the attempt whose object is there: the last one that came so far.
func (b *book) last(name, object string) *attemptLines {
	for id, a := range b.attempts[name] {
		if sum(id) == object {
			return a
		}
	}
	return nil
}

// readBook reads the book when the last lines of what was done have come, or none of them comes any more.
func (l *ledger) readBook(p *process, wanted map[string]bool, there map[string]string) *book {
	l.t.Helper()
	var b *book
	dwindles(time.Minute, func() (missing int) {
		b = p.book()
		for name := range wanted {
			if object, done := there[name]; done && !b.last(name, object).whole() {
				missing++
			}
		}
		return missing
	})
	return b
}

func (p *process) book() *book {
	p.t.Helper()
	b := &book{attempts: map[string]map[string]*attemptLines{}, marks: map[string]int{}, fails: map[string]int{}}
	for _, r := range p.arrived("load/mark") {
		f := strings.Fields(r["message"])
		if len(f) < 2 {
			continue
		}
		what, name := f[0], f[1]
		if what == "fail" {
			b.fails[name]++
		}
		if what != "line" && what != "mark" || len(f) < 3 {
			continue
		}
		if b.attempts[name] == nil {
			b.attempts[name] = map[string]*attemptLines{}
		}
		a := b.attempts[name][f[2]]
		if a == nil {
			a = &attemptLines{}
			b.attempts[name][f[2]] = a
		}
		if what == "mark" {
			if a.ended {
				b.again++
				continue
			}
			a.ended = true
			b.marks[name]++
			continue
		}
		b.lines++
		n, err := strconv.Atoi(f[3])
		if err != nil {
			p.t.Fatalf("line %q", r["message"])
		}
		if slices.Contains(a.numbers, n) {
			b.again++
			continue
		}
		a.numbers = append(a.numbers, n)
	}
	return b
}

// checkBook looks for lines in another order than they were printed in, and for some that are there again though the
// service knows by the name of a batch what it has: a power cut may take that name with it, a kill not.
func (l *ledger) checkBook(b *book) {
	l.t.Helper()
	for name, attempts := range b.attempts {
		for id, a := range attempts {
			if !slices.IsSorted(a.numbers) {
				l.t.Errorf("lines of attempt %s of %s came in the order %v", id, name, a.numbers)
			}
		}
	}
	if b.again > 0 && l.whole && !l.cutOnce {
		l.t.Errorf("%d lines came again", b.again)
	}
}
