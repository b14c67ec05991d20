package oss

import (
	"crypto/sha1"
	"encoding/hex"

	"fcd/fc"
	"fcd/triggers"
)

const eventTime = "2006-01-02T15:04:05.000Z"

// The event as functions get it. The order of fields is the order of the guide's sample.
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
		DeltaSize int64  `json:"deltaSize"`
		ETag      string `json:"eTag"`
		Key       string `json:"key"`
		Position  *int64 `json:"position,omitempty"` // AppendObject only
		Size      int64  `json:"size"`
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

// payload renders the event of ev for the trigger with the rule id. One event per invocation.
func payload(region, account string, ev fc.ObjectEvent, rule string) []byte {
	return triggers.Canonical(document{Events: []record{{
		EventName:    ev.Name,
		EventSource:  "acs:oss",
		EventTime:    ev.Time.UTC().Format(eventTime),
		EventVersion: "1.0",
		OSS: subject{
			Bucket:        bucket{ARN: fc.BucketARN(region, account, ev.Bucket), Name: ev.Bucket, OwnerIdentity: account},
			Object:        object{DeltaSize: ev.Delta, ETag: ev.ETag, Key: ev.Key, Position: ev.Position, Size: ev.Size},
			SchemaVersion: "1.0",
			RuleID:        rule,
		},
		Region:            region,
		RequestParameters: requestParameters{ev.SourceIP},
		ResponseElements:  responseElements{ev.RequestID},
		UserIdentity:      userIdentity{ev.PrincipalID},
	}}})
}

// ruleID stands for a trigger in its events: 40 hex digits.
func ruleID(account string, t *fc.Trigger) string {
	sum := sha1.Sum([]byte(account + "/" + t.Path()))
	return hex.EncodeToString(sum[:])
}
