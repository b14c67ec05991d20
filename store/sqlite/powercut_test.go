package sqlite

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"fcd/store"
)

// image is the files of a store.
type image map[string][]byte

func read(t *testing.T, dir string) image {
	t.Helper()
	i := image{}
	for _, name := range []string{fileName, fileName + "-wal", logName} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
			i[name] = b
		}
	}
	return i
}

// on puts the files into a new directory.
func (i image) on(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, b := range i {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// waiting are the request ids of all messages of a function, once it is claimed.
func waiting(t *testing.T, dir, fn string) []string {
	t.Helper()
	s := folding(t, dir)
	got := take(t, s, fn, 10_000)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	sound(t, dir)
	return slices.Sorted(slices.Values(got))
}

// lossy keeps what of a store's files was on disk when they were last flushed.
type lossy struct {
	dir string
	mu  sync.Mutex // guards the rest; held during a flush
	on  image
}

func (l *lossy) flush(f *os.File) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	names := []string{filepath.Base(f.Name())}
	if names[0] != logName {
		names = append(names, fileName)
	}
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join(l.dir, name))
		if err != nil {
			return err
		}
		l.on[name] = b
	}
	return datasync(f)
}

// TestAPowerCutAtAnyMomentLeavesEachMessageOnce, also where the disk had one of the files further than it was asked to.
// Messages are folded, unfolded without a flush, ended, and the log begins again, again and again.
func TestAPowerCutAtAnyMomentLeavesEachMessageOnce(t *testing.T) {
	l := &lossy{dir: t.TempDir(), on: image{}}
	s := folding(t, l.dir, func(o *Options) { o.flush = l.flush })
	accept(t, s, message("f", "first")) // both logs are in use
	if _, err := s.Apply(t.Context(), store.Batch{Puts: []store.Put{{Key: "k", Value: []byte("v"), If: store.IfAny}}}); err != nil {
		t.Fatal(err)
	}
	want := []string{"first"}
	check := func(step string) {
		t.Helper()
		l.mu.Lock()
		now, on := read(t, l.dir), maps.Clone(l.on)
		l.mu.Unlock()
		slices.Sort(want)
		for _, ahead := range [][]string{nil, {logName}, {fileName, fileName + "-wal"}, {logName, fileName, fileName + "-wal"}} {
			left := maps.Clone(on)
			for _, name := range ahead {
				left[name] = now[name]
			}
			if got := waiting(t, left.on(t), "f"); !slices.Equal(got, want) {
				t.Fatalf("%s, with %v further: %v wait, want %v", step, ahead, got, want)
			}
		}
	}
	for round := range 4 {
		for i := range 3 {
			ms := messages("f", 2)
			for j := range ms {
				ms[j].RequestID = fmt.Sprint(round, "/", i, "/", j)
				ms[j].Payload = []byte("event of " + ms[j].RequestID)
				want = append(want, ms[j].RequestID)
			}
			accept(t, s, ms...)
			check("accepted")
		}
		ms, err := s.Claim(t.Context(), "w", map[string]int{"f": 100}, time.Minute) // the next frame begins again
		if err != nil {
			t.Fatal(err)
		}
		check("unfolded")
		if round%2 == 0 {
			end := store.Batch{Owner: "w"}
			for _, m := range ms[:2] {
				end.Done = append(end.Done, store.Outcome{ID: m.ID, State: store.StateSucceeded})
				want = slices.DeleteFunc(want, func(id string) bool { return id == m.RequestID })
			}
			if _, err := s.Apply(t.Context(), end); err != nil {
				t.Fatal(err)
			}
			check("ended")
		}
	}
	if s.burstLog.first < 10 {
		t.Errorf("the log begins with frame %d", s.burstLog.first)
	}
}
