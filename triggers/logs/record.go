package logs

import (
	"context"
	"strconv"
	"strings"
	"time"

	sdk "github.com/aliyun/aliyun-log-go-sdk"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// Records wait at most recordLinger for others; at most recordBuffer wait in all. A batch that is refused is tried
// recordTries times.
const (
	recordLinger = time.Second
	recordBuffer = 4096
	recordBatch  = 500
	recordTries  = 5
)

// record is one attempt, on its way to the logstore that its trigger's logConfig names.
type record struct {
	project, logstore, topic string
	at                       time.Time
	fields                   []string // key, value, ...
}

// record notes an attempt, or the end of a range, in the trigger's own logstore.
func (s *Source) record(v view, sh *shard, a attempt) {
	to := v.config.LogConfig
	if to.Logstore == "" {
		return
	}
	s.records.add(record{project: v.project, logstore: to.Logstore, topic: v.trigger.ServiceName, at: s.now(), fields: []string{
		"jobName", v.name, "taskId", taskID(v.trigger.ID, sh.id, sh.cp), "triggerName", v.trigger.Name,
		"serviceName", v.trigger.ServiceName, "functionName", v.trigger.FunctionName,
		"logstoreName", v.config.SourceConfig.Logstore, "shardId", strconv.Itoa(sh.id),
		"beginCursor", sh.cp.Cursor, "endCursor", sh.cp.End, "cursorTime", strconv.FormatInt(sh.cp.CursorTime, 10),
		"attempt", strconv.Itoa(a.n), "requestId", a.requestID, "outcome", a.outcome, "error", a.why,
		"durationMs", strconv.FormatInt(a.took.Milliseconds(), 10),
	}})
}

// recorder writes records. None delays a call: what cannot be written is counted and dropped.
type recorder struct {
	service Service
	ensure  func(ctx context.Context, project, logstore string) error
	log     *zap.Logger
	lost    prometheus.Counter
	queue   chan record
}

func newRecorder(s Service, ensure func(context.Context, string, string) error, log *zap.Logger, lost prometheus.Counter) *recorder {
	return &recorder{service: s, ensure: ensure, log: log, lost: lost, queue: make(chan record, recordBuffer)}
}

func (r *recorder) add(rec record) {
	select {
	case r.queue <- rec:
	default:
		r.lost.Inc()
	}
}

// run writes records until ctx ends, then those that wait.
func (r *recorder) run(ctx context.Context) {
	for {
		select {
		case first := <-r.queue:
			r.write(ctx, r.gather(ctx, first))
		case <-ctx.Done():
			for len(r.queue) > 0 {
				r.write(ctx, r.gather(ctx, <-r.queue))
			}
			return
		}
	}
}

// gather collects records for some time; once ctx has ended, those that are there.
func (r *recorder) gather(ctx context.Context, first record) []record {
	all := []record{first}
	linger := time.NewTimer(recordLinger)
	defer linger.Stop()
	done := ctx.Done()
	for len(all) < recordBatch {
		select {
		case rec := <-r.queue:
			all = append(all, rec)
			continue
		default:
		}
		if ctx.Err() != nil {
			return all
		}
		select {
		case rec := <-r.queue:
			all = append(all, rec)
		case <-linger.C:
			return all
		case <-done:
		}
	}
	return all
}

// place is where a group of records goes.
type place struct{ project, logstore, topic string }

func (r *recorder) write(ctx context.Context, all []record) {
	var order []place
	groups := map[place]*sdk.LogGroup{}
	for _, rec := range all {
		p := place{rec.project, rec.logstore, rec.topic}
		if groups[p] == nil {
			groups[p] = &sdk.LogGroup{Topic: text(rec.topic), Source: text("fcd")}
			order = append(order, p)
		}
		groups[p].Logs = append(groups[p].Logs, rec.line())
	}
	for _, p := range order {
		if err := r.post(ctx, p, groups[p]); err != nil {
			r.lost.Add(float64(len(groups[p].Logs)))
			r.log.Warn("records of log triggers dropped", zap.String("project", p.project), zap.String("logstore", p.logstore),
				zap.Int("count", len(groups[p].Logs)), zap.String("err", plain(err)))
		}
	}
}

func (r *recorder) post(ctx context.Context, p place, g *sdk.LogGroup) (err error) {
	for try := range recordTries {
		if try > 0 {
			pause := time.NewTimer(recordLinger << try)
			select {
			case <-pause.C:
			case <-ctx.Done():
				pause.Stop()
				return err
			}
		}
		if r.ensure != nil {
			if err = r.ensure(context.WithoutCancel(ctx), p.project, p.logstore); err != nil {
				continue
			}
		}
		if err = r.service.PutLogs(p.project, p.logstore, g); err == nil {
			return nil
		}
	}
	return err
}

func (rec record) line() *sdk.Log {
	secs, ns := uint32(rec.at.Unix()), uint32(rec.at.Nanosecond())
	l := &sdk.Log{Time: &secs, TimeNs: &ns}
	for i := 0; i+1 < len(rec.fields); i += 2 {
		l.Contents = append(l.Contents, &sdk.LogContent{Key: text(rec.fields[i]), Value: text(strings.ToValidUTF8(rec.fields[i+1], "?"))})
	}
	return l
}

func text(s string) *string { return &s }
