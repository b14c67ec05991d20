package disk

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fcd/fc"
)

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
