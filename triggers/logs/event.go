package logs

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"strconv"

	"github.com/google/uuid"

	"fcd/fc"
	"fcd/triggers"
)

// The event as functions get it. The order of fields is the order of the guide's sample.
type (
	document struct {
		Parameter  json.RawMessage `json:"parameter"`
		Source     source          `json:"source"`
		JobName    string          `json:"jobName"`
		TaskID     string          `json:"taskId"`
		CursorTime int64           `json:"cursorTime"` // when the last log of the range was received, Unix seconds
	}
	source struct {
		Endpoint    string `json:"endpoint"`
		Project     string `json:"projectName"`
		Logstore    string `json:"logstoreName"`
		Shard       int    `json:"shardId"`
		BeginCursor string `json:"beginCursor"`
		EndCursor   string `json:"endCursor"` // exclusive: pull until the next cursor is this one
	}
)

func payload(endpoint, project string, c config, job string, shard int, r checkpoint, task string) []byte {
	return triggers.Canonical(document{
		Parameter: c.FunctionParameter,
		Source: source{Endpoint: endpoint, Project: project, Logstore: c.SourceConfig.Logstore, Shard: shard,
			BeginCursor: r.Cursor, EndCursor: r.End},
		JobName: job, TaskID: task, CursorTime: r.CursorTime,
	})
}

// jobName stands for a trigger in its events: 40 hex digits.
func jobName(account string, t *fc.Trigger) string {
	sum := sha1.Sum([]byte(account + "/" + t.Path()))
	return hex.EncodeToString(sum[:])
}

// taskID is the same for every attempt at a range.
func taskID(trigger string, shard int, r checkpoint) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("fcd:log/"+trigger+"/"+strconv.Itoa(shard)+"/"+r.Cursor+"/"+r.End)).String()
}
