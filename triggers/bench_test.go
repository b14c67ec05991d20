package triggers_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	sdk "github.com/aliyun/aliyun-oss-go-sdk/oss"

	"fcd/fc"
	"fcd/invoker/async"
	localoss "fcd/localcloud/oss"
	"fcd/ram"
	"fcd/store"
	"fcd/store/catalog"
	"fcd/store/sqlite"
	"fcd/triggers"
)

// BenchmarkObjectEvent takes object events through everything but sockets and sandboxes: the embedded object storage with
// its outbox, the trigger's match, the Bridge, the queue, the dispatcher and the end of an invocation that does nothing.
// Two such houses are measured in turn, one of which records no fates; "fates" is by how much more processor the other
// uses, the median of the turns.
func BenchmarkObjectEvent(b *testing.B) {
	for name, together := range map[string]int{"one-by-one": 1, "together-64": 64} {
		b.Run(name, func(b *testing.B) {
			with := pathOf(b, func(s *sqlite.Store) store.Store { return s })
			without := pathOf(b, func(s *sqlite.Store) store.Store { return unrecorded{s} })
			const events = 128
			var costs, bare, ratios []float64
			for b.Loop() {
				a, c := with.cost(events, together), without.cost(events, together)
				costs, bare, ratios = append(costs, a), append(bare, c), append(ratios, a/c)
			}
			for unit, values := range map[string][]float64{"cpu-µs/event": costs, "without-µs/event": bare, "fates": ratios} {
				slices.Sort(values)
				b.ReportMetric(values[len(values)/2], unit)
			}
		})
	}
}

// unrecorded is a store that records no fates.
type unrecorded struct{ *sqlite.Store }

func (u unrecorded) Apply(ctx context.Context, b store.Batch) (store.Applied, error) {
	b.Fates = nil
	return u.Store.Apply(ctx, b)
}

// eventPath is a house with an object storage in front of it and a dispatcher behind it.
type eventPath struct {
	b    *testing.B
	oss  *localoss.Server
	url  string
	done sync.WaitGroup // events whose function was not called yet
}

// anybody may come in.
type anybody struct{}

func (anybody) Authenticate(string, string) (ram.Identity, error) {
	return ram.Identity{Secret: "secret"}, nil
}

// Invoke is a function that returns at once.
func (p *eventPath) Invoke(context.Context, fc.Call) (fc.Result, error) {
	p.done.Done()
	return fc.Result{}, nil
}

func pathOf(b *testing.B, recording func(*sqlite.Store) store.Store) *eventPath {
	p := &eventPath{b: b}
	var s store.Store
	h := newHouse(b, func(o *triggers.BridgeOptions) {
		s = recording(o.Store.(*sqlite.Store))
		o.Store = s
	})
	m, err := triggers.NewManager(triggers.ManagerOptions{Kinds: h.kinds, Bridge: h.bridge, Watch: h.catalog, Checkpoints: h.store,
		Region: region, Account: account})
	h.must(err)
	h.start()
	h.furnish(ossTrigger("t1", "good"))
	d, err := async.New(async.Options{Queue: h.store, Store: s, Invoker: p})
	h.must(err)
	p.oss, err = localoss.New(localoss.Options{Dir: b.TempDir(), AccountID: account, Keys: anybody{}, Events: m.Source(fc.TriggerOSS).(localoss.Events)})
	h.must(err)
	h.must(p.oss.CreateBucket(context.Background(), "photos"))
	client, err := sdk.New("http://127.0.0.1", "key", "secret")
	h.must(err)
	bucket, err := client.Bucket("photos")
	h.must(err)
	p.url, err = bucket.SignURL("a.jpg", sdk.HTTPPut, 3600)
	h.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = m.Run(ctx) })
	running.Go(func() { _ = d.Run(ctx) })
	b.Cleanup(func() {
		cancel()
		running.Wait()
		h.must(p.oss.Close())
	})
	return p
}

// cost is the processor time of one of so many events, of which some are put at a time, in microseconds.
func (p *eventPath) cost(events, together int) float64 {
	before := processor(p.b)
	for range events / together {
		p.done.Add(together)
		var puts sync.WaitGroup
		for range together {
			puts.Go(p.put)
		}
		puts.Wait()
		p.done.Wait()
	}
	return float64((processor(p.b) - before).Microseconds()) / float64(events)
}

func (p *eventPath) put() {
	w := httptest.NewRecorder()
	p.oss.ServeHTTP(w, httptest.NewRequest(http.MethodPut, p.url, strings.NewReader(strings.Repeat("x", 1024))))
	if w.Code != http.StatusOK {
		body, _ := io.ReadAll(w.Body)
		p.b.Errorf("put: %d %s", w.Code, body)
	}
}

// processor is the time that this process has used of the processor.
func processor(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkBurst lets so many timers be due in the same second: each becomes a queued invocation with its checkpoint, its
// deduplication key and its fate, on disk. "last-ms" is how late the last one is there, "cpu-µs/fire" the processor of one.
// "arm-µs" is what it takes to take one of them up before.
func BenchmarkBurst(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				burst(b, n)
			}
		})
	}
}

// counted tells when so many messages have been queued.
type counted struct {
	*sqlite.Store
	left atomic.Int64
	done chan struct{}
}

func (c *counted) Apply(ctx context.Context, b store.Batch) (store.Applied, error) {
	a, err := c.Store.Apply(ctx, b)
	if n := int64(len(b.Enqueue)); err == nil && n > 0 && c.left.Add(-n) == 0 {
		close(c.done)
	}
	return a, err
}

func burst(b *testing.B, n int) {
	c := &counted{done: make(chan struct{})}
	c.left.Store(int64(n))
	h := newHouse(b, func(o *triggers.BridgeOptions) {
		c.Store = o.Store.(*sqlite.Store)
		o.Store = c
	})
	due := time.Date(2026, 1, 5, 8, 30, 0, 0, time.UTC)
	var clock atomic.Pointer[time.Time] // what it is; nil before the second is due
	m, err := triggers.NewManager(triggers.ManagerOptions{Kinds: h.kinds, Bridge: h.bridge, Watch: h.catalog, Checkpoints: h.store,
		Region: region, Account: account, Clock: func() time.Time {
			if begun := clock.Load(); begun != nil {
				return due.Add(time.Since(*begun))
			}
			return due.Add(-time.Second)
		}})
	h.must(err)
	h.furnishTimers(n, due)
	begin := time.Now()
	h.start() // loads the catalog, which takes the triggers up
	b.ReportMetric(float64(time.Since(begin).Microseconds())/float64(n), "arm-µs")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	before, begun := processor(b), time.Now()
	clock.Store(&begun)
	ended := make(chan struct{})
	go func() { defer close(ended); _ = m.Run(ctx) }()
	<-c.done
	b.ReportMetric(float64(time.Since(begun).Microseconds())/1000, "last-ms")
	b.ReportMetric(float64((processor(b)-before).Microseconds())/float64(n), "cpu-µs/fire")
	cancel()
	<-ended
}

// furnishTimers stores a function with so many timers that are due then.
func (h *house) furnishTimers(n int, due time.Time) {
	h.t.Helper()
	expr := fmt.Sprintf("%d %d %d * * *", due.Second(), due.Minute(), due.Hour())
	h.keepLater(&fc.Service{Name: "svc"}, &fc.Function{ServiceName: "svc", Name: "fn"})
	for at := 0; at < n; at += 500 {
		var trs []any
		for i := range min(500, n-at) {
			id := fmt.Sprintf("t%06d", at+i)
			trs = append(trs, &fc.Trigger{ServiceName: "svc", FunctionName: "fn", Name: id, ID: id, Type: fc.TriggerTimer, Enabled: true,
				ScheduledSince: due.Add(-time.Hour), Config: fmt.Appendf(nil, `{"payload":"x","cronExpression":%q,"enable":true}`, expr)})
		}
		h.keepLater(trs...)
	}
}

// keepLater stores records before the catalog is loaded.
func (h *house) keepLater(values ...any) store.Rev {
	h.t.Helper()
	var b store.Batch
	for _, v := range values {
		p := store.Put{Value: catalog.Encode(v), If: store.IfAny}
		switch v := v.(type) {
		case *fc.Service:
			p.Key = catalog.ServiceKey(v.Name)
		case *fc.Function:
			p.Key = catalog.FunctionKey(v.ServiceName, v.Name)
		case *fc.Trigger:
			p.Key = catalog.TriggerKey(v.ServiceName, v.FunctionName, v.Name)
		}
		b.Puts = append(b.Puts, p)
	}
	done, err := h.store.Apply(context.Background(), b)
	h.must(err)
	return done.Rev
}
