package sqlite_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"fcd/store"
	"fcd/store/sqlite"
)

// BenchmarkApply enqueues messages of 1 KiB, each acknowledged after the flush. Before each measurement the same
// producers append to a plain file with group commit, the most this disk can give; "of-log" is the store's share of it.
// Request ids in order of time touch few index pages, random ones a page each.
func BenchmarkApply(b *testing.B) {
	for _, producers := range []int{1, 64} {
		b.Run(fmt.Sprintf("producers=%d/ids=ordered", producers), func(b *testing.B) {
			benchmarkApply(b, producers, func(i int) string { return fmt.Sprintf("%036d", i) })
		})
		b.Run(fmt.Sprintf("producers=%d/ids=random", producers), func(b *testing.B) {
			benchmarkApply(b, producers, func(i int) string { return fmt.Sprintf("%036d", i*2654435761%(1<<32)) })
		})
	}
}

func benchmarkApply(b *testing.B, producers int, id func(int) string) {
	limit := logRate(b, producers)
	s := open(b, sqlite.Options{Dir: b.TempDir()})
	defer s.Close()
	payload := make([]byte, 1024)
	took := make([][]time.Duration, producers)
	b.ReportAllocs()
	before := processor(b)
	b.ResetTimer()
	produce(b.N, producers, func(w, i int) {
		start := time.Now()
		_, err := s.Apply(context.Background(), store.Batch{Enqueue: []store.Msg{
			{RequestID: id(i), Fn: "demo//resize", Payload: payload}}})
		if err != nil {
			b.Error(err)
		}
		took[w] = append(took[w], time.Since(start))
	})
	b.StopTimer()
	b.ReportMetric(float64((processor(b)-before).Microseconds())/float64(b.N), "cpu-µs")
	rate := float64(b.N) / b.Elapsed().Seconds()
	all := slices.Sorted(slices.Values(slices.Concat(took...)))
	b.ReportMetric(rate, "msgs/s")
	b.ReportMetric(rate/limit, "of-log")
	b.ReportMetric(float64(all[len(all)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-µs")
}

// processor is the time that this process has used of the processor.
func processor(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// produce runs do n times from so many goroutines.
func produce(n, producers int, do func(w, i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for w := range producers {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				do(w, int(i))
			}
		})
	}
	wg.Wait()
}

// logRate is how many records of 1 KiB a second a plain file takes, flushed in groups.
func logRate(b *testing.B, producers int) float64 {
	b.Helper()
	f, err := os.Create(filepath.Join(b.TempDir(), "log"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	appends := make(chan chan error, 4096)
	var writer sync.WaitGroup
	writer.Go(func() {
		record := make([]byte, 1024+16)
		binary.LittleEndian.PutUint64(record, 1024)
		for first := range appends {
			group, buf := []chan error{first}, append([]byte(nil), record...)
			for len(group) < 1000 && len(appends) > 0 {
				group, buf = append(group, <-appends), append(buf, record...)
			}
			_, err := f.Write(buf)
			if err == nil {
				err = f.Sync()
			}
			for _, done := range group {
				done <- err
			}
		}
	})
	start, count := time.Now(), atomic.Int64{}
	var wg sync.WaitGroup
	for range producers {
		wg.Go(func() {
			for time.Since(start) < 2*time.Second {
				done := make(chan error, 1)
				appends <- done
				if err := <-done; err != nil {
					b.Error(err)
				}
				count.Add(1)
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	close(appends)
	writer.Wait()
	return float64(count.Load()) / took.Seconds()
}

// BenchmarkUpdate changes one of 100,000 records at a time, on condition of its revision.
func BenchmarkUpdate(b *testing.B) {
	s := open(b, sqlite.Options{Dir: b.TempDir()})
	defer s.Close()
	ctx := context.Background()
	const records = 100_000
	revs := make([]atomic.Int64, records)
	for at := 0; at < records; at += 1000 {
		var batch store.Batch
		for i := range 1000 {
			batch.Puts = append(batch.Puts, store.Put{Key: fmt.Sprintf("fn/s/LATEST/%06d", at+i), Value: make([]byte, 512)})
		}
		a, err := s.Apply(ctx, batch)
		if err != nil {
			b.Fatal(err)
		}
		for i, rev := range a.Revs {
			revs[at+i].Store(int64(rev))
		}
	}
	b.ResetTimer()
	produce(b.N, 64, func(_, i int) {
		k := i * 7919 % records
		a, err := s.Apply(ctx, store.Batch{Puts: []store.Put{
			{Key: fmt.Sprintf("fn/s/LATEST/%06d", k), Value: make([]byte, 512), If: store.Rev(revs[k].Load())}}})
		if err != nil {
			b.Error(err)
			return
		}
		revs[k].Store(int64(a.Rev))
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "updates/s")
}

// BenchmarkQueue takes messages through their life: claim, end. It counts messages.
func BenchmarkQueue(b *testing.B) {
	s := open(b, sqlite.Options{Dir: b.TempDir()})
	defer s.Close()
	ctx := context.Background()
	for at := 0; at < b.N; at += 500 {
		var batch store.Batch
		for i := range min(500, b.N-at) {
			batch.Enqueue = append(batch.Enqueue, store.Msg{RequestID: fmt.Sprint(at + i), Fn: "demo//resize", Payload: make([]byte, 1024)})
		}
		if _, err := s.Apply(ctx, batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	var wg sync.WaitGroup
	for w := range 16 {
		owner := fmt.Sprint("w", w)
		wg.Go(func() {
			for {
				ms, err := s.Claim(ctx, owner, map[string]int{"demo//resize": 32}, time.Minute)
				if err != nil {
					b.Error(err)
				}
				if len(ms) == 0 {
					return
				}
				done := store.Batch{Owner: owner}
				for _, m := range ms {
					done.Done = append(done.Done, store.Outcome{ID: m.ID, State: store.StateSucceeded})
				}
				if _, err := s.Apply(ctx, done); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
}
