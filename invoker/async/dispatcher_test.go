package async

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"fcd/fc"
	"fcd/store"
)

const fn = "demo//hello"

func failed(class, message string) fc.Result {
	return fc.Result{ErrorType: fc.UnhandledInvocationError, ErrorClass: class, Body: []byte(`{"errorMessage":"` + message + `"}`)}
}

func attempted(state string, n, status int, reason, detail string) store.Fate {
	return store.Fate{State: state, Attempt: n, Status: status, Reason: reason, Detail: detail}
}

func succeeded(n int) store.Fate { return attempted("succeeded", n, 200, "", "") }

// half makes the jitter vanish.
func half() float64 { return 0.5 }

func TestOneMessage(t *testing.T) {
	var started time.Time
	at := func(d time.Duration) time.Time { return started.Add(d) }
	const h = time.Hour
	tests := []struct {
		name   string
		invoke func(n int, c fc.Call) (fc.Result, error)
		want   []store.Batch
		times  int
	}{
		{"a success is done", func(int, fc.Call) (fc.Result, error) { return fc.Result{}, nil },
			[]store.Batch{{Done: []store.Outcome{{ID: 1, State: "succeeded", Attempts: 1}}, Fates: []store.Fate{succeeded(1)}}}, 1},
		{"an error is retried three times and then dead", func(n int, c fc.Call) (fc.Result, error) {
			if c.RetryCount != n {
				return fc.Result{}, fmt.Errorf("retry count %d at attempt %d", c.RetryCount, n)
			}
			return failed("FunctionUnhandledError", "oops"), nil
		}, []store.Batch{
			{Retry: []store.Retry{{ID: 1, Counted: true, Due: at(500 * time.Millisecond)}}, Fates: []store.Fate{attempted("attempt", 1, 200, fc.UnhandledInvocationError, "FunctionUnhandledError: oops")}},
			{Retry: []store.Retry{{ID: 1, Counted: true, Due: at(1500 * time.Millisecond)}}, Fates: []store.Fate{attempted("attempt", 2, 200, fc.UnhandledInvocationError, "FunctionUnhandledError: oops")}},
			{Retry: []store.Retry{{ID: 1, Counted: true, Due: at(3500 * time.Millisecond)}}, Fates: []store.Fate{attempted("attempt", 3, 200, fc.UnhandledInvocationError, "FunctionUnhandledError: oops")}},
			{Done: []store.Outcome{{ID: 1, State: "dead", Cause: "FunctionUnhandledError: oops", Keep: true, Attempts: 4}}, Fates: []store.Fate{attempted("failed", 4, 200, fc.UnhandledInvocationError, "FunctionUnhandledError: oops")}},
		}, 4},
		{"a retry may succeed", func(n int, _ fc.Call) (fc.Result, error) {
			if n == 0 {
				return failed("FunctionTimeoutError", "Task timed out after 3 seconds"), nil
			}
			return fc.Result{}, nil
		}, []store.Batch{
			{Retry: []store.Retry{{ID: 1, Counted: true, Due: at(500 * time.Millisecond)}}, Fates: []store.Fate{attempted("attempt", 1, 200, fc.UnhandledInvocationError, "FunctionTimeoutError: Task timed out after 3 seconds")}},
			{Done: []store.Outcome{{ID: 1, State: "succeeded", Attempts: 2}}, Fates: []store.Fate{succeeded(2)}},
		}, 2},
		{"a refusal is retried without being counted", func(n int, c fc.Call) (fc.Result, error) {
			if n < 3 {
				return fc.Result{}, fc.Errorf([]fc.Code{fc.ResourceExhausted, fc.ResourceThrottled, fc.InternalServerError}[n], "no")
			}
			if c.RetryCount != 0 {
				return failed("x", "retry count"), nil
			}
			return fc.Result{}, nil
		}, []store.Batch{
			{Retry: []store.Retry{{ID: 1, Due: at(500 * time.Millisecond)}}, Fates: []store.Fate{attempted("attempt", 1, 429, "ResourceExhausted", "no")}},
			{Retry: []store.Retry{{ID: 1, Due: at(1500 * time.Millisecond)}}, Fates: []store.Fate{attempted("attempt", 1, 503, "ResourceThrottled", "no")}},
			{Retry: []store.Retry{{ID: 1, Due: at(3500 * time.Millisecond)}}, Fates: []store.Fate{attempted("attempt", 1, 500, "InternalServerError", "no")}},
			{Done: []store.Outcome{{ID: 1, State: "succeeded", Attempts: 1}}, Fates: []store.Fate{succeeded(1)}},
		}, 4},
		{"a function that is gone", func(int, fc.Call) (fc.Result, error) {
			return fc.Result{}, fc.Errorf(fc.FunctionNotFound, "function 'hello' does not exist")
		}, []store.Batch{{Done: []store.Outcome{{ID: 1, State: "dead", Keep: true, Cause: "FunctionNotFound: function 'hello' does not exist"}},
			Fates: []store.Fate{attempted("failed", 1, 404, "FunctionNotFound", "function 'hello' does not exist")}}}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				m := newMemory(store.Msg{RequestID: "r", Fn: fn, Trigger: "t", EventID: "k", Payload: []byte("p"), Due: begin, NotAfter: begin.Add(5 * h)})
				n := 0
				stop := run(t, Options{Queue: m, Store: m, Owner: "me", Jitter: half, Invoker: invokerFunc(func(_ context.Context, c fc.Call) (fc.Result, error) {
					n++
					return tt.invoke(n-1, c)
				})})
				<-m.done
				if err := stop(); err != nil || n != tt.times {
					t.Errorf("%d attempts, %v", n, err)
				}
				if diff := cmp.Diff(tt.want, relative(m.batches, begin, started)); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// relative moves the times of batches to the zero time and checks and drops what is the same in all.
func relative(all []store.Batch, begin, zero time.Time) []store.Batch {
	for _, b := range all {
		for i := range b.Retry {
			b.Retry[i].Due = zero.Add(b.Retry[i].Due.Sub(begin))
		}
	}
	var out []store.Batch
	for _, b := range all {
		if b.Owner != "me" {
			panic("owner " + b.Owner)
		}
		b.Owner = ""
		for i, f := range b.Fates {
			if f.Trigger != "t" || f.EventID != "k" || f.RequestID != "r" || f.At.IsZero() {
				panic(fmt.Sprintf("fate %+v", f))
			}
			if (f.State == "succeeded") != (string(f.Payload) == "p") {
				panic(fmt.Sprintf("payload of %+v", f))
			}
			b.Fates[i] = attempted(f.State, f.Attempt, f.Status, f.Reason, f.Detail)
		}
		out = append(out, b)
	}
	return out
}

func TestRefusalsGoOnForFiveHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		m := newMemory(store.Msg{RequestID: "r", Fn: fn, Due: begin, NotAfter: begin.Add(5 * time.Hour)})
		var at []time.Duration
		stop := run(t, Options{Queue: m, Store: m, Invoker: invokerFunc(func(context.Context, fc.Call) (fc.Result, error) {
			at = append(at, time.Since(begin))
			return fc.Result{}, fc.Errorf(fc.ResourceExhausted, "no")
		})})
		<-m.done
		stop()
		last := m.batches[len(m.batches)-1].Done[0]
		if want := (store.Outcome{ID: 1, State: "dead", Cause: "not delivered within 5h0m0s", Keep: true}); last != want {
			t.Errorf("got %+v", last)
		}
		var longest time.Duration
		for i := 1; i < len(at); i++ {
			longest = max(longest, at[i]-at[i-1])
		}
		if longest != 5*time.Minute || at[len(at)-1] != 5*time.Hour {
			t.Errorf("%d attempts, the longest pause %v, the last after %v", len(at), longest, at[len(at)-1])
		}
	})
}

func TestAMessageThatIsTooOldIsNotInvoked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(store.Msg{RequestID: "r", Fn: fn, NotAfter: time.Now().Add(-time.Second)})
		stop := run(t, Options{Queue: m, Store: m, Invoker: invokerFunc(func(context.Context, fc.Call) (fc.Result, error) {
			t.Error("invoked")
			return fc.Result{}, nil
		})})
		<-m.done
		stop()
	})
}

func TestJitterSpreadsRetries(t *testing.T) {
	d, err := New(Options{Queue: newMemory(), Store: newMemory(), Invoker: invokerFunc(nil)})
	if err != nil {
		t.Fatal(err)
	}
	for jitter, want := range map[float64]time.Duration{0: 400 * time.Millisecond, 0.5: 500 * time.Millisecond, 0.999: 599800 * time.Microsecond} {
		d.opt.Jitter = func() float64 { return jitter }
		if got := d.spread(500 * time.Millisecond).Round(time.Microsecond); got != want {
			t.Errorf("%v: got %v, want %v", jitter, got, want)
		}
	}
}

func TestShutdown(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(ctx context.Context) (fc.Result, error)
		want store.Batch
	}{
		{"an attempt that ends in time is done", func(ctx context.Context) (fc.Result, error) {
			<-ctx.Done()
			return fc.Result{}, nil
		}, store.Batch{Owner: "me", Done: []store.Outcome{{ID: 1, State: "succeeded", Attempts: 1}}}},
		{"an attempt that is cut goes back uncounted", func(ctx context.Context) (fc.Result, error) {
			<-ctx.Done()
			return fc.Result{}, fc.Errorf(fc.ResourceThrottled, "the daemon is shutting down")
		}, store.Batch{Owner: "me", Retry: []store.Retry{{ID: 1}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMemory(store.Msg{RequestID: "r", Fn: fn})
			began := make(chan struct{})
			stop := run(t, Options{Queue: m, Store: m, Owner: "me", Invoker: invokerFunc(func(ctx context.Context, _ fc.Call) (fc.Result, error) {
				close(began)
				return tt.end(ctx)
			})})
			<-began
			if err := stop(); err != nil {
				t.Error(err)
			}
			for _, b := range m.batches {
				for i := range b.Retry {
					b.Retry[i].Due = time.Time{}
				}
			}
			if diff := cmp.Diff([]store.Batch{tt.want}, m.batches); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestClaimsAreExtendedAndLostOnesDiscarded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(store.Msg{RequestID: "r", Fn: fn})
		cancelled := make(chan struct{})
		stop := run(t, Options{Queue: m, Store: m, Invoker: invokerFunc(func(ctx context.Context, _ fc.Call) (fc.Result, error) {
			time.Sleep(35 * time.Second)
			m.mu.Lock()
			if m.extends != 3 {
				t.Errorf("%d extensions in 35 s", m.extends)
			}
			m.lost = []int64{1}
			m.mu.Unlock()
			<-ctx.Done()
			close(cancelled)
			return fc.Result{}, nil
		})})
		<-cancelled
		stop()
		if len(m.batches) > 0 {
			t.Errorf("the result of a lost claim was written: %+v", m.batches)
		}
	})
}

type syncFunc func() error

func (f syncFunc) Sync(context.Context) error { return f() }

func TestTheLogIsSyncedBeforeAnInvocationIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(store.Msg{RequestID: "r", Fn: fn})
		syncs := 0
		stop := run(t, Options{Queue: m, Store: m, LogSync: syncFunc(func() error {
			if syncs++; syncs == 1 {
				return errDown
			}
			return nil
		}), Invoker: invokerFunc(func(_ context.Context, c fc.Call) (fc.Result, error) {
			if !c.Tail {
				t.Error("the invoker was not asked to wait for the end of the log")
			}
			return fc.Result{}, nil
		})})
		<-m.done
		stop()
		if syncs != 2 || len(m.batches) != 2 || len(m.batches[0].Retry) != 1 || m.batches[0].Retry[0].Counted {
			t.Errorf("%d syncs, %+v", syncs, m.batches)
		}
	})
}

func TestAStoreThatDoesNotAnswerIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(store.Msg{RequestID: "r", Fn: fn})
		m.fail = func(try int) error {
			if try < 4 {
				return fmt.Errorf("commit: %w", store.ErrUnavailable)
			}
			return nil
		}
		stop := run(t, Options{Queue: m, Store: m, Invoker: invokerFunc(func(context.Context, fc.Call) (fc.Result, error) { return fc.Result{}, nil })})
		<-m.done
		stop()
	})
}

func TestAFatalStoreEndsRun(t *testing.T) {
	m := newMemory(store.Msg{RequestID: "r", Fn: fn})
	m.fail = func(int) error { return store.ErrFatal }
	d, err := New(Options{Queue: m, Store: m, Invoker: invokerFunc(func(context.Context, fc.Call) (fc.Result, error) { return fc.Result{}, nil })})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Run(context.Background()); !errors.Is(err, store.ErrFatal) {
		t.Errorf("got %v", err)
	}
}

func TestOptionsMustBeComplete(t *testing.T) {
	if _, err := New(Options{}); err == nil || !strings.Contains(err.Error(), "Queue, Store and Invoker") {
		t.Errorf("got %v", err)
	}
}

func TestShare(t *testing.T) {
	t0 := time.Unix(0, 0)
	due := func(names ...string) (all []store.FnDue) {
		for i, n := range names {
			all = append(all, store.FnDue{Fn: n, Earliest: t0.Add(time.Duration(i))})
		}
		return all
	}
	tests := []struct {
		name    string
		running map[string]int
		due     []store.FnDue
		free    int
		want    map[string]int
	}{
		{"one function takes up to its bound", nil, due("a"), 10, map[string]int{"a": 4}},
		{"two share", nil, due("a", "b"), 5, map[string]int{"a": 3, "b": 2}},
		{"the one that runs less comes first", map[string]int{"a": 3}, due("a", "b"), 2, map[string]int{"b": 2}},
		{"they are levelled", map[string]int{"a": 2}, due("a", "b"), 4, map[string]int{"a": 1, "b": 3}},
		{"the one that has waited longest comes first", nil, due("c", "b", "a"), 2, map[string]int{"c": 1, "b": 1}},
		{"a full one gets nothing", map[string]int{"a": 4}, due("a"), 5, map[string]int{}},
		{"nothing is due", nil, nil, 5, map[string]int{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := New(Options{Queue: newMemory(), Store: newMemory(), Invoker: invokerFunc(nil), FunctionConcurrency: 4})
			if err != nil {
				t.Fatal(err)
			}
			if tt.running != nil {
				d.perFn = tt.running
			}
			if diff := cmp.Diff(tt.want, d.share(tt.due, tt.free)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
