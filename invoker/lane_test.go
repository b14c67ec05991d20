package invoker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fcd/fc"
	"fcd/invoker/runtimes/frame"
)

// A track is a lane whose program is the test.
type track struct {
	*lane
	in, out *os.File // the program's ends
	drained atomic.Int64
}

func newTrack(t *testing.T) *track {
	t.Helper()
	p := &process{}
	var k track
	var err error
	if k.in, p.in, err = os.Pipe(); err != nil {
		t.Fatal(err)
	}
	if p.out, k.out, err = os.Pipe(); err != nil {
		t.Fatal(err)
	}
	if p.answers, err = newAnswers(p.out); err != nil {
		t.Fatal(err)
	}
	p.frames, p.writer = frame.NewReader(&p.answers), frame.NewWriter(p.in)
	k.lane = &lane{process: p, drain: func() int { k.drained.Add(1); return 0 }}
	t.Cleanup(func() { closeAll(k.in, p.in, p.out, k.out) })
	return &k
}

type sentRequest struct {
	id   string
	done chan error
	got  reply
}

// request sends one and returns when it is in the pipe.
func (k *track) request(t *testing.T, id string, timeout time.Duration) *sentRequest {
	t.Helper()
	entered := make(chan struct{})
	s := &sentRequest{id: id, done: make(chan error, 1)}
	go func() {
		got, err := k.exchange(run{kind: frame.TypeInvoke, request: frame.Request{ID: id}, body: []byte("event " + id), enter: func() { close(entered) }}, time.Now().Add(timeout))
		s.got = got
		s.done <- err
	}()
	<-entered // under mu, which is held until it is in flight
	k.mu.Lock()
	defer k.mu.Unlock()
	return s
}

// take is one read of the program.
func (k *track) take(t *testing.T) string {
	t.Helper()
	b := make([]byte, 1<<16)
	n, err := k.in.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	f, err := frame.NewReader(bytes.NewReader(b[:n])).Read()
	if err != nil {
		t.Fatalf("one read gave %q: %v", b[:n], err)
	}
	return string(f.Body)
}

func answersOf(t *testing.T, ids ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, id := range ids {
		if err := frame.NewWriter(&b).Write(frame.Message{Type: frame.TypeResult, Header: frame.Answer{ID: id}, Body: []byte("answer " + id)}); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func (s *sentRequest) answered(t *testing.T) {
	t.Helper()
	if err := <-s.done; err != nil || string(s.got.answer.Body) != "answer "+s.id {
		t.Errorf("%s: %q, %v", s.id, s.got.answer.Body, err)
	}
}

// settle keeps overdue from looking while a test goes on.
func (k *track) settle() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.watching = true
}

func TestAReadOfTheProgramTakesOneRequest(t *testing.T) {
	k := newTrack(t)
	k.settle()
	one, two, three := k.request(t, "1", patience), k.request(t, "2", patience), k.request(t, "3", patience)
	for _, want := range []string{"event 1", "event 2", "event 3"} {
		if got := k.take(t); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	k.out.Write(answersOf(t, "1", "2", "3"))
	one.answered(t)
	two.answered(t)
	three.answered(t)
	if n := k.drained.Load(); n != 1 {
		t.Errorf("the log was drained %d times for three answers that came together", n)
	}
}

func TestTheNextBecomesFirst(t *testing.T) {
	k := newTrack(t)
	k.settle()
	one, two, three := k.request(t, "1", patience), k.request(t, "2", patience), k.request(t, "3", patience)
	all := answersOf(t, "1", "2", "3")
	half := len(all) / 2
	k.out.Write(all[:half])
	one.answered(t)
	k.out.Write(all[half:])
	two.answered(t)
	three.answered(t)
	if two.got.waited <= 0 {
		t.Errorf("the second waited for %v", two.got.waited)
	}
}

func TestWhatASlowProgramHasNotTakenIsWithdrawn(t *testing.T) {
	for taken := range 3 {
		t.Run(fmt.Sprint(taken, " taken"), func(t *testing.T) {
			k := newTrack(t)
			k.settle()
			sent := []*sentRequest{k.request(t, "1", patience), k.request(t, "2", patience), k.request(t, "3", patience)}
			for range taken {
				k.take(t)
			}
			k.mu.Lock()
			k.withdraw()
			k.mu.Unlock()
			stay := taken
			if taken == 0 {
				stay = len(sent) // they wait for the first, which the program may be about to take
			}
			for _, s := range sent[stay:] {
				if err := <-s.done; !errors.Is(err, errWithdrawn) {
					t.Errorf("%s: %v", s.id, err)
				}
			}
			for _, s := range sent[taken:stay] {
				if got := k.take(t); got != "event "+s.id {
					t.Errorf("the pipe holds %q", got)
				}
			}
			for _, s := range sent[:stay] {
				k.out.Write(answersOf(t, s.id))
				s.answered(t)
			}
			again := k.request(t, "4", patience)
			if got := k.take(t); got != "event 4" {
				t.Errorf("then comes %q", got)
			}
			k.out.Write(answersOf(t, "4"))
			again.answered(t)
		})
	}
}

func TestTheTimeOfARequestBeginsWhenItIsFirst(t *testing.T) {
	k := newTrack(t)
	k.settle()
	first := k.request(t, "1", patience)
	late := k.request(t, "2", time.Nanosecond)
	k.out.Write(answersOf(t, "1"))
	first.answered(t)
	if err := <-late.done; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the second: %v", err)
	}
}

func TestThoseBehindOneThatEndsTheInstanceAreTold(t *testing.T) {
	for name, end := range map[string]func(k *track){
		"a wrong answer": func(k *track) { k.out.Write(answersOf(t, "another")) },
		"the end":        func(k *track) { k.out.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			k := newTrack(t)
			k.settle()
			one, two, three := k.request(t, "1", patience), k.request(t, "2", patience), k.request(t, "3", patience)
			k.take(t)
			end(k)
			if err := <-one.done; err == nil || errors.Is(err, errBehind) {
				t.Errorf("the first: %v", err)
			}
			for _, s := range []*sentRequest{two, three} {
				if err := <-s.done; !errors.Is(err, errBehind) {
					t.Errorf("%s: %v", s.id, err)
				}
			}
			if _, err := k.exchange(run{kind: frame.TypeInvoke, request: frame.Request{ID: "4"}, enter: func() {}}, time.Now().Add(patience)); !errors.Is(err, errBehind) {
				t.Errorf("one that comes later: %v", err)
			}
		})
	}
}

func TestAnAnswerToNobodyEndsTheInstance(t *testing.T) {
	for _, second := range []string{"1", "another"} {
		k := newTrack(t)
		k.settle()
		one := k.request(t, "1", patience)
		k.out.Write(answersOf(t, "1", second))
		one.answered(t)
		_, err := k.exchange(run{kind: frame.TypeInvoke, request: frame.Request{ID: "2"}, enter: func() {}}, time.Now().Add(patience))
		if !errors.Is(err, errProtocol) {
			t.Errorf("%s: the next request ends with %v", second, err)
		}
	}
}

func TestAnswersOutOfOrderReachTheirOwn(t *testing.T) {
	k := newTrack(t)
	k.settle()
	one, two, three := k.request(t, "1", patience), k.request(t, "2", patience), k.request(t, "3", patience)
	k.out.Write(answersOf(t, "3", "1", "2"))
	one.answered(t)
	two.answered(t)
	three.answered(t)
}

// newQuick is a world whose functions count as quick after their first call, however busy the machine is.
func newQuick(t *testing.T, change func(*fc.Service, *fc.Function)) (*world, fc.FunctionRef, *pool) {
	t.Helper()
	w := newWorld(t, func(o *Options) { o.FunctionConcurrency = 2 })
	w.Invoker.inLine = time.Hour
	ref := w.functions.set("hello", change)
	w.call(t, ref, "echo x")
	target, err := w.functions.Target(ref)
	if err != nil {
		t.Fatal(err)
	}
	return w, ref, w.pool(target)
}

func TestPaceIsThatOfTheQuickerRequests(t *testing.T) {
	for _, tt := range []struct {
		name  string
		slow  int // of four requests
		least time.Duration
		most  time.Duration
	}{
		{"all quick", 0, 90 * time.Microsecond, 115 * time.Microsecond},
		{"half of them waited for a processor", 2, 90 * time.Microsecond, 115 * time.Microsecond},
		{"all slow", 4, paceMost, paceMost},
	} {
		pace := time.Duration(paceUnknown)
		for n := range 1000 {
			took := 100 * time.Microsecond
			if n%4 < tt.slow {
				took = time.Second
			}
			pace = paced(pace, took)
		}
		if pace < tt.least || pace > tt.most {
			t.Errorf("%s: %v", tt.name, pace)
		}
	}
}

func TestNobodyWaitsBehindARequestThatTurnsOutSlow(t *testing.T) {
	w, ref, _ := newQuick(t, nil)
	file, open := gate(t)
	slow := w.running(t, ref, "slow", "wait "+file)
	w.call(t, ref, "echo alone")
	var others sync.WaitGroup
	for i := range 20 {
		others.Go(func() {
			id := fmt.Sprint("quick-", i)
			res, err := w.Invoke(context.Background(), fc.Call{RequestID: id, Ref: ref, Payload: []byte("echo " + id)})
			if err != nil || string(res.Body) != id {
				t.Errorf("%s: %q, %v", id, res.Body, err)
			}
			if log := w.lines.ended(t, id); len(log) != 2 {
				t.Errorf("%s: %q", id, log)
			}
		})
	}
	others.Wait()
	open()
	<-slow
}

// Requests of every kind at a time: each has its own answer, and its log has it begin and end once.
func TestRequestsInALaneKeepApart(t *testing.T) {
	w, ref, p := newQuick(t, func(_ *fc.Service, f *fc.Function) { f.TimeoutSeconds = 1 })
	var callers sync.WaitGroup
	var deepest atomic.Int64
	for c := range 12 {
		callers.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(c)))
			for n := range 100 {
				id := fmt.Sprintf("r-%d-%d", c, n)
				event, want := "echo "+id, id
				switch random.IntN(60) {
				case 0:
					event, want = "exit 1", `{"errorMessage":"Process exited unexpectedly before completing request"}`
				case 1:
					event, want = "throw", `{"errorMessage":"x"}`
				case 2:
					event, want = "sleep 5ms", "slept"
				case 3, 4, 5:
					want = id + strings.Repeat("b", random.IntN(100<<10))
					event = "echo " + want
				case 6:
					event, want = "handled "+id, `{"errorMessage":"`+id+`"}`
				case 7:
					if c == 0 && n > 50 {
						event, want = "sleep 99s", `{"errorMessage":"Task timed out after 1 seconds"}`
					}
				}
				res, err := w.Invoke(context.Background(), fc.Call{RequestID: id, Ref: ref, Payload: []byte(event)})
				if err != nil || string(res.Body) != want {
					t.Errorf("%s %.30q: %.80q, %v", id, event, res.Body, err)
				}
				p.fn.mu.Lock()
				for _, inst := range p.roomy {
					deepest.Store(max(deepest.Load(), int64(inst.load)))
				}
				p.fn.mu.Unlock()
				log := w.lines.ended(t, id)
				if n := len(log) - 2; n > 1 || n == 1 && want[0] != '{' || log[0] != "FC Invoke Start RequestId: "+id {
					t.Errorf("%s %.30q: %q", id, event, log)
				}
			}
		})
	}
	callers.Wait()
	if deepest.Load() < 2 {
		t.Error("no request stood behind another")
	}
}
