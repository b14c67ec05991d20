// Package logs is the trigger kind that follows a logstore: whenever logs have arrived, a function is told from which
// cursor to which cursor of a shard they reach, and pulls them with its own credentials.
//
//	kind := logs.Kind(logs.Options{Region: "cn-shanghai", Account: "123456", Service: client, Endpoint: "http://sls.fcd.local"})
//
// Each shard of the source logstore is followed on its own, with one call in flight:
//
//	          every triggerInterval
//	idle ------------------------------> range [checkpoint, what was received before now)
//	 ^  ^                                   |  empty: idle again
//	 |  |        success: checkpoint = end  v
//	 |  +----------------------------------- call <----+
//	 |                                      |          | 1 s, 2 s, 4 s ... 30 s: maxRetryTime times
//	 |                                      | failure  |
//	 |                                      +----------+
//	 |                                      v
//	 |   success, or the data expired    stalled: again each max(triggerInterval, 60 s), counted and logged
//	 +-----------------------------------   (Options.OnExhausted "skip": the range is given up instead)
//
// A range is committed before its first call, so that each retry, also one after a crash, is the same range with the same
// taskId; later logs of the shard wait meanwhile. A shard more than an interval behind is caught up with in ranges of an
// interval's length, one each CatchUpEvery, until it is less than 10 s behind. Shards that were split or merged are read to
// their end and then left alone; their children are followed from their beginning, in no order to their parents.
//
// A new trigger begins at its startTime or, without one, when it was made. Times are of receipt, by the service's clock and
// in whole seconds. Switching the trigger off keeps the checkpoints; a deleted trigger's are deleted.
//
// The direct interface of Log Service is used rather than its consumer library, which downloads all data and knows no
// ranges.
package logs

import (
	"context"
	"strings"
	"time"

	sdk "github.com/aliyun/aliyun-log-go-sdk"

	"fcd/fc"
	"fcd/triggers"
)

// service is whom the invocation role of a log trigger must trust.
const service = "log.aliyuncs.com"

// Service is what is asked of Log Service; an *sdk.Client with its HTTPClient and time-outs set is one. Its methods may be
// called concurrently.
type Service interface {
	ListShards(project, logstore string) ([]*sdk.Shard, error)
	GetCursor(project, logstore string, shard int, from string) (string, error)
	GetCursorTime(project, logstore string, shard int, cursor string) (time.Time, error)
	GetPrevCursorTime(project, logstore string, shard int, cursor string) (time.Time, error)
	PutLogs(project, logstore string, logs *sdk.LogGroup) error
}

// Options are the rules of the kind.
type Options struct {
	Region, Account string
	// Service is where the logs are. nil: triggers are stored and never fire.
	Service Service
	// Endpoint is that of Log Service as functions reach it; events carry it.
	Endpoint string
	// OnExhausted tells what becomes of a range whose retries are used up: "hold" (the default) tries on, and later logs of
	// the shard wait; "skip" gives it up.
	OnExhausted string
	// CatchUpEvery is the pace of calls for a shard that is behind. Default 2 s.
	CatchUpEvery time.Duration
	// Ensure makes the logstore that a trigger's logConfig names. nil: it must be there.
	Ensure func(ctx context.Context, project, logstore string) error
}

// Values of Options.OnExhausted.
const (
	Hold = "hold"
	Skip = "skip"
)

func (o Options) withDefaults() Options {
	if o.OnExhausted == "" {
		o.OnExhausted = Hold
	}
	if o.CatchUpEvery <= 0 {
		o.CatchUpEvery = 2 * time.Second
	}
	return o
}

// Kind makes the kind "log".
func Kind(o Options) triggers.Kind {
	o = o.withDefaults()
	k := triggers.Kind{
		Type:        fc.TriggerLog,
		Service:     service,
		Decode:      decode,
		CheckSource: triggers.RegionalARN("log", o.Region, o.Account, projectPrefix+"<project>", isProject),
		Conflict:    conflict,
	}
	if o.Service != nil {
		k.New = o.newSource
	}
	return k
}

// projectPrefix begins the resource of a source's name.
const projectPrefix = "project/"

func isProject(resource string) bool {
	name, ok := strings.CutPrefix(resource, projectPrefix)
	return ok && name != "" && !strings.Contains(name, "/")
}

// projectOf is the project that a checked source names.
func projectOf(arn string) string {
	_, name, _ := strings.Cut(arn, ":"+projectPrefix)
	return name
}
