package invoker

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"fcd/fc"
)

// running starts a call and returns once the function has it.
func (w *world) running(t testing.TB, ref fc.FunctionRef, id, event string) (done chan fc.Result) {
	t.Helper()
	done = make(chan fc.Result, 1)
	go func() {
		res, err := w.Invoke(context.Background(), fc.Call{RequestID: id, Ref: ref, Payload: []byte(event)})
		if err != nil {
			t.Errorf("%s: %v", id, err)
		}
		done <- res
	}()
	w.lines.until(t, id, func(fc.LogRecord) bool { return true })
	return done
}

func TestAFunctionAtItsLimitRefuses(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.FunctionConcurrency = 1 })
	ref := w.functions.set("hello", nil)
	file, open := gate(t)
	done := w.running(t, ref, "long", "wait "+file)
	w.opt.MaxWait = 100 * time.Millisecond // no longer than an instance may take to start
	_, err := w.Invoke(context.Background(), fc.Call{RequestID: "r", Ref: ref})
	if codeOf(err) != fc.ResourceExhausted || !strings.Contains(err.Error(), "function demo/hello has reached its concurrency limit of 1") {
		t.Errorf("got %v", err)
	}
	open()
	<-done
}

func TestTheQueueOfWaitingCallsIsBounded(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.FunctionConcurrency, o.MaxWaiting = 1, 1 })
	ref := w.functions.set("hello", nil)
	w.call(t, ref, "echo")
	file, open := gate(t)
	done := w.running(t, ref, "long", "wait "+file)
	waiting := make(chan error, 1)
	go func() {
		_, err := w.Invoke(context.Background(), fc.Call{RequestID: "w", Ref: ref, Payload: []byte("echo")})
		waiting <- err
	}()
	w.queued(t, 1)
	if _, err := w.Invoke(context.Background(), fc.Call{RequestID: "r", Ref: ref}); codeOf(err) != fc.ResourceExhausted {
		t.Errorf("a second waiting call: %v", err)
	}
	open()
	if err := <-waiting; err != nil {
		t.Errorf("the waiting call: %v", err)
	}
	<-done
}

// queued waits until n calls wait for an instance.
func (w *world) queued(t testing.TB, n int) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for {
		got := 0
		for _, fn := range w.all() {
			fn.mu.Lock()
			got += len(fn.waiting)
			fn.mu.Unlock()
		}
		if got == n {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%d calls wait", got)
		}
	}
}

// Who hopes for a busy instance that ends in place of coming back gets another, long before his patience is over.
func TestWhoWaitsForAnInstanceThatEndsGetsAnother(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Patience = time.Minute })
	ref := w.functions.set("hello", func(_ *fc.Service, f *fc.Function) { f.TimeoutSeconds = 1 })
	w.call(t, ref, "echo")
	slow := w.running(t, ref, "slow", "sleep 300s")
	answer := make(chan fc.Result, 1)
	go func() { answer <- w.call(t, ref, "echo x") }()
	w.queued(t, 1)
	<-slow
	if got := <-answer; string(got.Body) != "x" {
		t.Errorf("%s: %s", got.ErrorType, got.Body)
	}
}

func TestACancelledCallLeavesTheQueue(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.FunctionConcurrency = 1 })
	ref := w.functions.set("hello", nil)
	file, open := gate(t)
	done := w.running(t, ref, "long", "wait "+file)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { w.queued(t, 1); cancel() }()
	if _, err := w.Invoke(ctx, fc.Call{RequestID: "r", Ref: ref}); codeOf(err) != fc.ResourceThrottled {
		t.Errorf("got %v", err)
	}
	w.queued(t, 0)
	open()
	<-done
}

func TestTheBudgetOfAllFunctions(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.MaxMemoryMB = 300 })
	a, b, c := w.functions.set("a", nil), w.functions.set("b", nil), w.functions.set("c", nil)
	w.call(t, a, "echo")
	w.call(t, b, "echo")
	w.call(t, a, "echo") // so b is the least recently used
	file, open := gate(t)
	done := w.running(t, c, "c", "wait "+file)
	if res := w.call(t, a, "calls"); res.Cold {
		t.Error("the instance of a was retired, that of b was used longer ago")
	}
	busy := w.running(t, a, "a", "wait "+file)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { w.queued(t, 1); cancel() }()
	if _, err := w.Invoke(ctx, fc.Call{RequestID: "r", Ref: b}); codeOf(err) != fc.ResourceThrottled {
		t.Errorf("no room: %v", err)
	}
	if n := w.budget.used(); n != 2 {
		t.Errorf("%d instances", n)
	}
	open()
	<-done
	<-busy
}

func TestAWaitingFunctionGetsTheRoomOfOneThatBecomesIdle(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.MaxInstances = 1 })
	a, b := w.functions.set("a", nil), w.functions.set("b", nil)
	done := w.running(t, a, "a", "sleep 100ms")
	if res := w.call(t, b, "echo hi"); string(res.Body) != "hi" {
		t.Errorf("got %s", res.Body)
	}
	<-done
}

// While one instance makes room, others that become idle meanwhile stay.
func TestRoomIsMadeByWhatWasIdleLongest(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.MaxInstances, o.StopGrace, o.MaxWait = 2, time.Second, time.Minute })
	a, b, c := w.functions.set("a", nil), w.functions.set("b", nil), w.functions.set("c", nil)
	w.call(t, b, "echo")
	w.call(t, a, "deaf") // its end takes as long as StopGrace
	done := w.running(t, b, "b", "sleep 200ms")
	served := make(chan fc.Result, 1)
	go func() {
		res, err := w.Invoke(context.Background(), fc.Call{RequestID: "c", Ref: c, Payload: []byte("echo c")})
		if err != nil {
			t.Error(err)
		}
		served <- res
	}()
	w.await(t, "the end of a's instance to begin", func() bool { return w.dying.Load() == 1 })
	<-done
	if res := w.call(t, b, "calls"); res.Cold || string(res.Body) != "3" {
		t.Errorf("the instance of b was retired, though that of a was idle longer: cold %v, call %s", res.Cold, res.Body)
	}
	if res := <-served; string(res.Body) != "c" {
		t.Errorf("got %s", res.Body)
	}
}

func TestAnotherGenerationGivesUpItsLongestIdleInstance(t *testing.T) {
	w := newWorld(t, func(o *Options) {
		o.FunctionConcurrency, o.Patience, o.StopGrace = 2, time.Millisecond, 50*time.Millisecond
	})
	ref := w.functions.set("hello", nil)
	other := fc.FunctionRef{Service: "demo", Qualifier: "v1", Function: "hello"}
	w.functions.mu.Lock()
	version := *w.functions.targets[ref]
	version.Ref, version.Generation = other, "version"
	w.functions.targets[other] = &version
	w.functions.mu.Unlock()
	one, two := w.running(t, ref, "one", "sleep 50ms"), w.running(t, ref, "two", "sleep 50ms")
	if first, second := <-one, <-two; first.InstanceID == second.InstanceID {
		t.Skip("the first call had ended before the second began")
	}
	last := w.call(t, ref, "echo")
	if res := w.call(t, other, "echo v"); string(res.Body) != "v" {
		t.Errorf("got %s", res.Body)
	}
	if res := w.call(t, ref, "echo"); res.InstanceID != last.InstanceID {
		t.Error("the instance that was used last was retired")
	}
}

func TestManyFunctionsShareLittleRoom(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.MaxInstances, o.StopGrace = 3, 50*time.Millisecond })
	var wg sync.WaitGroup
	for f := range 8 {
		ref := w.functions.set(fmt.Sprint("f", f), nil)
		for n := range 5 {
			wg.Go(func() {
				res, err := w.Invoke(context.Background(), fc.Call{RequestID: fmt.Sprint(f, "-", n), Ref: ref, Payload: fmt.Appendf(nil, "echo %d", f)})
				if err != nil || string(res.Body) != fmt.Sprint(f) {
					t.Errorf("%d: %s %v", f, res.Body, err)
				}
			})
		}
	}
	wg.Wait()
	if n := w.budget.used(); n > 3 {
		t.Errorf("%d instances", n)
	}
}

func TestAWaitingCallTakesTheInstanceThatComesFree(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Patience = time.Minute })
	ref := w.functions.set("hello", nil)
	w.call(t, ref, "echo")
	done := w.running(t, ref, "long", "sleep 100ms")
	if res := w.call(t, ref, "calls"); res.Cold || string(res.Body) != "3" {
		t.Errorf("cold %v, call %s", res.Cold, res.Body)
	}
	<-done
}

func TestABusyFunctionGetsASecondInstance(t *testing.T) {
	w := newWorld(t, nil)
	ref := w.functions.set("hello", nil)
	file, open := gate(t)
	done := w.running(t, ref, "long", "wait "+file)
	if res := w.call(t, ref, "calls"); !res.Cold || string(res.Body) != "1" {
		t.Errorf("cold %v, call %s", res.Cold, res.Body)
	}
	open()
	<-done
}

func TestTheMostRecentlyUsedInstanceServes(t *testing.T) {
	w := newWorld(t, nil)
	ref := w.functions.set("hello", nil)
	file, open := gate(t)
	first := w.running(t, ref, "x", "wait "+file)
	second := w.call(t, ref, "echo")
	open()
	last := <-first
	if last.InstanceID == second.InstanceID {
		t.Fatal("one instance served two requests at a time")
	}
	if res := w.call(t, ref, "echo"); res.InstanceID != last.InstanceID {
		t.Error("an instance that was idle longer was taken")
	}
}

func TestANewGenerationReplacesInstances(t *testing.T) {
	w := newWorld(t, nil)
	ref := w.functions.set("hello", nil)
	first := w.call(t, ref, "echo")
	file, open := gate(t)
	done := w.running(t, ref, "long", "wait "+file)
	w.functions.set("hello", func(_ *fc.Service, f *fc.Function) { f.EnvironmentVariables = map[string]string{"A": "B"} })
	if res := w.call(t, ref, "echo"); !res.Cold || res.InstanceID == first.InstanceID {
		t.Error("an instance of the old generation served")
	}
	open()
	if res := <-done; string(res.Body) != "waited" || res.InstanceID != first.InstanceID {
		t.Errorf("the running request: %s", res.Body)
	}
	w.settled(t, 1)
}

func TestChangedRetiresInstancesOfAnOldGeneration(t *testing.T) {
	w := newWorld(t, nil)
	ref := w.functions.set("hello", nil)
	w.call(t, ref, "echo")
	w.functions.set("hello", nil)
	w.Changed("fn/demo/LATEST/hello")
	w.settled(t, 0)
	w.call(t, ref, "echo")
	w.functions.mu.Lock()
	delete(w.functions.targets, ref)
	w.functions.mu.Unlock()
	w.Changed("fn/demo/LATEST/hello")
	w.settled(t, 0)
	if fns := w.all(); len(fns) > 0 {
		t.Errorf("%d functions are remembered", len(fns))
	}
}

func TestIdleInstancesRetire(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.IdleTimeout = 30 * time.Millisecond })
	ref := w.functions.set("hello", nil)
	w.call(t, ref, "echo")
	w.settled(t, 0)
	if res := w.call(t, ref, "echo again"); !res.Cold || string(res.Body) != "again" {
		t.Errorf("cold %v, %s", res.Cold, res.Body)
	}
}

func TestAnIdleInstanceThatDiesIsReplaced(t *testing.T) {
	w := newWorld(t, nil)
	ref := w.functions.set("hello", nil)
	w.call(t, ref, "echo")
	w.Invoker.mu.Lock()
	for p := range w.instances {
		p.sb.Signal(9)
	}
	w.Invoker.mu.Unlock()
	if res := w.call(t, ref, "echo hi"); string(res.Body) != "hi" || res.ErrorType != "" {
		t.Errorf("right after: %s %s", res.ErrorType, res.Body)
	}
	w.settled(t, 1)
}

func TestFunctionsInTurn(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.MaxInstances = 8 })
	for n := range 100 {
		ref := w.functions.set(fmt.Sprint("f", n), nil)
		if res := w.call(t, ref, "echo x"); string(res.Body) != "x" {
			t.Fatalf("%d: %s", n, res.Body)
		}
	}
	w.settled(t, 8)
	if fns := len(w.all()); fns > 8 {
		t.Errorf("%d functions are remembered", fns)
	}
}
