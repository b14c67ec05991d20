package timer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"fcd/store"
	"fcd/triggers"
)

// life is a source that takes up its timers before it runs, as at the daemon's start.
func (l *log) life(t *testing.T, o Options, offset func() time.Duration, trs ...func(triggers.Source)) (end func()) {
	t.Helper()
	env := l.env()
	env.Save = l.save
	env.Clock = func() time.Time { return time.Now().Add(offset()) }
	s, err := Kind(o).New(env)
	if err != nil {
		t.Fatal(err)
	}
	for _, apply := range trs {
		apply(s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = s.Run(ctx) }()
	synctest.Wait()
	return func() { cancel(); <-ended }
}

func (l *log) save(_ context.Context, cps []store.Checkpoint, fates ...store.Fate) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		return errors.New("killed")
	}
	for _, c := range cps {
		l.cursors[c.Key] = c.Value
	}
	l.fates = append(l.fates, fates...)
	return nil
}

func (l *log) skips() (all []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.fates {
		at := strings.TrimSuffix(strings.TrimPrefix(f.Subject, "2000-01-01T"), "Z")
		want := fmt.Sprintf(`{"triggerTime":%q,"triggerName":"my_trigger","payload":"awesome-fc"}`, f.Subject)
		if f.State != store.FateExpired || f.Reason != "misfire" || f.Trigger != "t1" || string(f.Payload) != want || f.At.Format(time.RFC3339) != f.Subject {
			at += fmt.Sprintf(" is %+v %s", f, f.Payload)
		}
		if strings.Contains(f.Detail, "earlier") {
			at = "... " + at
		}
		all = append(all, at)
	}
	return all
}

func TestInstantsThatAreLeftOutAreRecorded(t *testing.T) {
	for _, c := range []struct {
		name, expr string
		o          Options
		up, down   time.Duration
		killed     bool
		late       time.Duration // the trigger is made so long after the beginning
		want       []string
	}{
		{"by default", "@every 10m", Options{}, 11 * time.Minute, 25 * time.Minute, false, 0, []string{"00:20:00", "00:30:00"}},
		{"after a kill", "@every 10m", Options{}, 11*time.Minute + 30*time.Second, 25 * time.Minute, true, 0, []string{"00:20:00", "00:30:00"}},
		{"a kill behind a mark and an instant", "0 * * * * *", Options{}, 5*time.Minute + 50*time.Second, 2 * time.Minute, true, 30 * time.Second, []string{"00:06:00", "00:07:00"}},
		{"but for the one that is made up for", "@every 10m", Options{Misfire: MisfireOnce}, 11 * time.Minute, 25 * time.Minute, false, 0, []string{"00:20:00"}},
		{"too late to be made up for", "@every 10m", Options{Misfire: MisfireAll, MaxLateness: 20 * time.Minute}, 11 * time.Minute, 45 * time.Minute, false, 0, []string{"00:20:00", "00:30:00"}},
		{"too many to be made up for", "@every 10m", Options{Misfire: MisfireAll}, 11 * time.Minute, 49*time.Minute + 30*time.Second, false, 0, []string{"00:20:00"}},
		{"none, if none was missed", "@every 10m", Options{}, 11 * time.Minute, 5 * time.Minute, false, 0, nil},
		{"none of before the trigger", "0 * * * * *", Options{}, 30 * time.Second, 10*time.Minute + 45*time.Second, false, 10 * time.Minute, []string{"00:11:00"}},
		{"the latest of many", "0 * * * * *", Options{}, 90 * time.Second, 20 * time.Hour, false, 0, []string{"... 19:58:00", "19:59:00", "20:00:00", "20:01:00"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &log{cursors: map[string][]byte{}}
				c.o.MaxMisfires = 4
				tr := newTrigger("t1", c.expr, time.Now().Add(c.late))
				apply := func(s triggers.Source) { _ = s.Apply(context.Background(), tr) }
				still := func() time.Duration { return 0 }
				end := l.life(t, c.o, still, apply)
				time.Sleep(c.up)
				l.mu.Lock()
				l.dead = c.killed
				l.mu.Unlock()
				end()
				l.dead = false
				time.Sleep(c.down)
				end = l.life(t, c.o, still, apply)
				if diff := cmp.Diff(c.want, l.skips()); diff != "" {
					t.Error(diff)
				}
				end()
				l.life(t, c.o, still, apply)() // nothing is recorded again
				if diff := cmp.Diff(c.want, l.skips()); diff != "" {
					t.Errorf("in a third life: %s", diff)
				}
			})
		})
	}
}

func TestWhatIsMissedBecauseTheClockIsSetForwardIsRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &log{cursors: map[string][]byte{}}
		var mu sync.Mutex
		var offset time.Duration
		clock := func() time.Duration { mu.Lock(); defer mu.Unlock(); return offset }
		tr := newTrigger("t1", "0 * * * * *", time.Now())
		end := l.life(t, Options{}, clock, func(s triggers.Source) { _ = s.Apply(context.Background(), tr) })
		defer end()
		time.Sleep(30 * time.Second)
		mu.Lock()
		offset = 3 * time.Minute
		mu.Unlock()
		time.Sleep(20 * time.Second)
		synctest.Wait()
		l.mu.Lock()
		times := strings.Join(l.times, " ")
		l.mu.Unlock()
		if times != "00:01:00" {
			t.Errorf("dispatched %s", times)
		}
		if diff := cmp.Diff([]string{"00:02:00", "00:03:00"}, l.skips()); diff != "" {
			t.Error(diff)
		}
	})
}
