package store

import (
	"testing"
	"time"
)

func TestASteadyClockNeverGoesBack(t *testing.T) {
	system, passed := time.Date(2018, 7, 8, 9, 0, 0, 0, time.UTC), time.Duration(0)
	clock := steady(func() time.Time { return system }, func() time.Duration { return passed })
	for _, step := range []struct {
		name   string
		pass   time.Duration // time that goes by
		set    time.Duration // by which the system's clock is set besides
		expect time.Duration // by which this one goes on
	}{
		{"nothing happens", 0, 0, 0},
		{"a second", time.Second, 0, time.Second},
		{"set back by an hour", time.Second, -time.Hour, time.Second},
		{"a minute after that", time.Minute, 0, time.Minute},
		{"set right again", time.Second, time.Hour, time.Second},
		{"set ahead by an hour", time.Second, time.Hour, time.Hour + time.Second},
		{"a minute after that", time.Minute, 0, time.Minute},
	} {
		before := clock()
		passed += step.pass
		system = system.Add(step.pass + step.set)
		if got := clock().Sub(before); got != step.expect {
			t.Errorf("%s: it went on by %v, want %v", step.name, got, step.expect)
		}
	}
	if real := SteadyClock(); time.Since(real()).Abs() > time.Minute {
		t.Error("it is not the time of day")
	}
}
