package invoker

import (
	"fmt"
	"os"
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
	t.Cleanup(p.close)
	j, theirs := tendedJournal(t, p)
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

// tendedJournal puts a journal under the care of a pump; what is written to out is its output.
func tendedJournal(t *testing.T, p *pump) (j *journal, out *os.File) {
	t.Helper()
	var fds [2]int
	for i := range fds {
		ours, theirs, err := logPipeEnds()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			theirs.Close()
			unix.Close(ours)
		})
		fds[i], out = ours, theirs
	}
	j = newJournal(newLines(), fc.LogRecord{Project: "p", Logstore: "l"}, frame.NewToken(), 1<<10, time.Now, fds, nil)
	if err := p.add(j); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.remove(j) })
	return j, out
}

// What a tick costs does not grow with the number of idle instances.
func TestATickLooksAtNoIdleInstance(t *testing.T) {
	p, err := newPump()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	var journals []*journal
	for range 5 {
		j, _ := tendedJournal(t, p)
		journals = append(journals, j)
	}
	if looked, _ := p.tock(); len(looked) != 5 {
		t.Errorf("the first tick looks at %d journals, not at the five that are new", len(looked))
	}
	if looked, next := p.tock(); len(looked) != 0 || next != 0 {
		t.Errorf("with nothing written a tick looks at %d journals, the next one in %v", len(looked), next)
	}
	p.mu.Lock()
	p.tend(journals[3])
	p.mu.Unlock()
	if looked, _ := p.tock(); len(looked) != 1 || looked[0] != journals[3] || len(p.tended) != 0 {
		t.Errorf("a tick looks at %d journals, and %d are left", len(looked), len(p.tended))
	}
}
