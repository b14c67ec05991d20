package logsink

import (
	"errors"
	"fmt"
	"math"
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

// decode reads what encode wrote; unknown fields are passed over.
func decode(b []byte) (fc.LogRecord, error) {
	var r fc.LogRecord
	texts := map[protowire.Number]*string{
		fieldService: &r.Service, fieldFunction: &r.Function, fieldQualifier: &r.Qualifier, fieldVersionID: &r.VersionID,
		fieldInstanceID: &r.InstanceID, fieldRequestID: &r.RequestID, fieldMessage: &r.Message,
	}
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
		switch dst := texts[num]; {
		case dst != nil && typ == protowire.BytesType:
			v, _ := protowire.ConsumeString(b)
			*dst = v
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

// split cuts a message into pieces of at most maxMessageBytes, between runes where the text is UTF-8. An empty one is one piece.
func split(msg string) []string {
	var parts []string
	for len(msg) > maxMessageBytes {
		n := maxMessageBytes
		for n > maxMessageBytes-utf8.UTFMax && !utf8.RuneStart(msg[n]) {
			n--
		}
		if !utf8.RuneStart(msg[n]) {
			n = maxMessageBytes
		}
		parts, msg = append(parts, msg[:n]), msg[n:]
	}
	return append(parts, msg)
}
