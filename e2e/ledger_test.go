package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"
)

// ledger is what a daemon has acknowledged, over all its lives, and the clients that asked for it.
type ledger struct {
	t  *testing.T
	mu sync.Mutex // guards these
	// invoked are names of asynchronous invocations, under which they leave an object and lines.
	invoked map[string]bool
	// unknown were sent and got no answer: the next round repeats them under the same invocation id.
	unknown map[string]bool
	objects map[string]bool // keys of objects that a trigger wants
	logs    map[string]bool // messages in the logstore that a trigger follows
	evil    map[string]bool // request ids of invocations that cannot come to a good end
	things  []*thing        // resources that were made, changed and deleted
	round   int             // acknowledged in this round
	power   power
	cutOnce bool            // the power has gone, now or in an earlier round
	late    map[string]bool // acknowledged while the power went, see power
	// whole: no line can have been refused by a full disk, so each instant of the timer must have left one, and each
	// invocation that was done all of its own.
	whole bool
}

func newLedger(t *testing.T) *ledger {
	return &ledger{t: t, invoked: map[string]bool{}, unknown: map[string]bool{}, objects: map[string]bool{}, logs: map[string]bool{},
		evil: map[string]bool{}, late: map[string]bool{}}
}

// power is whether the disk has any. Once it has none, nothing may be acknowledged that was asked for since. What was under
// way while it went may be, and be lost: a flush that meets EXT4_IOC_SHUTDOWN may tell of success, where a machine without
// power tells nobody anything. That is not held against the daemon, but counted: late.
type power int

const (
	on power = iota
	going
	gone
)

// cut takes the power, or the disk, by a function that returns when it is gone.
func (l *ledger) cut(off func()) {
	set := func(to power) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.power, l.cutOnce = to, true
	}
	set(going)
	off()
	set(gone)
}

// supply is the power of now: of when something is asked for.
func (l *ledger) supply() power {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.power
}

// counts tells whether an acknowledgement of now is a promise; asked is the power of when it was asked for.
func (l *ledger) counts(asked power, what string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case asked == gone:
		l.t.Errorf("%s was asked for when the power had gone, and acknowledged", what)
	case l.power != on:
		l.late[what] = true
	default:
		l.round++
		return true
	}
	return false
}

// markLines are the lines that mark numbers, for each of its attempts.
const markLines = 10

// furnish makes the functions: mark leaves numbered lines and an object for each event it sees, and fails now and then
// before; tick leaves a line each second; follow an object for each log; evil does what it should not.
func (l *ledger) furnish(p *process) {
	l.t.Helper()
	p.makeBucket("load-in")
	p.makeBucket("load-out")
	p.service("load", p.role("AliyunFCDefaultRole"))
	p.python("load/mark", objects+`
import random
subprocess.Popen(['sleep', '`+marker+`'])
def handler(event, context):
    e = json.loads(event)
    name = e['events'][0]['oss']['object']['key'] if 'events' in e else e['name']
    attempt = os.urandom(8).hex()
    for i in range(`+fmt.Sprint(markLines)+`):
        print('line', name, attempt, i)
    if random.random() < 0.1:
        print('fail', name)
        raise Exception('not this time')
    print('mark', name, attempt)
    send('PUT', 'load-out', name, context.credentials, attempt.encode())
`)
	p.python("load/tick", `
import json
def handler(event, context):
    print('tick', json.loads(event)['triggerTime'], context.request_id)
`)
	p.python("load/evil", `
import os, signal, sys, time
def handler(event, context):
    what = event.decode()
    if what == 'kill':
        for pid in (os.getppid(), 1, -1):
            try: os.kill(pid, signal.SIGKILL)
            except OSError: pass
        os._exit(7)
    if what == 'flood':
        for i in range(5000): print('flood', 'x' * 100)
        sys.stdout.flush()
        raise Exception('flooded')
    time.sleep(3600)
`, m{"timeout": 1})
	p.must("PUT", "/services/load/functions/evil/async-invoke-config", m{"maxAsyncRetryAttempts": 0})
	body := ossTrigger("t", "load-in", p.role("AliyunOSSEventNotificationRole"), "", "")
	body["sourceArn"] = "acs:oss:" + region + ":" + p.e.AccountID + ":load-in"
	p.must("POST", "/services/load/functions/mark/triggers", body)
	p.must("POST", "/services/load/functions/tick/triggers", m{"triggerName": "second", "triggerType": "timer",
		"triggerConfig": m{"cronExpression": "@every 1s", "payload": "p", "enable": true}})
	l.furnishLogs(p)
}

// until tells when a round has lasted long enough, given what it has had acknowledged since it began.
type until func(acknowledged int, since time.Duration) bool

func enough(n int) until {
	return func(acknowledged int, _ time.Duration) bool { return acknowledged >= n }
}
func forAWhile(d time.Duration) until {
	return func(_ int, since time.Duration) bool { return since >= d }
}

// load sends calls and objects from several clients, disturbs the daemon in the midst of them and notes what it had
// acknowledged.
func (l *ledger) load(p *process, round int, long until, disturb func()) {
	l.t.Helper()
	in, err := p.oss().Bucket("load-in")
	if err != nil {
		l.t.Fatal(err)
	}
	l.mu.Lock()
	l.round, l.power = 0, on
	again := l.unknown
	l.unknown = map[string]bool{}
	l.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var wg sync.WaitGroup
	repeated := make(chan struct{}) // closed when what got no answer has one: it may be there without a write
	wg.Go(func() {
		defer close(repeated)
		for name := range again {
			l.call(ctx, p, name)
		}
	})
	each := func(what string, send func(name string) bool) {
		for worker := range 2 {
			wg.Go(func() {
				tick := time.NewTicker(15 * time.Millisecond)
				defer tick.Stop()
				for i := 0; ; i++ {
					select {
					case <-ctx.Done():
						return
					case <-tick.C:
					}
					if !send(fmt.Sprintf("%s-%d-%d-%d", what, round, worker, i)) {
						return
					}
				}
			})
		}
	}
	each("call", func(name string) bool { return l.call(ctx, p, name) })
	each("object", func(name string) bool {
		asked := l.supply()
		err := in.PutObject(name, strings.NewReader("content of "+name))
		if err == nil && l.counts(asked, name) {
			l.note(l.objects, name)
		}
		var refused oss.ServiceError
		return err == nil || asService(err, &refused)
	})
	wg.Go(func() { l.misbehave(ctx, p, round) })
	wg.Go(func() { l.change(ctx, p, round) })
	wg.Go(func() { l.feed(ctx, p, round) })
	begin := time.Now()
	if !soon(3*time.Minute, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return long(l.round, time.Since(begin))
	}) {
		l.t.Fatal("the load does not flow")
	}
	<-repeated
	disturb()
	cancel()
	wg.Wait()
}

func asService(err error, refused *oss.ServiceError) bool {
	e, ok := err.(oss.ServiceError)
	*refused = e
	return ok
}

func (l *ledger) note(list map[string]bool, name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	list[name] = true
}

// call is one asynchronous invocation; false ends its client.
func (l *ledger) call(ctx context.Context, p *process, name string) bool {
	asked := l.supply()
	a, err := p.try(ctx, "POST", invocations("load/mark"), m{"name": name}, async, header("X-Fc-Stateful-Async-Invocation-Id", name))
	switch {
	case err != nil: // it may have been taken
		l.note(l.unknown, name)
		return false
	case a.status == http.StatusAccepted && l.counts(asked, name):
		l.note(l.invoked, name)
	case a.status == http.StatusAccepted, a.status >= 500:
		l.note(l.unknown, name)
	}
	return true
}

// misbehave sends one invocation of each kind that cannot end well.
func (l *ledger) misbehave(ctx context.Context, p *process, round int) {
	if round%4 != 0 { // they are slow
		return
	}
	for _, what := range []string{"kill", "flood", "sleep"} {
		asked := l.supply()
		a, err := p.try(ctx, "POST", invocations("load/evil"), what, async)
		if err != nil {
			return
		}
		if a.status == http.StatusAccepted && l.counts(asked, what) {
			l.note(l.evil, a.requestID())
		}
	}
}
