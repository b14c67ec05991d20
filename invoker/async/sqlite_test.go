package async

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"fcd/fc"
	"fcd/store"
	"fcd/store/sqlite"
)

func open(t *testing.T, dir string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(context.Background(), sqlite.Options{Dir: dir, MinFreeBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func enqueue(t *testing.T, s store.Store, fn string, first, n int) {
	t.Helper()
	for n > 0 {
		var b store.Batch
		for range min(n, 1000) {
			b.Enqueue = append(b.Enqueue, store.Msg{RequestID: fmt.Sprintf("%s#%d", fn, first), Fn: fn, Payload: []byte("event")})
			first++
		}
		n -= len(b.Enqueue)
		if _, err := s.Apply(context.Background(), b); err != nil {
			t.Fatal(err)
		}
	}
}

// counter counts the calls of each function and tells of the one it waits for.
type counter struct {
	mu    sync.Mutex
	calls map[string]int
	seen  chan string
}

func (c *counter) Invoke(_ context.Context, call fc.Call) (fc.Result, error) {
	c.mu.Lock()
	c.calls[call.Ref.Function]++
	c.mu.Unlock()
	if call.Ref.Function != "hot" {
		c.seen <- call.RequestID
	}
	return fc.Result{}, nil
}

func TestAHotFunctionDoesNotDelayAnother(t *testing.T) {
	s := open(t, t.TempDir())
	enqueue(t, s, "demo//hot", 0, 20_000)
	c := &counter{calls: map[string]int{}, seen: make(chan string, 10)}
	stop := run(t, Options{Queue: s, Store: s, Invoker: c, Concurrency: 8, FunctionConcurrency: 8})
	for n := range 5 {
		enqueue(t, s, "demo//cold", n, 1)
		begin := time.Now()
		select {
		case <-c.seen:
		case <-time.After(time.Minute):
			t.Fatal("the message of the other function was not delivered")
		}
		c.mu.Lock()
		hot := c.calls["hot"]
		c.mu.Unlock()
		t.Logf("after %v and %d messages of the hot function", time.Since(begin), hot)
		if hot > 10_000 {
			t.Error("the hot function came first")
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestMessagesSurviveAKill(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	enqueue(t, s, "demo//f", 0, 20)
	began, hang := make(chan struct{}, 20), make(chan struct{})
	stop := run(t, Options{Queue: s, Store: s, Invoker: invokerFunc(func(context.Context, fc.Call) (fc.Result, error) {
		began <- struct{}{}
		<-hang
		return fc.Result{}, nil
	})})
	for range 16 {
		<-began
	}
	if err := s.Close(); err != nil { // the daemon is gone, its attempts never end
		t.Fatal(err)
	}
	s = open(t, dir)
	c := &counter{calls: map[string]int{}, seen: make(chan string, 100)}
	stop2 := run(t, Options{Queue: s, Store: s, Invoker: c})
	got := map[string]bool{}
	for len(got) < 20 {
		got[<-c.seen] = true
	}
	close(hang)
	stop()
	if err := stop2(); err != nil {
		t.Error(err)
	}
	inv, err := s.Find(context.Background(), "demo//f#7")
	if err != nil || inv.State != store.StateSucceeded {
		t.Errorf("%+v, %v", inv, err)
	}
}

func TestANewMessageWakesTheDispatcher(t *testing.T) {
	s := open(t, t.TempDir())
	c := &counter{calls: map[string]int{}, seen: make(chan string, 10)}
	run(t, Options{Queue: s, Store: s, Invoker: c, Poll: time.Hour})
	for n := range 3 {
		enqueue(t, s, "demo//f", n, 1)
		select {
		case <-c.seen:
		case <-time.After(time.Minute):
			t.Fatal("no wake")
		}
	}
}

func TestDeadLettersKeepTheirPayload(t *testing.T) {
	s := open(t, t.TempDir())
	enqueue(t, s, "demo//f", 0, 1)
	calls := make(chan int, 10)
	run(t, Options{Queue: s, Store: s, Retries: 1, Backoff: 10 * time.Millisecond, Invoker: invokerFunc(func(_ context.Context, c fc.Call) (fc.Result, error) {
		calls <- c.RetryCount
		return failed("FunctionUnhandledError", "oops"), nil
	})})
	for want := range 2 {
		if got := <-calls; got != want {
			t.Errorf("retry count %d, want %d", got, want)
		}
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range 1000 {
		inv, err := s.Find(context.Background(), "demo//f#0")
		if err == nil && inv.State == store.StateDead {
			if string(inv.Payload) != "event" || inv.Cause != "FunctionUnhandledError: oops" || inv.Attempt != 2 {
				t.Errorf("%+v", inv)
			}
			return
		}
		<-tick.C
	}
	t.Error("the message is not dead")
}

func BenchmarkDispatch(b *testing.B) {
	t := &testing.T{}
	s, err := sqlite.Open(context.Background(), sqlite.Options{Dir: b.TempDir(), MinFreeBytes: -1})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	enqueue(t, s, "demo//f", 0, b.N)
	left := make(chan struct{}, b.N)
	d, err := New(Options{Queue: s, Store: s, Invoker: invokerFunc(func(context.Context, fc.Call) (fc.Result, error) {
		left <- struct{}{}
		return fc.Result{}, nil
	})})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	b.ResetTimer()
	wg.Go(func() { d.Run(ctx) })
	for range b.N {
		<-left
	}
	cancel()
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}
