package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"fcd/fc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// open opens a directory with the bucket "b" in it.
func open(t testing.TB, opts Options) *Disk {
	t.Helper()
	if opts.Dir == "" {
		opts.Dir = t.TempDir()
	}
	d, err := Open(opts)
	must(t, err)
	_, err = d.CreateBucket(t.Context(), "b", "")
	must(t, err)
	return d
}

func stage(t testing.TB, d *Disk, body string) *Staged {
	t.Helper()
	s, err := d.Stage(t.Context(), strings.NewReader(body), MaxObject)
	must(t, err)
	return s
}

func put(t testing.TB, d *Disk, key, body string, w Write) Object {
	t.Helper()
	o, err := d.Put(t.Context(), Object{Bucket: "b", Key: key}, stage(t, d, body), w)
	must(t, err)
	return o
}

func event(name string) Write { return Write{Event: fc.ObjectEvent{Name: name}} }

func readAll(t testing.TB, r *Reader) string {
	t.Helper()
	var b bytes.Buffer
	must(t, r.Copy(&b, 0, r.Object.Size))
	return b.String()
}

func get(t testing.TB, d *Disk, key string) string {
	t.Helper()
	r, err := d.Open(t.Context(), "b", key)
	must(t, err)
	defer r.Close()
	return readAll(t, r)
}

// dataFiles counts the files below data.
func dataFiles(t testing.TB, d *Disk) int {
	t.Helper()
	found, err := d.files.present()
	must(t, err)
	return len(found)
}

func TestReaderKeepsTheOldBytesOfAReplacedAndOfADeletedObject(t *testing.T) {
	d := open(t, Options{})
	defer d.Close()
	put(t, d, "k", "first", Write{})
	r, err := d.Open(t.Context(), "b", "k")
	must(t, err)
	put(t, d, "k", "second", Write{})
	if got := readAll(t, r); got != "first" {
		t.Errorf("an open reader reads %q after a put", got)
	}
	r.Close()
	r, err = d.Open(t.Context(), "b", "k")
	must(t, err)
	_, err = d.Delete(t.Context(), "b", []string{"k"}, Write{})
	must(t, err)
	if got := readAll(t, r); got != "second" {
		t.Errorf("an open reader reads %q after a delete", got)
	}
	r.Close()
	if n := dataFiles(t, d); n != 0 {
		t.Errorf("%d data files are left", n)
	}
	if n := d.Total(); n != 0 {
		t.Errorf("%d bytes are counted for nothing", n)
	}
}

func TestReaderOfManyChunksKeepsThemAll(t *testing.T) {
	d := open(t, Options{})
	defer d.Close()
	want := complete(t, d, "k", 3)
	r, err := d.Open(t.Context(), "b", "k")
	must(t, err)
	put(t, d, "k", "other", Write{})
	if got := readAll(t, r); got != want {
		t.Error("chunks of a replaced object changed under its reader")
	}
	r.Close()
	if n := dataFiles(t, d); n != 1 {
		t.Errorf("%d data files, want the new object's", n)
	}
}

// complete makes an object of n parts and returns its bytes.
func complete(t testing.TB, d *Disk, key string, n int) string {
	t.Helper()
	u, err := d.StartUpload(t.Context(), "b", key, Attrs{}, Write{})
	must(t, err)
	var all strings.Builder
	for i := range n {
		body := strings.Repeat(string(rune('a'+i)), MinPart+i)
		all.WriteString(body)
		_, err := d.PutPart(t.Context(), u, i+1, stage(t, d, body), Write{})
		must(t, err)
	}
	_, err = d.CompleteUpload(t.Context(), "b", key, u.ID, nil, Write{})
	must(t, err)
	return all.String()
}

func TestCompletedObjectHasTheSumOfItsBytes(t *testing.T) {
	d := open(t, Options{})
	defer d.Close()
	want := complete(t, d, "k", 4)
	o, err := d.Stat(t.Context(), "b", "k")
	must(t, err)
	if o.CRC != crc64.Checksum([]byte(want), ecma) {
		t.Error("the checksum is not that of the bytes")
	}
	r, err := d.Open(t.Context(), "b", "k")
	must(t, err)
	defer r.Close()
	var part bytes.Buffer
	must(t, r.Copy(&part, MinPart-5, MinPart+20))
	if part.String() != want[MinPart-5:2*MinPart+15] {
		t.Error("a range over three chunks differs")
	}
}

func TestCombinedChecksumIsThatOfTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.SliceOf(rapid.Byte()).Draw(t, "a"), rapid.SliceOf(rapid.Byte()).Draw(t, "b")
		got := combineCRC(crc64.Checksum(a, ecma), crc64.Checksum(b, ecma), int64(len(b)))
		if want := crc64.Checksum(append(a, b...), ecma); got != want {
			t.Fatalf("got %x, want %x", got, want)
		}
	})
}

func TestFailedBodyLeavesNothing(t *testing.T) {
	d := open(t, Options{MaxTotal: 1 << 20})
	defer d.Close()
	boom := errors.New("connection lost")
	big := strings.NewReader(strings.Repeat("x", 300<<10))
	if _, err := d.Stage(t.Context(), io.MultiReader(big, iotest.ErrReader(boom)), MaxObject); !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
	if _, err := d.Stage(t.Context(), strings.NewReader(strings.Repeat("x", 200<<10)), 100<<10); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
	if _, err := d.Stage(t.Context(), strings.NewReader(strings.Repeat("x", 2<<20)), MaxObject); !errors.Is(err, ErrFull) {
		t.Errorf("got %v, want ErrFull", err)
	}
	if _, err := d.Put(t.Context(), Object{Bucket: "none", Key: "k"}, stage(t, d, "x"), Write{}); !errors.Is(err, ErrNoBucket) {
		t.Errorf("got %v, want ErrNoBucket", err)
	}
	if n := dataFiles(t, d); n != 0 || d.Total() != 0 {
		t.Errorf("%d files and %d bytes are left", n, d.Total())
	}
}

func TestGuardRefusesInsideTheTransaction(t *testing.T) {
	d := open(t, Options{})
	defer d.Close()
	exists := errors.New("exists")
	once := Write{Guard: func(old *Object) error {
		if old != nil {
			return exists
		}
		return nil
	}}
	var won, lost atomic.Int32
	var work sync.WaitGroup
	for i := range 16 {
		s := stage(t, d, fmt.Sprint(i))
		work.Go(func() {
			_, err := d.Put(t.Context(), Object{Bucket: "b", Key: "k"}, s, once)
			switch {
			case err == nil:
				won.Add(1)
			case errors.Is(err, exists):
				lost.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	work.Wait()
	if won.Load() != 1 || lost.Load() != 15 {
		t.Errorf("%d puts won and %d lost", won.Load(), lost.Load())
	}
	if n := dataFiles(t, d); n != 1 {
		t.Errorf("%d data files", n)
	}
}

// events collects what is delivered.
type events struct {
	mu   sync.Mutex
	got  []fc.ObjectEvent
	came chan fc.ObjectEvent
}

func newEvents() *events { return &events{came: make(chan fc.ObjectEvent, 1<<12)} }

func (e *events) deliver(_ context.Context, ev fc.ObjectEvent) error {
	e.mu.Lock()
	e.got = append(e.got, ev)
	e.mu.Unlock()
	e.came <- ev
	return nil
}

func TestEventsCarryTheDifferenceInSize(t *testing.T) {
	ev := newEvents()
	d := open(t, Options{Deliver: ev.deliver})
	defer d.Close()
	ctx := t.Context()
	put(t, d, "k", "12345", event("put"))
	put(t, d, "k", "123", event("put"))
	_, err := d.Append(ctx, Object{Bucket: "b", Key: "a"}, stage(t, d, "ab"), 0, event("append"))
	must(t, err)
	_, err = d.Append(ctx, Object{Bucket: "b", Key: "a"}, stage(t, d, "cde"), 2, event("append"))
	must(t, err)
	n, err := d.Delete(ctx, "b", []string{"absent", "k"}, event("delete"))
	must(t, err)
	if n != 1 {
		t.Errorf("%d objects deleted", n)
	}
	type short struct {
		Sequence    uint64
		Name, Key   string
		Size, Delta int64
		Position    int64
	}
	var got []short
	for range 5 {
		e := <-ev.came
		s := short{e.Sequence, e.Name, e.Key, e.Size, e.Delta, -1}
		if e.Position != nil {
			s.Position = *e.Position
		}
		got = append(got, s)
	}
	want := []short{
		{1, "put", "k", 5, 5, -1}, {2, "put", "k", 3, -2, -1}, {3, "append", "a", 2, 2, 0}, {4, "append", "a", 5, 3, 2},
		{5, "delete", "k", 0, -3, -1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestRefusedEventIsOfferedAgainInOrderAndHoldsNoOtherBucketBack(t *testing.T) {
	var refusals atomic.Int32
	ev := newEvents()
	d := open(t, Options{Deliver: func(ctx context.Context, e fc.ObjectEvent) error {
		if e.Bucket == "b" && refusals.Add(1) <= 2 {
			return errors.New("not now")
		}
		return ev.deliver(ctx, e)
	}})
	defer d.Close()
	_, err := d.CreateBucket(t.Context(), "other", "")
	must(t, err)
	put(t, d, "1", "x", event("put"))
	put(t, d, "2", "x", event("put"))
	_, err = d.Put(t.Context(), Object{Bucket: "other", Key: "3"}, stage(t, d, "x"), event("put"))
	must(t, err)
	var keys []string
	for range 3 {
		if e := <-ev.came; e.Bucket == "b" {
			keys = append(keys, e.Key)
		}
	}
	if diff := cmp.Diff([]string{"1", "2"}, keys); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestEventsNotTakenOverComeAgainInTheNextLife(t *testing.T) {
	dir := t.TempDir()
	asked := make(chan struct{}, 1)
	d := open(t, Options{Dir: dir, Deliver: func(ctx context.Context, _ fc.ObjectEvent) error {
		asked <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}})
	put(t, d, "k", "x", event("put"))
	put(t, d, "l", "x", event("put"))
	<-asked
	if d.Pending() != 2 {
		t.Errorf("%d events pending", d.Pending())
	}
	must(t, d.Close())
	ev := newEvents()
	d, err := Open(Options{Dir: dir, Deliver: ev.deliver})
	must(t, err)
	if a, b := <-ev.came, <-ev.came; a.Key != "k" || b.Key != "l" || b.Sequence != 2 {
		t.Errorf("got %+v, %+v", a, b)
	}
	must(t, d.Close()) // forgets what was taken over
	d, err = Open(Options{Dir: dir, Deliver: ev.deliver})
	must(t, err)
	defer d.Close()
	if d.Pending() != 0 {
		t.Errorf("%d events pending after all were taken over", d.Pending())
	}
	put(t, d, "m", "x", event("put"))
	if e := <-ev.came; e.Sequence != 3 {
		t.Errorf("sequence %d after a restart, want 3", e.Sequence)
	}
}

func TestSweepRemovesOrphansOnly(t *testing.T) {
	dir := t.TempDir()
	d := open(t, Options{Dir: dir})
	put(t, d, "k", "kept", Write{})
	want := complete(t, d, "m", 2)
	u, err := d.StartUpload(t.Context(), "b", "u", Attrs{}, Write{})
	must(t, err)
	_, err = d.PutPart(t.Context(), u, 1, stage(t, d, "part"), Write{})
	must(t, err)
	must(t, d.Close())
	orphan := filepath.Join(dir, "data", "ab", "ab"+strings.Repeat("0", 30))
	must(t, os.WriteFile(orphan, []byte("lost"), 0o600))
	d, err = Open(Options{Dir: dir})
	must(t, err)
	defer d.Close()
	d.sweep(t.Context()) // whether the background one has run or not
	if n := dataFiles(t, d); n != 4 {
		t.Errorf("%d data files, want 4", n)
	}
	if get(t, d, "k") != "kept" || get(t, d, "m") != want {
		t.Error("objects changed")
	}
}

func TestExpiredUploadsAreAborted(t *testing.T) {
	now := time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)
	d := open(t, Options{UploadTTL: time.Hour, Now: func() time.Time { return now }})
	defer d.Close()
	u, err := d.StartUpload(t.Context(), "b", "u", Attrs{}, Write{})
	must(t, err)
	_, err = d.PutPart(t.Context(), u, 1, stage(t, d, "part"), Write{})
	must(t, err)
	must(t, d.expireOnce(t.Context()))
	if _, err := d.Upload(t.Context(), "b", "u", u.ID); err != nil {
		t.Errorf("a young upload is gone: %v", err)
	}
	d.opts.Now = func() time.Time { return now.Add(61 * time.Minute) }
	must(t, d.expireOnce(t.Context()))
	if _, err := d.Upload(t.Context(), "b", "u", u.ID); !errors.Is(err, ErrNoUpload) {
		t.Errorf("an old upload: %v", err)
	}
	if n := dataFiles(t, d); n != 0 || d.Total() != 0 {
		t.Errorf("%d files and %d bytes are left", n, d.Total())
	}
}

func TestAppendGoesOnBehindATornTail(t *testing.T) {
	dir := t.TempDir()
	d := open(t, Options{Dir: dir})
	add := func(body string, at int64) Object {
		o, err := d.Append(t.Context(), Object{Bucket: "b", Key: "k"}, stage(t, d, body), at, Write{})
		must(t, err)
		return o
	}
	add("", 0) // an empty object is appendable, too
	o := add("one,", 0)
	f, err := os.OpenFile(d.files.path(o.blob), os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	f.WriteString("torn tail of an append that was never committed")
	f.Close()
	if got := get(t, d, "k"); got != "one," {
		t.Errorf("reads %q", got)
	}
	must(t, d.Close())
	d, err = Open(Options{Dir: dir})
	must(t, err)
	defer d.Close()
	o = add("two", 4)
	if got := get(t, d, "k"); got != "one,two" || o.CRC != crc64.Checksum([]byte(got), ecma) {
		t.Errorf("reads %q, sum %x", got, o.CRC)
	}
	s := stage(t, d, "one,two")
	if o.ETag != s.ETag() {
		t.Errorf("entity tag %s, want %s", o.ETag, s.ETag())
	}
	s.Discard()
	var p *PositionError
	if _, err := d.Append(t.Context(), Object{Bucket: "b", Key: "k"}, stage(t, d, "x"), 3, Write{}); !errors.As(err, &p) || p.Next != 7 {
		t.Errorf("append at a wrong position: %v", err)
	}
	if n := d.Total(); n != 7 {
		t.Errorf("%d bytes are counted", n)
	}
}

func TestConcurrentAppendsAreSerial(t *testing.T) {
	d := open(t, Options{})
	defer d.Close()
	var work sync.WaitGroup
	for i := range 8 {
		work.Go(func() {
			for at := int64(0); ; {
				s, err := d.Stage(t.Context(), strings.NewReader(fmt.Sprintf("<%d>", i)), MaxObject)
				if err != nil {
					t.Error(err)
					return
				}
				_, err = d.Append(t.Context(), Object{Bucket: "b", Key: "k"}, s, at, Write{})
				var p *PositionError
				if !errors.As(err, &p) {
					if err != nil {
						t.Error(err)
					}
					return
				}
				at = p.Next
			}
		})
	}
	work.Wait()
	got := get(t, d, "k")
	for i := range 8 {
		if strings.Count(got, fmt.Sprintf("<%d>", i)) != 1 {
			t.Errorf("appended %q", got)
		}
	}
}

func TestCopySharesBytesButNotFate(t *testing.T) {
	d := open(t, Options{})
	defer d.Close()
	_, err := d.Append(t.Context(), Object{Bucket: "b", Key: "log"}, stage(t, d, "one"), 0, Write{})
	must(t, err)
	src, err := d.Open(t.Context(), "b", "log")
	must(t, err)
	o, err := d.Copy(t.Context(), src, Object{Bucket: "b", Key: "copy"}, Write{})
	must(t, err)
	src.Close()
	if o.Type != Normal {
		t.Errorf("the copy is %s", o.Type)
	}
	_, err = d.Append(t.Context(), Object{Bucket: "b", Key: "log"}, stage(t, d, "two"), 3, Write{})
	must(t, err)
	if got := get(t, d, "copy"); got != "one" {
		t.Errorf("the copy reads %q", got)
	}
	_, err = d.Delete(t.Context(), "b", []string{"log"}, Write{})
	must(t, err)
	if got := get(t, d, "copy"); got != "one" {
		t.Errorf("the copy reads %q after its source was deleted", got)
	}
}

func TestDirectoryIsOpenOnce(t *testing.T) {
	dir := t.TempDir()
	d := open(t, Options{Dir: dir})
	defer d.Close()
	if other, err := Open(Options{Dir: dir}); err == nil {
		other.Close()
		t.Error("a directory was opened twice")
	}
}

// TestListingAgreesWithAModel holds List against sorting and grouping in memory, whatever keys and pages there are.
func TestListingAgreesWithAModel(t *testing.T) {
	d := open(t, Options{})
	defer d.Close()
	alphabet := rapid.SampledFrom([]string{"a", "b", "/", "//", "z", "\x00", "é", "\U0010FFFF", " "})
	rapid.Check(t, func(rt *rapid.T) {
		bucket := "b" + newID()[:8]
		_, err := d.CreateBucket(t.Context(), bucket, "")
		must(t, err)
		words := rapid.SliceOfN(rapid.SliceOfN(alphabet, 1, 5), 0, 12).Draw(rt, "keys")
		keys := map[string]bool{}
		for _, w := range words {
			key := strings.Join(w, "")
			keys[key] = true
			_, err := d.Put(t.Context(), Object{Bucket: bucket, Key: key}, &Staged{disk: d}, Write{})
			must(t, err)
		}
		prefix := rapid.SampledFrom([]string{"", "a", "a/", "/", "z"}).Draw(rt, "prefix")
		delimiter := rapid.SampledFrom([]string{"", "/", "//", "a"}).Draw(rt, "delimiter")
		most := rapid.IntRange(1, 4).Draw(rt, "max")
		var got []string
		q := ListQuery{Bucket: bucket, Prefix: prefix, Delimiter: delimiter, Max: most}
		for {
			page, err := d.List(t.Context(), q)
			must(t, err)
			for _, o := range page.Objects {
				got = append(got, o.Key)
			}
			got = append(got, page.Prefixes...)
			if n := len(page.Objects) + len(page.Prefixes); n > most || page.Truncated && n < most {
				rt.Fatalf("a page of %d has %d entries", most, n)
			}
			if q.After = page.Last; !page.Truncated {
				break
			}
		}
		if diff := cmp.Diff(model(keys, prefix, delimiter), sorted(got)); diff != "" {
			rt.Fatalf("listing (-want +got):\n%s", diff)
		}
	})
}

func model(keys map[string]bool, prefix, delimiter string) []string {
	found := map[string]bool{}
	for k := range keys {
		rest, ok := strings.CutPrefix(k, prefix)
		if !ok {
			continue
		}
		if i := strings.Index(rest, delimiter); delimiter != "" && i >= 0 {
			k = prefix + rest[:i+len(delimiter)]
		}
		found[k] = true
	}
	var all []string
	for k := range found {
		all = append(all, k)
	}
	return sorted(all)
}

func sorted(s []string) []string {
	slices.Sort(s)
	return s
}
