package oss

import (
	"bytes"
	"encoding/json"
	"strings"

	"go.uber.org/zap"

	"fcd/fc"
	"fcd/triggers"
)

// maxName bounds an event name.
const maxName = 256

// open cuts a body from outside into happenings. It may be the cloud's own event document, a notification of an
// S3-compatible store, or one or more CloudEvents whose data is one event.
func (s *Source) open(a fc.Arrival) ([]triggers.Happening[rule], error) {
	records, err := s.o.parse(a.Body)
	if err != nil {
		return nil, err
	}
	for i := range records {
		if err := s.complete(&records[i]); err != nil {
			return nil, err
		}
	}
	var all []triggers.Happening[rule]
	for _, group := range s.o.groups(records) {
		h := s.happening(group[0].OSS.Bucket.ARN, group, identity{message: a.MessageID})
		all = append(all, h)
	}
	return all, nil
}

// groups are the events that share an invocation: each stands alone unless Options.Batch keeps those of one request and
// bucket together.
func (o Options) groups(records []record) [][]record {
	var all [][]record
	for i, r := range records {
		if o.Batch && i > 0 && len(all[len(all)-1]) < MaxBatch {
			last := all[len(all)-1][0]
			if last.OSS.Bucket.ARN == r.OSS.Bucket.ARN && last.ResponseElements == r.ResponseElements {
				all[len(all)-1] = append(all[len(all)-1], r)
				continue
			}
		}
		all = append(all, []record{r})
	}
	return all
}

// parse reads the events of a body, whose form shows itself.
func (o Options) parse(body []byte) ([]record, error) {
	var form struct {
		Events  []record        `json:"events"`
		Records json.RawMessage `json:"Records"`
		Spec    string          `json:"specversion"`
	}
	if trimmed := bytes.TrimSpace(body); len(trimmed) > 0 && trimmed[0] == '[' {
		return cloudRecords(trimmed)
	}
	err := json.Unmarshal(body, &form)
	switch {
	case err != nil:
		return nil, fc.Errorf(fc.InvalidArgument, "the body is not a document of object events: %v", err)
	case form.Spec != "":
		return cloudRecords(body)
	case len(form.Records) > 0:
		return o.s3Records(form.Records)
	case len(form.Events) == 0:
		return nil, fc.Errorf(fc.InvalidArgument, "the body holds no events: it has neither events nor Records nor specversion")
	}
	return form.Events, nil
}

// cloudRecords are the events that CloudEvents carry, one each. EventBridge names bucket and object in the subject too.
func cloudRecords(body []byte) ([]record, error) {
	events, err := triggers.ParseCloudEvents(body)
	if err != nil {
		return nil, err
	}
	records := make([]record, len(events))
	for i, e := range events {
		r := &records[i]
		if len(e.Data) == 0 {
			return nil, fc.Errorf(fc.InvalidArgument, "the CloudEvent '%s' has no data", e.ID)
		}
		if err := json.Unmarshal(e.Data, r); err != nil {
			return nil, fc.Errorf(fc.InvalidArgument, "the data of CloudEvent '%s' is not an object event: %v", e.ID, err)
		}
		if r.EventName == "" {
			r.EventName = e.Type
		}
		if arn, _, ok := strings.Cut(e.Subject, "/"); ok && r.OSS.Bucket.ARN == "" && strings.HasPrefix(arn, "acs:oss:") {
			r.OSS.Bucket.ARN = arn
		}
		if r.ResponseElements.RequestID == "" {
			r.ResponseElements.RequestID = e.ID
		}
	}
	return records, nil
}

// complete checks an event from outside and fills what the cloud would have sent. The bucket's resource name decides
// which bucket it is.
func (s *Source) complete(r *record) error {
	r.EventName = strings.TrimPrefix(r.EventName, scheme)
	if r.EventName == "" || len(r.EventName) > maxName {
		return fc.InvalidField("eventName", "a name like ObjectCreated:PutObject", r.EventName)
	}
	b := &r.OSS.Bucket
	if b.ARN == "" && b.Name != "" {
		b.ARN = fc.BucketARN(s.o.Region, s.o.Account, b.Name)
	}
	arn, err := fc.ParseARN(b.ARN)
	if err != nil || arn.Service != "oss" || !isBucket(arn.Resource) {
		return fc.InvalidField("oss.bucket.arn", "acs:oss:<region>:<accountId>:<bucket>", b.ARN)
	}
	if b.Name != "" && b.Name != arn.Resource && s.env.Log != nil {
		s.env.Log.Warn("an event names two buckets; its resource name decides", zap.String("arn", b.ARN), zap.String("name", b.Name))
	}
	b.Name, b.VirtualBucket = arn.Resource, ""
	if n := len(r.OSS.Object.Key); n > maxKey {
		return fc.Errorf(fc.InvalidArgument, "the key of an event has %d bytes, more than %d", n, maxKey)
	}
	fill(&b.OwnerIdentity, arn.Account)
	fill(&r.EventSource, "acs:oss")
	fill(&r.EventVersion, "1.0")
	fill(&r.OSS.SchemaVersion, "1.0")
	fill(&r.Region, arn.Region)
	fill(&r.EventTime, s.now().UTC().Format(eventTime))
	if !s.o.ObjectMeta {
		r.OSS.Object.ObjectMeta = nil
	}
	if x := bytes.TrimSpace(r.XVars); len(x) == 0 || x[0] != '{' {
		r.XVars = nil
	}
	return nil
}

func fill(field *string, value string) {
	if *field == "" {
		*field = value
	}
}
