package logsink_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fcd/logsink"
	"fcd/logsink/sinktest"
	"fcd/logsink/spool"
)

// httpSink posts batches to the test that started this process.
type httpSink string

func (u httpSink) Send(ctx context.Context, b logsink.Batch) error {
	body, err := json.Marshal(b)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, string(u), bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return nil
}

// childMain is the process that gets killed: it spools lines for ever and says which number is spooled.
func childMain(dir string) {
	sp, err := spool.Open(spool.Options{Dir: dir, SegmentBytes: 4096})
	if err != nil {
		panic(err)
	}
	ship, err := logsink.NewShipper(logsink.Options{Spool: sp, Sink: httpSink(os.Getenv("FCD_TEST_SHIPPER_URL")), MaxBatchLines: 16})
	if err != nil {
		panic(err)
	}
	go ship.Run(context.Background())
	var next int
	fmt.Sscan(os.Getenv("FCD_TEST_SHIPPER_NEXT"), &next)
	for ; ; next++ {
		ship.Append(record(next))
		fmt.Println(next)
	}
}

// TestKill kills a shipping process at chosen moments, again and again on one spool, and checks that every line that was
// appended arrives once and in order.
func TestKill(t *testing.T) {
	moments := []struct {
		name string
		// at is called for each batch, before and after it is taken; true kills the process then
		at func(batch int, taken bool) bool
	}{
		{"before the first batch is taken", func(int, bool) bool { return true }},
		{"after a batch is taken, before it is acknowledged and the cursor moves", func(batch int, taken bool) bool { return taken }},
		{"before the second batch is taken", func(batch int, taken bool) bool { return batch == 1 }},
		{"after the third batch is taken, before it is acknowledged", func(batch int, taken bool) bool { return batch == 2 && taken }},
	}
	dir := t.TempDir()
	sink := &sinktest.Memory{}
	next := 0
	for _, m := range moments {
		t.Run(m.name, func(t *testing.T) { next = runAndKill(t, dir, sink, next, m.at) })
	}
	r := start(t, dir, sink, nil)
	defer r.stop()
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := messages(sink.Records("p", "l"))
	if len(got) < next {
		t.Fatalf("%d lines arrived of %d that were spooled", len(got), next)
	}
	if d := cmp.Diff(lines(0, next), unique(got)[:next]); d != "" {
		t.Errorf("lines differ (-want +got):\n%s", d)
	}
	if len(unique(got)) != len(got) {
		t.Errorf("%d lines arrived twice", len(got)-len(unique(got)))
	}
}

// unique drops repeated lines, keeping the order.
func unique(in []string) []string {
	seen := map[string]bool{}
	var out []string
	for _, s := range in {
		if !seen[s] {
			out = append(out, s)
		}
		seen[s] = true
	}
	return out
}

// runAndKill starts the child at line next and returns the number after the last line it is known to have spooled.
func runAndKill(t *testing.T, dir string, sink *sinktest.Memory, next int, at func(batch int, taken bool) bool) int {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	kill := make(chan struct{})
	var once sync.Once
	batch := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var b logsink.Batch
		if err := json.NewDecoder(req.Body).Decode(&b); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		io.Copy(io.Discard, req.Body) // only then does the server notice a client that has gone
		if at(batch, false) {
			once.Do(func() { close(kill) })
			<-req.Context().Done()
			return
		}
		if err := sink.Send(context.Background(), b); err != nil {
			t.Error(err)
		}
		if at(batch, true) {
			once.Do(func() { close(kill) })
			<-req.Context().Done()
			return
		}
		batch++
	}))
	defer srv.Close()
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "FCD_TEST_SHIPPER_CHILD="+dir, "FCD_TEST_SHIPPER_URL="+srv.URL, fmt.Sprintf("FCD_TEST_SHIPPER_NEXT=%d", next))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { <-kill; cmd.Process.Kill() }()
	last := next - 1
	for sc := bufio.NewScanner(out); sc.Scan(); {
		if _, err := fmt.Sscan(sc.Text(), &last); err != nil {
			t.Errorf("child wrote %q", sc.Text())
		}
	}
	cmd.Wait()
	once.Do(func() { close(kill); t.Errorf("the child ended by itself: %s", stderr.String()) })
	return max(last+1, settle(t, dir, last+1))
}

// settle looks how far the spool goes: a line may be spooled though its number was not printed any more.
func settle(t *testing.T, dir string, next int) int {
	t.Helper()
	sp, err := spool.Open(spool.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer sp.Close()
	q, err := sp.Queue("p", "l")
	if err != nil {
		t.Fatal(err)
	}
	recs, _, _, err := q.Read(q.Cursor(), 1<<30, 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	if len(recs) > 0 && bytes.Contains(recs[len(recs)-1], fmt.Appendf(nil, "line %d", next)) {
		return next + 1
	}
	return next
}
