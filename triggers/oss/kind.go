// Package oss is the trigger kind for events of objects in buckets: something was put, copied, appended, uploaded in
// parts or removed, and functions run that a trigger binds to such events.
//
//	kind := oss.Kind(oss.Options{Region: "cn-shanghai", Account: "123456", MaxTriggersPerBucket: 10})
//	...
//	source := manager.Source("oss").(*oss.Source)
//	err := source.ObjectEvent(ctx, event) // nil: the event is durably taken over
//
// An event matches a trigger of its bucket if one of the trigger's event names covers it and the object's raw key has
// the trigger's prefix and suffix. Two triggers of a bucket may not match the same event of the same key, so that one
// put runs one function; the refusal's text is the cloud's.
//
// Where events come from is not this package's business: it is told by whoever saw them, and answers when they are safe.
// What the embedded OSS or a listing saw comes as a value (ObjectEvent); what a queue, a push or a caller brought comes as
// a body (Receive), which may be the cloud's own document, a notification of an S3-compatible store or a CloudEvent.
package oss

import (
	"fcd/fc"
	"fcd/triggers"
)

// service is whom the invocation role of an oss trigger must trust.
const service = "oss.aliyuncs.com"

// MaxBatch bounds the events of one invocation, so that their document stays below the size of an event.
const MaxBatch = 100

// Options are the rules of the kind.
type Options struct {
	Region, Account string
	// AllowOverlap lets several triggers of a bucket match the same event.
	AllowOverlap bool
	// OverlapStatus is the HTTP status of the refusal of such triggers, where it is not that of its code. 0: 400.
	OverlapStatus int
	// MaxTriggersPerBucket bounds the triggers of one bucket; 0 means no bound. The cloud's is 10.
	MaxTriggersPerBucket int
	// ObjectMeta adds the object's media type and x-oss-meta- headers to the events that have them, as the cloud does
	// since 2022.
	ObjectMeta bool
	// DeltaSizeMode is what the size and deltaSize of removals and parts are, which the cloud does not document.
	DeltaSizeMode string
	// Batch puts the events of one request (the keys of a DeleteObjects) into one invocation; else each has its own.
	Batch bool
}

// Values of Options.DeltaSizeMode. Objects that are created, replaced or appended to say the same in each.
const (
	DeltaChange    = "change"    // what the bucket's objects grew by: minus the old size for a removal, 0 for a part; the default
	DeltaOperation = "operation" // what was moved: a removal says the size of what it removed, a part counts as its size
	DeltaNone      = "none"      // 0 for removals and parts
)

// Kind makes the kind "oss".
func Kind(o Options) triggers.Kind {
	return triggers.Kind{
		Type:        fc.TriggerOSS,
		Service:     service,
		Decode:      decode,
		CheckSource: triggers.RegionalARN("oss", o.Region, o.Account, "<bucket>", isBucket),
		Conflict:    o.conflict,
		Again:       o.again,
		New:         o.newSource,
	}
}

// isBucket tells whether s may name a bucket: 3 to 63 lower-case letters, digits and hyphens, no hyphen at the ends.
func isBucket(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' && i > 0 && i < len(s)-1) {
			return false
		}
	}
	return len(s) >= 3 && len(s) <= 63
}
