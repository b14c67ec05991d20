package oss

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"strings"

	"fcd/fc"
	"fcd/triggers"
)

const eventTime = "2006-01-02T15:04:05.000Z"

// The event as functions get it. The order of fields is the order of the guide's sample; what came later stands in the
// same alphabetical order.
type (
	document struct {
		Events []record `json:"events"`
	}
	record struct {
		EventName         string            `json:"eventName"`
		EventSource       string            `json:"eventSource"`
		EventTime         string            `json:"eventTime"`
		EventVersion      string            `json:"eventVersion"`
		OSS               subject           `json:"oss"`
		Region            string            `json:"region"`
		RequestParameters requestParameters `json:"requestParameters"`
		ResponseElements  responseElements  `json:"responseElements"`
		UserIdentity      userIdentity      `json:"userIdentity"`
		XVars             json.RawMessage   `json:"xVars,omitempty"` // an object; custom variables of an OSS callback
	}
	subject struct {
		Bucket        bucket `json:"bucket"`
		Object        object `json:"object"`
		SchemaVersion string `json:"ossSchemaVersion"`
		RuleID        string `json:"ruleId"`
	}
	bucket struct {
		ARN           string `json:"arn"`
		Name          string `json:"name"`
		OwnerIdentity string `json:"ownerIdentity"`
		VirtualBucket string `json:"virtualBucket"`
	}
	object struct {
		DeltaSize  int64       `json:"deltaSize"`
		ETag       string      `json:"eTag"`
		Key        string      `json:"key"`
		ObjectMeta *objectMeta `json:"objectMeta,omitempty"` // where Options.ObjectMeta asks for it
		Position   *int64      `json:"position,omitempty"`   // AppendObject only
		ReadFrom   *int64      `json:"readFrom,omitempty"`   // GetObject only
		ReadTo     *int64      `json:"readTo,omitempty"`     // GetObject only
		Size       int64       `json:"size"`
	}
	objectMeta struct {
		MimeType string            `json:"mimeType"`
		UserMeta map[string]string `json:"userMeta"`
	}
	requestParameters struct {
		SourceIPAddress string `json:"sourceIPAddress"`
	}
	responseElements struct {
		RequestID string `json:"requestId"`
	}
	userIdentity struct {
		PrincipalID string `json:"principalId"`
	}
)

// recordOf is what the embedded OSS or a listing reports, in the cloud's form.
func (o Options) recordOf(ev fc.ObjectEvent) record {
	size, delta := o.sizes(ev)
	r := record{
		EventName:    ev.Name,
		EventSource:  "acs:oss",
		EventTime:    ev.Time.UTC().Format(eventTime),
		EventVersion: "1.0",
		OSS: subject{
			Bucket:        bucket{ARN: fc.BucketARN(o.Region, o.Account, ev.Bucket), Name: ev.Bucket, OwnerIdentity: o.Account},
			Object:        object{DeltaSize: delta, ETag: ev.ETag, Key: ev.Key, Position: ev.Position, Size: size},
			SchemaVersion: "1.0",
		},
		Region:            o.Region,
		RequestParameters: requestParameters{ev.SourceIP},
		ResponseElements:  responseElements{ev.RequestID},
		UserIdentity:      userIdentity{ev.PrincipalID},
	}
	if o.ObjectMeta && (ev.MimeType != "" || len(ev.UserMeta) > 0) {
		r.OSS.Object.ObjectMeta = &objectMeta{MimeType: ev.MimeType, UserMeta: ev.UserMeta}
	}
	return r
}

// sizes are the size and deltaSize of an event by Options.DeltaSizeMode. It comes with those of DeltaChange.
func (o Options) sizes(ev fc.ObjectEvent) (size, delta int64) {
	size, delta = ev.Size, ev.Delta
	removed := strings.HasPrefix(ev.Name, "ObjectRemoved:")
	part := strings.HasPrefix(ev.Name, "ObjectCreated:UploadPart")
	switch {
	case o.DeltaSizeMode == DeltaOperation && removed:
		size = -delta
	case o.DeltaSizeMode == DeltaOperation && part:
		delta = size
	case o.DeltaSizeMode == DeltaNone && removed:
		delta = 0
	}
	return size, delta
}

// payload renders events for the trigger of the rule id. An event that brought a rule id of its own keeps it.
func payload(records []record, rule string) []byte {
	out := make([]record, len(records))
	for i, r := range records {
		if r.OSS.RuleID == "" {
			r.OSS.RuleID = rule
		}
		out[i] = r
	}
	return triggers.Canonical(document{Events: out})
}

// ruleID stands for a trigger in its events: 40 hex digits.
func ruleID(account string, t *fc.Trigger) string {
	sum := sha1.Sum([]byte(account + "/" + t.Path()))
	return hex.EncodeToString(sum[:])
}
