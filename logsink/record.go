package logsink

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"fcd/fc"
)

// Field numbers of a record in the spool. They are on users' disks: never change one, only add.
const (
	fieldTime protowire.Number = iota + 1
	fieldService
	fieldFunction
	fieldQualifier
	fieldVersionID
	fieldInstanceID
	fieldRequestID
	fieldMessage
	fieldLate
)

// maxMessageBytes is the longest line of one record; a longer one becomes several. The longest line that has to stay
// whole is that of a function's error: 262144 characters of up to three bytes, and what stands around them. The bound is
// below the MiB of a value in the Log Service and of a frame in the spool.
const maxMessageBytes = 900 << 10

// maxNamesBytes bounds everything of a record but its message, so that a record always fits a spool frame.
const maxNamesBytes = 64 << 10

// encode writes a record without its project and logstore, which its queue knows.
func encode(dst []byte, r fc.LogRecord) []byte {
	dst = protowire.AppendTag(dst, fieldTime, protowire.Fixed64Type)
	dst = protowire.AppendFixed64(dst, uint64(r.Time.UnixNano()))
	text := func(n protowire.Number, s string) {
		if s != "" {
			dst = protowire.AppendTag(dst, n, protowire.BytesType)
			dst = protowire.AppendString(dst, s)
		}
	}
	text(fieldService, r.Service)
	text(fieldFunction, r.Function)
	text(fieldQualifier, r.Qualifier)
	text(fieldVersionID, r.VersionID)
	text(fieldInstanceID, r.InstanceID)
	text(fieldRequestID, r.RequestID)
	text(fieldMessage, r.Message)
	if r.Late {
		dst = protowire.AppendTag(dst, fieldLate, protowire.VarintType)
		dst = protowire.AppendVarint(dst, 1)
	}
	return dst
}

var errRecord = errors.New("spooled record is not readable")

// decode reads what encode wrote; unknown fields are passed over. Texts that like holds are not made again.
func decode(b []byte, like *likeness) (fc.LogRecord, error) {
	var r fc.LogRecord
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return r, errRecord
		}
		b = b[n:]
		size := protowire.ConsumeFieldValue(num, typ, b)
		if size < 0 {
			return r, errRecord
		}
		switch {
		case typ == protowire.BytesType:
			if dst := textField(&r, num); dst != nil {
				v, _ := protowire.ConsumeBytes(b)
				*dst = like.text(num, v)
			}
		case num == fieldTime && typ == protowire.Fixed64Type:
			v, _ := protowire.ConsumeFixed64(b)
			r.Time = time.Unix(0, int64(v)).UTC()
		case num == fieldLate && typ == protowire.VarintType:
			v, _ := protowire.ConsumeVarint(b)
			r.Late = v != 0
		}
		b = b[size:]
	}
	return r, nil
}

// textField is where a field's text goes; nil for another field.
func textField(r *fc.LogRecord, num protowire.Number) *string {
	switch num {
	case fieldService:
		return &r.Service
	case fieldFunction:
		return &r.Function
	case fieldQualifier:
		return &r.Qualifier
	case fieldVersionID:
		return &r.VersionID
	case fieldInstanceID:
		return &r.InstanceID
	case fieldRequestID:
		return &r.RequestID
	case fieldMessage:
		return &r.Message
	}
	return nil
}

// A likeness keeps the texts of the record before: most of them repeat.
type likeness [fieldMessage]string

func (k *likeness) text(num protowire.Number, v []byte) string {
	if num == fieldMessage || int(num) >= len(k) {
		return string(v)
	}
	if k[num] != string(v) {
		k[num] = string(v)
	}
	return k[num]
}

// check refuses what encode could not keep faithfully.
func check(r fc.LogRecord) error {
	names := len(r.Service) + len(r.Function) + len(r.Qualifier) + len(r.VersionID) + len(r.InstanceID) + len(r.RequestID)
	if names > maxNamesBytes {
		return fmt.Errorf("log record: names of %d bytes, at most %d", names, maxNamesBytes)
	}
	if y := r.Time.Year(); y < 1970 || y > 2261 || r.Time.UnixNano() < 0 || r.Time.UnixNano() == math.MaxInt64 {
		return fmt.Errorf("log record: time %v is not between 1970 and 2261", r.Time)
	}
	return nil
}

// cut takes the first maxMessageBytes of a longer message, or somewhat less, so that a rune stays whole where the text is
// UTF-8.
func cut(msg string) (part, rest string) {
	n := maxMessageBytes
	for n > maxMessageBytes-utf8.UTFMax && !utf8.RuneStart(msg[n]) {
		n--
	}
	if !utf8.RuneStart(msg[n]) {
		n = maxMessageBytes
	}
	return msg[:n], msg[n:]
}

// An encoder renders records for the spool, one behind the other in memory that is used again.
type encoder struct {
	buf  []byte
	recs [][]byte // parts of buf, or of what buf was before it grew
	at   time.Time
	from string // the service of the last record
}

// encoders is a pool of memory, no state.
var encoders = sync.Pool{New: func() any { return new(encoder) }}

// maxKept is the largest buffer that is kept for the next records.
const maxKept = 256 << 10

func (e *encoder) add(r fc.LogRecord) {
	begin := len(e.buf)
	e.buf = encode(e.buf, r)
	e.recs = append(e.recs, e.buf[begin:len(e.buf):len(e.buf)])
	e.at, e.from = r.Time, r.Service
}

func (e *encoder) release() {
	clear(e.recs)
	e.recs, e.buf = e.recs[:0], e.buf[:0]
	if cap(e.buf) <= maxKept {
		encoders.Put(e)
	}
}
