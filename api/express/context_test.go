package express

import (
	"context"
	"runtime"
	"testing"
)

func TestARequestContextTellsOfItsEnd(t *testing.T) {
	for name, asked := range map[string]bool{"asked before": true, "asked afterwards": false} {
		t.Run(name, func(t *testing.T) {
			c := new(requestContext)
			ask := func() (derived context.Context) {
				derived, cancel := context.WithTimeout(context.WithValue(c, t, name), patience)
				t.Cleanup(cancel)
				if err := c.Err(); err != derived.Err() || (err == nil) != asked {
					t.Errorf("%v, of the derived one %v", err, derived.Err())
				}
				return derived
			}
			var derived context.Context
			if asked {
				derived = ask()
				select {
				case <-c.Done():
					t.Error("it has ended before its end")
				case <-derived.Done():
					t.Error("the derived one has ended before its end")
				default:
				}
			}
			c.end()
			c.end()
			if !asked {
				derived = ask()
			}
			<-c.Done()
			<-derived.Done()
			if c.Err() != context.Canceled || derived.Err() != context.Canceled {
				t.Errorf("%v, of the derived one %v", c.Err(), derived.Err())
			}
		})
	}
}

func TestContextsDerivedOfARequestsNeedNoGoroutine(t *testing.T) {
	c := new(requestContext)
	defer c.end()
	before := runtime.NumGoroutine()
	for range 100 {
		_, cancel := context.WithCancel(c)
		defer cancel()
	}
	if n := runtime.NumGoroutine(); n >= before+100 {
		t.Errorf("%d goroutines in place of %d", n, before)
	}
	stop := context.AfterFunc(c, func() { t.Error("it was stopped before the end") })
	if !stop() {
		t.Error("not stopped")
	}
}

func TestARequestContextThatNobodyAsksIsOneAllocation(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() {
		var c context.Context = new(requestContext)
		if c.Err() != nil {
			t.Error(c.Err())
		}
		c.(*requestContext).end()
	}); n > 1 {
		t.Errorf("%v allocations", n)
	}
}
