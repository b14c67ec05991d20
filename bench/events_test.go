package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/robfig/cron/v3"
)

func TestParseEntries(t *testing.T) {
	got, err := parseEntries([]byte(`{"message":"FC Invoke Start RequestId: 1"}
{"message":"entered 1700000000.250000 {\"a\": \"b c\"}\n"}
`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]entry{{1700000000.25, "{\"a\": \"b c\"}\n"}}, got, cmp.AllowUnexported(entry{})); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{"not JSON\n", `{"message":"entered late x"}` + "\n"} {
		if _, err := parseEntries([]byte(bad)); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestEnterFillsInEachPut(t *testing.T) {
	begun := []time.Time{time.UnixMilli(1000), time.UnixMilli(2000)}
	put := func(key string) string { return `{"events":[{"oss":{"object":{"key":"` + key + `"}}}]}` }
	p := pair{Ours: make([]float64, 2), Theirs: make([]float64, 2)}
	err := p.enter(begun, []entry{{2.5, put("o/1")}, {1.25, put("o/0")}, {9, "warm"}})
	if diff := cmp.Diff([]float64{250, 500}, p.Ours); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	if err := p.enter(begun, []entry{{2.5, put("o/1")}}); err == nil {
		t.Error("a put that triggered nothing is not missed")
	}
	if err := p.enter(begun, []entry{{2.5, put("o/7")}}); err == nil {
		t.Error("an event of an object that was not put is accepted")
	}
}

func TestWaitingTimersAreNotDueSoon(t *testing.T) {
	parser := cron.NewParser(cron.Second | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)
	now := time.Now().UTC()
	for i := 0; i < 100_000; i += 997 {
		s, err := parser.Parse(schedules(now, i))
		if err != nil {
			t.Fatal(err)
		}
		if next := s.Next(now); next.Before(now.Add(time.Hour)) {
			t.Errorf("timer %d, %s, is due at %v, now is %v", i, schedules(now, i), next, now)
		}
	}
}

func TestDescends(t *testing.T) {
	parents := map[int]int{1: 0, 10: 1, 11: 10, 12: 11, 20: 1}
	for pid, want := range map[int]bool{10: true, 11: true, 12: true, 20: false, 1: false} {
		if got := descends(parents, pid, 10); got != want {
			t.Errorf("process %d below 10: %v", pid, got)
		}
	}
}
