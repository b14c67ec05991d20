package e2e

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fcd/config"
	"fcd/store"
	"fcd/store/sqlite"
)

// TestAsyncInvocation is queued with 202, run, and its result gone.
func TestAsyncInvocation(t *testing.T) {
	h := boot(t)
	h.service("svc", "")
	h.python("svc/f", "def handler(event, context):\n    print('ran', event.decode(), context.request_id)\n")
	a := h.invoke("svc/f", "later", async)
	if a.status != 202 || a.body != "" || a.header.Get("Content-Type") != "" || len(a.requestID()) != 36 {
		t.Errorf("%d %q %v", a.status, a.body, a.header)
	}
	h.logged("svc/f", "ran later "+a.requestID(), "FC Invoke End RequestId: "+a.requestID())
}

// TestRetriesAndDeadLetters: a function that fails is tried again with the same request id, and its invocation kept as a
// dead letter when all attempts are used up.
func TestRetriesAndDeadLetters(t *testing.T) {
	h := boot(t, func(c *config.Config) { c.Async.MaxRetries, c.Async.RetryBase = 2, 20*time.Millisecond })
	h.service("svc", "")
	h.node("svc/f", `exports.handler = (event, context, callback) => {
  console.log('attempt', context.retryCount);
  if (event.toString() === 'twice' && context.retryCount === 2) return callback(null, 'ok');
  if (event.toString() === 'crash') process.exit(1);
  callback(new Error('no'));
};`)
	good := h.invoke("svc/f", "twice", async).requestID()
	bad := h.invoke("svc/f", "always", async).requestID()
	crash := h.invoke("svc/f", "crash", async).requestID()
	outcome := func(label string) float64 { return h.metric("fcd_async_attempts_total", "outcome", label) }
	eventually(t, "one succeeds and two die", func() bool { return outcome("succeeded") == 1 && outcome("dead") == 2 })
	if n := outcome("retry"); n != 6 {
		t.Errorf("%v retries, want two for each", n)
	}
	h.logged("svc/f", good+" verbose attempt 2", bad+" verbose attempt 2", crash+" verbose attempt 2")
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}

	kept := openStore(t, h.dir)
	for _, c := range []struct{ id, state, payload, cause string }{
		{good, store.StateSucceeded, "", ""},
		{bad, store.StateDead, "always", "no"},
		{crash, store.StateDead, "crash", "Process exited"},
	} {
		got, err := kept.Find(t.Context(), c.id)
		if err != nil || got.State != c.state || string(got.Msg.Payload) != c.payload || !strings.Contains(got.Cause, c.cause) {
			t.Errorf("%s: %+v, error %v, want %+v", c.id, got, err, c)
		}
	}
}

// openStore opens the store of a daemon that has stopped.
func openStore(t *testing.T, dir string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(context.Background(), sqlite.Options{Dir: filepath.Join(dir, "store")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, store.ErrClosed) {
			t.Error(err)
		}
	})
	return s
}

// TestCrowd: callers beyond instances and places to wait get 429 at once; those who wait too long get it later;
// asynchronous ones are only put off.
func TestCrowd(t *testing.T) {
	h := boot(t, func(c *config.Config) {
		c.Invoker.MaxInstancesPerFunction, c.Invoker.QueuePerFunction, c.Invoker.QueueWait = 1, 2, 500*time.Millisecond
	})
	h.service("svc", "")
	h.python("svc/slow", "import time\ndef handler(event, context):\n    time.sleep(float(event))\n    return 'done'\n")
	h.returns("svc/slow", "0")
	got := together(6, func(int) answer { return h.invoke("svc/slow", "1.2") })
	if got["200 "] != 1 || got["429 ResourceExhausted"] != 5 {
		t.Errorf("six calls at once: %v", got)
	}
	busy := make(chan answer)
	go func() { busy <- h.invoke("svc/slow", "1") }()
	eventually(t, "the slow call runs", func() bool { return h.invoke("svc/slow", "0").status == 429 })
	later := h.invoke("svc/slow", "0", async)
	if a := <-busy; a.body != "done" {
		t.Errorf("the slow call: %d %s", a.status, a.body)
	}
	if later.status != 202 {
		t.Errorf("the queued call: %d %s", later.status, later.body)
	}
	eventually(t, "the queued call has run", func() bool { return h.metric("fcd_async_attempts_total", "outcome", "succeeded") == 1 })
}

// TestQueueBound: beyond its bound the queue refuses, and takes again when there is room.
func TestQueueBound(t *testing.T) {
	h := boot(t, func(c *config.Config) {
		c.Queue.MaxMessages, c.Async.Concurrency, c.Async.ConcurrencyPerFunction = 3, 1, 1
	})
	h.service("svc", "")
	h.python("svc/f", "import time\ndef handler(event, context):\n    time.sleep(0.3)\n")
	got := together(12, func(int) answer { return h.invoke("svc/f", "", async) })
	if got["202 "] < 3 || got["202 "] > 5 || got["202 "]+got["429 ResourceExhausted"] != 12 {
		t.Errorf("twelve at once: %v", got)
	}
	eventually(t, "all accepted ones have run", func() bool {
		return h.metric("fcd_async_attempts_total", "outcome", "succeeded") == float64(got["202 "])
	})
	if a := h.invoke("svc/f", "", async); a.status != 202 {
		t.Errorf("afterwards: %d %s", a.status, a.body)
	}
}
