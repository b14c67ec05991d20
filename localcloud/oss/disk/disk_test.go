package disk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"go.uber.org/goleak"

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

// complete makes an object of n parts and returns its bytes.
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
