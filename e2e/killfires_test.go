package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// marking leaves an object for each instant of a timer and for each log that it is told of, named for the invocation.
const marking = objects + `
import digest
def handler(event, context):
    e, done = json.loads(event), context.request_id.encode()
    if 'triggerTime' in e:
        send('PUT', 'fires', 'tick/%s/%s/%s' % (e['triggerName'], e['triggerTime'], context.request_id), context.credentials, done)
        return
    for line in digest.pull(e['source'], context.credentials):
        send('PUT', 'fires', 'log/%s/%s' % (line['message'], context.request_id), context.credentials, e['taskId'].encode())
`

// TestKillsLoseNoFire ends the daemon without warning, again and again, while timers fire each second and a log trigger
// follows a logstore. Each instant has exactly one invocation, and every log is taken. FCD_KILLS is how often (make kills).
func TestKillsLoseNoFire(t *testing.T) {
	rounds := 3
	if n, err := strconv.Atoi(os.Getenv("FCD_KILLS")); err == nil {
		rounds = n
	}
	const timers, logsPerRound = 3, 5
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "config.yaml")
	settings := "account: {id: \"" + account + "\"}\ntimer: {allowSubMinute: true, misfire: all, maxLateness: 2h, maxMisfires: 10000}\n" +
		"async: {maxRetries: 8}\n"
	if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	with := func(c *exec.Cmd) { c.Args = append(c.Args, "--config", file) }
	rnd := rand.New(rand.NewPCG(1, 2))
	logs := 0
	for round := range rounds {
		p := serve(t, dir, with)
		if round == 0 {
			arm(p, timers)
		}
		c := p.sls()
		for range logsPerRound {
			p.putLog(c, fmt.Sprintf("m%05d", logs))
			logs++
		}
		life := time.NewTimer(time.Duration(300+rnd.IntN(3700)) * time.Millisecond) // a moment like any other
		<-life.C
		p.kill()
		p.http.CloseIdleConnections()
	}
	p := serve(t, dir, with)
	until := time.Now().UTC().Truncate(time.Second)
	f := readFires(p)
	behind, begin := len(f.missing(logs)), time.Now()
	if dwindles(untilTakenAgain, func() int {
		f = readFires(p)
		return len(f.missing(logs)) + f.lacking(timers, until)
	}) > 0 {
		t.Errorf("%d of %d logs were taken, %d instants of %d timers until %s lack; missing are %q; attempts at ranges:\n%s", len(f.logs), logs,
			f.lacking(timers, until), timers, until, f.missing(logs), attemptsAtRanges(p))
	}
	twice, doubled := 0, 0
	for name, ids := range f.instants {
		if len(ids) != 1 {
			doubled++
			t.Errorf("the instant %s has %d invocations: %q", name, len(ids), ids)
		}
	}
	for _, ids := range f.logs {
		if len(ids) > 1 {
			twice++
		}
	}
	t.Logf("%d kills: %d instants of %d timers, %d lack, %d with two invocations; %d logs, %d lost, %d taken twice; %d were behind at the last start, for %v",
		rounds, len(f.instants), timers, f.lacking(timers, until), doubled, logs, len(f.missing(logs)), twice, behind, time.Since(begin).Round(time.Second))
	if err := p.terminate(); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// arm makes the function, its timers and its log trigger.
func arm(p *process, timers int) {
	p.t.Helper()
	c := p.sls()
	if _, err := c.CreateProject(project, ""); err != nil {
		p.t.Fatal(err)
	}
	if err := c.CreateLogStore(project, sourceStore, 1, 2, false, 0); err != nil {
		p.t.Fatal(err)
	}
	p.makeBucket("fires")
	p.service("kills", functionRole)
	digest, err := os.ReadFile(filepath.Join("..", "examples", "log-digest", "index.py"))
	if err != nil {
		p.t.Fatal(err)
	}
	p.deploy("kills/mark", "python3", map[string]string{"index.py": marking, "digest.py": string(digest)})
	for i := range timers {
		p.must("POST", "/services/kills/functions/mark/triggers", m{"triggerName": fmt.Sprint("t", i), "triggerType": "timer",
			"triggerConfig": m{"cronExpression": "@every 1s", "payload": "", "enable": true}})
	}
	p.must("POST", "/services/kills/functions/mark/triggers", logTrigger("follow", sourceStore))
}

// fires are the request ids by instant, "trigger/time", and by log.
type fires struct{ instants, logs map[string][]string }

func readFires(p *process) fires {
	f := fires{map[string][]string{}, map[string][]string{}}
	for key := range listing(p, "fires") {
		kind, rest, _ := strings.Cut(key, "/")
		at := strings.LastIndexByte(rest, '/')
		to := f.logs
		if kind == "tick" {
			to = f.instants
		}
		to[rest[:at]] = append(to[rest[:at]], rest[at+1:])
	}
	return f
}

// missing are the logs that no call has taken.
func (f fires) missing(logs int) (all []string) {
	for i := range logs {
		if name := fmt.Sprintf("m%05d", i); f.logs[name] == nil {
			all = append(all, name)
		}
	}
	return all
}

// attemptsAtRanges are the last records of the log trigger, one a line.
func attemptsAtRanges(p *process) string {
	got, err := p.sls().GetLogs(project, recordStore, "", time.Now().Unix()-600, time.Now().Unix()+1, "", 60, 0, true)
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, l := range got.Logs {
		fmt.Fprintln(&b, l["__time__"], l["shardId"], l["beginCursor"], l["endCursor"], l["attempt"], l["outcome"], l["error"])
	}
	return b.String()
}

// lacking counts the seconds between each timer's first instant and the time given that are none, and timers without any.
func (f fires) lacking(timers int, until time.Time) (n int) {
	first := map[string]time.Time{}
	for name := range f.instants {
		trigger, text, _ := strings.Cut(name, "/")
		at, err := time.Parse(time.RFC3339, text)
		if err == nil && (first[trigger].IsZero() || at.Before(first[trigger])) {
			first[trigger] = at
		}
	}
	for trigger, at := range first {
		for ; !at.After(until); at = at.Add(time.Second) {
			if f.instants[trigger+"/"+at.Format(time.RFC3339)] == nil {
				n++
			}
		}
	}
	return n + timers - len(first)
}
