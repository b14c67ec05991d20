package invoker

import (
	"context"
	"runtime"
	"testing"

	"fcd/fc"
)

// maxWarmAllocs bounds what a warm call may allocate in the invoker: the section of its log, the answer, its result and
// little else. Nothing depends on how many functions or instances there are.
const maxWarmAllocs = 8

func TestAWarmCallAllocatesLittle(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Logs = discard{} })
	ref := w.functions.set("f", nil)
	call := fc.Call{RequestID: fc.NewRequestID(), Ref: ref, Payload: []byte("echo x")}
	invoke := func() {
		if _, err := w.Invoke(context.Background(), call); err != nil {
			t.Error(err)
		}
	}
	for range 10 {
		invoke()
	}
	if n := testing.AllocsPerRun(200, invoke); n > maxWarmAllocs {
		t.Errorf("%v allocations a call, at most %d", n, maxWarmAllocs)
	}
}

// A warm call takes no lock that others share: it goes through while every one of them is held.
func TestWarmCallsOfOneFunctionWaitForNoLockOfOthers(t *testing.T) {
	w := newWorld(t, nil)
	mine, other := w.functions.set("mine", nil), w.functions.set("other", nil)
	w.call(t, mine, "echo x")
	w.call(t, other, "echo x")
	theirs := w.theFunction(t, "demo/other")
	for _, l := range []interface {
		Lock()
		Unlock()
	}{&w.mu, &w.budget.mu, &theirs.mu} {
		l.Lock()
		defer l.Unlock()
	}
	w.call(t, mine, "echo x")
}

func (w *world) theFunction(t *testing.T, name string) *function {
	t.Helper()
	f, ok := w.Invoker.functions.Load(name)
	if !ok {
		t.Fatalf("the invoker knows no function %s", name)
	}
	return f.(*function)
}

// An idle instance costs one goroutine, which waits for its end; nobody reads its pipes meanwhile.
func TestAnIdleInstanceCostsOneGoroutine(t *testing.T) {
	w := newWorld(t, nil)
	w.call(t, w.functions.set("first", nil), "echo x")
	before := runtime.NumGoroutine()
	const more = 8
	for i := range more {
		w.call(t, w.functions.set(string(rune('a'+i)), nil), "echo x")
	}
	// exec.Cmd of the test's own driver may use one more for each.
	if n := runtime.NumGoroutine() - before; n > 2*more {
		t.Errorf("%d goroutines for %d idle instances", n, more)
	}
}
