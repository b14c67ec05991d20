package sls

import (
	"bytes"
	"encoding/binary"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Limits of one written log group.
const (
	maxRawBytes   = 10 << 20 // uncompressed
	maxValueBytes = 1 << 20  // one value
)

// usualPair is what a content takes in a group, in bytes: for how many room is made at first.
const usualPair = 32

const packIDTag = "__pack_id__"

// pair is a key with its value. The bytes belong to the group they were read from.
type pair struct{ key, value []byte }

// logLine is one log of a group: contents[begin:end] of its group.
type logLine struct {
	time       uint32 // Unix seconds
	ns         uint32 // below 1e9
	begin, end int
}

// nanos is the log's time in Unix nanoseconds.
func (l logLine) nanos() int64 { return int64(l.time)*1e9 + int64(l.ns) }

// logGroup is a decoded LogGroup. It is reused from frame to frame and points into the bytes it was decoded from.
type logGroup struct {
	topic, source []byte
	tags          []pair
	logs          []logLine
	contents      []pair
}

// fields are the contents of one log.
func (g *logGroup) fields(l logLine) []pair { return g.contents[l.begin:l.end] }

// packID is the value of the group's pack id tag, "" if it has none.
func (g *logGroup) packID() string {
	for _, t := range g.tags {
		if string(t.key) == packIDTag {
			return string(t.value)
		}
	}
	return ""
}

// span is the time of the earliest and the latest log.
func (g *logGroup) span() (earliest, latest uint32) {
	earliest = math.MaxUint32
	for _, l := range g.logs {
		earliest, latest = min(earliest, l.time), max(latest, l.time)
	}
	return earliest, latest
}

// forget lets go of the bytes it was decoded from. Its memory stays for the next.
func (g *logGroup) forget() {
	clear(g.tags)
	clear(g.contents)
	g.topic, g.source = nil, nil
}

// decode reads a LogGroup message (proto2). Required fields must be there; unknown ones are passed over.
func (g *logGroup) decode(b []byte) error {
	*g = logGroup{tags: g.tags[:0], logs: g.logs[:0], contents: g.contents[:0]}
	if g.contents == nil {
		g.contents = make([]pair, 0, len(b)/usualPair)
	}
	return eachField(b, func(num protowire.Number, v []byte, _ uint64) error {
		switch num {
		case 1:
			return g.decodeLog(v)
		case 3:
			g.topic = v
		case 4:
			g.source = v
		case 6:
			t, err := decodePair(v)
			g.tags = append(g.tags, t)
			return err
		}
		return nil
	})
}

func (g *logGroup) decodeLog(b []byte) error {
	l := logLine{begin: len(g.contents)}
	timed := false
	err := eachField(b, func(num protowire.Number, v []byte, n uint64) error {
		switch num {
		case 1:
			if v != nil || n > math.MaxUint32 {
				return invalidBody("a log's time is not a uint32")
			}
			l.time, timed = uint32(n), true
		case 2:
			p, err := decodePair(v)
			g.contents = append(g.contents, p)
			return err
		case 4:
			if v != nil || n >= 1e9 {
				return invalidBody("a log's nanoseconds are not below 1000000000")
			}
			l.ns = uint32(n)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if !timed {
		return invalidBody("a log has no time")
	}
	l.end = len(g.contents)
	g.logs = append(g.logs, l)
	return nil
}

func decodePair(b []byte) (pair, error) {
	var p pair
	var key, value bool
	if b == nil {
		return p, invalidBody("a content or tag is not a message")
	}
	if p, ok := plainPair(b); ok {
		return p, nil
	}
	err := eachField(b, func(num protowire.Number, v []byte, _ uint64) error {
		switch {
		case num > 2:
		case v == nil:
			return invalidBody("a key or value is not a string")
		case num == 1:
			p.key, key = v, true
		default:
			p.value, value = v, true
		}
		return nil
	})
	if err == nil && !(key && value) {
		err = invalidBody("a content or tag has no key or no value")
	}
	return p, err
}

// plainPair reads a pair as nearly all clients write it: a key and a value of less than 128 bytes each, nothing else.
func plainPair(b []byte) (p pair, ok bool) {
	const keyTag, valueTag = 1<<3 | byte(protowire.BytesType), 2<<3 | byte(protowire.BytesType)
	if len(b) < 4 || b[0] != keyTag || b[1] >= 0x80 || len(b) < 4+int(b[1]) {
		return p, false
	}
	end := 2 + int(b[1])
	if b[end] != valueTag || b[end+1] >= 0x80 || len(b) != end+2+int(b[end+1]) {
		return p, false
	}
	return pair{key: b[2:end:end], value: b[end+2:]}, true
}

// eachField calls f for every field of a message: v is the bytes of a length-delimited field (never nil), n the number
// of any other.
func eachField(b []byte, f func(num protowire.Number, v []byte, n uint64) error) error {
	for len(b) > 0 {
		num, typ, size := protowire.ConsumeTag(b)
		if size < 0 {
			return invalidBody("a field's tag is not readable")
		}
		b = b[size:]
		if typ == protowire.BytesType {
			v, n := protowire.ConsumeBytes(b)
			if n < 0 {
				return invalidBody("field %d is not readable", num)
			}
			if err := f(num, v, 0); err != nil {
				return err
			}
			b = b[n:]
			continue
		}
		size = protowire.ConsumeFieldValue(num, typ, b)
		if size < 0 {
			return invalidBody("field %d is not readable", num)
		}
		var n uint64
		switch typ {
		case protowire.VarintType:
			n, _ = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			n = uint64(binary.LittleEndian.Uint32(b))
		case protowire.Fixed64Type:
			n = binary.LittleEndian.Uint64(b)
		}
		if typ != protowire.StartGroupType {
			if err := f(num, nil, n); err != nil {
				return err
			}
		}
		b = b[size:]
	}
	return nil
}

func invalidBody(format string, args ...any) error {
	return badRequest("PostBodyInvalid", format, args...)
}

// check holds a decoded group to the limits of a write.
func (g *logGroup) check() error {
	for _, p := range g.contents {
		if len(p.value) > maxValueBytes {
			return badRequest("PostBodyTooLarge", "the value of %q has %d bytes, at most %d", clip(p.key), len(p.value), maxValueBytes)
		}
		if len(p.key) == 0 {
			return badRequest("InvalidKey", "a log has a content with an empty key")
		}
	}
	return nil
}

// clip shortens bytes for an error message.
func clip(b []byte) []byte { return b[:min(len(b), 100)] }

// row is the log as queries answer it.
func (g *logGroup) row(l logLine) map[string]string {
	row := make(map[string]string, len(g.tags)+4+l.end-l.begin)
	for _, t := range g.tags {
		row["__tag__:"+string(t.key)] = string(t.value)
	}
	for _, p := range g.fields(l) {
		row[string(p.key)] = string(p.value)
	}
	row["__time__"] = itoa(int64(l.time))
	row["__topic__"] = string(g.topic)
	row["__source__"] = string(g.source)
	if l.ns > 0 {
		row["__time_ns_part__"] = itoa(int64(l.ns))
	}
	return row
}

// value finds a field of a log by the name that queries use.
func (g *logGroup) value(l logLine, key []byte) ([]byte, bool) {
	switch string(key) {
	case "__topic__":
		return g.topic, true
	case "__source__":
		return g.source, true
	case "__time__":
		return []byte(itoa(int64(l.time))), true
	}
	if tag, ok := bytes.CutPrefix(key, []byte("__tag__:")); ok {
		return find(g.tags, tag)
	}
	return find(g.fields(l), key)
}

func find(pairs []pair, key []byte) ([]byte, bool) {
	for _, p := range pairs {
		if bytes.Equal(p.key, key) {
			return p.value, true
		}
	}
	return nil, false
}
