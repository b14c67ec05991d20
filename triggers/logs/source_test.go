package logs

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/aliyun/aliyun-log-go-sdk"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"fcd/fc"
	"fcd/triggers"
	"fcd/triggers/triggertest"
)

var update = flag.Bool("update", false, "write the golden files")

func TestObligations(t *testing.T) {
	var c *cloud
	now := &current{}
	triggertest.Run(t, triggertest.Harness{
		Kind:        Kind(Options{Region: triggertest.Region, Account: triggertest.Account, Endpoint: endpoint, Service: now}),
		Begin:       func(t *testing.T) { c = newCloud(t, 1); now.Client = c.Client },
		Synchronous: true,
		Trigger:     func(id string) *fc.Trigger { return newTrigger(id) },
		Happen: func(_ context.Context, _ triggers.Source, n int) error {
			c.put(fmt.Sprint("happening ", n))
			time.Sleep(5 * time.Second)
			return nil
		},
	})
}

// current is the service of the obligation that runs.
type current struct{ *sdk.Client }

func TestEvent(t *testing.T) {
	bubble(t, 1, func(t *testing.T, w *world) {
		s, stop := w.start(Options{})
		defer stop()
		apply(t, s, newTrigger("t1"))
		sleep(10 * time.Second)
		if len(w.calls) != 0 {
			t.Fatalf("%d calls without a log", len(w.calls))
		}
		w.put("a", "b")
		sleep(5 * time.Second)
		w.put("c")
		sleep(5 * time.Second)
		if d := cmp.Diff([]string{"a", "b", "c"}, w.taken()); d != "" {
			t.Error(d)
		}
		if len(w.calls) != 2 || w.calls[0].event.Source.EndCursor != w.calls[1].event.Source.BeginCursor {
			t.Fatalf("calls %+v", w.calls)
		}
		golden(t, "event.json", triggers.Canonical(w.calls[0].event))
		golden(t, "checkpoint.json", w.rows["cur/t1/0"])
	})
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.TrimSpace(string(want)), string(got)); d != "" {
		t.Errorf("%s differs: %s", name, d)
	}
}

// The payload must be the guide's event: same members, same order.
func TestEventIsTheGuides(t *testing.T) {
	got := payload("http://cn-hangzhou-intranet.log.aliyuncs.com", "p", config{SourceConfig: sourceConfig{Logstore: "src"},
		FunctionParameter: []byte(`{}`)}, "fedad35f51a2a97b466da57fd71f315f539d2234", 0,
		checkpoint{Cursor: "MTUyOTQ4MDIwOTY1NTk3ODQ2Mw==", End: "MTUyOTQ4MDIwOTY1NTk3ODQ2NA==", CursorTime: 1529486425},
		"9bc06c96-e364-4f41-85eb-b6e579214ae4")
	want := `{"parameter":{},"source":{"endpoint":"http://cn-hangzhou-intranet.log.aliyuncs.com","projectName":"p","logstoreName":"src",` +
		`"shardId":0,"beginCursor":"MTUyOTQ4MDIwOTY1NTk3ODQ2Mw==","endCursor":"MTUyOTQ4MDIwOTY1NTk3ODQ2NA=="},` +
		`"jobName":"fedad35f51a2a97b466da57fd71f315f539d2234","taskId":"9bc06c96-e364-4f41-85eb-b6e579214ae4","cursorTime":1529486425}`
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Error(d)
	}
}

func TestRetriesAreTheSameRangeUntilItIsTaken(t *testing.T) {
	bubble(t, 1, func(t *testing.T, w *world) {
		w.refuse = func(n int, _ document) error {
			if n < 6 {
				return errors.New("not now")
			}
			return nil
		}
		s, stop := w.start(Options{})
		defer stop()
		apply(t, s, newTrigger("t1"))
		w.put("first")
		sleep(5 * time.Second)
		w.put("second") // waits for the first
		sleep(30 * time.Second)
		if got := testutil.ToFloat64(s.(*Source).m.ranges.WithLabelValues("stalled")); got != 1 {
			t.Errorf("%v ranges stalled", got)
		}
		if stalled, lag := s.(*Source).state(); stalled != 1 || lag < 20 {
			t.Errorf("%d shards are stalled, the lag is %v s", stalled, lag)
		}
		sleep(3 * time.Minute)
		if d := cmp.Diff([]string{"first", "second"}, w.taken()); d != "" {
			t.Error(d)
		}
		var waits []string
		for i := range w.calls[1:7] {
			waits = append(waits, w.calls[i+1].at.Sub(w.calls[i].at).String())
			if d := cmp.Diff(w.calls[0].event, w.calls[i+1].event); d != "" {
				t.Errorf("attempt %d is another event: %s", i+2, d)
			}
		}
		if d := cmp.Diff([]string{"1s", "2s", "4s", "1m0s", "1m0s", "1m0s"}, waits); d != "" {
			t.Errorf("the waits differ: %s", d)
		}
		if d := cmp.Diff([]string{"attempt stalled"}, w.states()); d != "" {
			t.Error(d)
		}
		if stalled, _ := s.(*Source).state(); stalled != 0 {
			t.Errorf("%d shards are still stalled", stalled)
		}
	})
}

func TestExhaustedRangesAreSkippedWhereThatIsWanted(t *testing.T) {
	bubble(t, 1, func(t *testing.T, w *world) {
		w.refuse = func(_ int, d document) error {
			if got, _ := w.pull(logstore, 0, d.Source.BeginCursor, d.Source.EndCursor); slices.Contains(got, "bad") {
				return errors.New("indigestible")
			}
			return nil
		}
		s, stop := w.start(Options{OnExhausted: Skip})
		defer stop()
		apply(t, s, newTrigger("t1", func(c *config) { c.JobConfig.MaxRetryTime = 1 }))
		w.put("bad")
		sleep(4 * time.Second)
		w.put("good")
		sleep(10 * time.Second)
		if d := cmp.Diff([]string{"good"}, w.taken()); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff([]string{"failed skipped"}, w.states()); d != "" {
			t.Error(d)
		}
		if len(w.calls) != 3 {
			t.Errorf("%d calls, want 2 and 1", len(w.calls))
		}
	})
}

func TestAShardThatIsBehindIsCaughtUpWith(t *testing.T) {
	bubble(t, 1, func(t *testing.T, w *world) {
		tr := newTrigger("t1", func(c *config) { c.JobConfig.TriggerInterval = 60 })
		var want []string
		for i := range 6 {
			m := fmt.Sprint("m", i)
			w.put(m)
			want = append(want, m)
			sleep(50 * time.Second)
		}
		sleep(6 * time.Hour) // nothing arrives
		w.put("last")
		sleep(2 * time.Second)
		s, stop := w.start(Options{})
		defer stop()
		apply(t, s, tr)
		sleep(2 * time.Minute)
		if d := cmp.Diff(append(want, "last"), w.taken()); d != "" {
			t.Error(d)
		}
		for i, c := range w.calls {
			if len(c.logs) > 2 {
				t.Errorf("call %d has %q, which came over more than a minute", i, c.logs)
			}
			if i > 0 && c.at.Sub(w.calls[i-1].at) < 2*time.Second {
				t.Errorf("call %d came %v after the one before", i, c.at.Sub(w.calls[i-1].at))
			}
		}
		if took := w.calls[len(w.calls)-1].at.Sub(w.calls[0].at); took > 20*time.Second {
			t.Errorf("catching up took %v", took)
		}
		n := len(w.calls)
		w.put("as ever", "as ever")
		sleep(70 * time.Second)
		if len(w.calls) != n+1 || len(w.calls[n].logs) != 2 {
			t.Errorf("after catching up: %d calls in an interval, %q", len(w.calls)-n, w.taken())
		}
	})
}

func TestWhereATriggerBegins(t *testing.T) {
	bubble(t, 2, func(t *testing.T, w *world) {
		w.put("old", "older")
		sleep(10 * time.Second)
		middle := time.Now().Unix()
		w.put("middle", "middle")
		sleep(10 * time.Second)
		s, stop := w.start(Options{})
		defer stop()
		begin := func(id string, at int64) {
			apply(t, s, newTrigger(id, func(c *config) {
				if at != 0 {
					c.SourceConfig.StartTime = &at
				}
			}))
		}
		begin("now", 0)
		begin("past", middle)
		begin("ever", 1)
		begin("future", time.Now().Unix()+60)
		sleep(20 * time.Second)
		w.put("new", "new")
		sleep(60 * time.Second)
		w.put("later", "later")
		sleep(30 * time.Second)
		got := map[string][]string{}
		names := map[string]string{}
		for _, id := range []string{"now", "past", "ever", "future"} {
			names[jobName(triggertest.Account, newTrigger(id))] = id
		}
		for _, c := range w.calls {
			id := names[c.event.JobName]
			got[id] = append(got[id], c.logs...)
		}
		for id, all := range got {
			slices.Sort(all)
			got[id] = slices.Compact(all)
		}
		want := map[string][]string{"now": {"later", "new"}, "past": {"later", "middle", "new"}, "ever": {"later", "middle", "new", "old", "older"}, "future": {"later"}}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	})
}

func TestSwitchedOffAndDeleted(t *testing.T) {
	bubble(t, 1, func(t *testing.T, w *world) {
		s, stop := w.start(Options{})
		defer stop()
		tr := newTrigger("t1")
		apply(t, s, tr)
		w.put("on")
		sleep(5 * time.Second)
		off := *tr
		off.Enabled = false
		apply(t, s, &off)
		w.put("meanwhile")
		sleep(time.Minute)
		apply(t, s, tr)
		sleep(10 * time.Second)
		if d := cmp.Diff([]string{"on", "meanwhile"}, w.taken()); d != "" {
			t.Errorf("switched off and on: %s", d)
		}
		if err := s.Remove(t.Context(), "t1"); err != nil {
			t.Fatal(err)
		}
		w.put("gone")
		sleep(10 * time.Second)
		if len(w.rows) != 0 {
			t.Errorf("a deleted trigger left %q", w.rows)
		}
		apply(t, s, newTrigger("t2")) // made again under its name
		w.put("anew")
		sleep(10 * time.Second)
		if d := cmp.Diff([]string{"on", "meanwhile", "anew"}, w.taken()); d != "" {
			t.Errorf("deleted and made again: %s", d)
		}
		stop()
		s, stop = w.start(Options{}) // deleted while it was off since the start
		defer stop()
		if err := s.Remove(t.Context(), "t2"); err != nil {
			t.Fatal(err)
		}
		sleep(10 * time.Second)
		if len(w.rows) != 0 {
			t.Errorf("it left %q", w.rows)
		}
	})
}

func TestSplitAndMergedShardsAreDrained(t *testing.T) {
	bubble(t, 1, func(t *testing.T, w *world) {
		s, stop := w.start(Options{})
		defer stop()
		apply(t, s, newTrigger("t1"))
		w.put("one")
		sleep(5 * time.Second)
		w.put("two")
		if _, err := w.SplitShard(project, logstore, 0, ""); err != nil {
			t.Fatal(err)
		}
		w.put("three", "four")
		sleep(10 * time.Second)
		w.put("five", "six")
		if _, err := w.MergeShards(project, logstore, 1); err != nil {
			t.Fatal(err)
		}
		w.put("seven")
		sleep(10 * time.Second)
		got := w.taken()
		slices.Sort(got)
		if d := cmp.Diff([]string{"five", "four", "one", "seven", "six", "three", "two"}, got); d != "" {
			t.Error(d)
		}
		for shard, done := range map[string]bool{"0": true, "1": true, "2": true, "3": false} {
			if got := strings.Contains(string(w.rows["cur/t1/"+shard]), `"done":true`); got != done {
				t.Errorf("shard %s: %s", shard, w.rows["cur/t1/"+shard])
			}
		}
		apply(t, s, newTrigger("t1", seldom))
		sleep(49 * time.Hour) // the logs expire, and with them the readonly shards
		if n := len(w.taken()); n != 7 {
			t.Errorf("%d logs were taken", n)
		}
		if len(w.rows) != 2 {
			t.Errorf("checkpoints %q", w.rows)
		}
		w.put("much later")
		sleep(11 * time.Minute)
		if got := w.taken(); got[len(got)-1] != "much later" || len(got) != 8 {
			t.Errorf("taken %q", got)
		}
	})
}

func seldom(c *config) { c.JobConfig.TriggerInterval = 600 }

func TestExpiredRangesAreGivenUp(t *testing.T) {
	bubble(t, 1, func(t *testing.T, w *world) {
		down := true
		w.refuse = func(int, document) error {
			if down {
				return errors.New("not now")
			}
			return nil
		}
		s, stop := w.start(Options{})
		defer stop()
		apply(t, s, newTrigger("t1", seldom))
		w.put("lost")
		sleep(49 * time.Hour)
		if d := cmp.Diff([]string{"attempt stalled", "expired expired"}, w.states()); d != "" {
			t.Error(d)
		}
		if stalled, lag := s.(*Source).state(); stalled != 0 || lag != 0 {
			t.Errorf("%d shards are stalled, the lag is %v s", stalled, lag)
		}
		w.set(func() { down = false })
		w.put("kept")
		sleep(11 * time.Minute)
		if d := cmp.Diff([]string{"kept"}, w.taken()); d != "" {
			t.Error(d)
		}
	})
}

func TestARestartRepeatsTheRangeUnderWay(t *testing.T) {
	bubble(t, 1, func(t *testing.T, w *world) {
		s, stop := w.start(Options{})
		tr := newTrigger("t1")
		apply(t, s, tr)
		w.put("a")
		w.set(func() { w.refuse = func(int, document) error { return errors.New("killed") } })
		sleep(4 * time.Second)
		stop()
		w.put("b")
		sleep(time.Minute)
		w.set(func() { w.refuse = nil })
		s, stop = w.start(Options{})
		defer stop()
		apply(t, s, tr)
		sleep(10 * time.Second)
		last := w.calls[len(w.calls)-2]
		if d := cmp.Diff(w.calls[0].event, last.event); d != "" || !slices.Equal(last.logs, []string{"a"}) {
			t.Errorf("after the restart the event is another: %s, %q", d, last.logs)
		}
		if d := cmp.Diff([]string{"a", "b"}, w.taken()); d != "" {
			t.Error(d)
		}
	})
}

func TestAStoreThatIsAwayLosesNothing(t *testing.T) {
	bubble(t, 1, func(t *testing.T, w *world) {
		s, stop := w.start(Options{})
		defer stop()
		apply(t, s, newTrigger("t1"))
		w.put("a")
		w.set(func() { w.saving = errors.New("away") })
		sleep(20 * time.Second)
		if len(w.calls) != 0 {
			t.Error("a call was made that no restart could repeat")
		}
		w.set(func() { w.saving = nil })
		sleep(5 * time.Second)
		w.put("b")
		w.set(func() {
			w.refuse = func(int, document) error { w.set(func() { w.saving = errors.New("away") }); return nil }
		})
		sleep(10 * time.Second)
		w.set(func() { w.saving, w.refuse = nil, nil })
		sleep(5 * time.Second)
		w.put("c")
		sleep(5 * time.Second)
		if d := cmp.Diff([]string{"a", "b", "c"}, w.taken()); d != "" {
			t.Error(d)
		}
	})
}

func TestALogstoreThatComesLater(t *testing.T) {
	bubble(t, 1, func(t *testing.T, w *world) {
		s, stop := w.start(Options{})
		defer stop()
		if err := w.DeleteLogStore(project, logstore); err != nil {
			t.Fatal(err)
		}
		apply(t, s, newTrigger("t1"))
		sleep(time.Minute)
		if n := w.seen.FilterMessage("source logstore cannot be read").Len(); n != 1 {
			t.Errorf("%d warnings in a minute, want 1", n)
		}
		if err := w.CreateLogStore(project, logstore, 1, 1, false, 0); err != nil {
			t.Fatal(err)
		}
		w.put("there")
		sleep(10 * time.Second)
		if d := cmp.Diff([]string{"there"}, w.taken()); d != "" {
			t.Error(d)
		}
		if n := w.seen.FilterMessage("source logstore is read again").Len(); n != 1 {
			t.Errorf("%d lines say that it is read again", n)
		}
	})
}

func TestClockSteps(t *testing.T) {
	bubble(t, 1, func(t *testing.T, w *world) {
		s, stop := w.start(Options{})
		defer stop()
		apply(t, s, newTrigger("t1"))
		var want []string
		for i, offset := range []time.Duration{0, -time.Hour, time.Hour, -2 * time.Hour, 0} {
			w.set(func() { w.offset = offset })
			m := fmt.Sprint("m", i)
			w.put(m)
			want = append(want, m)
			sleep(2 * maxSleep)
		}
		sleep(time.Minute)
		if d := cmp.Diff(want, w.taken()); d != "" {
			t.Error(d)
		}
	})
}

func TestAttemptsAreRecorded(t *testing.T) {
	bubble(t, 1, func(t *testing.T, w *world) {
		w.refuse = func(n int, _ document) error {
			if n == 0 {
				return errors.New("not\nnow")
			}
			return nil
		}
		s, stop := w.start(Options{Ensure: w.EnsureLogstore})
		apply(t, s, newTrigger("t1", func(c *config) { c.LogConfig = fc.LogConfig{Project: project, Logstore: records} }))
		w.put("a")
		sleep(10 * time.Second)
		stop()
		logs, err := w.GetLogs(project, records, "", time.Now().Unix()-60, time.Now().Unix()+1, "", 100, 0, false)
		if err != nil || logs.Count != 2 {
			t.Fatalf("the records are %+v, %v", logs, err)
		}
		c := w.calls[1].event
		for i, want := range []map[string]string{
			{"outcome": "failed", "error": "not\nnow", "attempt": "1"},
			{"outcome": "succeeded", "error": "", "attempt": "2", "requestId": "request-2"},
		} {
			want["jobName"], want["taskId"], want["shardId"] = c.JobName, c.TaskID, "0"
			want["beginCursor"], want["endCursor"], want["__topic__"] = c.Source.BeginCursor, c.Source.EndCursor, "svc"
			for k, v := range want {
				if got := logs.Logs[i][k]; got != v {
					t.Errorf("record %d: %s is %q, want %q", i, k, got, v)
				}
			}
		}
	})
}

func TestRecordsThatCannotBeWrittenDelayNothing(t *testing.T) {
	bubble(t, 1, func(t *testing.T, w *world) {
		s, stop := w.start(Options{})
		defer stop()
		apply(t, s, newTrigger("t1", func(c *config) { c.LogConfig = fc.LogConfig{Project: project, Logstore: records} }))
		for i := range 5 {
			w.put(fmt.Sprint(i))
			sleep(4 * time.Second)
		}
		if n := len(w.taken()); n != 5 {
			t.Errorf("%d of 5 logs were taken", n)
		}
		sleep(5 * time.Minute)
		if got := testutil.ToFloat64(s.(*Source).m.lostRecords); got != 5 {
			t.Errorf("%v records were counted as lost", got)
		}
	})
}
