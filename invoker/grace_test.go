package invoker

import (
	"context"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"fcd/fc"
	"fcd/invoker/runtimes/frame"
	"fcd/invoker/sandbox"
)

// stubborn is a sandbox whose process hears SIGTERM, says so on its standard error and goes on.
type stubborn struct {
	sandbox.Instance
	stderr  int
	process *process

	mu     sync.Mutex // guards events
	events []string
}

func (s *stubborn) note(event string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, event)
}

// saw tells whether these were all events so far.
func (s *stubborn) saw(t *testing.T, want ...string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.events, want) {
		t.Errorf("%q, want %q", s.events, want)
	}
}

func (s *stubborn) say(line string) {
	if _, err := unix.Write(s.stderr, []byte(line+"\n")); err != nil {
		panic(err) // a pipe of the test's own
	}
}

func (s *stubborn) Signal(sig syscall.Signal) error {
	s.note(sig.String())
	s.say("heard " + sig.String())
	return nil
}

func (s *stubborn) Kill() error {
	s.note("killed")
	unix.Close(s.stderr)
	if !s.process.exited() {
		s.process.end(sandbox.Exit{Code: -1, Signal: syscall.SIGKILL})
	}
	return nil
}

// hang makes an instance of such a process whose request has run into its deadline.
func hang(t *testing.T, grace time.Duration) (*instance, *stubborn, *lines) {
	t.Helper()
	pump, err := newPump()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pump.close)
	var pipes [2][2]int
	for i := range pipes {
		if err := unix.Pipe2(pipes[i][:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
			t.Fatal(err)
		}
	}
	unix.Close(pipes[0][1]) // its standard output
	logs, token := newLines(), frame.NewToken()
	sb := &stubborn{stderr: pipes[1][1]}
	sb.process = &process{v: &Invoker{opt: Options{KillGrace: grace}, pump: pump}, sb: sb, gone: make(chan struct{}),
		logs: [2]int{pipes[0][0], pipes[1][0]}}
	inst := &instance{process: sb.process}
	inst.journal = newJournal(logs, fc.LogRecord{Project: "p", Logstore: "l"}, token, 32<<10, time.Now, inst.logs, nil)
	s := inst.journal.begin("r", "", "Invoke", nil)
	inst.journal.enter(s)
	if _, err := unix.Write(sb.stderr, token.AppendFence(nil, frame.FenceStart, "r")); err != nil {
		t.Fatal(err)
	}
	inst.journal.end(s, "timed out", fc.UnhandledInvocationError)
	return inst, sb, logs
}

// TestAProcessThatIgnoresTheGraceIsKilledAtItsEnd is told by a clock of the test's own.
func TestAProcessThatIgnoresTheGraceIsKilledAtItsEnd(t *testing.T) {
	for _, grace := range []time.Duration{time.Nanosecond, 300 * time.Millisecond, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			inst, sb, logs := hang(t, grace)
			begin := time.Now()
			done := make(chan time.Duration, 1)
			go func() { inst.expire(); done <- time.Since(begin) }()
			time.Sleep(grace - 1)
			synctest.Wait()
			sb.saw(t, "terminated") // just before the grace has passed
			sb.say("at the last moment")
			if took := <-done; took != grace {
				t.Errorf("it was ended after %v, want %v", took, grace)
			}
			sb.saw(t, "terminated", "killed")
			want := []string{"FC Invoke Start RequestId: r", "heard terminated", "at the last moment", "timed out",
				"FC Invoke End RequestId: r, Error: Unhandled function error"}
			if got := logs.of("r"); !slices.Equal(got, want) {
				t.Errorf("log %q, want %q", got, want)
			}
		})
	}
}

func TestAProcessThatGoesIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inst, sb, _ := hang(t, time.Hour)
		begin := time.Now()
		time.AfterFunc(time.Minute, func() { inst.end(sandbox.Exit{Code: 143}) })
		inst.expire()
		if took := time.Since(begin); took != time.Minute {
			t.Errorf("it was waited for %v, want a minute", took)
		}
		sb.saw(t, "terminated", "killed") // what it left behind is killed
	})
}

// TestARealProcessThatIgnoresSIGTERMIsKilled does not let the kill come before the process has said that it goes on.
func TestARealProcessThatIgnoresSIGTERMIsKilled(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.KillGrace = time.Nanosecond })
	said := make(chan struct{})
	saysIt := sync.OnceFunc(func() { close(said) })
	defer saysIt()
	w.driver.beforeKill = func() { <-said }
	ref := w.functions.set("stubborn", func(_ *fc.Service, f *fc.Function) { f.TimeoutSeconds = 1 })
	res := w.call(t, ref, "stubborn")
	if res.ErrorClass != frame.ClassTimeout {
		t.Errorf("%s %s", res.ErrorClass, res.Body)
	}
	w.lines.until(t, res.RequestID, func(r fc.LogRecord) bool { return r.Message == "terminated, and goes on" })
	saysIt()
	all := w.lines.ended(t, res.RequestID)
	if len(all) != 5 || all[1] != "deaf to SIGTERM" || all[2] != "terminated, and goes on" ||
		!strings.HasSuffix(all[3], `error {"errorMessage":"Task timed out after 1 seconds"}`) {
		t.Errorf("got %q", all)
	}
	w.Close(context.Background())
	w.settled(t, 0)
}
