package logs

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"fcd/fc"
)

// TestNothingIsSkipped lets happen at random what can happen to a follower of logs, and then wants every log to have been
// taken by exactly one call that succeeded.
func TestNothingIsSkipped(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { randomLife(t, newWorld(t, 1+int(seed%3)), rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func randomLife(t *testing.T, w *world, rnd *rand.Rand) {
	failing := false
	busy := map[int]bool{}
	w.refuse = func(n int, d document) error {
		w.mu.Lock()
		if busy[d.Source.Shard] {
			t.Errorf("shard %d has two calls at a time", d.Source.Shard)
		}
		busy[d.Source.Shard] = true
		w.mu.Unlock()
		time.Sleep(time.Duration(n%4) * 700 * time.Millisecond)
		w.mu.Lock()
		defer w.mu.Unlock()
		busy[d.Source.Shard] = false
		if failing && n%3 > 0 {
			return errors.New("not now")
		}
		return nil
	}
	tr := newTrigger("t1", func(c *config) { c.JobConfig.MaxRetryTime = rnd.IntN(3) })
	off := *tr
	off.Enabled = false
	s, stop := w.start(Options{})
	apply(t, s, tr)
	var want []string
	for step := range 60 {
		switch rnd.IntN(10) {
		case 0, 1, 2, 3:
			for range 1 + rnd.IntN(4) {
				m := fmt.Sprintf("m%03d", len(want))
				w.put(m)
				want = append(want, m)
			}
		case 4:
			w.reshard(rnd)
		case 5:
			w.set(func() { failing = !failing })
		case 6:
			stop()
			s, stop = w.start(Options{})
			apply(t, s, tr)
		case 7:
			apply(t, s, &off)
		case 8:
			apply(t, s, tr)
		case 9:
			w.set(func() { w.offset = time.Duration(rnd.IntN(7)-3) * time.Minute })
		}
		time.Sleep(time.Duration(rnd.IntN(5000)) * time.Millisecond)
		if step%20 == 19 {
			time.Sleep(time.Duration(rnd.IntN(300)) * time.Second)
		}
	}
	w.set(func() { failing, w.offset = false, 0 })
	apply(t, s, tr)
	sleep(10 * time.Minute)
	stop()
	got := w.taken()
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("what was put and what was taken differ: %s", d)
	}
	w.oneAtATime(t)
}

// reshard splits or merges some shard that can be.
func (w *world) reshard(rnd *rand.Rand) {
	shards, err := w.ListShards(project, logstore)
	if err != nil {
		w.t.Fatal(err)
	}
	sh := shards[rnd.IntN(len(shards))]
	if rnd.IntN(2) == 0 {
		_, _ = w.SplitShard(project, logstore, sh.ShardID, "")
	} else {
		_, _ = w.MergeShards(project, logstore, sh.ShardID)
	}
}

// oneAtATime checks that the ranges of each shard follow each other: each begins where one that was taken has ended, and
// is called for with the same event until it is taken.
func (w *world) oneAtATime(t *testing.T) {
	t.Helper()
	last := map[int]call{}
	for i, c := range w.calls {
		before, ok := last[c.event.Source.Shard]
		switch {
		case !ok:
		case before.err == nil && c.event.Source.BeginCursor != before.event.Source.EndCursor:
			t.Errorf("call %d begins elsewhere than at the end of what was taken", i)
		case before.err != nil && cmp.Diff(before.event, c.event) != "":
			t.Errorf("call %d is not the one that failed", i)
		}
		last[c.event.Source.Shard] = c
	}
}

// A payload for every shape of trigger stays the JSON that it is.
func TestParameterIsHandedOver(t *testing.T) {
	for _, parameter := range []string{`{}`, `{"a":"<&>"}`, `{"b":[1,2,{"c":null}]}`} {
		got := payload(endpoint, project, config{FunctionParameter: []byte(parameter)}, "j", 0, checkpoint{}, "t")
		if want := `{"parameter":` + parameter + `,`; string(got[:len(want)]) != want {
			t.Errorf("got %s", got)
		}
	}
	if got := jobName("123456789", &fc.Trigger{ServiceName: "svc", FunctionName: "fn", Name: "oss_t"}); got != "7ee808ec1ca2094f96ffdc206c93d22354fbe3e0" {
		t.Errorf("job name %s", got)
	}
}
