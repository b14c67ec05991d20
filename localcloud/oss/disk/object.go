package disk

import (
	"encoding/json"
	"time"

	"fcd/fc"
)

// Types of objects, as the protocol spells them.
const (
	Normal     = "Normal"
	Multipart  = "Multipart"
	Appendable = "Appendable"
	Symlink    = "Symlink"
)

// Bucket is a named set of objects.
type Bucket struct {
	Name    string
	Created time.Time // UTC, whole milliseconds
	ACL     string    // private, public-read or public-read-write
}

// Object is an object's row of the index. As a value it is a snapshot: it does not follow later writes.
type Object struct {
	Bucket, Key string
	Size        int64
	Modified    time.Time // UTC, whole milliseconds
	ETag        string    // upper-case hex, "-<n>" behind it for n parts, unquoted
	CRC         uint64    // CRC-64/ECMA of all bytes
	Type        string    // Normal, Multipart, Appendable or Symlink
	Attrs       Attrs

	blob   string // names the bytes; the file itself if chunks is 1
	chunks int    // 0: no bytes, 1: the file blob, more: rows of the chunk table
	state  []byte // Appendable: the MD5 to go on from
}

// Attrs is what a writer may say about an object besides its bytes. It is not changed after it was handed to a Disk or
// received from one.
type Attrs struct {
	// Header holds Content-Type, Cache-Control and the like and the user's x-oss-meta-*, names lower-cased.
	Header map[string]string `json:"header,omitempty"`
	ACL    string            `json:"acl,omitempty"` // "" or default: the bucket's
	Tags   []Tag             `json:"tags,omitempty"`
	Target string            `json:"target,omitempty"` // Symlink: the key it names
}

// Tag is one label of an object.
type Tag struct {
	Key   string `json:"k" xml:"Key"`
	Value string `json:"v" xml:"Value"`
}

func (a Attrs) encode() string {
	b, _ := json.Marshal(a) // strings only: cannot fail
	return string(b)
}

func decodeAttrs(s string) (Attrs, error) {
	var a Attrs
	err := json.Unmarshal([]byte(s), &a)
	return a, err
}

// Write says what a write is besides its object.
type Write struct {
	// Event is the event to record with Name, SourceIP, RequestID and PrincipalID filled in; the Disk fills the rest.
	// No event is recorded if Name is empty.
	Event fc.ObjectEvent
	// Guard looks at the object that is about to be replaced or deleted, nil if there is none, and may refuse. It runs
	// inside the transaction, so what it saw still holds at the commit. Nil accepts.
	Guard func(old *Object) error
}

func (w Write) guard(old *Object) error {
	if w.Guard == nil {
		return nil
	}
	return w.Guard(old)
}
