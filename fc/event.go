package fc

import "time"

// ObjectEvent is something that happened to an object in a bucket, as the embedded OSS, a queue or a listing reports it
// to the oss trigger kind.
type ObjectEvent struct {
	// Sequence is the embedded OSS's number of the event, unique for ever within its data directory and rising; with
	// Bucket it makes the deduplication key "oss/<bucket>/<sequence>". 0 if another source reported the event.
	Sequence uint64
	Name     string // without the "oss:" prefix, like "ObjectCreated:PutObject"
	Bucket   string
	Key      string // raw, not URL-encoded
	Size     int64  // bytes; 0 for removals
	Delta    int64  // new size minus old size, bytes
	ETag     string // upper-case hex, unquoted
	Position *int64 // AppendObject only: the offset appended at
	SourceIP string // "" if unknown
	// RequestID is the OSS request id, 24 upper-case hex digits; "" if unknown.
	RequestID   string
	PrincipalID string // uid of the requester; "" if unknown
	Time        time.Time
	// MimeType and UserMeta (names in lower case, beginning with x-oss-meta-) are the object's; empty unless asked for.
	MimeType string            `json:",omitempty"`
	UserMeta map[string]string `json:",omitempty"`
	// Identity tells the event apart where it has neither Sequence nor RequestID, as of a listing; "" if nothing does.
	Identity string `json:",omitempty"`
	// Also holds the events of the other keys of the same request, where such events are kept together.
	Also []ObjectEvent `json:",omitempty"`
}
