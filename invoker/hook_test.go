package invoker

import (
	"context"
	"strings"
	"testing"
	"time"

	"fcd/fc"
)

// hooked is a function whose hooks are words of the child.
func (w *world) hooked(freeze, stop string, change func(*fc.Function)) fc.FunctionRef {
	hook := func(event string) *fc.LifecycleHook {
		if event == "" {
			return nil
		}
		return &fc.LifecycleHook{Handler: event, TimeoutSeconds: 1}
	}
	return w.functions.set("hooked", func(_ *fc.Service, f *fc.Function) {
		f.InstanceLifecycleConfig = &fc.LifecycleConfig{PreFreeze: hook(freeze), PreStop: hook(stop)}
		if change != nil {
			change(f)
		}
	})
}

// saidEnd waits for the End line of a hook and gives all lines of its request.
func (w *world) saidEnd(t testing.TB, noun string) []string {
	t.Helper()
	rec := w.lines.find(t, func(r fc.LogRecord) bool { return strings.HasPrefix(r.Message, "FC "+noun+" End RequestId: ") })
	return w.lines.of(rec.RequestID)
}

func TestThePreStopHookRunsBeforeAnInstanceIsRetired(t *testing.T) {
	w := newWorld(t, nil)
	ref := w.hooked("", "print bye", nil)
	w.call(t, ref, "echo")
	w.functions.set("hooked", nil) // a new generation
	w.Changed("")
	id := ""
	all := w.saidEnd(t, "PreStop")
	if len(all) == 3 {
		id = strings.TrimPrefix(all[0], "FC PreStop Start RequestId: ")
	}
	if len(all) != 3 || len(id) != 36 || all[1] != "bye" || all[2] != "FC PreStop End RequestId: "+id {
		t.Errorf("got %q", all)
	}
	w.settled(t, 0)
}

func TestThePreStopHookRunsAtShutdown(t *testing.T) {
	w := newWorld(t, nil)
	w.call(t, w.hooked("", "print bye", nil), "echo")
	w.Close(context.Background())
	if all := w.saidEnd(t, "PreStop"); len(all) != 3 || all[1] != "bye" {
		t.Errorf("got %q", all)
	}
}

func TestAHookThatHangsIsCut(t *testing.T) {
	w := newWorld(t, nil)
	w.call(t, w.hooked("", "sleep 300s", nil), "echo")
	w.Close(context.Background())
	all := w.saidEnd(t, "PreStop")
	if len(all) != 3 || !strings.Contains(all[1], "Task timed out after 1 seconds") || !strings.HasSuffix(all[2], ", Error: Unhandled function error") {
		t.Errorf("got %q", all)
	}
}

func TestInstancesThatCannotRunAHookAreRetiredAllTheSame(t *testing.T) {
	for name, use := range map[string]func(*world, fc.FunctionRef){
		"warmed and never used":        func(w *world, ref fc.FunctionRef) { w.Warm(context.Background(), ref) },
		"its process ends by itself":   func(w *world, ref fc.FunctionRef) { w.call(t, ref, "throw") },
		"it was killed for a time-out": func(w *world, ref fc.FunctionRef) { w.call(t, ref, "sleep 300s") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			use(w, w.hooked("", "print bye", func(f *fc.Function) { f.TimeoutSeconds = 2 }))
			w.Close(context.Background())
			for _, r := range w.lines.records() {
				if strings.Contains(r.Message, "PreStop") || r.Message == "bye" {
					t.Errorf("got %q", r.Message)
				}
			}
		})
	}
}

func TestThePreFreezeHookRunsOnceWhenAnInstanceTurnsIdle(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.FreezeAfter, o.Patience = time.Millisecond, time.Minute })
	ref := w.hooked("print resting", "", nil)
	first := w.call(t, ref, "echo")
	if all := w.saidEnd(t, "PreFreeze"); len(all) != 3 || all[1] != "resting" {
		t.Errorf("got %q", all)
	}
	second := w.call(t, ref, "calls") // also after the hook, which may have delayed it
	if string(second.Body) != "2" || second.InstanceID != first.InstanceID {
		t.Errorf("%+v", second)
	}
	w.lines.find(t, func(r fc.LogRecord) bool {
		return strings.HasPrefix(r.Message, "FC PreFreeze End") && w.lines.count("FC PreFreeze End") == 2
	})
	w.Close(context.Background())
	if n := w.lines.count("FC PreFreeze Start"); n != 2 {
		t.Errorf("it ran %d times for two calls", n)
	}
}

func TestRestRunsThePreFreezeHookAtOnce(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.FreezeAfter = time.Hour })
	ref := w.hooked("print resting", "", nil)
	w.call(t, ref, "echo")
	for i, call := range []bool{false, false, true} { // again only after another call
		if call {
			w.call(t, ref, "echo")
		}
		if err := w.Rest(ref); err != nil {
			t.Fatal(err)
		}
		if n, want := w.lines.count("FC PreFreeze Start"), max(i, 1); n != want {
			t.Errorf("it has run %d times, want %d", n, want)
		}
	}
	w.saidEnd(t, "PreFreeze")
	for name, ref := range map[string]fc.FunctionRef{"no hook": w.functions.set("plain", nil), "no instance": w.hooked("print resting", "", nil)} {
		if err := w.Rest(ref); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := w.Rest(fc.FunctionRef{Service: "demo", Function: "none"}); codeOf(err) != fc.FunctionNotFound {
		t.Errorf("an unknown function: %v", err)
	}
}

func TestAPreFreezeHookThatFails(t *testing.T) {
	for event, again := range map[string]bool{"unhandled X": true, "throw": false, "exit 1": false, "sleep 300s": false} {
		t.Run(event, func(t *testing.T) {
			w := newWorld(t, func(o *Options) { o.FreezeAfter, o.Patience = time.Millisecond, time.Minute })
			ref := w.hooked(event, "", nil)
			first := w.call(t, ref, "echo")
			if all := w.saidEnd(t, "PreFreeze"); !strings.HasSuffix(all[len(all)-1], ", Error: Unhandled function error") {
				t.Errorf("got %q", all)
			}
			if res := w.call(t, ref, "echo x"); string(res.Body) != "x" || (res.InstanceID == first.InstanceID) != again {
				t.Errorf("%s, the same instance %v", res.Body, res.InstanceID == first.InstanceID)
			}
		})
	}
}

func TestHooksOfFunctionsThatServeSeveralRequests(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.FreezeAfter, o.Patience = time.Millisecond, time.Minute })
	ref := w.hooked("print resting", "print bye", func(f *fc.Function) { f.InstanceConcurrency = 5 })
	for range 3 {
		w.call(t, ref, "echo")
		w.saidEnd(t, "PreFreeze")
	}
	w.Close(context.Background())
	if n := w.lines.count("FC PreStop End"); n != 1 {
		t.Errorf("PreStop ran %d times", n)
	}
}

func TestRealHooks(t *testing.T) {
	onAll(t, func(o *Options) { o.FreezeAfter = time.Millisecond }, func(t *testing.T, r *real, lang language) {
		names := []string{"index.freeze", "index.stop"}
		if lang.name == "java" {
			names = []string{"example.App::preFreeze", "example.App::preStop"}
		}
		ref := r.function(t, lang, "hooked", func(_ *fc.Service, f *fc.Function) {
			f.InstanceLifecycleConfig = &fc.LifecycleConfig{PreFreeze: &fc.LifecycleHook{Handler: names[0], TimeoutSeconds: 60},
				PreStop: &fc.LifecycleHook{Handler: names[1], TimeoutSeconds: 60}}
		})
		r.call(t, ref, "echo x")
		frozen := r.saidEnd(t, "PreFreeze")
		r.Close(context.Background())
		stopped := r.saidEnd(t, "PreStop")
		if len(frozen) != 3 || !strings.HasSuffix(frozen[1], "freezes after 1") || len(stopped) != 3 || !strings.HasSuffix(stopped[1], "stops after 1") {
			t.Errorf("%q, %q", frozen, stopped)
		}
	})
}
