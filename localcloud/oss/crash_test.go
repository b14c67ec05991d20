package oss_test

import (
	"bufio"
	order "cmp"
	"context"
	"crypto/md5"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	sdk "github.com/aliyun/aliyun-oss-go-sdk/oss"
	"github.com/google/go-cmp/cmp"

	"fcd/fc"
	"fcd/localcloud/oss"
)

const crashDirEnv = "FCD_TEST_OSS_CRASH_DIR"

// eventLog takes events over by appending them to a file, which survives the process.
type eventLog struct {
	mu     sync.Mutex
	f      *os.File
	marker chan struct{} // closed by the event of the key "marker"
}

func (l *eventLog) ObjectEvent(_ context.Context, e fc.ObjectEvent) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err = l.f.Write(append(line, '\n'))
	if e.Key == "marker" {
		close(l.marker)
	}
	return err
}

// serveUntilKilled is the child of the crash test: it serves dir, prints its address and never ends by itself.
func serveUntilKilled(dir string) {
	f, err := os.OpenFile(filepath.Join(dir, "events"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		panic(err)
	}
	s, err := oss.New(oss.Options{Dir: filepath.Join(dir, "oss"), Region: region, AccountID: account, Keys: keys{}, Events: &eventLog{f: f}})
	if err != nil {
		panic(err)
	}
	if err := s.CreateBucket(context.Background(), "bucket"); err != nil {
		panic(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Printf("http://%s\n", l.Addr())
	panic(http.Serve(l, s))
}

// child starts the server in a process of its own.
func child(t *testing.T, dir string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashDirEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	url, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	return cmd, strings.TrimSpace(url)
}

// crashWriter writes versions of its own keys and remembers what was answered.
type crashWriter struct {
	name  string
	n     int            // versions tried
	acked map[string]int // by key: the last version answered; 0 is a delete
	tried map[string]int // by key: the last version tried after that

	answered []string // "key etag" of every answered put
}

func (w *crashWriter) body(key string, version int) string {
	return strings.Repeat(fmt.Sprintf("%s=%d;", key, version), 1+version%700)
}

// run writes until the server is gone.
func (w *crashWriter) run(b *sdk.Bucket, answered func()) {
	for {
		w.n++
		key, version := fmt.Sprintf("%s/%d", w.name, w.n%5), w.n
		var err error
		w.tried[key] = version
		if w.n%11 == 0 {
			w.tried[key] = 0
			err = b.DeleteObject(key)
		} else {
			err = b.PutObject(key, strings.NewReader(w.body(key, version)))
		}
		if err != nil {
			return
		}
		w.acked[key] = w.tried[key]
		if w.tried[key] != 0 {
			w.answered = append(w.answered, fmt.Sprintf("%s %X", key, md5.Sum([]byte(w.body(key, version)))))
		}
		answered()
	}
}

// TestKillLosesNothing kills the server among writes, again and again. After each restart every key holds what was
// answered last or what was under way, whole; in the end the events, replayed in order, make exactly the objects there
// are: none is missing and none stands for what was not committed.
func TestKillLosesNothing(t *testing.T) {
	dir := t.TempDir()
	writers := make([]*crashWriter, 4)
	for i := range writers {
		writers[i] = &crashWriter{name: fmt.Sprint("w", i), acked: map[string]int{}, tried: map[string]int{}}
	}
	for round := range 6 {
		crashRound(t, dir, writers, int64(20+17*round))
	}
	afterwards(t, dir, writers)
}

func crashRound(t *testing.T, dir string, writers []*crashWriter, killAfter int64) {
	t.Helper()
	cmd, url := child(t, dir)
	c := client(t, url, append(v4(), sdk.EnableCRC(true))...)
	b, err := c.Bucket("bucket")
	must(t, err)
	for _, w := range writers {
		checkWriter(t, b, w)
	}
	var answers atomic.Int64
	var work sync.WaitGroup
	for _, w := range writers {
		work.Go(func() {
			w.run(b, func() {
				if answers.Add(1) == killAfter {
					cmd.Process.Kill()
				}
			})
		})
	}
	work.Wait()
	cmd.Wait()
}

// checkWriter compares the objects with what the writer knows, and settles what was open.
func checkWriter(t *testing.T, b *sdk.Bucket, w *crashWriter) {
	t.Helper()
	for key, tried := range w.tried {
		got := ""
		if r, err := b.GetObject(key); err == nil {
			raw, err := io.ReadAll(r)
			must(t, err)
			r.Close()
			got = string(raw)
		}
		switch {
		case got == w.want(key, tried):
			w.acked[key] = tried
		case got != w.want(key, w.acked[key]):
			t.Errorf("%s holds %.40q (%d bytes), neither version %d nor %d", key, got, len(got), w.acked[key], tried)
		}
		w.tried[key] = w.acked[key]
	}
}

func (w *crashWriter) want(key string, version int) string {
	if version == 0 {
		return ""
	}
	return w.body(key, version)
}

// afterwards opens the directory once more, lets all events go and compares: the objects with what the writers know,
// every answered put with an event, and the replay of all events with the objects.
func afterwards(t *testing.T, dir string, writers []*crashWriter) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, "events"), os.O_WRONLY|os.O_APPEND, 0o600)
	must(t, err)
	defer f.Close()
	events := &eventLog{f: f, marker: make(chan struct{})}
	_, url := start(t, func(o *oss.Options) { o.Dir, o.Events = filepath.Join(dir, "oss"), events })
	b, err := client(t, url, v4()...).Bucket("bucket")
	must(t, err)
	for _, w := range writers {
		checkWriter(t, b, w)
	}
	must(t, b.PutObject("marker", strings.NewReader("")))
	<-events.marker // events of one bucket come in order: this is the last
	all := readEvents(t, dir)
	want := map[string]string{}
	page, err := b.ListObjects(sdk.MaxKeys(1000))
	must(t, err)
	for _, o := range page.Objects {
		want[o.Key] = strings.Trim(o.ETag, `"`)
	}
	if diff := cmp.Diff(want, replay(all)); diff != "" {
		t.Errorf("objects (-) and replayed events (+):\n%s", diff)
	}
	seen := map[string]bool{}
	for _, e := range all {
		seen[e.Key+" "+e.ETag] = true
	}
	for _, w := range writers {
		for _, put := range w.answered {
			if !seen[put] {
				t.Errorf("the event of the answered put %s is missing", put)
			}
		}
	}
}

// readEvents are the events that were taken over, each once, by their sequence.
func readEvents(t *testing.T, dir string) []fc.ObjectEvent {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "events"))
	must(t, err)
	bySequence := map[uint64]fc.ObjectEvent{}
	for line := range strings.Lines(string(raw)) {
		var e fc.ObjectEvent
		must(t, json.Unmarshal([]byte(line), &e))
		if old, ok := bySequence[e.Sequence]; ok && old.RequestID != e.RequestID {
			t.Errorf("sequence %d was given twice", e.Sequence)
		}
		bySequence[e.Sequence] = e
	}
	return slices.SortedFunc(maps.Values(bySequence), func(a, b fc.ObjectEvent) int { return order.Compare(a.Sequence, b.Sequence) })
}

// replay is the entity tag of every object that the events leave.
func replay(events []fc.ObjectEvent) map[string]string {
	objects := map[string]string{}
	for _, e := range events {
		if e.Name == "ObjectRemoved:DeleteObject" {
			delete(objects, e.Key)
		} else {
			objects[e.Key] = e.ETag
		}
	}
	return objects
}
