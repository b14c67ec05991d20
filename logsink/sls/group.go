package sls

import (
	sdk "github.com/aliyun/aliyun-log-go-sdk"

	"fcd/fc"
	"fcd/logsink"
)

// group is a batch in the SDK's words. Nothing in it is changed after it was handed over.
func (s *Sink) group(b logsink.Batch) *sdk.LogGroup {
	g := &sdk.LogGroup{
		Topic:   text(b.Topic),
		Source:  text(s.source),
		LogTags: []*sdk.LogTag{{Key: text("__pack_id__"), Value: text(b.PackID)}},
		Logs:    make([]*sdk.Log, len(b.Records)),
	}
	for i, r := range b.Records {
		g.Logs[i] = log(r)
	}
	return g
}

func log(r fc.LogRecord) *sdk.Log {
	secs, ns := uint32(r.Time.Unix()), uint32(r.Time.Nanosecond())
	l := &sdk.Log{Time: &secs, TimeNs: &ns, Contents: make([]*sdk.LogContent, 0, 8)}
	add := func(key, value string) {
		l.Contents = append(l.Contents, &sdk.LogContent{Key: text(key), Value: text(value)})
	}
	add("serviceName", r.Service)
	add("functionName", r.Function)
	add("qualifier", r.Qualifier)
	add("versionId", r.VersionID)
	add("instanceID", r.InstanceID)
	add("requestId", r.RequestID)
	add("message", r.Message)
	if r.Late {
		add("late", "true")
	}
	return l
}

func text(s string) *string { return &s }
