package oss

import (
	"encoding/json"
	"net/url"
	"strings"

	"fcd/fc"
)

// s3Record is an entry of the notifications that Amazon S3 and compatible stores (MinIO, Ceph, SeaweedFS) send: structure
// version 2.x of "Event message structure" in the S3 user guide.
type s3Record struct {
	EventTime         string `json:"eventTime"`
	EventName         string `json:"eventName"` // MinIO's begin with "s3:"
	UserIdentity      userIdentity
	RequestParameters requestParameters
	ResponseElements  map[string]string
	S3                struct {
		Bucket struct {
			Name string `json:"name"`
		} `json:"bucket"`
		Object struct {
			Key  string `json:"key"` // encoded like a form value
			Size int64  `json:"size"`
			ETag string `json:"eTag"`
		} `json:"object"`
	} `json:"s3"`
}

// s3Names are the names of OSS for what S3 calls otherwise.
var s3Names = map[string]string{
	"ObjectCreated:Put":    "ObjectCreated:PutObject",
	"ObjectCreated:Post":   "ObjectCreated:PostObject",
	"ObjectCreated:Copy":   "ObjectCreated:CopyObject",
	"ObjectRemoved:Delete": "ObjectRemoved:DeleteObject",
	"ObjectAccessed:Get":   "ObjectDownloaded:GetObject",
}

// s3Records maps a notification. The bucket counts as one of ours of the same name; a delete marker is no event of OSS
// and matches no trigger.
func (o Options) s3Records(raw json.RawMessage) ([]record, error) {
	var in []s3Record
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, fc.Errorf(fc.InvalidArgument, "Records is not a list of S3 events: %v", err)
	}
	if len(in) == 0 {
		return nil, fc.Errorf(fc.InvalidArgument, "Records is empty")
	}
	out := make([]record, len(in))
	for i, e := range in {
		name := strings.TrimPrefix(e.EventName, "s3:")
		if own, ok := s3Names[name]; ok {
			name = own
		}
		key, err := url.QueryUnescape(e.S3.Object.Key)
		if err != nil {
			return nil, fc.Errorf(fc.InvalidArgument, "the key '%s' is not encoded as S3 does: %v", e.S3.Object.Key, err)
		}
		b := e.S3.Bucket.Name
		if !isBucket(b) {
			return nil, fc.InvalidField("s3.bucket.name", "3 to 63 lower-case letters, digits and hyphens", b)
		}
		r := &out[i]
		r.EventName, r.EventTime = name, e.EventTime
		r.OSS.Bucket = bucket{ARN: fc.BucketARN(o.Region, o.Account, b), Name: b, OwnerIdentity: o.Account}
		r.OSS.Object = object{Key: key, Size: e.S3.Object.Size, ETag: strings.ToUpper(strings.Trim(e.S3.Object.ETag, `"`))}
		if strings.HasPrefix(name, "ObjectCreated:") {
			r.OSS.Object.DeltaSize = e.S3.Object.Size
		}
		r.Region = o.Region
		r.RequestParameters, r.UserIdentity = e.RequestParameters, e.UserIdentity
		r.ResponseElements.RequestID = e.ResponseElements["x-amz-request-id"]
	}
	return out, nil
}
