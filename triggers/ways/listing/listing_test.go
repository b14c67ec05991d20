package listing

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"fcd/fc"
	"fcd/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a store of checkpoints that can fail.
type memory struct {
	values map[string][]byte
	fail   error
}

func (s *memory) Apply(_ context.Context, b store.Batch) (store.Applied, error) {
	if s.fail != nil {
		return store.Applied{}, s.fail
	}
	for _, c := range b.Checkpoints {
		if c.Value == nil {
			delete(s.values, c.Key)
		} else {
			s.values[c.Key] = c.Value
		}
	}
	return store.Applied{}, nil
}

func (s *memory) Checkpoint(_ context.Context, key string) ([]byte, error) {
	if v, ok := s.values[key]; ok {
		return v, nil
	}
	return nil, store.ErrNotFound
}

// sink keeps events, each once by its identity.
type sink struct {
	events []fc.ObjectEvent
	known  map[string]bool
	twice  int
	refuse func(fc.ObjectEvent) error
}

func (s *sink) ObjectEvent(_ context.Context, ev fc.ObjectEvent) error {
	if s.refuse != nil {
		if err := s.refuse(ev); err != nil {
			return err
		}
	}
	id := ev.Name + " " + ev.Key + " " + ev.Identity
	if s.known[id] {
		s.twice++
		return nil
	}
	if s.known == nil {
		s.known = map[string]bool{}
	}
	s.known[id] = true
	s.events = append(s.events, ev)
	return nil
}

// take are the events since the last call, in short.
func (s *sink) take() (all []string) {
	for _, ev := range s.events {
		_, name, _ := strings.Cut(ev.Name, ":")
		all = append(all, fmt.Sprintf("%s %s %d %+d", name, ev.Key, ev.Size, ev.Delta))
	}
	s.events = nil
	return all
}

// bucket is a bucket as a map, in pages.
type bucket struct {
	objects map[string]Object
	page    int
	fail    func(next string) error
	lists   int
}

func (b *bucket) put(key, etag string, at int64) {
	b.objects[key] = Object{Key: key, ETag: etag, Size: int64(len(etag)), Modified: time.Unix(at, 0)}
}

func (b *bucket) List(_ context.Context, prefix, after, next string) (Page, error) {
	b.lists++
	if b.fail != nil {
		if err := b.fail(next); err != nil {
			return Page{}, err
		}
	}
	var p Page
	for _, key := range slices.Sorted(maps.Keys(b.objects)) {
		if !strings.HasPrefix(key, prefix) || key <= after || key <= next {
			continue
		}
		if len(p.Objects) == b.page {
			p.Next = p.Objects[b.page-1].Key
			break
		}
		p.Objects = append(p.Objects, b.objects[key])
	}
	return p, nil
}

type bench struct {
	*Lister
	t      *testing.T
	bucket *bucket
	sink   *sink
	store  *memory
}

func newBench(t *testing.T, change ...func(*Options)) *bench {
	b := &bench{t: t, bucket: &bucket{objects: map[string]Object{}, page: 3}, sink: &sink{}, store: &memory{values: map[string][]byte{}}}
	b.restart(change...)
	return b
}

func (b *bench) restart(change ...func(*Options)) {
	b.t.Helper()
	o := Options{Name: "n", Bucket: "photos", Interval: time.Minute, List: b.bucket, Sink: b.sink, Store: b.store}
	for _, f := range change {
		f(&o)
	}
	var err error
	if b.Lister, err = New(o); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) round(want ...string) {
	b.t.Helper()
	if err := b.Round(context.Background()); err != nil {
		b.t.Fatal(err)
	}
	if diff := cmp.Diff(want, b.sink.take()); diff != "" {
		b.t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestTheFirstRoundIsTheBaselineAndLaterOnesTellDifferences(t *testing.T) {
	b := newBench(t)
	for i := range 10 {
		b.bucket.put(fmt.Sprint("k", i), "aa", 1)
	}
	b.round()
	b.round()
	b.bucket.put("a", "new", 2)
	b.bucket.put("k3", "changed", 2)
	b.bucket.put("k4", "aa", 2) // the same content once more
	delete(b.bucket.objects, "k5")
	delete(b.bucket.objects, "k9")
	b.round("PutObject a 3 +3", "PutObject k3 7 +5", "PutObject k4 2 +0", "DeleteObject k5 0 -2", "DeleteObject k9 0 -2")
	b.round()
	clear(b.bucket.objects)
	b.bucket.put("k0", "aa", 1)
	b.round("DeleteObject a 0 -3", "DeleteObject k1 0 -2", "DeleteObject k2 0 -2", "DeleteObject k3 0 -7", "DeleteObject k4 0 -2",
		"DeleteObject k6 0 -2", "DeleteObject k7 0 -2", "DeleteObject k8 0 -2")
}

func TestAnEmptyBucketIsABaselineToo(t *testing.T) {
	b := newBench(t)
	b.round()
	b.bucket.put("a", "x", 1)
	b.restart()
	b.round("PutObject a 1 +1")
}

func TestWhatHappenedWhileTheDaemonWasDownIsFound(t *testing.T) {
	b := newBench(t)
	b.bucket.put("a", "x", 1)
	b.bucket.put("b", "x", 1)
	b.round()
	b.restart()
	b.bucket.put("c", "y", 2)
	delete(b.bucket.objects, "a")
	b.round("DeleteObject a 0 -1", "PutObject c 1 +1")
	b.restart()
	b.round()
}

func TestARoundThatWasCutOffBeginsAgainWithoutLossOrRepetition(t *testing.T) {
	for name, cut := range map[string]func(*bench){
		"the bucket fails at the second page": func(b *bench) {
			b.bucket.fail = func(next string) error {
				if next != "" {
					return errors.New("503")
				}
				return nil
			}
		},
		"the queue is full at one event": func(b *bench) {
			b.sink.refuse = func(ev fc.ObjectEvent) error {
				if ev.Key == "k5" {
					return errors.New("full")
				}
				return nil
			}
		},
		"what was seen cannot be kept": func(b *bench) { b.store.fail = errors.New("disk full") },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.bucket.put("k9", "old", 1)
			b.round()
			for i := range 8 {
				b.bucket.put(fmt.Sprint("k", i), "x", 2)
			}
			delete(b.bucket.objects, "k9")
			cut(b)
			if err := b.Round(t.Context()); err == nil {
				t.Fatal("the round was not cut off")
			}
			b.bucket.fail, b.sink.refuse, b.store.fail = nil, nil, nil
			b.restart()
			b.round("PutObject k0 1 +1", "PutObject k1 1 +1", "PutObject k2 1 +1", "PutObject k3 1 +1", "PutObject k4 1 +1", "PutObject k5 1 +1",
				"PutObject k6 1 +1", "PutObject k7 1 +1", "DeleteObject k9 0 -3")
			if b.sink.twice > 6 {
				t.Errorf("%d events came twice", b.sink.twice)
			}
			b.round()
		})
	}
}

func TestABaselineThatWasCutOffBeginsAgain(t *testing.T) {
	b := newBench(t)
	for i := range 5 {
		b.bucket.put(fmt.Sprint("k", i), "x", 1)
	}
	b.bucket.fail = func(next string) error {
		if next != "" {
			return errors.New("503")
		}
		return nil
	}
	if err := b.Round(t.Context()); err == nil {
		t.Fatal("the round was not cut off")
	}
	b.bucket.fail = nil
	b.restart()
	delete(b.bucket.objects, "k0")
	b.round()
	b.round()
}

func TestGrowingKeysAreListedBehindTheLast(t *testing.T) {
	growing := func(o *Options) { o.Growing, o.Prefix = true, "log/" }
	b := newBench(t, growing)
	for i := range 7 {
		b.bucket.put(fmt.Sprint("log/", i), "x", 1)
	}
	b.round()
	b.bucket.put("log/2", "changed", 2)
	delete(b.bucket.objects, "log/3")
	b.bucket.put("log/7", "y", 2)
	b.bucket.put("log/8", "y", 2)
	b.bucket.put("other", "y", 2)
	b.bucket.lists = 0
	b.round("PutObject log/7 1 +1", "PutObject log/8 1 +1")
	if b.bucket.lists != 1 {
		t.Errorf("%d pages for two new keys", b.bucket.lists)
	}
	b.restart(growing)
	b.bucket.put("log/9", "y", 2)
	b.round("PutObject log/9 1 +1")
}

func TestMoreKeysThanAListerWatches(t *testing.T) {
	b := newBench(t, func(o *Options) { o.MaxKeys = 5 })
	for i := range 6 {
		b.bucket.put(fmt.Sprint("k", i), "x", 1)
	}
	if err := b.Round(t.Context()); !errors.Is(err, ErrTooMany) {
		t.Errorf("got %v", err)
	}
	delete(b.bucket.objects, "k0")
	b.round()
	for _, o := range []Options{{}, {Name: "n", Bucket: "b", List: b.bucket, Sink: b.sink, Store: b.store, Interval: time.Second},
		{Name: "n", Bucket: "b", List: b.bucket, Sink: b.sink, Store: b.store, Interval: time.Minute, MaxKeys: MaxKeys + 1}} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

func TestAnotherPrefixUnderTheSameNameBeginsAnew(t *testing.T) {
	b := newBench(t)
	b.bucket.put("a/1", "x", 1)
	b.bucket.put("b/1", "x", 1)
	b.round()
	b.restart(func(o *Options) { o.Prefix = "a/" })
	b.round()
	b.bucket.put("a/2", "x", 1)
	b.round("PutObject a/2 1 +1")
	if n := len(b.store.values); n != 3 {
		t.Errorf("%d checkpoints are kept, want the meta one and two chunks", n)
	}
}

func TestRunMakesARoundEachInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		b.bucket.fail = func(string) error { return errors.New("503") }
		go func() { defer close(ended); _ = b.Run(ctx) }()
		time.Sleep(10*time.Minute + time.Second)
		cancel()
		<-ended
		if b.bucket.lists != 11 {
			t.Errorf("%d rounds in ten minutes", b.bucket.lists)
		}
	})
}

// TestEventsOfAnyHistoryAddUp: whatever happens to the bucket, the store and the sink, the events between two good rounds
// turn what the first saw into what the second saw.
func TestEventsOfAnyHistoryAddUp(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := newBench(t)
		b.bucket.page = rapid.IntRange(1, 4).Draw(rt, "page")
		if err := b.Round(t.Context()); err != nil {
			rt.Fatal(err)
		}
		state := map[string]int64{}
		clock := int64(1)
		rt.Repeat(map[string]func(*rapid.T){
			"put": func(rt *rapid.T) {
				clock++
				b.bucket.put(rapid.StringMatching("[a-d]{1,2}").Draw(rt, "key"), rapid.StringMatching("[x-z]{0,3}").Draw(rt, "etag"), clock)
			},
			"delete":       func(rt *rapid.T) { delete(b.bucket.objects, rapid.StringMatching("[a-d]{1,2}").Draw(rt, "key")) },
			"restart":      func(*rapid.T) { b.restart() },
			"store fails":  func(*rapid.T) { b.store.fail = errors.New("disk full") },
			"sink refuses": func(*rapid.T) { b.sink.refuse = func(fc.ObjectEvent) error { return errors.New("full") } },
			"round": func(rt *rapid.T) {
				err := b.Round(t.Context())
				failing := b.store.fail != nil || b.sink.refuse != nil
				b.store.fail, b.sink.refuse = nil, nil
				if err != nil && !failing {
					rt.Fatal(err)
				}
				if err != nil {
					err = b.Round(t.Context())
				}
				if err != nil {
					rt.Fatal(err)
				}
				for _, ev := range b.sink.events {
					if ev.Name == "ObjectRemoved:DeleteObject" {
						delete(state, ev.Key)
					} else {
						state[ev.Key] = ev.Size
					}
				}
				b.sink.events = nil
				want := map[string]int64{}
				for k, o := range b.bucket.objects {
					want[k] = o.Size
				}
				if diff := cmp.Diff(want, state); diff != "" {
					rt.Fatalf("the events do not add up (-bucket +events):\n%s", diff)
				}
			},
		})
	})
}
