package invoker

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fcd/fc"
)

// discard is a Logs that costs nothing.
type discard struct{}

func (discard) Append(...fc.LogRecord) {}

// BenchmarkWarm measures warm calls through the native driver, 1 KiB in and out, with a log that is kept.
func BenchmarkWarm(b *testing.B) {
	for _, lang := range languages {
		for _, parallel := range []int{1, 2, 64} {
			b.Run(lang.name+"/"+map[int]string{1: "sequential", 2: "2-callers", 64: "64-callers"}[parallel], func(b *testing.B) {
				r := newReal(b, lang, func(o *Options) { o.FunctionConcurrency, o.Logs = 2, discard{} })
				benchmarkWarm(b, r, r.ref, parallel)
			})
		}
	}
}

// BenchmarkShared is BenchmarkWarm with 64 callers for one instance that takes their requests at a time, and for a
// program that serves HTTP.
func BenchmarkShared(b *testing.B) {
	for _, lang := range languages {
		b.Run(lang.name, func(b *testing.B) {
			r := newReal(b, lang, func(o *Options) { o.FunctionConcurrency, o.Logs = 1, discard{} })
			ref := r.function(b, lang, "shared", func(_ *fc.Service, f *fc.Function) { f.InstanceConcurrency = 64 })
			benchmarkWarm(b, r, ref, 64)
		})
	}
	dir := built(b, "./testdata/custom")
	for name, parallel := range map[string]int{"custom/sequential": 1, "custom/64-callers": 64} {
		b.Run(name, func(b *testing.B) {
			r := newCustom(b, dir, func(o *Options) { o.FunctionConcurrency, o.Logs = 1, discard{} })
			ref := r.custom("shared", func(_ *fc.Service, f *fc.Function) { f.InstanceConcurrency = parallel })
			benchmarkWarm(b, r, ref, parallel)
		})
	}
}

func benchmarkWarm(b *testing.B, r *real, ref fc.FunctionRef, parallel int) {
	event := append([]byte("echo "), make([]byte, 1019)...)
	var ids atomic.Int64
	invoke := func() {
		id := fmt.Sprintf("%024d", ids.Add(1))
		if _, err := r.Invoke(context.Background(), fc.Call{RequestID: id, Ref: ref, Payload: event}); err != nil {
			b.Error(err)
		}
	}
	var warm sync.WaitGroup
	for range min(parallel, 2) {
		warm.Go(invoke)
	}
	warm.Wait()
	var mu sync.Mutex
	var all []time.Duration
	work := make(chan struct{}, 1024)
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	cpu := cpuTime(b)
	for range parallel {
		wg.Go(func() {
			var own []time.Duration
			for range work {
				begin := time.Now()
				invoke()
				own = append(own, time.Since(begin))
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, own...)
		})
	}
	for range b.N {
		work <- struct{}{}
	}
	close(work)
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64((cpuTime(b)-cpu).Nanoseconds())/1000/float64(b.N), "cpu-µs/op")
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Nanoseconds())/1000, "p50-µs")
	b.ReportMetric(float64(all[len(all)*99/100].Nanoseconds())/1000, "p99-µs")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}

// cpuTime is the processor time of this process alone: what a call costs the daemon, however busy the machine is.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		b.Fatal(err)
	}
	return time.Duration(t.Nano())
}

// BenchmarkCold measures a fresh sandbox and its first answer.
func BenchmarkCold(b *testing.B) {
	for _, lang := range languages {
		b.Run(lang.name, func(b *testing.B) {
			r := newReal(b, lang, nil)
			var all []time.Duration
			for b.Loop() {
				ref := r.function(b, lang, "hello", nil)
				begin := time.Now()
				r.call(b, ref, "echo x")
				all = append(all, time.Since(begin))
			}
			slices.Sort(all)
			b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "p50-ms")
		})
	}
}

// BenchmarkClaimed is the first call of a function while something generic waits, and how long a start takes that fills
// the shelf again.
func BenchmarkClaimed(b *testing.B) {
	for _, lang := range languages {
		b.Run(lang.name, func(b *testing.B) {
			r := newClaimed(b, lang, nil)
			var took []time.Duration
			for n := 0; b.Loop(); n++ {
				b.StopTimer()
				ref := r.function(b, lang, fmt.Sprint("f", n), func(_ *fc.Service, f *fc.Function) { f.MemorySizeMB = 1024 })
				b.StartTimer()
				begin := time.Now()
				r.call(b, ref, "echo x")
				took = append(took, time.Since(begin))
			}
			slices.Sort(took)
			for _, q := range []int{10, 50, 90} {
				b.ReportMetric(float64(took[len(took)*q/100].Microseconds()), fmt.Sprintf("p%d-µs", q))
			}
		})
	}
}
