package disk

import (
	"errors"
	"fmt"
)

// What a Disk refuses; compare with errors.Is.
var (
	ErrNoBucket       = errors.New("no such bucket")
	ErrBucketNotEmpty = errors.New("bucket is not empty")
	ErrNoObject       = errors.New("no such object")
	ErrNoUpload       = errors.New("no such upload")
	ErrTooLarge       = errors.New("body is larger than allowed")
	ErrFull           = errors.New("storage is full")
	ErrBroken         = errors.New("index cannot be written")
	ErrClosed         = errors.New("storage is closed")
)

// PositionError refuses an append: the object ends elsewhere, or cannot be appended to.
type PositionError struct {
	Next          int64 // the object's size
	NotAppendable bool
}

func (e *PositionError) Error() string {
	if e.NotAppendable {
		return "object is not appendable"
	}
	return fmt.Sprintf("position does not equal the object's length %d", e.Next)
}

// Kinds of PartError.
const (
	PartMissing    = "missing"   // no such part, or another entity tag
	PartOutOfOrder = "order"     // part numbers do not rise
	PartTooSmall   = "too small" // a part below MinPart that is not the last
)

// PartError refuses to complete an upload because of one part.
type PartError struct {
	Kind   string // PartMissing, PartOutOfOrder or PartTooSmall
	Number int
}

func (e *PartError) Error() string { return fmt.Sprintf("part %d: %s", e.Number, e.Kind) }
