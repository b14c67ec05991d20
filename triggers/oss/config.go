package oss

import (
	"encoding/json"
	"strings"

	"fcd/fc"
	"fcd/triggers"
)

const (
	// maxKey is the length of the longest object key, bytes; a longer prefix or suffix would never match.
	maxKey    = 1023
	maxEvents = 100
	// scheme begins event names in configurations; in the events themselves it is left out.
	scheme = "oss:"
)

// listable tells whether a trigger may list the event name.
func listable(name string) bool {
	switch name {
	case "oss:ObjectCreated:*", "oss:ObjectCreated:PutObject", "oss:ObjectCreated:PostObject",
		"oss:ObjectCreated:CopyObject", "oss:ObjectCreated:AppendObject", "oss:ObjectCreated:PutSymlink",
		"oss:ObjectCreated:InitiateMultipartUpload", "oss:ObjectCreated:UploadPart",
		"oss:ObjectCreated:UploadPartCopy", "oss:ObjectCreated:CompleteMultipartUpload",
		"oss:ObjectRemoved:*", "oss:ObjectRemoved:DeleteObject", "oss:ObjectRemoved:DeleteObjects",
		"oss:ObjectRemoved:AbortMultipartUpload",
		"oss:ObjectModified:*", "oss:ObjectModified:UpdateObjectMeta",
		"oss:ObjectReplication:*", "oss:ObjectReplication:ObjectCreated", "oss:ObjectReplication:ObjectModified",
		"oss:ObjectReplication:ObjectRemoved",
		// These come from a real OSS only, by MNS or EventBridge.
		"oss:ObjectModified:ChangeStorageClass", "oss:ObjectDownloaded:GetObject", "oss:ObjectRestore:FinishRestore",
		"oss:BucketCreated:PutBucket", "oss:BucketRemoved:DeleteBucket":
		return true
	}
	return false
}

// config is the triggerConfig of an oss trigger.
type config struct {
	Events []string `json:"events"`
	Filter filter   `json:"filter"`
}

type filter struct {
	Key keyFilter `json:"key"`
}

// keyFilter holds what the raw key must begin and end with; "" is no condition.
type keyFilter struct {
	Prefix string `json:"prefix"`
	Suffix string `json:"suffix"`
}

func decode(old, raw json.RawMessage) (triggers.Config, error) {
	c, err := read(old, raw)
	if err != nil {
		return triggers.Config{}, err
	}
	return triggers.Config{JSON: triggers.Canonical(c), Enabled: true}, nil
}

func read(layers ...json.RawMessage) (config, error) {
	var c config
	for _, l := range layers {
		if err := triggers.Merge(&c, l); err != nil {
			return c, err
		}
	}
	return c, c.check()
}

func (c *config) check() error {
	if len(c.Events) == 0 {
		return fc.MissingField("TriggerConfig.Events")
	}
	if len(c.Events) > maxEvents {
		return fc.Errorf(fc.InvalidArgument, "TriggerConfig.Events has %d entries, more than %d", len(c.Events), maxEvents)
	}
	for _, e := range c.Events {
		if !listable(e) {
			return fc.InvalidField("TriggerConfig.Events", "names like oss:ObjectCreated:PutObject or oss:ObjectCreated:*", e)
		}
	}
	if k := c.Filter.Key; len(k.Prefix) > maxKey || len(k.Suffix) > maxKey {
		return fc.Errorf(fc.InvalidArgument, "TriggerConfig.Filter.Key has a prefix or suffix of more than %d bytes", maxKey)
	}
	return nil
}

// covers tells whether pattern, an event name whose last segment may be "*", holds the event name.
func covers(pattern, name string) bool {
	if rest, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(name, rest)
	}
	return pattern == name
}

// overlapText is the cloud's own, its two full stops included.
const overlapText = "event source 'oss' returned error: Cannot specify overlapping prefix and suffix with same event type.."

// conflict refuses a trigger that would match an event of a key that another of the bucket matches, and one too many.
func (o Options) conflict(t *fc.Trigger, others []*fc.Trigger) error {
	c, err := read(t.Config)
	if err != nil {
		return err
	}
	n := 0
	for _, other := range others {
		if other.Type != fc.TriggerOSS || other.SourceARN != t.SourceARN {
			continue
		}
		n++
		oc, err := read(other.Config)
		if err != nil {
			return fc.Internal("triggers/oss.conflict with "+other.Path(), err)
		}
		if !o.AllowOverlap && c.overlaps(&oc) {
			refusal := fc.Errorf(fc.InvalidArgument, overlapText)
			refusal.HTTPStatus = o.OverlapStatus
			return refusal
		}
	}
	if o.MaxTriggersPerBucket > 0 && n >= o.MaxTriggersPerBucket {
		return fc.Errorf(fc.InvalidArgument, "'%s' has %d triggers, no more are allowed", t.SourceARN, n)
	}
	return nil
}

// overlaps tells whether some event of some key could match both.
func (c *config) overlaps(d *config) bool {
	a, b := c.Filter.Key, d.Filter.Key
	if !strings.HasPrefix(a.Prefix, b.Prefix) && !strings.HasPrefix(b.Prefix, a.Prefix) ||
		!strings.HasSuffix(a.Suffix, b.Suffix) && !strings.HasSuffix(b.Suffix, a.Suffix) {
		return false
	}
	for _, e := range c.Events {
		for _, f := range d.Events {
			if covers(e, f) || covers(f, e) {
				return true
			}
		}
	}
	return false
}
