package async

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"fcd/fc"
	"fcd/store"
)

// TestAFloodThatStandsStillDelaysNobody: a function with 2000 messages, none of which ever ends, has the places of one
// function. Every message of five others is done beside it.
func TestAFloodThatStandsStillDelaysNobody(t *testing.T) {
	s := open(t, t.TempDir())
	enqueue(t, s, "demo//flood", 0, 2000)
	var floods atomic.Int64
	standing, done := make(chan struct{}), make(chan string)
	release := make(chan struct{})
	stop := run(t, Options{Queue: s, Store: s, Concurrency: 8, FunctionConcurrency: 4, Invoker: invokerFunc(func(_ context.Context, c fc.Call) (fc.Result, error) {
		if c.Ref.Function == "flood" {
			if floods.Add(1) == 4 {
				close(standing)
			}
			<-release
			return fc.Result{}, fc.Errorf(fc.ResourceThrottled, "the daemon is shutting down")
		}
		done <- c.RequestID
		return fc.Result{}, nil
	})})
	<-standing
	const functions, each = 5, 40
	for n := range functions {
		enqueue(t, s, fmt.Sprintf("demo//other%d", n), 0, each)
	}
	got := map[string]int{}
	for range functions * each {
		got[<-done]++
	}
	if n := floods.Load(); n != 4 || len(got) != functions*each {
		t.Errorf("%d of the flood have run, and %d of the others", n, len(got))
	}
	t.Logf("%d messages of others were done beside 2000 of a flood, of which %d had begun and none had ended", len(got), floods.Load())
	close(release)
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestOnlyErrorsOfTheFunctionAreAttempts: refusals for want of room and a cut by the end of the daemon leave the count
// alone, also for the next life.
func TestOnlyErrorsOfTheFunctionAreAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s := open(t, dir)
		enqueue(t, s, "demo//f", 0, 1)
		var counts []int
		life := func(s store.Store, q store.Queue, until int, answer func(ctx context.Context, n int) (fc.Result, error)) {
			reached := make(chan struct{})
			n := 0
			stop := run(t, Options{Queue: q, Store: s, Jitter: half, Invoker: invokerFunc(func(ctx context.Context, c fc.Call) (fc.Result, error) {
				counts = append(counts, c.RetryCount)
				if n++; n == until {
					close(reached)
				}
				return answer(ctx, n)
			})})
			<-reached
			synctest.Wait() // what was answered is written
			if err := stop(); err != nil {
				t.Error(err)
			}
		}
		life(s, s, 5, func(ctx context.Context, n int) (fc.Result, error) {
			switch n {
			case 1, 2, 3:
				return fc.Result{}, fc.Errorf(fc.ResourceExhausted, "no room")
			case 4:
				return failed("x", "counts"), nil
			}
			<-ctx.Done()
			return fc.Result{}, fc.Errorf(fc.ResourceThrottled, "the daemon is shutting down")
		})
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, dir)
		defer s.Close()
		life(s, s, 1, func(context.Context, int) (fc.Result, error) { return fc.Result{}, nil })
		if want := "[0 0 0 0 1 1]"; fmt.Sprint(counts) != want {
			t.Errorf("the attempts were told to be number %v, want %s", counts, want)
		}
		if inv, err := s.Find(context.Background(), "demo//f#0"); err != nil || inv.State != store.StateSucceeded || inv.Attempt != 2 {
			t.Errorf("%+v, %v", inv, err)
		}
	})
}

// TestALongRunIsStartedOnce, with a lease of 30 s, ten minutes of work and a second dispatcher that would take it.
func TestALongRunIsStartedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, t.TempDir())
		defer s.Close()
		enqueue(t, s, "demo//f", 0, 20)
		var mu sync.Mutex
		starts := map[string]int{}
		ended := make(chan struct{}, 100)
		long := invokerFunc(func(_ context.Context, c fc.Call) (fc.Result, error) {
			mu.Lock()
			starts[c.RequestID]++
			mu.Unlock()
			time.Sleep(10 * time.Minute)
			ended <- struct{}{}
			return fc.Result{}, nil
		})
		one := run(t, Options{Queue: s, Store: s, Owner: "one", Invoker: long})
		two := run(t, Options{Queue: s, Store: s, Owner: "two", Invoker: long})
		for range 20 {
			<-ended
		}
		synctest.Wait()
		one()
		two()
		for id, n := range starts {
			if n != 1 {
				t.Errorf("%s was started %d times", id, n)
			}
		}
		if len(starts) != 20 {
			t.Errorf("%d of 20 were started", len(starts))
		}
	})
}
