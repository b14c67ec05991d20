package timer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"fcd/fc"
	"fcd/store"
	"fcd/triggers"
	"fcd/triggers/triggertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newTrigger(id, expr string, since time.Time) *fc.Trigger {
	cfg, _ := json.Marshal(config{Payload: "awesome-fc", CronExpression: expr, Enable: true})
	return &fc.Trigger{ServiceName: "svc", FunctionName: "fn", Name: "my_trigger", ID: id, Type: fc.TriggerTimer,
		Enabled: true, Config: cfg, ScheduledSince: since}
}

func TestObligations(t *testing.T) {
	triggertest.Run(t, triggertest.Harness{
		Kind: Kind(Options{}),
		Trigger: func(id string) *fc.Trigger {
			return newTrigger(id, "0 * * * * *", time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC))
		},
		Happen: func(context.Context, triggers.Source, int) error {
			now := time.Now()
			time.Sleep(now.Truncate(time.Minute).Add(90 * time.Second).Sub(now)) // past the next full minute
			return nil
		},
	})
}

// The grammar, row by row.
func TestGrammar(t *testing.T) {
	at := time.Date(2026, 1, 5, 8, 30, 0, 0, time.UTC) // a Monday
	next := func(s string) string { return s }
	for _, c := range []struct {
		expr string
		next string // the first instant after at, "" if the expression is refused
	}{
		{"0 0 8 * * ?", next("2026-01-06T08:00:00Z")},
		{"0 0 8 ? * MON-FRI", next("2026-01-06T08:00:00Z")},
		{"0 0/5 * * * *", next("2026-01-05T08:35:00Z")},
		{"0 */5 * * * *", next("2026-01-05T08:35:00Z")},
		{"0 5/15 14 * * ?", next("2026-01-05T14:05:00Z")},
		{"0 0 8 1,15 * *", next("2026-01-15T08:00:00Z")},
		{"0 0 8 1-31/2 * *", next("2026-01-07T08:00:00Z")},
		{"0 0 8 ? * mon,WED", next("2026-01-07T08:00:00Z")},
		{"0 0 8 ? JAN-feb *", next("2026-01-06T08:00:00Z")},
		{"@every 1m30s", next("2026-01-05T08:31:30Z")},
		{"@every 2h45m", next("2026-01-05T11:15:00Z")},
		{"@every 1.5h", next("2026-01-05T10:00:00Z")},
		{"CRON_TZ=Asia/Shanghai 0 0 8 * * *", next("2026-01-06T00:00:00Z")},
		{"  0 0 8 * * *  ", next("2026-01-06T08:00:00Z")},
		{"0 0 8 ? * 7", next("2026-01-11T08:00:00Z")},
		{"0 0 8 ? * 0", next("2026-01-11T08:00:00Z")},
		{"0 0 8 ? * 1", next("2026-01-12T08:00:00Z")},
		{"0 0 8 13 * 1-7", next("2026-01-13T08:00:00Z")},
		{"0 0 8 ? * 5-7", next("2026-01-09T08:00:00Z")},
		{"0 0 8 ? * SAT-SUN", next("2026-01-10T08:00:00Z")},
		{"0 0 8 13 * FRI", next("2026-01-09T08:00:00Z")},
		{"0 0 8 */2 * FRI", next("2026-01-07T08:00:00Z")},
		{"0 0 0 29 2 *", next("2028-02-29T00:00:00Z")},
		{"0 0 8 L * *", ""}, {"0 0 8 LW * *", ""}, {"0 0 8 15W * *", ""}, {"0 0 8 ? * 6#3", ""}, {"0 0 8 ? * 5L", ""},
		{"0 0 8 ? * FRI-MON", ""}, {"0 0 8 ? * 7-2", ""}, {"0 0 22-2 * * *", ""}, {"0 0 8 * 13 *", ""}, {"0 0 8 0 * *", ""},
		{"60 0 8 * * *", ""}, {"0 */0 8 * * *", ""}, {"0 0 8 * *", ""}, {"0 0 8 * * * *", ""}, {"", ""}, {"   ", ""},
		{"? 0 8 * * *", ""}, {"0 ? 8 * * *", ""}, {"0 0 ? * * *", ""}, {"0 0 8 * ? *", ""}, {"0 */61 * * * *", ""},
		{"* 0 8 * * *", ""}, {"0,30 0 8 * * *", ""}, {"0-5 0 8 * * *", ""}, {"*/5 0 8 * * *", ""}, {"0 0 8 ? * */2", ""},
		{"0 0 8 ? * 8", ""}, {"0 0 8 ? * FUNDAY", ""}, {"0 0 8 * FOO *", ""}, {"0 - 8 * * *", ""}, {"0 , 8 * * *", ""}, {"0 / 8 * * *", ""},
		{"0 0 8 31 2 *", ""},
		{"@every 30s", ""}, {"@every 500ms", ""}, {"@every 0s", ""}, {"@every -5m", ""}, {"@every 90.5s", ""},
		{"@every 1d", ""}, {"@every5m", ""}, {"@every", ""}, {"@reboot", ""}, {"CRON_TZ=Bogus/Zone 0 0 8 * * *", ""}, {"CRON_TZ=Local 0 0 8 * * *", ""},
		{"CRON_TZ= 0 0 8 * * *", ""}, {"CRON_TZ=../etc/passwd 0 0 8 * * *", ""},
		{"@daily", ""}, {"@hourly", ""}, {"@midnight", ""}, {"TZ=UTC 0 0 8 * * *", ""}, {"CRON_TZ=UTC @every 5m", ""},
		{"CRON_TZ=Asia/Shanghai", ""},
		{strings.Repeat("0", 300) + " 0 8 * * *", ""},
	} {
		t.Run(c.expr, func(t *testing.T) {
			s, err := Options{}.withDefaults().parse(c.expr, at)
			got := ""
			if err == nil {
				got = s.Next(at).Format(time.RFC3339)
			}
			if got != c.next {
				t.Errorf("next %q, want %q (%v)", got, c.next, err)
			}
		})
	}
}

func TestGrammarOptions(t *testing.T) {
	at := time.Date(2026, 1, 5, 8, 30, 0, 0, time.UTC)
	for _, c := range []struct {
		name, expr string
		o          Options
		next       string
	}{
		{"a step of seconds where allowed", "*/10 * * * * *", Options{AllowSubMinute: true}, "2026-01-05T08:30:10Z"},
		{"a list of seconds where allowed", "5,7 * * * * *", Options{AllowSubMinute: true}, "2026-01-05T08:30:05Z"},
		{"a second where allowed", "@every 1s", Options{AllowSubMinute: true}, "2026-01-05T08:30:01Z"},
		{"a question mark in seconds nowhere", "? * * * * *", Options{AllowSubMinute: true}, ""},
		{"less than the floor", "@every 5m", Options{MinEvery: time.Hour}, ""},
		{"Sunday as 1", "0 0 8 ? * 1", Options{DayOfWeekBase: Sunday1}, "2026-01-11T08:00:00Z"},
		{"Saturday as 7", "0 0 8 ? * 7", Options{DayOfWeekBase: Sunday1}, "2026-01-10T08:00:00Z"},
		{"names mean the same", "0 0 8 ? * SUN", Options{DayOfWeekBase: Sunday1}, "2026-01-11T08:00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := c.o.withDefaults().parse(c.expr, at)
			got := ""
			if err == nil {
				got = s.Next(at).Format(time.RFC3339)
			}
			if got != c.next {
				t.Errorf("next %q, want %q (%v)", got, c.next, err)
			}
		})
	}
}

func TestDaylightSaving(t *testing.T) {
	for _, c := range []struct {
		name, expr, from string
		want             []string
	}{
		{"an hour that is skipped in spring", "CRON_TZ=America/New_York 0 30 2 * * *", "2019-03-09T00:00:00Z",
			[]string{"2019-03-09T07:30:00Z", "2019-03-11T06:30:00Z"}},
		{"an hour that comes twice in fall", "CRON_TZ=America/New_York 0 30 1 * * *", "2019-11-03T00:00:00Z",
			[]string{"2019-11-03T05:30:00Z", "2019-11-03T06:30:00Z", "2019-11-04T06:30:00Z"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			at, _ := time.Parse(time.RFC3339, c.from)
			s, err := Options{}.withDefaults().parse(c.expr, at)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for range c.want {
				at = s.Next(at)
				got = append(got, at.Format(time.RFC3339))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEveryKeepsItsPhase(t *testing.T) {
	anchor := time.Date(2026, 1, 5, 8, 30, 17, 999, time.UTC)
	s := every{anchor: anchor.Truncate(time.Second), period: 7 * time.Minute}
	for _, c := range []struct{ at, want time.Duration }{
		{-time.Hour, 7 * time.Minute}, {0, 7 * time.Minute}, {time.Minute, 7 * time.Minute},
		{7 * time.Minute, 14 * time.Minute}, {71 * time.Minute, 77 * time.Minute},
	} {
		if got := s.Next(s.anchor.Add(c.at)); !got.Equal(s.anchor.Add(c.want)) {
			t.Errorf("after %v: %v", c.at, got.Sub(s.anchor))
		}
	}
}

func TestNormalize(t *testing.T) {
	kinds, err := triggers.NewKinds(Kind(Options{}))
	if err != nil {
		t.Fatal(err)
	}
	day := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	old := newTrigger("t", "@every 5m", day)
	for _, c := range []struct {
		name    string
		old     *fc.Trigger
		raw     string
		want    string
		enabled bool
		moved   bool
	}{
		{"a new one", nil, `{"payload":"p","cronExpression":"@every 5m","enable":true}`, `{"payload":"p","cronExpression":"@every 5m","enable":true}`, true, true},
		{"enabled by default", nil, `{"CronExpression":"@every 5m","enable":null}`, `{"payload":"","cronExpression":"@every 5m","enable":true}`, true, true},
		{"disabled by its other name", nil, `{"cronExpression":"@every 5m","enabled":false}`, `{"payload":"","cronExpression":"@every 5m","enable":false}`, false, true},
		{"a new payload", old, `{"payload":"<p>"}`, `{"payload":"<p>","cronExpression":"@every 5m","enable":true}`, true, false},
		{"the same schedule", old, `{"cronExpression":"@every 5m"}`, `{"payload":"awesome-fc","cronExpression":"@every 5m","enable":true}`, true, false},
		{"a new schedule", old, `{"cronExpression":"@every 6m"}`, `{"payload":"awesome-fc","cronExpression":"@every 6m","enable":true}`, true, true},
		{"disabled", old, `{"Enable":false}`, `{"payload":"awesome-fc","cronExpression":"@every 5m","enable":false}`, false, true},
		{"a payload of JSON stays a string", nil, `{"payload":"{\"a\":1}","cronExpression":"@every 5m"}`, `{"payload":"{\"a\":1}","cronExpression":"@every 5m","enable":true}`, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := &fc.Trigger{ID: "t", Type: fc.TriggerTimer, SourceARN: "dummy_arn", ScheduledSince: day, LastModifiedTime: day.Add(time.Hour)}
			if err := kinds.Normalize(c.old, tr, json.RawMessage(c.raw)); err != nil {
				t.Fatal(err)
			}
			if string(tr.Config) != c.want || tr.Enabled != c.enabled || tr.SourceARN != "" || tr.ScheduledSince.Equal(day) == c.moved {
				t.Errorf("got %s, enabled %v, source %q, since %v", tr.Config, tr.Enabled, tr.SourceARN, tr.ScheduledSince)
			}
		})
	}
	for raw, want := range map[string]string{
		`{}`: "CronExpression is required", `{"cronExpression":""}`: "CronExpression is required",
		`{"cronExpression":"nope"}`: "TriggerConfig.CronExpression", `{"cronExpression":5}`: "TriggerConfig",
		`{"cronExpression":"@every 5m","payload":"` + strings.Repeat("x", 4097) + `"}`: "at most 4096 bytes",
		`{"cronExpression":"@every 5m","payload":{"a":1}}`:                             "payload is a object",
	} {
		err := kinds.Normalize(nil, &fc.Trigger{Type: fc.TriggerTimer}, json.RawMessage(raw))
		if fc.CodeOf(err) != fc.InvalidArgument || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v", raw, err)
		}
	}
}

// log collects what a source dispatches.
type log struct {
	mu      sync.Mutex
	times   []string
	keys    []string
	fates   []store.Fate
	cursors map[string][]byte
	dead    bool // nothing is saved any more
}

func (l *log) env() triggers.Env {
	return triggers.Env{
		Note: func(f store.Fate) { l.mu.Lock(); defer l.mu.Unlock(); l.fates = append(l.fates, f) },
		Dispatch: func(_ context.Context, ev triggers.Event, cps ...store.Checkpoint) error {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.times = append(l.times, ev.Scheduled.Format("15:04:05"))
			l.keys = append(l.keys, ev.DedupKey)
			for _, c := range cps {
				l.cursors[c.Key] = c.Value
			}
			return nil
		},
		Checkpoint: func(_ context.Context, key string) ([]byte, error) {
			l.mu.Lock()
			defer l.mu.Unlock()
			return l.cursors[key], nil
		},
	}
}

// running starts a source in the current bubble; the function stops it.
func running(t *testing.T, o Options, env triggers.Env) (triggers.Source, func()) {
	t.Helper()
	s, err := Kind(o).New(env)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.Run(ctx)
	}()
	return s, func() {
		cancel()
		<-ended
	}
}

func TestEventAndCheckpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &log{cursors: map[string][]byte{}}
		env := l.env()
		var got triggers.Event
		inner := env.Dispatch
		env.Dispatch = func(ctx context.Context, ev triggers.Event, cps ...store.Checkpoint) error {
			got = ev
			return inner(ctx, ev, cps...)
		}
		s, stop := running(t, Options{}, env)
		defer stop()
		tr := newTrigger("t1", "@every 5m", time.Now())
		if err := s.Apply(context.Background(), tr); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		want := `{"triggerTime":"2000-01-01T00:05:00Z","triggerName":"my_trigger","payload":"awesome-fc"}`
		if string(got.Payload) != want || got.DedupKey != "timer/t1/946685100" || string(l.cursors["cur/t1/"]) != "946685100" {
			t.Errorf("got %s, key %q, checkpoints %q", got.Payload, got.DedupKey, l.cursors)
		}
	})
}

func TestAChangeOfThePayloadKeepsAnInstantThatIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &log{cursors: map[string][]byte{}}
		s, err := Kind(Options{}).New(l.env())
		if err != nil {
			t.Fatal(err)
		}
		since := time.Now()
		_ = s.Apply(context.Background(), newTrigger("t1", "0 * * * * *", since))
		time.Sleep(time.Minute) // due, but nobody runs
		_ = s.Apply(context.Background(), newTrigger("t1", "0 * * * * *", since))
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		go func() { _ = s.Run(ctx) }()
		synctest.Wait()
		if diff := cmp.Diff([]string{"00:01:00"}, l.times); diff != "" {
			t.Error(diff)
		}
	})
}

func TestMisfire(t *testing.T) {
	for _, c := range []struct {
		name, misfire string
		down          time.Duration
		lateness      time.Duration
		want          []string // dispatched within 10 minutes after the pause, first fire at 00:10 included
	}{
		{"skipped by default", "", 25 * time.Minute, 0, []string{"00:10:00", "00:40:00"}},
		{"made up for once", MisfireOnce, 25 * time.Minute, 0, []string{"00:10:00", "00:30:00", "00:40:00"}},
		{"not if too late", MisfireOnce, 29 * time.Minute, 5 * time.Minute, []string{"00:10:00", "00:40:00"}},
		{"not if nothing was missed", MisfireOnce, 5 * time.Minute, 0, []string{"00:10:00", "00:20:00"}},
		{"made up for each", MisfireAll, 45 * time.Minute, 0, []string{"00:10:00", "00:20:00", "00:30:00", "00:40:00", "00:50:00", "01:00:00"}},
		{"each that is not too late", MisfireAll, 45 * time.Minute, 20 * time.Minute, []string{"00:10:00", "00:40:00", "00:50:00", "01:00:00"}},
		{"the latest of too many", MisfireAll, 49*time.Minute + 30*time.Second, 0, []string{"00:10:00", "00:30:00", "00:40:00", "00:50:00", "01:00:00", "01:10:00"}},
		{"none if nothing was missed", MisfireAll, 5 * time.Minute, 0, []string{"00:10:00", "00:20:00"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &log{cursors: map[string][]byte{}}
				o := Options{Misfire: c.misfire, MaxLateness: c.lateness, MaxMisfires: 4}
				tr := newTrigger("t1", "@every 10m", time.Now())
				s, stop := running(t, o, l.env())
				_ = s.Apply(context.Background(), tr)
				time.Sleep(11 * time.Minute)
				stop()
				time.Sleep(c.down)
				s, stop = running(t, o, l.env())
				_ = s.Apply(context.Background(), tr)
				time.Sleep(10*time.Minute - time.Second)
				stop()
				if diff := cmp.Diff(c.want, l.times); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestAClockStepBackDoesNotRefire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &log{cursors: map[string][]byte{}}
		var mu sync.Mutex
		var offset time.Duration
		env := l.env()
		env.Clock = func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return time.Now().Add(offset)
		}
		tr := newTrigger("t1", "0 * * * * *", time.Now().Add(-time.Hour))
		s, stop := running(t, Options{}, env)
		_ = s.Apply(context.Background(), tr)
		time.Sleep(3*time.Minute + time.Second)
		mu.Lock()
		offset = -2 * time.Minute
		mu.Unlock()
		time.Sleep(time.Minute)
		stop()
		s, stop = running(t, Options{}, env) // another life, with the clock still behind
		_ = s.Apply(context.Background(), tr)
		time.Sleep(2 * time.Minute)
		stop()
		if diff := cmp.Diff([]string{"00:01:00", "00:02:00", "00:03:00", "00:04:00"}, l.times); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAClockStepForwardIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &log{cursors: map[string][]byte{}}
		var mu sync.Mutex
		var offset time.Duration
		env := l.env()
		env.Clock = func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return time.Now().Add(offset)
		}
		s, stop := running(t, Options{}, env)
		_ = s.Apply(context.Background(), newTrigger("t1", "0 0 8 * * *", time.Now()))
		time.Sleep(time.Minute)
		mu.Lock()
		offset = 8*time.Hour - time.Minute
		mu.Unlock()
		time.Sleep(2 * maxSleep)
		stop()
		if diff := cmp.Diff([]string{"08:00:00"}, l.times); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAStoreThatIsAwayDelaysAndIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &log{cursors: map[string][]byte{}}
		env := l.env()
		inner := env.Dispatch
		var mu sync.Mutex
		away, attempts := true, 0
		env.Dispatch = func(ctx context.Context, ev triggers.Event, cps ...store.Checkpoint) error {
			mu.Lock()
			defer mu.Unlock()
			attempts++
			if away {
				return errors.New("away")
			}
			return inner(ctx, ev, cps...)
		}
		s, stop := running(t, Options{MaxLateness: 10 * time.Minute}, env)
		defer stop()
		_ = s.Apply(context.Background(), newTrigger("t1", "0 0 * * * *", time.Now()))
		time.Sleep(time.Hour + 5*time.Minute)
		mu.Lock()
		away = false
		mu.Unlock()
		time.Sleep(time.Minute)
		mu.Lock()
		away = true
		n := attempts
		mu.Unlock()
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if diff := cmp.Diff([]string{"01:00:00"}, l.times); diff != "" {
			t.Error(diff)
		}
		if len(l.fates) != 1 || l.fates[0].State != store.FateExpired || l.fates[0].EventID != "timer/t1/946692000" || l.fates[0].Subject != "2000-01-01T02:00:00Z" {
			t.Errorf("the fates of what was given up: %+v", l.fates)
		}
		if more := attempts - n; n > 20 || more < 20 || more > 60 {
			t.Errorf("%d attempts in 5 minutes, %d for the instants that were given up", n, more)
		}
	})
}

func TestAPanicInADispatchConcernsOneInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &log{cursors: map[string][]byte{}}
		env := l.env()
		inner := env.Dispatch
		first := true
		env.Dispatch = func(ctx context.Context, ev triggers.Event, cps ...store.Checkpoint) error {
			if first {
				first = false
				panic("boom")
			}
			return inner(ctx, ev, cps...)
		}
		s, stop := running(t, Options{}, env)
		defer stop()
		_ = s.Apply(context.Background(), newTrigger("t1", "0 * * * * *", time.Now()))
		time.Sleep(2*time.Minute + 30*time.Second)
		synctest.Wait()
		if diff := cmp.Diff([]string{"00:01:00", "00:02:00"}, l.times); diff != "" {
			t.Error(diff)
		}
	})
}

func TestManyTimersDueAtOnceFireOnceEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &log{cursors: map[string][]byte{}}
		s, stop := running(t, Options{}, l.env())
		defer stop()
		for i := range 2000 {
			_ = s.Apply(context.Background(), newTrigger(fmt.Sprint("t", i), "0 * * * * *", time.Now()))
		}
		time.Sleep(3*time.Minute + time.Second)
		synctest.Wait()
		seen := map[string]bool{}
		for _, k := range l.keys {
			seen[k] = true
		}
		if len(l.keys) != 6000 || len(seen) != 6000 {
			t.Errorf("%d dispatches, %d different", len(l.keys), len(seen))
		}
	})
}

func FuzzExpression(f *testing.F) {
	for _, s := range []string{"0 0 8 * * ?", "@every 5m", "CRON_TZ=Asia/Shanghai 0 0 8 * * *", "CRON_TZ=Asia/Shanghai", "0 0/5 * 1-31/2 JAN-DEC MON-SUN", "0 , - / ? *"} {
		f.Add(s)
	}
	o := Options{AllowSubMinute: true}.withDefaults()
	at := time.Date(2026, 1, 5, 8, 30, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, expr string) {
		s, err := o.parse(expr, at)
		if err != nil {
			return
		}
		first := s.Next(at)
		if !first.After(at) || first.Nanosecond() != 0 {
			t.Errorf("%q: %v is not a whole second after %v", expr, first, at)
		}
		if second := s.Next(first); !second.IsZero() && !second.After(first) {
			t.Errorf("%q: %v comes after %v", expr, second, first)
		}
	})
}

func nothing() triggers.Env {
	return triggers.Env{Dispatch: func(context.Context, triggers.Event, ...store.Checkpoint) error { return nil }}
}

// expression spreads timers over schedules.
func expression(i int) string {
	switch i % 3 {
	case 0:
		return fmt.Sprintf("0 %d %d * * *", i%60, i%24)
	case 1:
		return fmt.Sprintf("CRON_TZ=Asia/Shanghai 0 %d * * * *", i%60)
	}
	return fmt.Sprintf("@every %dm", 1+i%120)
}

func BenchmarkArm(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			trs := make([]*fc.Trigger, n)
			for i := range trs {
				trs[i] = newTrigger(fmt.Sprint("t", i), expression(i), time.Now())
			}
			s, _ := Kind(Options{}).New(nothing())
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			for _, tr := range trs {
				_ = s.Apply(context.Background(), tr)
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			i := 0
			for b.Loop() { // a live change among n
				_ = s.Apply(context.Background(), trs[i%n])
				i++
			}
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MiB")
		})
	}
}

func BenchmarkFire(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			now := time.Date(2026, 1, 5, 8, 30, 0, 0, time.UTC)
			env := nothing()
			env.Clock = func() time.Time { return now }
			src, _ := Kind(Options{}).New(env)
			s := src.(*Source)
			for i := range n {
				_ = s.Apply(context.Background(), newTrigger(fmt.Sprint("t", i), expression(i), now))
			}
			b.ReportAllocs()
			for b.Loop() {
				now = time.Unix(0, s.due[0].at)
				e, _ := s.next()
				s.fire(context.Background(), e)
			}
		})
	}
}
