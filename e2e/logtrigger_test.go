package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	sls "github.com/aliyun/aliyun-log-go-sdk"
)

const (
	sourceStore = "access-log"
	recordStore = "trigger-log"
)

// logTrigger is the body of a trigger on a logstore of the project.
func logTrigger(name, logstore string) m {
	return m{"triggerName": name, "triggerType": "log", "invocationRole": roleARN("AliyunLogETLRole"),
		"sourceArn": "acs:log:" + region + ":" + account + ":project/" + project,
		"triggerConfig": m{"sourceConfig": m{"logstore": logstore}, "jobConfig": m{"maxRetryTime": 3, "triggerInterval": 3},
			"functionParameter": m{}, "logConfig": m{"project": project, "logstore": recordStore}, "enable": true}}
}

// putLog writes one log to the source logstore.
func (h *house) putLog(c *sls.Client, message string) {
	h.t.Helper()
	if err := writeLog(c, sourceStore, message); err != nil {
		h.t.Fatal(err)
	}
}

// writeLog writes one log to a logstore.
func writeLog(c *sls.Client, logstore, message string) error {
	at := uint32(time.Now().Unix())
	key := "message"
	g := &sls.LogGroup{Logs: []*sls.Log{{Time: &at, Contents: []*sls.LogContent{{Key: &key, Value: &message}}}}}
	return c.PutLogs(project, logstore, g)
}

// TestLogTrigger walks a log from the real SDK through the embedded Log Service and the trigger to the example's function,
// which pulls its range with the keys of its service's role; a shard is split under way.
func TestLogTrigger(t *testing.T) {
	h := boot(t)
	c := h.sls()
	if _, err := c.CreateProject(project, ""); err != nil {
		t.Fatal(err)
	}
	if err := c.CreateLogStore(project, sourceStore, 1, 1, false, 0); err != nil {
		t.Fatal(err)
	}
	h.service("digest", functionRole)
	source, err := os.ReadFile(filepath.Join("..", "examples", "log-digest", "index.py"))
	if err != nil {
		t.Fatal(err)
	}
	h.python("digest/digest", string(source))
	h.must("POST", "/services/digest/functions/digest/triggers", logTrigger("follow", sourceStore))

	const before, after = 5, 15
	for i := range before {
		h.putLog(c, fmt.Sprintf("ERROR number %d, with text of its own: %s", i, strings.Repeat("long ", i*100)))
	}
	if _, err := c.SplitShard(project, sourceStore, 0, ""); err != nil {
		t.Fatal(err)
	}
	for i := range after {
		h.putLog(c, fmt.Sprintf("ERROR number %d", before+i))
	}
	eventually(t, "every log is taken", func() bool { return len(numbers(h.lines("digest/digest"))) == before+after })
	for n, times := range numbers(h.lines("digest/digest")) {
		if times != 1 {
			t.Errorf("log %s was taken %d times", n, times)
		}
	}
	eventually(t, "every shard's range is recorded as taken", func() bool {
		got, err := c.GetLogs(project, recordStore, "", time.Now().Unix()-600, time.Now().Unix()+1, "outcome:succeeded", 100, 0, false)
		if err != nil {
			return false
		}
		shards := map[string]bool{}
		for _, l := range got.Logs {
			shards[l["shardId"]] = l["requestId"] != "" && l["taskId"] != "" && l["error"] == ""
		}
		return shards["0"] && shards["1"] && shards["2"]
	})
	if n := h.metric("fcd_trigger_log_ranges_total", "state", "succeeded"); n < 3 {
		t.Errorf("%v ranges were taken, want one for each of three shards at least", n)
	}
}

// numbers counts the logs that the digest wrote out, by their number.
func numbers(lines []string) map[string]int {
	seen := map[string]int{}
	for _, l := range lines {
		if _, rest, ok := strings.Cut(l, ": ERROR number "); ok {
			n, _, _ := strings.Cut(strings.TrimSpace(rest), ",")
			seen[n]++
		}
	}
	return seen
}
