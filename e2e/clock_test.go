package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"fcd/e2e/trap"
)

// skewed is a wall clock that somebody sets.
type skewed struct{ offset atomic.Int64 }

func (s *skewed) now() time.Time       { return time.Now().Add(time.Duration(s.offset.Load())) }
func (s *skewed) step(d time.Duration) { s.offset.Add(int64(d)) }

// daemonBy starts a daemon whose wall clock this is. Its monotonic clock is the machine's, as after settimeofday(2).
func (s *skewed) daemonBy(t *testing.T, dir string) *process {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(crashConfig+someInstants), 0o600); err != nil {
		t.Fatal(err)
	}
	return serveBy(t, dir, func(c *exec.Cmd) error {
		tr, err := trap.Start(c, trap.Options{Clock: s.now})
		if err == nil {
			t.Cleanup(tr.Close)
		}
		return err
	}, func(c *exec.Cmd) { c.Args = append(c.Args, "--config", file) })
}

// TestClockThatIsSet sets the wall clock of a daemon forth and back, by hours and by seconds, while it works and while it
// is down. What it took is done once all the same, without waiting for the clock to come back; each instant of a timer
// has one invocation; instances are not thought idle; and the time a signature must have is the clock's.
func TestClockThatIsSet(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("answering a daemon's system calls needs root")
	}
	dir, clock := t.TempDir(), &skewed{}
	p := clock.daemonBy(t, dir)
	p.service("svc", "")
	p.python("svc/note", `
import json, random
def handler(event, context):
    e = json.loads(event)
    if 'name' not in e:
        print('tick', e['triggerTime'], context.request_id)
        return
    if random.random() < 0.3:
        print('fail', e['name'])
        raise Exception('not this time')
    print('note', e['name'])
`)
	p.python("svc/warm", "def handler(event, context):\n    return b'x'\n")
	p.must("POST", "/services/svc/functions/note/triggers", m{"triggerName": "second", "triggerType": "timer",
		"triggerConfig": m{"cronExpression": "@every 1s", "payload": "p", "enable": true}})
	instance := p.invoke("svc/warm", "x").header.Get("X-Fc-Instance-Id")
	accepted := []string{}
	take := func(step int) {
		t.Helper()
		for i := range 15 {
			name := fmt.Sprintf("step-%d-%d", step, i)
			a := p.do("POST", invocations("svc/note"), m{"name": name}, async, signedAt(clock.now()),
				header("X-Fc-Stateful-Async-Invocation-Id", name))
			if a.status != 202 {
				t.Fatalf("after step %d: %d %s", step, a.status, a.body)
			}
			accepted = append(accepted, name)
		}
	}
	const fired = `fcd_trigger_events_total{state="queued",type="timer"}`
	for i, step := range []time.Duration{0, time.Hour, -time.Second, time.Second, -time.Hour, -2 * time.Hour, 4 * time.Hour, -time.Second} {
		clock.step(step)
		before := p.gauge(fired)
		take(i)
		if offset := time.Duration(clock.offset.Load()); offset.Abs() > 20*time.Minute {
			if a := p.do("POST", invocations("svc/warm"), "x"); a.status != 403 {
				t.Errorf("a signature that is %v off: %d %s", offset, a.status, a.body)
			}
		}
		a := p.do("POST", invocations("svc/warm"), "x", signedAt(clock.now()))
		if got := a.header.Get("X-Fc-Instance-Id"); a.status != 200 || got != instance {
			t.Errorf("after step %d: %d %s, on instance %s, not %s", i, a.status, a.body, got, instance)
		}
		if step >= time.Hour {
			eventually(t, "the timer fires after a step forward", func() bool { return p.gauge(fired) >= before+2 })
		}
		eventually(t, "nothing waits for the clock", func() bool { return p.gauge("fcd_sqlite_queue_messages") == 0 })
	}
	take(100)
	p.kill()
	clock.offset.Store(0) // hours back, while nobody looks
	p = clock.daemonBy(t, dir)
	take(101)
	eventually(t, "what was taken by a clock of the future does not wait for it", func() bool { return p.gauge("fcd_sqlite_queue_messages") == 0 })
	c := counts{accepted: len(accepted)}
	dead := map[string]bool{}
	for _, x := range p.letters() {
		dead[x.name] = true
	}
	c.dead = len(dead)
	noted, fires := map[string]int{}, map[string]string{}
	soon(30*time.Second, func() bool { // the last lines are on their way from the spool
		clear(noted)
		c.retried = 0
		for _, line := range p.lines("svc/note") {
			if strings.HasPrefix(line, "fail ") {
				c.retried++
			} else if name, ok := strings.CutPrefix(line, "note "); ok {
				noted[name]++
			}
		}
		return len(noted)+c.dead >= len(accepted)
	})
	for _, line := range p.lines("svc/note") {
		f := strings.Fields(line)
		if len(f) != 3 || f[0] != "tick" {
			continue
		}
		if other, ok := fires[f[1]]; ok && other != f[2] {
			t.Errorf("the instant %s has the invocations %s and %s", f[1], other, f[2])
			c.duplicated++
		}
		fires[f[1]] = f[2]
	}
	for _, name := range accepted {
		switch {
		case noted[name] > 0:
			c.completed++
			c.duplicated += noted[name] - 1
		case !dead[name]:
			t.Errorf("%s was never handled", name)
			c.lost++
		}
	}
	fmt.Printf("%s; %d instants of a timer\n", report("clock set", c), len(fires))
}
