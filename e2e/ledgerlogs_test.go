package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// followed is the logstore whose logs the function follow takes.
const followed = "followed"

// furnishLogs makes a logstore and a function that leaves an object for each of its logs.
func (l *ledger) furnishLogs(p *process) {
	l.t.Helper()
	c := p.sls()
	if _, err := c.CreateProject(project, ""); err != nil && !strings.Contains(err.Error(), "ProjectAlreadyExist") {
		l.t.Fatal(err)
	}
	if err := c.CreateLogStore(project, followed, 1, 2, false, 0); err != nil {
		l.t.Fatal(err)
	}
	p.makeBucket("load-logs")
	digest, err := os.ReadFile(filepath.Join("..", "examples", "log-digest", "index.py"))
	if err != nil {
		l.t.Fatal(err)
	}
	p.deploy("load/follow", "python3", map[string]string{"digest.py": string(digest), "index.py": objects + `
import digest
def handler(event, context):
    e = json.loads(event)
    for line in digest.pull(e['source'], context.credentials):
        send('PUT', 'load-logs', line['message'], context.credentials, e['taskId'].encode())
`})
	trigger := logTrigger("follow", followed)
	trigger["invocationRole"] = p.role("AliyunLogETLRole")
	trigger["sourceArn"] = "acs:log:" + region + ":" + p.e.AccountID + ":project/" + project
	p.must("POST", "/services/load/functions/follow/triggers", trigger)
}

// feed writes logs to the logstore that is followed.
func (l *ledger) feed(ctx context.Context, p *process, round int) {
	c := p.sls()
	c.SetRetryTimeout(time.Second)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ctx.Err() == nil; i++ {
		message, asked := fmt.Sprintf("log-%d-%d", round, i), l.supply()
		if writeLog(c, followed, message) == nil && l.counts(asked, message) {
			l.note(l.logs, message)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// skipped counts the logs that nobody was told of. A checkpoint never passes one.
func (l *ledger) skipped(p *process) int {
	l.t.Helper()
	missing := map[string]bool{}
	left := dwindles(untilTakenAgain, func() int {
		clear(missing)
		there := listing(p, "load-logs")
		for message := range l.logs {
			if _, ok := there[message]; !ok {
				missing[message] = true
			}
		}
		return len(missing)
	})
	for message := range missing {
		l.t.Errorf("%s was acknowledged, and no call has taken it", message)
	}
	return left
}

// untilTakenAgain is longer than a shard whose retries are used up waits, and a call for it lasts.
const untilTakenAgain = 3 * time.Minute
