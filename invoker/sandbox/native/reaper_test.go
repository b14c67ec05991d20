package native

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"fcd/invoker/sandbox"
)

// An instance that does nothing costs the daemon no goroutine, and so no thread that waits for its end.
func TestIdleInstancesCostNoGoroutine(t *testing.T) {
	d, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	const n = 20
	before := runtime.NumGoroutine()
	var all []sandbox.Instance
	ended := make(chan sandbox.Exit, n)
	for k := range n {
		i, err := d.Start(context.Background(), sandbox.Spec{ID: fmt.Sprint("idle-", k), Path: "/usr/bin/sleep",
			Args: []string{"sleep", "600"}, Limits: sandbox.Limits{MemoryMB: 64}})
		if err != nil {
			t.Fatal(err)
		}
		i.(sandbox.Ender).OnEnd(func(e sandbox.Exit) { ended <- e })
		all = append(all, i)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(time.Minute)
	for runtime.NumGoroutine() > before+2 { // those of the starts are on their way out
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%d goroutines, before the start of %d instances %d", runtime.NumGoroutine(), n, before)
		}
	}
	for _, i := range all[:n/2] {
		if err := i.Signal(9); err != nil {
			t.Error(err)
		}
	}
	for range n / 2 {
		if e := <-ended; e.Signal != 9 {
			t.Errorf("exit %+v", e)
		}
	}
	for _, i := range all {
		if err := i.Kill(); err != nil {
			t.Error(err)
		}
	}
	for range n / 2 {
		<-ended
	}
	i := all[0].(sandbox.Ender)
	i.OnEnd(func(e sandbox.Exit) { ended <- e }) // long after the end
	<-ended
	if d.reaper.Waits() != 0 {
		t.Errorf("%d instances are watched still", d.reaper.Waits())
	}
}
