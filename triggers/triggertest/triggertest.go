// Package triggertest is the suite of what every trigger source owes: see package triggers. A kind passes it with a
// Harness that says what a trigger of the kind looks like and how to make it fire.
//
//	func TestObligations(t *testing.T) {
//		triggertest.Run(t, triggertest.Harness{Kind: kind, Trigger: newTrigger, Happen: put})
//	}
//
// Each obligation runs in a bubble of testing/synctest, so time is whatever the harness makes of it and costs nothing.
package triggertest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"fcd/fc"
	"fcd/triggers"
)

// Harness is what the suite needs to know of a kind.
type Harness struct {
	Kind triggers.Kind
	// Begin, if set, is called in the bubble of each obligation before anything else.
	Begin func(*testing.T)
	// Trigger makes an enabled trigger with the id, as it would be stored now.
	Trigger func(id string) *fc.Trigger
	// Unwanted makes an enabled trigger with the id that does not want what Happen makes. nil for kinds whose triggers want
	// every event of their source.
	Unwanted func(id string) *fc.Trigger
	// Synchronous is for kinds that call the function by Env.Invoke and keep their checkpoints by Env.Save: a refused event
	// is held and given again, and neither Remove nor a disabling waits for a function that runs.
	Synchronous bool
	// Happen makes happening n (0, 1, ...) take place, which each trigger made by Trigger wants once, and returns when
	// the source has dealt with it. The error is what the origin would keep the event for; nil if it is settled or the
	// source itself keeps it. It may sleep, but not call synctest.Wait: the suite does. Nothing else may happen within
	// 20 s after it returns.
	Happen func(ctx context.Context, s triggers.Source, n int) error
	// Setup, if set, runs before each obligation, so that no happening of another one is seen.
	Setup func(*testing.T)
}

// Region and Account are those of the environment that sources get.
const (
	Region  = "cn-shanghai"
	Account = "123456"
)

// bench is a running source.
type bench struct {
	*recorder
	Harness
	t      *testing.T
	ctx    context.Context
	source triggers.Source
	n      int
	stop   func()
}

func start(t *testing.T, h Harness) *bench {
	t.Helper()
	if h.Begin != nil {
		h.Begin(t)
	}
	b := &bench{recorder: &recorder{keys: map[string]bool{}, cursor: map[string][]byte{}}, Harness: h, t: t}
	b.run()
	t.Cleanup(b.stop)
	return b
}

// run makes and starts a source on what the recorder remembers.
func (b *bench) run() {
	b.t.Helper()
	var err error
	b.source, err = b.Kind.New(triggers.Env{
		Region: Region, Account: Account, Clock: b.clock, Dispatch: b.dispatch, Invoke: b.invoke, Save: b.save, Note: b.note,
		Checkpoint: b.checkpoint,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	b.ctx = ctx
	ended := make(chan struct{})
	source := b.source
	go func() {
		defer close(ended)
		if err := source.Run(ctx); err != nil {
			b.t.Errorf("Run: %v", err)
		}
	}()
	b.stop = func() {
		cancel()
		<-ended
	}
}

func (b *bench) apply(trs ...*fc.Trigger) {
	b.t.Helper()
	for _, tr := range trs {
		if err := b.source.Apply(b.ctx, tr); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *bench) happen() error {
	b.t.Helper()
	n := b.n
	b.n++
	return b.Happen(b.ctx, b.source, n)
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) want(ids string) {
	b.t.Helper()
	if got := b.of(); got != ids {
		b.t.Errorf("dispatched for %q, want %q", got, ids)
	}
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	for _, o := range []struct {
		name string
		run  func(*bench)
	}{
		{"a happening fires a trigger once", firesOnce},
		{"a trigger applied twice fires once", appliedTwice},
		{"a removed trigger does not fire", removed},
		{"a disabled trigger does not fire", disabled},
		{"a trigger enabled again fires", enabledAgain},
		{"remove waits for the dispatch under way", removeWaits},
		{"disabling waits for the dispatch under way", disableWaits},
		{"an event that was not taken is given again", notTaken},
		{"a refused event is settled", refused},
		{"run ends after the dispatch under way", runEnds},
		{"a new source goes on where the old one stopped", restarted},
		{"a clock that is set back fires nothing twice", setBack},
		{"a panic concerns one event", panics},
		{"unknown ids may be removed", unknown},
		{"many triggers come and go while events happen", concurrent},
	} {
		t.Run(o.name, func(t *testing.T) {
			if h.Setup != nil {
				h.Setup(t)
			}
			synctest.Test(t, func(t *testing.T) { o.run(start(t, h)) })
		})
	}
	runReplays(t, h)
}

func firesOnce(b *bench) {
	b.apply(b.Trigger("t1"))
	b.must(b.happen())
	b.want("t1")
	ev := b.first()
	if b.Synchronous {
		ev.DedupKey = ev.TriggerID // there is no queue that could hold it twice
	}
	if ev.DedupKey == "" || !strings.Contains(ev.DedupKey, "t1") || ev.ID == "" || len(ev.Payload) == 0 {
		b.t.Errorf("the event lacks its keys or payload: %+v", ev)
	}
	if ev.Source.Service != b.Kind.Service {
		b.t.Errorf("the event is of service %q", ev.Source.Service)
	}
	b.must(b.happen())
	b.want("t1 t1")
}

func appliedTwice(b *bench) {
	tr := b.Trigger("t1")
	b.apply(tr, tr)
	b.must(b.happen())
	b.want("t1")
}

func removed(b *bench) {
	b.apply(b.Trigger("t1"))
	b.must(b.happen())
	b.must(b.source.Remove(b.ctx, "t1"))
	b.must(b.happen())
	b.want("t1")
}

func off(t *fc.Trigger) *fc.Trigger {
	t.Enabled = false
	return t
}

func disabled(b *bench) {
	b.apply(b.Trigger("t1"), off(b.Trigger("t1")))
	b.must(b.happen())
	b.want("")
}

func enabledAgain(b *bench) {
	b.apply(off(b.Trigger("t1")), b.Trigger("t1"))
	b.must(b.happen())
	b.want("t1")
}

func removeWaits(b *bench) { b.waits(func() error { return b.source.Remove(b.ctx, "t1") }) }

func disableWaits(b *bench) {
	b.waits(func() error { return b.source.Apply(b.ctx, off(b.Trigger("t1"))) })
}

// waits holds a dispatch up and checks that end does not return before it has ended.
func (b *bench) waits(end func() error) {
	entered, release := b.holdUp()
	b.apply(b.Trigger("t1"))
	var happening sync.WaitGroup
	happening.Go(func() { _ = b.happen() })
	<-entered
	ended := make(chan error, 1)
	go func() { ended <- end() }()
	synctest.Wait()
	waited := len(ended) == 0
	close(release)
	b.must(<-ended)
	if waited == b.Synchronous {
		b.t.Errorf("it waited for what was under way: %v", waited)
	}
	happening.Wait()
	b.want("t1")
}

// holdUp makes the next dispatch tell that it has begun and wait.
func (b *bench) holdUp() (entered, release chan struct{}) {
	entered, release = make(chan struct{}), make(chan struct{})
	var once sync.Once
	b.setBefore(func(triggers.Event) error {
		once.Do(func() { close(entered) })
		<-release
		return nil
	})
	return entered, release
}

func notTaken(b *bench) {
	b.apply(b.Trigger("t1"), b.Trigger("t2"))
	var mu sync.Mutex
	failures := map[string]int{"t1": 2}
	b.setBefore(func(ev triggers.Event) error {
		mu.Lock()
		defer mu.Unlock()
		if failures[ev.TriggerID] > 0 {
			failures[ev.TriggerID]--
			return errors.New("the store does not answer")
		}
		return nil
	})
	for range 5 { // an origin that is told of the failure gives the event again
		if err := b.Happen(b.ctx, b.source, 0); err == nil {
			break
		}
	}
	time.Sleep(10 * time.Second) // a source that keeps the event tries again by itself
	synctest.Wait()
	if got := b.of(); got != "t1 t2" && got != "t2 t1" {
		b.t.Errorf("dispatched for %q, want t1 and t2 once each", got)
	}
}

func refused(b *bench) {
	b.apply(b.Trigger("t1"))
	if b.Synchronous {
		b.held()
		return
	}
	for i, refusal := range []error{triggers.ErrDenied, triggers.ErrDuplicate, triggers.ErrGone} {
		var calls atomic.Int32
		b.setBefore(func(triggers.Event) error {
			calls.Add(1)
			return fmt.Errorf("refused: %w", refusal)
		})
		b.must(b.happen())
		if n := calls.Load(); n != 1 {
			b.t.Errorf("%v: happening %d was dispatched %d times", refusal, i, n)
		}
	}
	b.setBefore(nil)
	b.must(b.happen())
	b.want("t1")
}

// held checks that what is refused is the same event again, until it is taken.
func (b *bench) held() {
	var mu sync.Mutex
	var seen []string
	refusals := []error{triggers.ErrDenied, triggers.ErrGone}
	b.setBefore(func(ev triggers.Event) error {
		mu.Lock()
		defer mu.Unlock()
		if seen = append(seen, ev.ID); ev.Attempt != len(seen)-1 {
			b.t.Errorf("attempt %d says that it is number %d", len(seen)-1, ev.Attempt)
		}
		if n := len(seen); n <= len(refusals) {
			return fmt.Errorf("refused: %w", refusals[n-1])
		}
		return nil
	})
	b.must(b.happen())
	time.Sleep(10 * time.Second)
	synctest.Wait()
	b.want("t1")
	mu.Lock()
	defer mu.Unlock()
	if len(seen) != 3 || seen[0] != seen[1] || seen[1] != seen[2] {
		b.t.Errorf("the events were %q", seen)
	}
}

func setBack(b *bench) {
	b.apply(b.Trigger("t1"))
	b.must(b.happen())
	b.want("t1")
	b.setClock(-10 * time.Minute)
	time.Sleep(5 * time.Minute)
	synctest.Wait()
	b.want("t1")
}

func panics(b *bench) {
	b.apply(b.Trigger("t1"), b.Trigger("t2"))
	var once sync.Once
	b.setBefore(func(ev triggers.Event) error {
		if ev.TriggerID == "t1" {
			once.Do(func() { panic("no such luck") })
		}
		return nil
	})
	for range 2 { // an origin that pushes contains the panic itself, and gives the event again
		if contained(func() error { return b.Happen(b.ctx, b.source, 0) }) == nil {
			break
		}
	}
	time.Sleep(40 * time.Second) // a source that keeps the event tries again by itself, or leaves it
	b.n++
	b.must(b.happen())
	synctest.Wait()
	for id, least := range map[string]int{"t1": 1, "t2": 2} {
		if n := strings.Count(b.of(), id); n < least {
			b.t.Errorf("dispatched for %q: %s %d times, want at least %d", b.of(), id, n, least)
		}
	}
	b.must(b.source.Remove(b.ctx, "t1")) // nobody is left inside
}

func contained(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return f()
}

func runEnds(b *bench) {
	entered, release := b.holdUp()
	b.apply(b.Trigger("t1"))
	happened := make(chan struct{})
	go func() {
		defer close(happened)
		_ = b.happen()
	}()
	<-entered
	stopped := make(chan struct{})
	go func() {
		b.stop()
		close(stopped)
	}()
	synctest.Wait()
	close(release)
	<-stopped
	<-happened
	b.want("t1")
}

func restarted(b *bench) {
	tr := b.Trigger("t1")
	b.apply(tr)
	b.must(b.happen())
	b.stop()
	b.run()
	b.apply(tr)
	b.want("t1")
	b.must(b.happen())
	b.want("t1 t1")
	b.t.Cleanup(b.stop)
}

func unknown(b *bench) {
	b.must(b.source.Remove(b.ctx, "never seen"))
	b.must(b.source.Remove(b.ctx, "never seen"))
}

func concurrent(b *bench) {
	const n = 20
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			id := fmt.Sprintf("t%d", i)
			for range 10 {
				_ = b.source.Apply(b.ctx, b.Trigger(id))
				_ = b.source.Apply(b.ctx, off(b.Trigger(id)))
				_ = b.source.Apply(b.ctx, b.Trigger(id))
				if i%2 == 0 {
					_ = b.source.Remove(b.ctx, id)
				}
			}
		})
	}
	wg.Go(func() {
		for range 5 {
			b.must(b.happen())
		}
	})
	wg.Wait()
	before := strings.Count(b.of()+" ", " ")
	b.must(b.happen())
	if got := strings.Count(b.of()+" ", " ") - before; before > 1 && got != n/2 {
		b.t.Errorf("%d triggers fired, %d are left", got, n/2)
	}
}
