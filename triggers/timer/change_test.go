package timer

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"fcd/store"
	"fcd/triggers"
)

// An updated timer fires by its new schedule from the moment that Apply returns, also in the next life of the daemon.
func TestAChangedTimerKeepsNothingOfItsOldSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &log{cursors: map[string][]byte{}}
		s, stop := running(t, Options{}, l.env())
		apply := func(expr string) { _ = s.Apply(context.Background(), newTrigger("t1", expr, time.Now())) }
		apply("@every 5m")
		time.Sleep(6 * time.Minute)
		apply("@every 7m") // from 00:06 on
		time.Sleep(8 * time.Minute)
		apply("0 0,30 * * * *")
		since := time.Now()
		time.Sleep(20 * time.Minute)
		stop()
		s, stop = running(t, Options{}, l.env())
		defer stop()
		_ = s.Apply(context.Background(), newTrigger("t1", "0 0,30 * * * *", since))
		time.Sleep(31 * time.Minute)
		synctest.Wait()
		if diff := cmp.Diff([]string{"00:05:00", "00:13:00", "00:30:00", "01:00:00"}, l.times); diff != "" {
			t.Error(diff)
		}
	})
}

// TestInstantsOverLivesAndClockSteps lets the daemon die at any moment, also between a commit and its return, while the
// clock is set forth and back: no instant is committed twice, and where misfires are made up for, none is left out.
func TestInstantsOverLivesAndClockSteps(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { livesAndSteps(t, rand.New(rand.NewPCG(seed, 2)), seed%2 == 0) })
		})
	}
}

func livesAndSteps(t *testing.T, rnd *rand.Rand, steps bool) {
	var mu sync.Mutex // guards the store and the clock
	rows, committed, offset := map[string][]byte{}, map[string]int{}, time.Duration(0)
	life := func() (triggers.Env, func()) {
		dead := false
		env := triggers.Env{
			Clock: func() time.Time { mu.Lock(); defer mu.Unlock(); return time.Now().Add(offset) },
			Note:  func(store.Fate) {},
			Checkpoint: func(_ context.Context, key string) ([]byte, error) {
				mu.Lock()
				defer mu.Unlock()
				return rows[key], nil
			},
			Dispatch: func(_ context.Context, ev triggers.Event, cps ...store.Checkpoint) error {
				mu.Lock()
				defer mu.Unlock()
				if dead {
					return fmt.Errorf("the process is gone")
				}
				if committed[ev.DedupKey] > 0 {
					for _, c := range cps {
						rows[c.Key] = c.Value
					}
					return triggers.ErrDuplicate
				}
				committed[ev.DedupKey]++
				for _, c := range cps {
					rows[c.Key] = c.Value
				}
				return nil
			},
		}
		return env, func() { mu.Lock(); defer mu.Unlock(); dead = true }
	}
	begun := time.Now()
	every := newTrigger("t1", "@every 1m", begun)
	minutely := newTrigger("t2", "0 * * * * *", begun)
	for range 30 {
		env, kill := life()
		s, stop := running(t, Options{Misfire: MisfireAll, MaxLateness: 3 * time.Hour, MaxMisfires: 1000}, env)
		_ = s.Apply(context.Background(), every)
		_ = s.Apply(context.Background(), minutely)
		time.Sleep(time.Duration(rnd.IntN(180_000)) * time.Millisecond)
		if steps {
			mu.Lock()
			offset = time.Duration(rnd.IntN(600)-300) * time.Second
			mu.Unlock()
		}
		time.Sleep(time.Duration(rnd.IntN(60_000)) * time.Millisecond)
		kill()
		stop()
		time.Sleep(time.Duration(rnd.IntN(120_000)) * time.Millisecond)
	}
	mu.Lock()
	offset = 0
	mu.Unlock()
	env, _ := life()
	s, stop := running(t, Options{Misfire: MisfireAll, MaxLateness: 3 * time.Hour, MaxMisfires: 1000}, env)
	defer stop()
	_ = s.Apply(context.Background(), every)
	_ = s.Apply(context.Background(), minutely)
	time.Sleep(10 * time.Minute)
	synctest.Wait()
	seen := map[string]int{}
	for key, n := range committed {
		if n != 1 {
			t.Errorf("%s was committed %d times", key, n)
		}
		seen[key[:strings.LastIndexByte(key, '/')]]++
	}
	for _, id := range []string{"timer/t1", "timer/t2"} {
		minutes := int(time.Since(begun) / time.Minute)
		if got := seen[id]; got < minutes || got > minutes+6 { // a clock that was ahead had some that are still to come
			t.Errorf("%s: %d instants in %d minutes", id, got, minutes)
		}
	}
}
