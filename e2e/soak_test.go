package e2e

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fcd/config"
)

const (
	soakMark    = "86417.33333" // what children of the soak's functions sleep, to find them by
	soakCallers = 6
	soakTime    = 15 * time.Second // unless FCD_SOAK says otherwise; half of it runs before memory is first looked at
)

// soaking are functions that end in every way there is, by their event.
var soaking = map[string]string{
	"node": `'use strict';
const child = require('child_process');
exports.handler = function (event, context, callback) {
  const way = String(event);
  if (way === 'hang' || way === 'exit') child.spawn('sleep', ['` + soakMark + `'], { stdio: 'inherit', detached: true });
  if (way === 'exit') process.exit(3);
  if (way === 'throw') throw new Error('thrown');
  console.log('line of ' + context.requestId);
  if (way !== 'hang') callback(null, way);
};
`,
	"python": `import os, subprocess, time

def handler(event, context):
    way = event.decode()
    if way in ('hang', 'exit'):
        subprocess.Popen(['sleep', '` + soakMark + `'])
    if way == 'exit':
        os._exit(3)
    if way == 'throw':
        raise Exception('thrown')
    print('line of ' + context.request_id)
    if way == 'hang':
        time.sleep(1000)
    return way
`,
}

// TestSoak calls functions as fast as it can, more functions than may have an instance at a time, so that they evict each
// other; now and then one exits, throws or runs into its timeout with a child alive. Every answer must be the one that
// belongs to its event, memory must not grow between the middle and the end, and nothing may be left when the functions
// have been deleted. FCD_SOAK is how long, like 5m.
func TestSoak(t *testing.T) {
	length := soakTime
	if s := os.Getenv("FCD_SOAK"); s != "" {
		var err error
		length, err = time.ParseDuration(s)
		must(t, err)
	}
	h := boot(t, func(c *config.Config) { c.Invoker.MaxInstances = 4 })
	h.service("soak", functionRole)
	refs := h.soakers()
	counts := h.soak(refs, 0, uint64(len(refs))) // opens what stays open once
	h.dismiss(refs, counts["queued"])
	openBefore, runningBefore := len(descriptors(t)), runtime.NumGoroutine()

	refs = h.soakers()
	var live [2]uint64
	for i := range live {
		for way, n := range h.soak(refs, length/2, 60) {
			counts[way] += n
		}
		live[i] = liveHeap()
	}
	t.Logf("answers %v; live heap %d KiB in the middle, %d KiB at the end", counts, live[0]>>10, live[1]>>10)
	if live[1] > live[0]+live[0]/2+8<<20 {
		t.Errorf("memory is not flat: %d KiB live in the middle, %d KiB at the end", live[0]>>10, live[1]>>10)
	}
	h.dismiss(refs, counts["queued"])
	// Interpreters that wait for a function come and go, so a few more or less mean nothing.
	eventually(t, fmt.Sprintf("about %d descriptors and %d goroutines", openBefore, runningBefore), func() bool {
		return len(descriptors(t)) <= openBefore+60 && runtime.NumGoroutine() <= runningBefore+60
	})
	if left := processes(t, soakMark); len(left) > 0 {
		t.Errorf("processes are left: %q", left)
	}
}

// soakers makes the functions.
func (h *house) soakers() (refs []string) {
	for i := range 3 {
		for language, source := range soaking {
			ref := fmt.Sprintf("soak/%s%d", language, i)
			map[string]func(string, string, ...m){"node": h.node, "python": h.python}[language](ref, source, m{"timeout": 1})
			refs = append(refs, ref)
		}
	}
	return refs
}

// soak calls functions for the time, and at least so many times, and counts the answers by their event.
func (h *house) soak(refs []string, d time.Duration, atLeast uint64) map[string]int {
	var calls atomic.Uint64
	var mu sync.Mutex
	counts := map[string]int{}
	until := time.Now().Add(d)
	var callers sync.WaitGroup
	for range soakCallers {
		callers.Go(func() {
			for !h.t.Failed() {
				n := calls.Add(1) - 1
				if n >= atLeast && time.Now().After(until) {
					return
				}
				way := soakWay(n)
				h.soakCall(refs[n%uint64(len(refs))], way)
				mu.Lock()
				counts[way]++
				mu.Unlock()
			}
		})
	}
	callers.Wait()
	return counts
}

// soakWay is the event of the n-th call: most end well.
func soakWay(n uint64) string {
	switch {
	case n%199 == 100:
		return "hang"
	case n%31 == 30:
		return "exit"
	case n%37 == 36:
		return "throw"
	case n%23 == 22:
		return "queued"
	}
	return "ok"
}

func (h *house) soakCall(ref, way string) {
	if way == "queued" {
		if a := h.invoke(ref, way, async); a.status != 202 {
			h.t.Errorf("%s queued: %d %s", ref, a.status, a.body)
		}
		return
	}
	a := h.invoke(ref, way)
	want := map[string]string{"ok": "ok", "exit": "Process exited unexpectedly", "throw": "thrown", "hang": "Task timed out after 1 seconds"}[way]
	// A busy machine may take more than its second for any call.
	if late := strings.Contains(a.body, "Task timed out"); a.status != 200 || !late && !strings.Contains(a.body, want) {
		h.t.Errorf("%s %s: %d %s", ref, way, a.status, a.body)
	}
}

// dismiss deletes the functions, once so many queued calls have ended, and waits until nothing of them runs.
func (h *house) dismiss(refs []string, queued int) {
	h.t.Helper()
	eventually(h.t, "the queued calls have ended", func() bool {
		return int(h.metric("fcd_async_attempts_total", "outcome", "succeeded")+h.metric("fcd_async_attempts_total", "outcome", "dead")) >= queued
	})
	for _, ref := range refs {
		service, name, _ := strings.Cut(ref, "/")
		h.must("DELETE", "/services/"+service+"/functions/"+name, nil)
	}
	eventually(h.t, "their instances are gone", func() bool { return h.metric("fcd_invoker_instances") == 0 })
	h.http.CloseIdleConnections()
}

// liveHeap is what the heap holds after a collection, in bytes.
func liveHeap() uint64 {
	runtime.GC()
	runtime.GC() // what finalizers and pools let go of
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}
