package spool

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, opts Options) *Spool {
	t.Helper()
	s, err := Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func queue(t testing.TB, s *Spool) *Queue {
	t.Helper()
	q, err := s.Queue("p", "l")
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func add(t testing.TB, q *Queue, recs ...string) {
	t.Helper()
	for _, r := range recs {
		if err := q.Append(false, []byte(r)); err != nil {
			t.Fatal(err)
		}
	}
}

// rest reads everything from the cursor on.
func rest(t testing.TB, q *Queue) []string {
	t.Helper()
	var all []string
	for at := q.Cursor(); ; {
		recs, _, end, err := q.Read(at, 7, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if len(recs) == 0 {
			return all
		}
		for _, r := range recs {
			all = append(all, string(r))
		}
		at = end
	}
}

func tailPath(t testing.TB, q *Queue) string {
	t.Helper()
	segs, err := listSegments(q.dir)
	if err != nil || len(segs) == 0 {
		t.Fatalf("no segment: %v", err)
	}
	return segs[len(segs)-1].path
}

func TestReopen(t *testing.T) {
	cases := []struct {
		name   string
		commit int
		harm   func(t *testing.T, q *Queue)
		want   []string
	}{
		{"keeps everything in order", 0, nil, []string{"a", "b", "c", "d"}},
		{"goes on at the cursor", 2, nil, []string{"c", "d"}},
		{"finds nothing after all was taken over", 4, nil, nil},
		{"cuts a torn end", 0, func(t *testing.T, q *Queue) { grow(t, tailPath(t, q), []byte{9, 0, 0, 0, 1, 2}) },
			[]string{"a", "b", "c", "d"}},
		{"cuts a frame that ends early", 1, func(t *testing.T, q *Queue) { shrink(t, tailPath(t, q), 1) },
			[]string{"b", "c"}},
		{"cuts a frame with a wrong sum", 0, func(t *testing.T, q *Queue) { flipLast(t, tailPath(t, q)) },
			[]string{"a", "b", "c"}},
		{"cuts zeros left by a power cut", 0, func(t *testing.T, q *Queue) { grow(t, tailPath(t, q), make([]byte, 4096)) },
			[]string{"a", "b", "c", "d"}},
		{"reads all again without a cursor file", 2, func(t *testing.T, q *Queue) { remove(t, filepath.Join(q.dir, cursorFile)) },
			[]string{"a", "b", "c", "d"}},
		{"reads all again with a damaged cursor file", 2, func(t *testing.T, q *Queue) { flipLast(t, filepath.Join(q.dir, cursorFile)) },
			[]string{"a", "b", "c", "d"}},
		{"goes on at a cursor above the files", 0, func(t *testing.T, q *Queue) { setCursor(t, q, q.Cursor()+100) }, nil},
		{"goes on at the first file when the cursor lies below", 0, func(t *testing.T, q *Queue) { setCursor(t, q, q.Cursor()-100) },
			[]string{"a", "b", "c", "d"}},
		{"goes on at a cursor in a cut tail", 4, func(t *testing.T, q *Queue) { shrink(t, tailPath(t, q), 12) }, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, Options{Dir: dir})
			q := queue(t, s)
			add(t, q, "a", "b", "c", "d")
			if err := q.Commit(q.Cursor() + uint64(c.commit)); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if c.harm != nil {
				c.harm(t, q)
			}
			q = queue(t, open(t, Options{Dir: dir}))
			if d := cmp.Diff(c.want, rest(t, q)); d != "" {
				t.Errorf("records differ (-want +got):\n%s", d)
			}
			add(t, q, "new")
			if d := cmp.Diff(append(c.want, "new"), rest(t, q)); d != "" {
				t.Errorf("after an append (-want +got):\n%s", d)
			}
		})
	}
}

func grow(t *testing.T, path string, b []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(b); err != nil {
		t.Fatal(err)
	}
}

func shrink(t *testing.T, path string, n int64) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, max(0, info.Size()-n)); err != nil {
		t.Fatal(err)
	}
}

func flipLast(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func setCursor(t *testing.T, q *Queue, n uint64) {
	t.Helper()
	if err := writeCursor(q.dir, n); err != nil {
		t.Fatal(err)
	}
}

func TestNumbersNeverComeTwice(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	q := queue(t, s)
	add(t, q, "a", "b")
	end := q.Cursor() + 2
	if err := q.Commit(end); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = open(t, Options{Dir: dir})
	if got := queue(t, s).Cursor(); got != end {
		t.Errorf("cursor is %d after reopening, want %d", got, end)
	}
	s.Close()
	if err := os.RemoveAll(q.dir); err != nil {
		t.Fatal(err)
	}
	if got := queue(t, open(t, Options{Dir: dir})).Cursor(); got <= end {
		t.Errorf("cursor is %d after the queue's folder was deleted, want above %d", got, end)
	}
}

func TestSegmentsAreDeletedWhenPassed(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir(), SegmentBytes: 64})
	q := queue(t, s)
	for i := range 100 {
		add(t, q, fmt.Sprintf("record %03d", i))
	}
	if err := q.Commit(q.Cursor() + 95); err != nil {
		t.Fatal(err)
	}
	segs, _ := listSegments(q.dir)
	if len(segs) > 3 {
		t.Errorf("%d segments are left for 5 records", len(segs))
	}
	if got := s.Bytes(); got != 5*(frameHeaderBytes+10) {
		t.Errorf("%d bytes are counted for 5 records of 18", got)
	}
	if got := rest(t, q); len(got) != 5 || got[0] != "record 095" {
		t.Errorf("left are %q", got)
	}
}

func TestDamageInTheMiddleCostsOneSegment(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir, SegmentBytes: 40})
	q := queue(t, s)
	for i := range 9 {
		add(t, q, fmt.Sprintf("record %03d", i)) // three in a segment
	}
	s.Close()
	segs, _ := listSegments(q.dir)
	b, _ := os.ReadFile(segs[1].path)
	b[18+frameHeaderBytes] ^= 1 // the second record
	if err := os.WriteFile(segs[1].path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	q = queue(t, open(t, Options{Dir: dir}))
	want := []string{"record 000", "record 001", "record 002", "record 003", "record 006", "record 007", "record 008"}
	if d := cmp.Diff(want, rest(t, q)); d != "" {
		t.Errorf("records differ (-want +got):\n%s", d)
	}
	if got := q.State().Lost; got != 2 {
		t.Errorf("%d records count as lost, want 2", got)
	}
}

func TestBounds(t *testing.T) {
	t.Run("a full queue refuses and takes again after a commit", func(t *testing.T) {
		q := queue(t, open(t, Options{Dir: t.TempDir(), MaxBytesPerQueue: 20}))
		add(t, q, "0123456789")
		if err := q.Append(false, []byte("more")); !errors.Is(err, ErrFull) {
			t.Errorf("error is %v, want ErrFull", err)
		}
		if err := q.Commit(q.Cursor() + 1); err != nil {
			t.Fatal(err)
		}
		add(t, q, "more")
	})
	t.Run("the bound of all queues holds for each", func(t *testing.T) {
		s := open(t, Options{Dir: t.TempDir(), MaxBytes: 20})
		add(t, queue(t, s), "0123456789")
		other, err := s.Queue("p", "other")
		if err != nil {
			t.Fatal(err)
		}
		if err := other.Append(false, []byte("more")); !errors.Is(err, ErrFull) {
			t.Errorf("error is %v, want ErrFull", err)
		}
	})
	t.Run("a waiting append goes on when another queue made room", func(t *testing.T) {
		s := open(t, Options{Dir: t.TempDir(), MaxBytes: 20})
		q := queue(t, s)
		add(t, q, "0123456789")
		other, err := s.Queue("p", "other")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() { done <- other.Append(true, []byte("more")) }()
		if err := q.Commit(q.Cursor() + 1); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Run("a waiting append ends with the spool", func(t *testing.T) {
		s := open(t, Options{Dir: t.TempDir(), MaxBytes: 20})
		q := queue(t, s)
		add(t, q, "0123456789")
		done := make(chan error)
		go func() { done <- q.Append(true, []byte("more")) }()
		s.Close()
		if err := <-done; !errors.Is(err, ErrClosed) {
			t.Errorf("error is %v, want ErrClosed", err)
		}
	})
	t.Run("empty and huge records are refused", func(t *testing.T) {
		q := queue(t, open(t, Options{Dir: t.TempDir()}))
		for _, n := range []int{0, MaxRecordBytes + 1} {
			if err := q.Append(false, make([]byte, n)); err == nil {
				t.Errorf("a record of %d bytes was taken", n)
			}
		}
	})
}

func TestReadStopsAtItsBounds(t *testing.T) {
	q := queue(t, open(t, Options{Dir: t.TempDir()}))
	add(t, q, "aaaa", "bbbb", "cccc")
	for _, c := range []struct {
		records, bytes, want int
	}{{1, 100, 1}, {2, 100, 2}, {9, 1, 1}, {9, 8, 2}, {9, 11, 2}, {9, 12, 3}} {
		recs, start, end, err := q.Read(q.Cursor(), c.records, int64(c.bytes))
		if err != nil || len(recs) != c.want || end-start != uint64(c.want) || start != q.Cursor() {
			t.Errorf("read of %d records and %d bytes gave %d in [%d,%d): %v", c.records, c.bytes, len(recs), start, end, err)
		}
	}
}

func TestWindowSurvives(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	q := queue(t, s)
	add(t, q, "a", "b", "c")
	if err := q.SetWindow(q.Cursor() + 2); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = open(t, Options{Dir: dir})
	q = queue(t, s)
	if end, ok := q.Window(); !ok || end != q.Cursor()+2 {
		t.Errorf("window ends at %d (%v), want %d", end, ok, q.Cursor()+2)
	}
	if err := q.Commit(q.Cursor() + 2); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if end, ok := queue(t, open(t, Options{Dir: dir})).Window(); ok {
		t.Errorf("window up to %d is left after its commit", end)
	}
}

func TestSyncDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSyncer(10 * time.Millisecond)
		defer s.close()
		f, err := os.Create(filepath.Join(t.TempDir(), "f"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		begin := time.Now()
		s.mu.Lock()
		round := s.round
		s.mu.Unlock()
		s.wrote(f, false)
		<-round.done
		if d := time.Since(begin); d != 10*time.Millisecond {
			t.Errorf("a write was flushed after %v, want 10ms", d)
		}
		begin = time.Now()
		s.wrote(f, false)
		if err := s.sync(t.Context()); err != nil || time.Since(begin) != 0 {
			t.Errorf("Sync took %v, error %v", time.Since(begin), err)
		}
	})
}

func TestSyncOfAClosedSpool(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir()})
	s.Close()
	if err := s.Sync(context.Background()); err != nil && !errors.Is(err, ErrClosed) {
		t.Errorf("error is %v", err)
	}
	if _, err := s.Queue("p", "l"); !errors.Is(err, ErrClosed) {
		t.Errorf("error is %v, want ErrClosed", err)
	}
}

func TestConcurrentAppendsKeepEachCallersOrder(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir(), SegmentBytes: 4096, BufferBytes: 256})
	q := queue(t, s)
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			for i := range 500 {
				if err := q.Append(false, fmt.Appendf(nil, "%d %d", g, i)); err != nil {
					t.Error(err)
				}
			}
			if err := s.Sync(t.Context()); err != nil {
				t.Error(err)
			}
			if !slices.Contains(rest(t, q), fmt.Sprintf("%d 499", g)) {
				t.Errorf("the last record of writer %d is not written after Sync", g)
			}
		})
	}
	group.Wait()
	next := map[int]int{}
	for _, r := range rest(t, q) {
		var g, i int
		fmt.Sscanf(r, "%d %d", &g, &i)
		if next[g] != i {
			t.Fatalf("record %q came when %d was due", r, next[g])
		}
		next[g]++
	}
	for g := range 8 {
		if next[g] != 500 {
			t.Errorf("writer %d has %d records", g, next[g])
		}
	}
}

func TestQueueNames(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	names := [][2]string{{"p", "l"}, {"a,b", "c"}, {"a", "b,c"}, {"..", "."}, {"x/y", "../../z"}, {"rejected", "id"}}
	for _, n := range names {
		q, err := s.Queue(n[0], n[1])
		if err != nil {
			t.Fatal(err)
		}
		add(t, q, n[0]+" "+n[1])
	}
	s.Close()
	s = open(t, Options{Dir: dir})
	if got := len(s.Queues()); got != len(names) {
		t.Errorf("%d queues after reopening, want %d", got, len(names))
	}
	for _, n := range names {
		q, _ := s.Queue(n[0], n[1])
		if got := rest(t, q); len(got) != 1 || got[0] != n[0]+" "+n[1] {
			t.Errorf("queue %q holds %q", n, got)
		}
	}
}

func TestRejectsAreBounded(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir, MaxRejectedBytes: 800})
	for i := range 100 {
		if err := s.Reject(fmt.Appendf(nil, `{"n":%d,"pad":"0123456789"}`, i)); err != nil {
			t.Fatal(err)
		}
	}
	entries, _ := os.ReadDir(filepath.Join(dir, "rejected"))
	var all []byte
	for _, e := range entries {
		b, _ := os.ReadFile(filepath.Join(dir, "rejected", e.Name()))
		all = append(all, b...)
	}
	if len(all) > 800+200 || !bytes.Contains(all, []byte(`"n":99,`)) || bytes.Contains(all, []byte(`"n":0,`)) {
		t.Errorf("%d bytes in %d files; the newest must be kept, the oldest not", len(all), len(entries))
	}
}

// TestModel compares the spool with a slice under random appends, commits, kills and power cuts.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp("", "spool")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(dir)
		opts := Options{Dir: dir, SegmentBytes: rapid.Int64Range(30, 300).Draw(rt, "segment")}
		s, err := Open(opts)
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { s.Close() }()
		q, err := s.Queue("p", "l")
		if err != nil {
			rt.Fatal(err)
		}
		var left []string
		n := 0
		reopen := func() {
			s.Close()
			if s, err = Open(opts); err != nil {
				rt.Fatal(err)
			}
			q, _ = s.Queue("p", "l")
		}
		rt.Repeat(map[string]func(*rapid.T){
			"append": func(rt *rapid.T) {
				for range rapid.IntRange(1, 8).Draw(rt, "n") {
					rec := fmt.Sprintf("%d %s", n, rapid.StringN(0, 20, -1).Draw(rt, "text"))
					n++
					if err := q.Append(false, []byte(rec)); err != nil {
						rt.Fatal(err)
					}
					left = append(left, rec)
				}
			},
			"commit": func(rt *rapid.T) {
				k := rapid.IntRange(0, len(left)).Draw(rt, "k")
				if err := q.Commit(q.Cursor() + uint64(k)); err != nil {
					rt.Fatal(err)
				}
				left = left[k:]
			},
			"kill": func(*rapid.T) { reopen() },
			"power cut": func(rt *rapid.T) {
				s.Close()
				left = powerCut(rt, q, left)
				reopen()
			},
			"": func(rt *rapid.T) {
				var got []string
				for at := q.Cursor(); ; {
					recs, start, end, err := q.Read(at, rapid.IntRange(1, 5).Draw(rt, "max"), 60)
					if err != nil || start != at {
						rt.Fatalf("read from %d starts at %d: %v", at, start, err)
					}
					if len(recs) == 0 {
						break
					}
					for _, r := range recs {
						got = append(got, string(r))
					}
					at = end
				}
				if d := cmp.Diff(left, got); d != "" && len(left)+len(got) > 0 {
					rt.Fatalf("records differ (-want +got):\n%s", d)
				}
				if st := q.State(); st.Records != uint64(len(left)) || len(left) == 0 && st.Bytes != 0 {
					rt.Fatalf("state is %+v for %d records", st, len(left))
				}
			},
		})
	})
}

// powerCut cuts the last segment at a random byte and leaves the model with what stands before the cut.
func powerCut(rt *rapid.T, q *Queue, left []string) []string {
	segs, err := listSegments(q.dir)
	if err != nil || len(segs) == 0 {
		return left
	}
	seg := segs[len(segs)-1]
	size := rapid.Int64Range(0, seg.size).Draw(rt, "cut")
	before, _, _, _ := seg.scan()
	if err := os.Truncate(seg.path, size); err != nil {
		rt.Fatal(err)
	}
	after, _, _, _ := seg.scan()
	gone := min(int(before-after), len(left))
	return left[:len(left)-gone]
}

func FuzzReadFrame(f *testing.F) {
	f.Add(appendFrame(appendFrame(nil, []byte("one")), []byte("two")))
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{255, 255, 255, 255, 1, 2, 3, 4, 5})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bufio.NewReader(bytes.NewReader(b))
		var back []byte
		for {
			rec, err := readFrame(r)
			if err != nil {
				break
			}
			back = appendFrame(back, rec)
		}
		if !bytes.HasPrefix(b, back) {
			t.Errorf("frames read from %x are %x", b, back)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 16} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			q := queue(b, open(b, Options{Dir: b.TempDir(), MaxBytes: 1 << 40, MaxBytesPerQueue: 1 << 40}))
			rec := bytes.Repeat([]byte("x"), 200)
			b.SetParallelism(writers)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := q.Append(false, rec); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lines/s")
		})
	}
}

// TestAFlushThatFailedIsFinal: what it left out cannot be flushed any more, so nobody may be told that it was.
func TestAFlushThatFailedIsFinal(t *testing.T) {
	s, err := Open(Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	q, err := s.Queue("p", "l")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the disk is gone")
	s.syncer.mu.Lock()
	s.syncer.flushFile = func(*os.File) error { return broken }
	s.syncer.mu.Unlock()
	if err := q.Append(false, []byte("line")); err != nil {
		t.Fatal(err)
	}
	if err := s.Sync(t.Context()); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	<-s.Failed()
	s.syncer.mu.Lock()
	s.syncer.flushFile = (*os.File).Sync
	s.syncer.mu.Unlock()
	if err := s.Sync(t.Context()); !errors.Is(err, broken) {
		t.Errorf("afterwards: %v", err)
	}
}

func TestNobodyIsWokenForLessThanWasAskedFor(t *testing.T) {
	q := queue(t, open(t, Options{Dir: t.TempDir()}))
	told := func() bool {
		select {
		case <-q.Appended():
			return true
		default:
			return false
		}
	}
	if add(t, q, "first"); !told() {
		t.Error("not told of the first record")
	}
	if st := q.Await(3, 1<<20); st.Records != 1 || st.Bytes == 0 {
		t.Errorf("the queue is at %+v", st)
	}
	if add(t, q, "second"); told() {
		t.Error("told of two records in place of three")
	}
	if add(t, q, "third"); !told() {
		t.Error("not told of three records")
	}
	q.Await(100, 1<<10)
	if add(t, q, "fourth"); told() {
		t.Error("told of a few bytes in place of a KiB")
	}
	if add(t, q, strings.Repeat("x", 1<<10)); !told() {
		t.Error("not told of a KiB")
	}
}
