package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os/exec"
	"slices"
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
	// invoked are names of asynchronous invocations, under which they leave an object and a line.
	invoked map[string]bool
	// unknown were sent and got no answer: the next round repeats them under the same invocation id.
	unknown map[string]bool
	objects map[string]bool // keys of objects that a trigger wants
	evil    map[string]bool // request ids of invocations that cannot come to a good end
	round   int             // acknowledged in this round
	// dark: the disk has no power, or is about to lose it. A real machine acknowledges nothing then, so what this one still
	// acknowledges is not held against it, but told of: late.
	dark bool
	late map[string]bool
	// whole: no line can have been refused by a full disk, so each instant of the timer must have left one.
	whole bool
	// versions of a function's code and description: the last one sent, and the last one acknowledged.
	sent, updated int
}

func newLedger(t *testing.T) *ledger {
	return &ledger{t: t, invoked: map[string]bool{}, unknown: map[string]bool{}, objects: map[string]bool{}, evil: map[string]bool{}, late: map[string]bool{}}
}

// furnish makes the functions: mark leaves an object and a line for each event it sees, and fails now and then before;
// tick leaves a line each second; evil does what it should not.
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
    if random.random() < 0.1:
        print('fail', name)
        raise Exception('not this time')
    print('mark', name)
    send('PUT', 'load-out', name, context.credentials, context.request_id.encode())
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
	p.python("load/versions", "version = 0\n")
	p.must("PUT", "/services/load/functions/evil/async-invoke-config", m{"maxAsyncRetryAttempts": 0})
	body := ossTrigger("t", "load-in", p.role("AliyunOSSEventNotificationRole"), "", "")
	body["sourceArn"] = "acs:oss:" + region + ":" + p.e.AccountID + ":load-in"
	p.must("POST", "/services/load/functions/mark/triggers", body)
	p.must("POST", "/services/load/functions/tick/triggers", m{"triggerName": "second", "triggerType": "timer",
		"triggerConfig": m{"cronExpression": "@every 1s", "payload": "p", "enable": true}})
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
	l.round, l.dark = 0, false
	again := l.unknown
	l.unknown = map[string]bool{}
	l.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() {
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
		err := in.PutObject(name, strings.NewReader("content of "+name))
		if err == nil {
			l.note(l.objects, name)
		}
		var refused oss.ServiceError
		return err == nil || asService(err, &refused)
	})
	wg.Go(func() { l.misbehave(ctx, p, round) })
	wg.Go(func() { l.update(ctx, p) })
	begin := time.Now()
	if !soon(3*time.Minute, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return long(l.round, time.Since(begin))
	}) {
		l.t.Fatal("the load does not flow")
	}
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
	if l.dark {
		l.late[name] = true
		return
	}
	list[name] = true
	l.round++
}

// lightsOut is told before the power goes.
func (l *ledger) lightsOut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dark = true
}

// isDark tells whether an answer of now does not count.
func (l *ledger) isDark() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dark
}

// call is one asynchronous invocation; false ends its client.
func (l *ledger) call(ctx context.Context, p *process, name string) bool {
	a, err := p.try(ctx, "POST", invocations("load/mark"), m{"name": name}, async, header("X-Fc-Stateful-Async-Invocation-Id", name))
	switch {
	case err != nil: // it may have been taken
		l.mu.Lock()
		l.unknown[name] = true
		l.mu.Unlock()
		return false
	case a.status == http.StatusAccepted && !l.isDark():
		l.note(l.invoked, name)
	case a.status == http.StatusAccepted, a.status >= 500:
		l.mu.Lock()
		l.unknown[name] = true
		l.mu.Unlock()
	}
	return true
}

// update gives a function new code and a new description, again and again.
func (l *ledger) update(ctx context.Context, p *process) {
	for ctx.Err() == nil {
		l.mu.Lock()
		l.sent++
		n := l.sent
		l.mu.Unlock()
		zip, err := zipFiles(map[string]string{"index.py": fmt.Sprintf("version = %d\n", n)})
		if err != nil {
			l.t.Error(err)
			return
		}
		a, err := p.try(ctx, "PUT", "/services/load/functions/versions", m{"description": fmt.Sprint(n), "code": m{"zipFile": zip}})
		if err != nil {
			return
		}
		if a.status == http.StatusOK && !l.isDark() {
			l.mu.Lock()
			l.updated = n
			l.mu.Unlock()
		}
		pause := time.NewTimer(50 * time.Millisecond)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
		}
	}
}

// versions checks that the function has the last version that was acknowledged, or a later one, and code that fits it.
func (l *ledger) versions(p *process) {
	l.t.Helper()
	f := p.must("GET", "/services/load/functions/versions", nil).object(l.t)
	var n int
	fmt.Sscan(f["description"].(string), &n)
	if n < l.updated || n > l.sent {
		l.t.Errorf("the function is at version %d, acknowledged was %d, sent %d", n, l.updated, l.sent)
	}
	var code struct{ URL string }
	if err := json.Unmarshal([]byte(p.must("GET", "/services/load/functions/versions/code", nil).body), &code); err != nil {
		l.t.Fatal(err)
	}
	res, err := p.http.Get(code.URL)
	if err != nil {
		l.t.Fatal(err)
	}
	want, err := zipFiles(map[string]string{"index.py": fmt.Sprintf("version = %d\n", n)})
	if got := readAll(l.t, res); err != nil || n > 0 && got != string(want) {
		l.t.Errorf("version %d has the code of another, %d bytes", n, len(got))
	}
}

// misbehave sends one invocation of each kind that cannot end well.
func (l *ledger) misbehave(ctx context.Context, p *process, round int) {
	if round%4 != 0 { // they are slow
		return
	}
	for _, what := range []string{"kill", "flood", "sleep"} {
		a, err := p.try(ctx, "POST", invocations("load/evil"), what, async)
		if err != nil {
			return
		}
		if a.status == http.StatusAccepted {
			l.note(l.evil, a.requestID())
		}
	}
}

// counts is how a run has ended.
type counts struct{ accepted, completed, retried, dead, duplicated, lost int }

// settle gives the daemon a last life in peace and holds what came of all against the ledger.
func (l *ledger) settle(dir, name string) *process {
	l.t.Helper()
	p := daemonOn(l.t, dir)
	for n := range l.unknown {
		l.call(l.t.Context(), p, n)
	}
	eventually(l.t, "the timer has fired", func() bool { return len(p.lines("load/tick")) > 0 })
	p.must("PUT", "/services/load/functions/tick/triggers/second", m{"triggerConfig": m{"enable": false}})
	l.drain(p)
	l.versions(p)
	c := l.count(p)
	fmt.Println(report(name, c))
	if c.lost > 0 {
		l.t.Error(report(name, c))
	}
	if c.accepted < 20 {
		l.t.Errorf("only %d were accepted: the load shows nothing", c.accepted)
	}
	if out, err := exec.Command(fcd(l.t), "store", "check", "--data-dir", dir).CombinedOutput(); err != nil {
		l.t.Errorf("store check: %v\n%s", err, out)
	}
	return p
}

// drain waits until nothing is queued any more, for as long as it becomes less.
func (l *ledger) drain(p *process) {
	l.t.Helper()
	waiting := func() float64 {
		return max(p.gauge("fcd_sqlite_queue_messages"), 0) + max(p.gauge("fcd_oss_outbox_events"), 0)
	}
	for least := waiting(); least > 0; {
		if !soon(3*time.Minute, func() bool { return waiting() < least }) {
			l.t.Errorf("%v invocations and events still wait, and none of them ends", least)
			return
		}
		least = min(least, waiting())
	}
}

// gauge reads a metric of the daemon; -1 if it has none.
func (h *house) gauge(name string) float64 {
	res, err := h.http.Get(h.e.Admin + "/metrics")
	if err != nil {
		return -1
	}
	for line := range strings.Lines(readAll(h.t, res)) {
		var v float64
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			if _, err := fmt.Sscan(rest, &v); err == nil {
				return v
			}
		}
	}
	return -1
}

// count looks for what came of everything: an object and a line in the logstore, or a dead letter.
func (l *ledger) count(p *process) (c counts) {
	l.t.Helper()
	in, err := p.oss().Bucket("load-in")
	if err != nil {
		l.t.Fatal(err)
	}
	for name := range l.late {
		_, ok := get(in, name)
		l.t.Logf("acknowledged after the power had gone: %s; as an object there: %v", name, ok)
	}
	for name := range l.objects {
		if content, ok := get(in, name); !ok || content != "content of "+name {
			l.t.Errorf("object %s holds %q, %v", name, content, ok)
			c.lost++
		}
	}
	letters := p.letters()
	dead := map[string]bool{}
	for _, x := range letters {
		dead[x.name] = true
	}
	wanted := make([]string, 0, len(l.invoked)+len(l.objects))
	for name := range l.invoked {
		wanted = append(wanted, name)
	}
	for name := range l.objects {
		wanted = append(wanted, name)
	}
	c.accepted, c.dead = len(wanted)+len(l.evil), len(letters)
	there := listing(p, "load-out")
	var marks, fails map[string]int
	// The last lines are on their way from the spool.
	soon(time.Minute, func() bool {
		marks, fails = map[string]int{}, map[string]int{}
		for _, line := range p.lines("load/mark") {
			what, name, _ := strings.Cut(line, " ")
			switch what {
			case "mark":
				marks[name]++
			case "fail":
				fails[name]++
			}
		}
		return !slices.ContainsFunc(wanted, func(name string) bool { return there[name] && marks[name] == 0 })
	})
	for _, n := range fails {
		c.retried += n
	}
	for _, name := range wanted {
		switch {
		case there[name] && marks[name] > 0:
			c.completed++
			c.duplicated += marks[name] - 1
		case dead[name]:
		case there[name]:
			l.t.Errorf("%s was handled and left no line", name)
			c.lost++
		default:
			l.t.Errorf("%s was never handled", name)
			c.lost++
		}
	}
	for id := range l.evil {
		if !slices.ContainsFunc(letters, func(x deadName) bool { return x.id == id }) {
			l.t.Errorf("invocation %s, which cannot end well, is no dead letter", id)
			c.lost++
		}
	}
	twice, missing := l.ticks(p)
	c.duplicated += twice
	c.lost += missing
	return c
}

// ticks looks for the instants of the timer, each of which must have one invocation. It counts those with more, and where
// nothing may have kept a line from the logstore those with none.
func (l *ledger) ticks(p *process) (twice, missing int) {
	l.t.Helper()
	var by map[string]string
	soon(time.Minute, func() bool { // the last lines are on their way from the spool
		by, twice = map[string]string{}, 0
		for _, line := range p.lines("load/tick") {
			f := strings.Fields(line)
			if len(f) != 3 || f[0] != "tick" {
				continue
			}
			if other, ok := by[f[1]]; ok && other != f[2] {
				l.t.Errorf("the instant %s has the invocations %s and %s", f[1], other, f[2])
				twice++
			}
			by[f[1]] = f[2]
		}
		missing = holes(l.t, by)
		return missing == 0 || !l.whole
	})
	switch {
	case len(by) == 0:
		l.t.Error("the timer never fired")
	case l.whole && missing > 0:
		l.t.Errorf("%d instants of the timer between its first and its last have no invocation", missing)
		return twice, missing
	}
	return twice, 0
}

// holes counts the seconds between the first and the last instant that are none.
func holes(t *testing.T, instants map[string]string) int {
	t.Helper()
	if len(instants) == 0 {
		return 0
	}
	names := slices.Sorted(maps.Keys(instants))
	first, err := time.Parse(time.RFC3339, names[0])
	if err != nil {
		t.Fatal(err)
	}
	last, err := time.Parse(time.RFC3339, names[len(names)-1])
	if err != nil {
		t.Fatal(err)
	}
	return int(last.Sub(first)/time.Second) + 1 - len(names)
}

// deadName is a dead letter by its request id and by the name in its event.
type deadName struct{ id, name string }

func (h *house) letters() (all []deadName) {
	h.t.Helper()
	token := ""
	for {
		var page struct {
			DeadLetters []struct{ RequestID, InvocationID string }
			NextToken   string
		}
		a := h.must("GET", "!/fcd/v1/deadletters?limit=100&nextToken="+token, nil)
		if err := json.Unmarshal([]byte(a.body), &page); err != nil {
			h.t.Fatal(err)
		}
		for _, x := range page.DeadLetters {
			name := x.InvocationID
			if name == "" { // an object's
				var one struct{ Payload []byte }
				if err := json.Unmarshal([]byte(h.must("GET", "!/fcd/v1/deadletters/"+x.RequestID, nil).body), &one); err != nil {
					h.t.Fatal(err)
				}
				var ev struct {
					Events []struct {
						OSS struct{ Object struct{ Key string } } `json:"oss"`
					}
				}
				if json.Unmarshal(one.Payload, &ev) == nil && len(ev.Events) == 1 {
					name = ev.Events[0].OSS.Object.Key
				}
			}
			all = append(all, deadName{x.RequestID, name})
		}
		if token = page.NextToken; token == "" {
			return all
		}
	}
}

// listing is the names of all objects in a bucket.
func listing(p *process, bucket string) map[string]bool {
	p.t.Helper()
	b, err := p.oss().Bucket(bucket)
	if err != nil {
		p.t.Fatal(err)
	}
	all := map[string]bool{}
	token := ""
	for {
		page, err := b.ListObjectsV2(oss.MaxKeys(1000), oss.ContinuationToken(token))
		if err != nil {
			p.t.Fatal(err)
		}
		for _, o := range page.Objects {
			all[o.Key] = true
		}
		if !page.IsTruncated {
			return all
		}
		token = page.NextContinuationToken
	}
}
