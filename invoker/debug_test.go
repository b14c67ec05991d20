package invoker

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fcd/fc"
	"fcd/invoker/sandbox"
)

func TestAWarmedInstanceServesTheNextCall(t *testing.T) {
	w := newWorld(t, nil)
	ref := w.functions.set("f", nil)
	for range 2 { // the second finds it warm
		if err := w.Warm(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
	}
	w.call(t, ref, "echo one")
	if n := w.budget.used(); n != 1 {
		t.Errorf("%d instances", n)
	}
	if err := w.Warm(t.Context(), fc.FunctionRef{Service: "demo", Function: "nobody"}); codeOf(err) != fc.FunctionNotFound {
		t.Errorf("got %v", err)
	}
}

func TestACallTakesTheInstanceThatIsBeingWarmed(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Patience = time.Minute })
	for range 20 {
		ref := w.functions.set("f", nil) // a new generation
		before := w.driver.started.Load()
		var both sync.WaitGroup
		both.Go(func() {
			if err := w.Warm(t.Context(), ref); err != nil {
				t.Error(err)
			}
		})
		w.call(t, ref, "echo one")
		both.Wait()
		if n := w.driver.started.Load() - before; n != 1 {
			t.Fatalf("%d instances were started", n)
		}
	}
}

func TestOnlyTheFunctionThatIsDebuggedHasNoDeadline(t *testing.T) {
	var told atomic.Int64
	w := newWorld(t, func(o *Options) {
		o.Debug = &Debug{Function: fc.FunctionRef{Service: "demo", Function: "debugged"}, Port: 9229,
			Started: func(sandbox.Instance) { told.Add(1) }}
	})
	short := func(_ *fc.Service, f *fc.Function) { f.TimeoutSeconds = 1 }
	free, bound := w.functions.set("debugged", short), w.functions.set("other", short)
	target := func(ref fc.FunctionRef) *instance {
		found, err := w.functions.Target(ref)
		if err != nil {
			t.Fatal(err)
		}
		return &instance{process: &process{v: w.Invoker}, pool: &pool{target: found}}
	}
	if got := target(free).timeout(1); got != debugTimeout {
		t.Errorf("debugged: %v", got)
	}
	if got := target(bound).timeout(1).Seconds(); got != 1 {
		t.Errorf("the other: %v s", got)
	}
	w.call(t, free, "echo one")
	w.call(t, bound, "echo one")
	if told.Load() != 1 {
		t.Errorf("told of %d instances, want the one", told.Load())
	}
}

func TestLinesWithoutALogstoreAreKeptWhereTheyAreWanted(t *testing.T) {
	for _, all := range []bool{true, false} {
		w := newWorld(t, func(o *Options) { o.LogAll = all })
		ref := w.functions.set("f", func(s *fc.Service, _ *fc.Function) { s.LogConfig = fc.LogConfig{} })
		w.call(t, ref, "echo one")
		if !all {
			if got := w.lines.of("req-1"); len(got) > 0 {
				t.Errorf("got %q", got)
			}
			continue
		}
		if got := w.lines.ended(t, "req-1"); !slices.ContainsFunc(got, func(l string) bool { return strings.HasPrefix(l, "FC Invoke Start") }) {
			t.Errorf("got %q", got)
		}
	}
}
