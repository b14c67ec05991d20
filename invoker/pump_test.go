package invoker

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fcd/fc"
	"fcd/invoker/runtimes/frame"
)

// The last line of a request comes, whether the pump is about to look at its journal, looks at it, has just gone to sleep
// over it or has given it up.
func TestTheLastLineComesWhateverThePumpDoes(t *testing.T) {
	p, err := newPump()
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.run()
	}()
	defer func() {
		p.close()
		<-ended
	}()
	var fds, theirs [2]int
	for i := range fds {
		ours, file, err := logPipeEnds()
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(ours)
		defer file.Close()
		fds[i], theirs[i] = ours, int(file.Fd())
	}
	l, token := newLines(), frame.NewToken()
	j := newJournal(l, fc.LogRecord{Project: "p", Logstore: "l"}, token, 1<<10, time.Now, fds, nil)
	if err := p.add(j); err != nil {
		t.Fatal(err)
	}
	one := func(id string, before func()) {
		t.Helper()
		s := j.begin(id, "", "Invoke", nil)
		j.enter(s)
		for _, fd := range theirs {
			if _, err := unix.Write(fd, allFences(token, id)); err != nil {
				t.Fatal(err)
			}
		}
		j.touched.Store(true)
		j.drain()
		before()
		j.end(s, "", "")
		l.until(t, id, func(r fc.LogRecord) bool { return strings.HasPrefix(r.Message, "FC Invoke End") })
	}
	asleep := func() {
		for end := time.Now().Add(patience); j.tended.Load(); runtime.Gosched() {
			if time.Now().After(end) {
				t.Fatal("the pump does not go to sleep")
			}
		}
	}
	for i := range 40 {
		one(fmt.Sprint("awake-", i), func() {})
		one(fmt.Sprint("falling-asleep-", i), func() { time.Sleep(time.Duration(i) * pumpRest / 16) })
		one(fmt.Sprint("asleep-", i), asleep)
	}
	one("given-up", func() { p.remove(j) })
}

// A function that has printed much is looked at often for a while, so that it does not wait for room in its pipe for long.
func TestWhoPrintsMuchIsLookedAtOften(t *testing.T) {
	p, err := newPump()
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	var fds [2]int
	ours, theirs, err := logPipeEnds()
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	other, otherEnd, err := logPipeEnds()
	if err != nil {
		t.Fatal(err)
	}
	defer otherEnd.Close()
	defer unix.Close(ours)
	defer unix.Close(other)
	fds[0], fds[1] = ours, other
	j := newJournal(newLines(), fc.LogRecord{Project: "p", Logstore: "l"}, frame.NewToken(), 1<<10, time.Now, fds, nil)
	if err := p.add(j); err != nil {
		t.Fatal(err)
	}
	defer p.remove(j)
	next := func(bytes int) (pause time.Duration) {
		t.Helper()
		if _, err := theirs.WriteString(strings.Repeat("x", bytes-1) + "\n"); err != nil {
			t.Fatal(err)
		}
		j.drain()
		j.touched.Store(true)
		_, pause = p.tock()
		return pause
	}
	if got := next(100); got != pumpRest {
		t.Errorf("after a short line the next look comes in %v", got)
	}
	if got := next(pumpFlood); got != pumpTick {
		t.Errorf("after much it comes in %v", got)
	}
	for range pumpLoud - 1 {
		if got := next(100); got != pumpTick {
			t.Fatalf("soon after much it comes in %v", got)
		}
	}
	if got := next(100); got != pumpRest {
		t.Errorf("long after it, it comes in %v", got)
	}
}
