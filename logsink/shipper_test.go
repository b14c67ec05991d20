package logsink_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"fcd/fc"
	"fcd/logsink"
	"fcd/logsink/sinktest"
	"fcd/logsink/spool"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("FCD_TEST_SHIPPER_CHILD"); dir != "" {
		childMain(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// rig is a running Shipper on a spool of its own. stop ends it as a crash would: nothing is flushed.
type rig struct {
	*logsink.Shipper
	sink *sinktest.Memory
	stop func()
}

func start(t testing.TB, dir string, sink *sinktest.Memory, change func(*logsink.Options, *spool.Options)) rig {
	t.Helper()
	so := spool.Options{Dir: dir}
	lo := logsink.Options{Sink: sink}
	if change != nil {
		change(&lo, &so)
	}
	sp, err := spool.Open(so)
	if err != nil {
		t.Fatal(err)
	}
	lo.Spool = sp
	ship, err := logsink.NewShipper(lo)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { ship.Run(ctx); close(ended) }()
	stop := func() { cancel(); <-ended; sp.Close() }
	return rig{ship, sink, stop}
}

func record(i int) fc.LogRecord {
	return fc.LogRecord{Time: time.Unix(1_700_000_000, int64(i)).UTC(), Project: "p", Logstore: "l", Service: "svc",
		Function: "fn", Qualifier: "prod", VersionID: "1", InstanceID: "i", RequestID: "r", Message: fmt.Sprintf("line %d", i)}
}

func messages(recs []fc.LogRecord) []string {
	var all []string
	for _, r := range recs {
		all = append(all, r.Message)
	}
	return all
}

func lines(from, to int) []string {
	var all []string
	for i := from; i < to; i++ {
		all = append(all, fmt.Sprintf("line %d", i))
	}
	return all
}

func TestRecordArrivesAsItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, t.TempDir(), &sinktest.Memory{}, nil)
		defer r.stop()
		want := record(1)
		want.Late = true
		r.Append(want)
		if d := cmp.Diff([]fc.LogRecord{want}, r.sink.Await(t.Context(), "p", "l", 1)); d != "" {
			t.Error(d)
		}
		b := r.sink.Batches()[0]
		if b.Topic != "svc" || len(strings.Split(b.PackID, "-")[0]) != 16 {
			t.Errorf("batch has topic %q and pack id %q", b.Topic, b.PackID)
		}
	})
}

func TestBatching(t *testing.T) {
	t.Run("lines wait at most the linger", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, t.TempDir(), &sinktest.Memory{}, nil)
			defer r.stop()
			begin := time.Now()
			for i := range 10 {
				r.Append(record(i))
			}
			r.sink.Await(t.Context(), "p", "l", 10)
			if d := time.Since(begin); d != 200*time.Millisecond || len(r.sink.Batches()) != 1 {
				t.Errorf("10 lines took %v in %d batches, want 200ms in 1", d, len(r.sink.Batches()))
			}
		})
	})
	t.Run("a full batch goes at once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, t.TempDir(), &sinktest.Memory{}, func(o *logsink.Options, _ *spool.Options) { o.MaxBatchLines = 5 })
			defer r.stop()
			begin := time.Now()
			for i := range 10 {
				r.Append(record(i))
			}
			got := r.sink.Await(t.Context(), "p", "l", 10)
			if d := cmp.Diff(lines(0, 10), messages(got)); d != "" || time.Since(begin) != 0 {
				t.Errorf("took %v; %s", time.Since(begin), d)
			}
		})
	})
	t.Run("a window goes topic by topic", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, t.TempDir(), &sinktest.Memory{}, nil)
			defer r.stop()
			for i := range 4 {
				rec := record(i)
				rec.Service = fmt.Sprintf("svc%d", i%2)
				r.Append(rec)
			}
			got := r.sink.Await(t.Context(), "p", "l", 4)
			if d := cmp.Diff([]string{"line 0", "line 2", "line 1", "line 3"}, messages(got)); d != "" {
				t.Error(d)
			}
			if b := r.sink.Batches(); len(b) != 2 || b[0].PackID == b[1].PackID {
				t.Errorf("batches are %+v", b)
			}
		})
	})
	t.Run("records without project or logstore go nowhere", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			r := start(t, dir, &sinktest.Memory{}, nil)
			defer r.stop()
			r.Append(fc.LogRecord{Time: time.Now(), Logstore: "l", Message: "x"})
			r.Append(fc.LogRecord{Time: time.Now(), Project: "p", Message: "x"})
			if st := r.Status(); len(st) != 0 {
				t.Errorf("status is %+v", st)
			}
		})
	})
	t.Run("the longest error that a function may log stays one record", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, t.TempDir(), &sinktest.Memory{}, nil)
			defer r.stop()
			rec := record(0)
			rec.Message = strings.Repeat("世", 256<<10) + "... Truncated by FunctionCompute"
			r.Append(rec)
			if got := messages(r.sink.Await(t.Context(), "p", "l", 1)); got[0] != rec.Message {
				t.Errorf("%d bytes of %d", len(got[0]), len(rec.Message))
			}
		})
	})
	t.Run("a message above 900 KiB becomes several records between runes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, t.TempDir(), &sinktest.Memory{}, nil)
			defer r.stop()
			rec := record(0)
			rec.Message = strings.Repeat("é", 600<<10) + "x" + strings.Repeat("é", 400<<10)
			r.Append(rec)
			got := messages(r.sink.Await(t.Context(), "p", "l", 3))
			if strings.Join(got, "") != rec.Message || len(got) != 3 {
				t.Errorf("%d pieces", len(got))
			}
			for _, m := range got {
				if len(m) > 900<<10 || strings.ContainsRune(m, '\uFFFD') {
					t.Errorf("a piece of %d bytes is too long or cut in a rune", len(m))
				}
			}
		})
	})
}

func TestFailures(t *testing.T) {
	slow := &logsink.Error{Class: logsink.Slow, Code: "LogStoreNotExist", Err: errors.New("logstore l does not exist")}
	cases := []struct {
		name     string
		err      error
		down     time.Duration
		state    string
		min, max time.Duration // when the line arrives
	}{
		{"an outage is retried within its backoff", errors.New("connection refused"), time.Minute, logsink.StateRetrying, time.Minute, time.Minute + 31*time.Second},
		{"a logstore made later gets its lines within a minute", slow, 10 * time.Minute, logsink.StateBlocked, 10 * time.Minute, 11 * time.Minute},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				var packs []string
				sink := &sinktest.Memory{Fail: func(b logsink.Batch) error {
					packs = append(packs, b.PackID)
					if time.Since(begin) < c.down {
						return c.err
					}
					return nil
				}}
				r := start(t, t.TempDir(), sink, nil)
				defer r.stop()
				r.Append(record(0))
				time.Sleep(c.down / 2) // the bubble's clock
				if st := r.Status()[0]; st.State != c.state || st.Error != c.err.Error() || st.Pending != 1 {
					t.Errorf("status is %+v", st)
				}
				r.Append(record(1))
				got := r.sink.Await(t.Context(), "p", "l", 2)
				if d := cmp.Diff(lines(0, 2), messages(got)); d != "" {
					t.Error(d)
				}
				if d := time.Since(begin); d < c.min || d > c.max {
					t.Errorf("the lines arrived after %v, want %v to %v", d, c.min, c.max)
				}
				synctest.Wait()
				if st := r.Status()[0]; st.State != logsink.StateOK || st.Error != "" || st.Sent != 2 || st.Pending != 0 {
					t.Errorf("status is %+v", st)
				}
				if packs[0] != packs[1] || packs[0] == packs[len(packs)-1] {
					t.Errorf("pack ids are %q: a batch sent again must keep its id, another must have its own", packs)
				}
			})
		})
	}
	t.Run("a poison line is put aside and the rest arrives in order", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			sink := &sinktest.Memory{Fail: func(b logsink.Batch) error {
				for _, rec := range b.Records {
					if rec.Message == "line 37" {
						return &logsink.Error{Class: logsink.Content, Code: "PostBodyInvalid", Err: errors.New("body invalid")}
					}
				}
				return nil
			}}
			reg := prometheus.NewRegistry()
			r := start(t, dir, sink, func(o *logsink.Options, _ *spool.Options) { o.Registerer = reg })
			defer r.stop()
			for i := range 100 {
				r.Append(record(i))
			}
			got := messages(r.sink.Await(t.Context(), "p", "l", 99))
			if d := cmp.Diff(append(lines(0, 37), lines(38, 100)...), got); d != "" {
				t.Error(d)
			}
			synctest.Wait()
			if st := r.Status()[0]; st.Rejected != 1 || st.Pending != 0 || st.State != logsink.StateOK {
				t.Errorf("status is %+v", st)
			}
			b, err := os.ReadFile(filepath.Join(dir, "rejected", "000000000000.jsonl"))
			if err != nil || !strings.Contains(string(b), `"Message":"line 37"`) || strings.Count(string(b), "\n") != 1 {
				t.Errorf("rejected folder holds %q, %v", b, err)
			}
			want := `
				# HELP fcd_logsink_lines_total Log lines by what became of them.
				# TYPE fcd_logsink_lines_total counter
				fcd_logsink_lines_total{result="appended"} 100
				fcd_logsink_lines_total{result="rejected"} 1
				fcd_logsink_lines_total{result="sent"} 99
			`
			if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "fcd_logsink_lines_total"); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("one failing logstore does not hold up another", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			sink := &sinktest.Memory{Fail: func(b logsink.Batch) error {
				if b.Logstore == "bad" {
					return slow
				}
				return nil
			}}
			r := start(t, t.TempDir(), sink, func(o *logsink.Options, _ *spool.Options) { o.Senders = 1 })
			defer r.stop()
			bad := record(0)
			bad.Logstore = "bad"
			r.Append(bad)
			r.Append(record(1))
			begin := time.Now()
			r.sink.Await(t.Context(), "p", "l", 1)
			if d := time.Since(begin); d > time.Second {
				t.Errorf("the other line took %v", d)
			}
		})
	})
}

func TestFullSpool(t *testing.T) {
	t.Run("drop counts lines and tells how many went", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var down atomic.Bool
			down.Store(true)
			sink := &sinktest.Memory{Fail: func(logsink.Batch) error {
				if down.Load() {
					return errors.New("down")
				}
				return nil
			}}
			r := start(t, t.TempDir(), sink, func(_ *logsink.Options, o *spool.Options) { o.MaxBytes = 500 })
			defer r.stop()
			for i := range 20 {
				r.Append(record(i))
			}
			dropped := r.Status()[0].Dropped
			if dropped == 0 {
				t.Fatal("nothing was dropped")
			}
			down.Store(false)
			kept := 20 - int(dropped)
			r.sink.Await(t.Context(), "p", "l", kept)
			synctest.Wait()
			r.Append(record(20))
			want := append(lines(0, kept), fmt.Sprintf("%d log lines dropped", dropped), "line 20")
			if d := cmp.Diff(want, messages(r.sink.Await(t.Context(), "p", "l", kept+2))); d != "" {
				t.Error(d)
			}
		})
	})
	t.Run("block loses nothing", func(t *testing.T) {
		r := start(t, t.TempDir(), &sinktest.Memory{}, func(l *logsink.Options, o *spool.Options) {
			l.Block, l.Linger, o.MaxBytes = true, time.Millisecond, 500
		})
		defer r.stop()
		for i := range 50 {
			r.Append(record(i))
		}
		if d := cmp.Diff(lines(0, 50), messages(r.sink.Await(t.Context(), "p", "l", 50))); d != "" {
			t.Error(d)
		}
	})
}

// Lines that come after a pause are sent soon. While they come without end, a batch that is not full waits longer.
func TestBatchesThatAreNotFullKeepAPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, t.TempDir(), &sinktest.Memory{}, func(o *logsink.Options, _ *spool.Options) {
			o.Linger, o.Pace, o.MaxBatchLines = 200*time.Millisecond, time.Second, 10
		})
		defer r.stop()
		n := 0
		after := func(lines int, want time.Duration) {
			t.Helper()
			begin := time.Now()
			for range lines {
				r.Append(record(n))
				n++
			}
			r.sink.Await(t.Context(), "p", "l", n)
			if got := time.Since(begin); got != want {
				t.Errorf("lines up to %d were sent after %v, want %v", n, got, want)
			}
		}
		after(1, 200*time.Millisecond)
		after(1, time.Second)
		after(1, time.Second)
		after(10, 0) // a full batch waits for nothing
		time.Sleep(900 * time.Millisecond)
		after(1, 200*time.Millisecond)
	})
}

func TestFlush(t *testing.T) {
	t.Run("sends at once and returns when all is sent", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, t.TempDir(), &sinktest.Memory{}, func(o *logsink.Options, _ *spool.Options) { o.Linger = time.Hour })
			defer r.stop()
			for i := range 10 {
				r.Append(record(i))
			}
			begin := time.Now()
			if err := r.Flush(t.Context()); err != nil || time.Since(begin) > time.Second {
				t.Errorf("flush took %v: %v", time.Since(begin), err)
			}
			if got := len(r.sink.Records("p", "l")); got != 10 {
				t.Errorf("%d lines arrived", got)
			}
			if err := r.Flush(t.Context()); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("leaves the rest in the spool when time is up, and a restart sends it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			r := start(t, dir, &sinktest.Memory{Fail: func(logsink.Batch) error { return errors.New("down") }}, nil)
			for i := range 10 {
				r.Append(record(i))
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			err := r.Flush(ctx)
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "10 log lines stay") {
				t.Errorf("error is %v", err)
			}
			r.stop()
			r = start(t, dir, &sinktest.Memory{}, nil)
			defer r.stop()
			if d := cmp.Diff(lines(0, 10), messages(r.sink.Await(t.Context(), "p", "l", 10))); d != "" {
				t.Error(d)
			}
		})
	})
}

func TestRestartSendsTheSameBatchAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		var first logsink.Batch
		r := start(t, dir, &sinktest.Memory{Fail: func(b logsink.Batch) error {
			first = b
			return errors.New("the answer was lost")
		}}, nil)
		for i := range 3 {
			r.Append(record(i))
		}
		time.Sleep(time.Second) // the bubble's clock
		for i := range 3 {
			r.Append(record(3 + i))
		}
		r.stop()
		r = start(t, dir, &sinktest.Memory{}, nil)
		defer r.stop()
		if d := cmp.Diff(lines(0, 6), messages(r.sink.Await(t.Context(), "p", "l", 6))); d != "" {
			t.Error(d)
		}
		if again := r.sink.Batches()[0]; again.PackID != first.PackID || len(again.Records) != 3 {
			t.Errorf("batch %q of %d lines was sent as %q of %d after the restart", first.PackID, len(first.Records), again.PackID, len(again.Records))
		}
	})
}

func TestSync(t *testing.T) {
	r := start(t, t.TempDir(), &sinktest.Memory{}, nil)
	defer r.stop()
	r.Append(record(0))
	if err := r.Sync(t.Context()); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Sync(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestNewShipperRefuses(t *testing.T) {
	if _, err := logsink.NewShipper(logsink.Options{}); err == nil {
		t.Error("a shipper without spool and sink was made")
	}
}

func TestMemorySink(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Subject {
		m := &sinktest.Memory{Fail: func(b logsink.Batch) error {
			if b.Logstore != "l" {
				return &logsink.Error{Class: logsink.Slow, Code: "LogStoreNotExist", Err: fmt.Errorf("logstore %s does not exist", b.Logstore)}
			}
			return nil
		}}
		return sinktest.Subject{
			Sink: m, Project: "p", Logstore: "l", KnowsPackIDs: true,
			Read: func(*testing.T) []fc.LogRecord { return m.Records("p", "l") },
			Topics: func(*testing.T) (topics []string) {
				for _, b := range m.Batches() {
					topics = append(topics, slices.Repeat([]string{b.Topic}, len(b.Records))...)
				}
				return topics
			},
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	r := start(b, b.TempDir(), &sinktest.Memory{}, func(_ *logsink.Options, o *spool.Options) {
		o.MaxBytes, o.MaxBytesPerQueue = 1<<40, 1<<40
	})
	defer r.stop()
	rec := record(1)
	rec.RequestID, rec.InstanceID = strings.Repeat("r", 36), strings.Repeat("i", 36)
	rec.Message = strings.Repeat("x", 120)
	b.ReportAllocs()
	for b.Loop() {
		r.Append(rec)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}
