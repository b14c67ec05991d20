package storetest

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"fcd/store"
)

// model is what a store should hold, kept in maps.
type model struct {
	recs        map[string]store.Record
	checkpoints map[string]string
	queue       map[string]store.Msg // by request id
	claimed     map[string]bool
	dedup       map[string]bool
	ended       map[string]string // state by request id
	rev         store.Rev
}

// testModel walks at random over a store and a model of it, closing and opening the store on the way.
func testModel(t *testing.T, d Driver) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		w := &walk{t: t, d: d, dir: dir, s: d.Open(t, dir, manyMessages), m: model{
			recs: map[string]store.Record{}, checkpoints: map[string]string{}, queue: map[string]store.Msg{},
			claimed: map[string]bool{}, dedup: map[string]bool{}, ended: map[string]string{},
		}}
		defer func() { _ = w.s.Close() }()
		rt.Repeat(map[string]func(*rapid.T){
			"apply":  w.apply,
			"claim":  w.claim,
			"finish": w.finish,
			"reopen": w.reopen,
			"":       w.compare,
		})
	})
}

type walk struct {
	t   *testing.T
	d   Driver
	dir string
	s   Opened
	m   model
	n   int // requests made
}

var modelKeys = rapid.SampledFrom([]string{"a", "a/", "a/b", "a/c", "b", "b/x", "\xff"})

// apply draws a batch, predicts what becomes of it and compares.
func (w *walk) apply(t *rapid.T) {
	var b store.Batch
	next := model{
		recs: maps.Clone(w.m.recs), checkpoints: maps.Clone(w.m.checkpoints), queue: maps.Clone(w.m.queue),
		dedup: maps.Clone(w.m.dedup), rev: w.m.rev,
	}
	conflict := false
	for range rapid.IntRange(0, 2).Draw(t, "guards") {
		g := store.Guard{Key: modelKeys.Draw(t, "guarded"), If: store.IfAbsent, Prefix: rapid.Bool().Draw(t, "prefix")}
		b.Guards = append(b.Guards, g)
		for key := range w.m.recs {
			conflict = conflict || key == g.Key || g.Prefix && strings.HasPrefix(key, g.Key)
		}
	}
	for range rapid.IntRange(0, 3).Draw(t, "puts") {
		p := store.Put{Key: modelKeys.Draw(t, "key"), Value: []byte(rapid.StringN(0, 3, 8).Draw(t, "value")),
			If: rapid.SampledFrom([]store.Rev{store.IfAny, store.IfAny, store.IfAbsent, store.IfExists, w.m.rev}).Draw(t, "if"), Delete: rapid.Bool().Draw(t, "delete")}
		b.Puts = append(b.Puts, p)
		old, ok := next.recs[p.Key]
		switch {
		case p.If == store.IfAbsent && ok, p.If == store.IfExists && !ok, p.If > 0 && old.Rev != p.If:
			conflict = true
		case p.Delete && !ok:
		case p.Delete:
			next.rev++
			delete(next.recs, p.Key)
		default:
			next.rev++
			next.recs[p.Key] = store.Record{Key: p.Key, Value: p.Value, Rev: next.rev}
		}
	}
	if rapid.Bool().Draw(t, "checkpoint") {
		v := rapid.StringN(0, 3, 8).Draw(t, "position")
		b.Checkpoints = []store.Checkpoint{{Key: "cur", Value: []byte(v)}}
		next.checkpoints["cur"] = v
	}
	for range rapid.IntRange(0, 3).Draw(t, "messages") {
		w.n++
		m := store.Msg{RequestID: fmt.Sprintf("%04d", w.n), Fn: rapid.SampledFrom([]string{"f", "g"}).Draw(t, "fn"),
			DedupKey: rapid.SampledFrom([]string{"", "", "x", "y", "z"}).Draw(t, "dedup")}
		b.Enqueue = append(b.Enqueue, m)
		if m.DedupKey == "" || !next.dedup[m.DedupKey] {
			next.queue[m.RequestID] = m
		}
		if m.DedupKey != "" {
			next.dedup[m.DedupKey] = true
		}
	}
	a, err := w.s.Apply(bounded(w.t), b)
	switch {
	case conflict != errors.Is(err, store.ErrConflict) || !conflict && err != nil:
		t.Fatalf("apply %+v: %v, conflict expected: %v", b, err, conflict)
	case conflict:
		return
	}
	for i, m := range b.Enqueue {
		if kept, ok := next.queue[m.RequestID]; ok {
			kept.ID = a.IDs[i]
			next.queue[m.RequestID] = kept
		}
	}
	w.m.recs, w.m.checkpoints, w.m.queue, w.m.dedup, w.m.rev = next.recs, next.checkpoints, next.queue, next.dedup, next.rev
}

func (w *walk) claim(t *rapid.T) {
	fn, n := rapid.SampledFrom([]string{"f", "g"}).Draw(t, "fn"), rapid.IntRange(1, 3).Draw(t, "want")
	got, err := w.s.Claim(bounded(w.t), "w", map[string]int{fn: n}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	free := 0
	for rid, m := range w.m.queue {
		if m.Fn == fn && !w.m.claimed[rid] {
			free++
		}
	}
	if len(got) != min(free, n) {
		t.Fatalf("claimed %d of %d", len(got), free)
	}
	for _, m := range got {
		if w.m.claimed[m.RequestID] || w.m.queue[m.RequestID].ID != m.ID {
			t.Fatalf("claimed %+v", m)
		}
		w.m.claimed[m.RequestID] = true
	}
}

// finish ends or puts back a claimed message.
func (w *walk) finish(t *rapid.T) {
	claimed := slices.Sorted(maps.Keys(w.m.claimed))
	if len(claimed) == 0 {
		return
	}
	rid := rapid.SampledFrom(claimed).Draw(t, "message")
	id, b := w.m.queue[rid].ID, store.Batch{Owner: "w"}
	if rapid.Bool().Draw(t, "retry") {
		b.Retry = []store.Retry{{ID: id}}
	} else {
		b.Done = []store.Outcome{{ID: id, State: store.StateSucceeded}}
		w.m.ended[rid] = store.StateSucceeded
		delete(w.m.queue, rid)
	}
	delete(w.m.claimed, rid)
	if _, err := w.s.Apply(bounded(w.t), b); err != nil {
		t.Fatal(err)
	}
}

func (w *walk) reopen(t *rapid.T) {
	if rapid.IntRange(0, 4).Draw(t, "really") > 0 {
		return
	}
	if err := w.s.Close(); err != nil {
		t.Fatal(err)
	}
	w.s = w.d.Open(w.t, w.dir, manyMessages)
	w.d.Advance(2 * time.Minute) // what the last life had claimed comes back
	w.m.claimed = map[string]bool{}
}

func (w *walk) compare(t *rapid.T) {
	ctx := bounded(w.t)
	all, err := w.s.List(ctx, "", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	var want []store.Record
	for _, key := range slices.Sorted(maps.Keys(w.m.recs)) {
		want = append(want, w.m.recs[key])
	}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Fatalf("records: %s", diff)
	}
	if rev, err := w.s.Rev(ctx); err != nil || rev != w.m.rev {
		t.Fatalf("revision %d, %v, want %d", rev, err, w.m.rev)
	}
	if v, ok := w.m.checkpoints["cur"]; ok {
		if got, err := w.s.Checkpoint(ctx, "cur"); err != nil || string(got) != v {
			t.Fatalf("checkpoint %q, %v, want %q", got, err, v)
		}
	}
	depths, err := w.s.Depths(ctx)
	if err != nil {
		t.Fatal(err)
	}
	wantDepths := map[string]store.Depth{}
	for rid, m := range w.m.queue {
		d := wantDepths[m.Fn]
		if w.m.claimed[rid] {
			d.Running++
		} else {
			d.Ready++
		}
		wantDepths[m.Fn] = d
	}
	if diff := cmp.Diff(wantDepths, depths); diff != "" {
		t.Fatalf("depths: %s", diff)
	}
	ended, err := w.s.Outcomes(ctx, store.InvocationFilter{}, "", 0)
	if err != nil || len(ended) != len(w.m.ended) {
		t.Fatalf("%d outcomes, %v, want %d", len(ended), err, len(w.m.ended))
	}
}
