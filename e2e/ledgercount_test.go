package e2e

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"
)

// counts is how a run has ended. What was accepted is completed, dead or lost.
type counts struct {
	accepted, completed, retried, dead, duplicated, lost int
	unanswered                                           int // ended, though nobody was told that it was accepted
	late                                                 int // acknowledged while the power went
	lines, repeated                                      int // numbered ones in the logstore, and those that are there again
	things, logs                                         int // that were acknowledged, beside the invocations
}

// report is the line that every run ends with.
func report(name string, c counts) string {
	s := fmt.Sprintf("crash: %-14s accepted=%d completed=%d retried=%d dead=%d duplicated=%d lost=%d",
		name, c.accepted, c.completed, c.retried, c.dead, c.duplicated, c.lost)
	for _, more := range []struct {
		name string
		n    int
	}{{"unanswered", c.unanswered}, {"late", c.late}, {"lines", c.lines}, {"repeated", c.repeated}, {"resources", c.things}, {"logs", c.logs}} {
		if more.n > 0 {
			s += fmt.Sprintf(" %s=%d", more.name, more.n)
		}
	}
	return s
}

// settle gives the daemon a last life in peace and holds what came of all against the ledger.
func (l *ledger) settle(dir, name string) *process {
	l.t.Helper()
	p := daemonOn(l.t, dir)
	l.power = on
	for n := range maps.Clone(l.unknown) {
		l.call(l.t.Context(), p, n)
	}
	eventually(l.t, "the timer has fired", func() bool { return len(p.lines("load/tick")) > 0 })
	p.must("PUT", "/services/load/functions/tick/triggers/second", m{"triggerConfig": m{"enable": false}})
	l.drain(p)
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

// drain waits until nothing is queued any more.
func (l *ledger) drain(p *process) {
	l.t.Helper()
	if left := dwindles(3*time.Minute, func() int {
		return int(max(p.gauge("fcd_sqlite_queue_messages"), 0) + max(p.gauge("fcd_oss_outbox_events"), 0))
	}); left > 0 {
		l.t.Errorf("%d invocations and events still wait, and none of them ends", left)
	}
}

// dwindles waits until nothing is left, for as long as it becomes less in the time given, and tells what stays.
func dwindles(patience time.Duration, left func() int) int {
	least := left()
	for least > 0 {
		now := least
		if !soon(patience, func() bool { now = left(); return now < least }) {
			break
		}
		least = now
	}
	return least
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

// count looks for what came of everything: an object and all lines in the logstore, or a dead letter.
func (l *ledger) count(p *process) (c counts) {
	l.t.Helper()
	in, err := p.oss().Bucket("load-in")
	if err != nil {
		l.t.Fatal(err)
	}
	for name := range l.objects {
		if content, ok := get(in, name); !ok || content != "content of "+name {
			l.t.Errorf("object %s holds %q, %v", name, content, ok)
			c.lost++
		}
	}
	things, lost := l.checkThings(p)
	c.lost += lost + l.skipped(p)
	c.late, c.things, c.logs = len(l.late), things, len(l.logs)

	letters := p.letters()
	dead, ended := map[string]bool{}, map[string]bool{} // by name, and by request id
	for _, x := range letters {
		dead[x.name], ended[x.id] = true, true
	}
	wanted := map[string]bool{}
	maps.Copy(wanted, l.invoked)
	maps.Copy(wanted, l.objects)
	c.accepted = len(wanted) + len(l.evil)
	there := listing(p, "load-out")
	b := l.readBook(p, wanted, there)
	for _, n := range b.fails {
		c.retried += n
	}
	for name := range wanted {
		switch object, done := there[name]; {
		case done && !dead[name] && !l.whole && b.marks[name] > 0, done && b.last(name, object).whole():
			c.completed++
			c.duplicated += b.marks[name] - 1
		case dead[name]:
			c.dead++
		case done:
			l.t.Errorf("%s was handled, and of its lines there are %v", name, b.last(name, object))
			c.lost++
		default:
			l.t.Errorf("%s was never handled", name)
			c.lost++
		}
	}
	for id := range l.evil {
		if !ended[id] {
			l.t.Errorf("invocation %s, which cannot end well, is no dead letter", id)
			c.lost++
			continue
		}
		c.dead++
	}
	for _, x := range letters {
		if !wanted[x.name] && !l.evil[x.id] {
			c.unanswered++
		}
	}
	for name := range there {
		if !wanted[name] && !dead[name] {
			c.unanswered++
		}
	}
	c.lines, c.repeated = b.lines, b.again
	l.checkBook(b)
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
	dwindles(time.Minute, func() int { // the last lines are on their way from the spool
		by, twice = map[string]string{}, 0
		for _, line := range p.lines("load/tick") {
			f := strings.Fields(line)
			if len(f) != 3 || f[0] != "tick" {
				continue
			}
			if other, ok := by[f[1]]; ok && other != f[2] {
				twice++
			}
			by[f[1]] = f[2]
		}
		if missing = holes(l.t, by); l.whole {
			return missing
		}
		return 0
	})
	if len(by) == 0 {
		l.t.Error("the timer never fired")
	}
	if twice > 0 {
		l.t.Errorf("%d instants of the timer have two invocations", twice)
	}
	if !l.whole {
		return twice, 0
	}
	if missing > 0 {
		l.t.Errorf("%d instants of the timer between its first and its last have no invocation", missing)
	}
	return twice, missing
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

// sum is what listing gives of an object with the content.
func sum(content string) string {
	s := md5.Sum([]byte(content))
	return strings.ToUpper(hex.EncodeToString(s[:]))
}

// listing is the sums of all objects in a bucket, by name.
func listing(p *process, bucket string) map[string]string {
	p.t.Helper()
	b, err := p.oss().Bucket(bucket)
	if err != nil {
		p.t.Fatal(err)
	}
	all := map[string]string{}
	token := ""
	for {
		page, err := b.ListObjectsV2(oss.MaxKeys(1000), oss.ContinuationToken(token))
		if err != nil {
			p.t.Fatal(err)
		}
		for _, o := range page.Objects {
			all[o.Key] = strings.Trim(o.ETag, `"`)
		}
		if !page.IsTruncated {
			return all
		}
		token = page.NextContinuationToken
	}
}
