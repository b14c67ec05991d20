package sls

import (
	"encoding/base64"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"go.uber.org/zap"
	"google.golang.org/protobuf/encoding/protowire"
)

// Bounds of one PullLogs answer.
const (
	maxPullGroups = 1000
	maxPullBytes  = 10 << 20 // after the first group
)

// encodeCursor is a sequence as clients see it; they decode and decrement it.
func encodeCursor(seq uint64) string {
	return base64.StdEncoding.EncodeToString([]byte(strconv.FormatUint(seq, 10)))
}

func decodeCursor(text string) (uint64, error) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err == nil {
		var seq uint64
		if seq, err = strconv.ParseUint(string(b), 10, 64); err == nil && seq <= math.MaxInt64 {
			return seq, nil
		}
	}
	return 0, badRequest("InvalidCursor", "cursor %.100q is not one of this service", text)
}

func (c *call) listShards() error {
	l, err := c.logstore()
	if err != nil {
		return err
	}
	return c.json(answerShards(l.all()))
}

// shard is the one that the route names.
func (c *call) shard() (partition, error) {
	l, err := c.logstore()
	if err != nil {
		return partition{}, err
	}
	return l.shardByID(c.parts["shard"])
}

func (c *call) getCursor() error {
	sh, err := c.shard()
	if err != nil {
		return err
	}
	begin, end := sh.bounds()
	var seq uint64
	switch from := c.r.URL.Query().Get("from"); from {
	case "begin":
		seq = begin
	case "end":
		seq = end
	default:
		secs, err := strconv.ParseInt(from, 10, 64)
		if err != nil || secs < 0 || secs > math.MaxInt64/int64(time.Second) {
			return badRequest("ParameterInvalid", "parameter from is %.40q, not begin, end or a time in seconds", from)
		}
		if seq, err = c.firstSince(sh.shard, uint64(secs)*uint64(time.Second), begin, end); err != nil {
			return err
		}
	}
	return c.json(map[string]string{"cursor": encodeCursor(seq)})
}

// firstSince is the cursor before the first group received at or after ns: one above the group before it, as the end would
// have been then, so that equal places have equal cursors. It is begin if that is the first group kept, and end if there is
// no such group.
func (c *call) firstSince(sh *shard, ns, begin, end uint64) (seq uint64, err error) {
	seq = begin
	for _, seg := range sh.view() {
		if seg.Received < ns {
			seq = seg.Last + 1
			continue
		}
		late := func(h frameHead) bool {
			if h.received >= ns {
				return true
			}
			seq = h.sequence + 1
			return false
		}
		more, err := seg.each(0, late, func(frameHead, []byte) (bool, error) { return false, nil })
		if err = c.tolerate(err); err != nil || !more {
			return seq, err
		}
	}
	return end, nil
}

// tolerate logs damage in a segment and goes on: what stands behind it cannot be read, the rest can.
func (c *call) tolerate(err error) error {
	if errors.Is(err, errTorn) {
		c.s.log.Error("a log segment is damaged", zap.String("project", c.project), zap.Error(err))
		return nil
	}
	return err
}

// getCursorTime answers when the first group behind a cursor was received, or the cursor's own time if there is none.
func (c *call) getCursorTime() error {
	sh, err := c.shard()
	if err != nil {
		return err
	}
	seq, err := decodeCursor(c.r.URL.Query().Get("cursor"))
	if err != nil {
		return err
	}
	for _, seg := range sh.view() {
		if seg.Last < seq {
			continue
		}
		more, err := seg.each(seq, nil, func(h frameHead, _ []byte) (bool, error) {
			seq = h.sequence
			return false, nil
		})
		if err = c.tolerate(err); err != nil {
			return err
		}
		if !more {
			break
		}
	}
	return c.json(map[string]int64{"cursor_time": int64(seq / uint64(time.Second))})
}

// pullLogs answers the groups from a cursor on as they were written.
func (c *call) pullLogs() error {
	sh, err := c.shard()
	if err != nil {
		return err
	}
	q := c.r.URL.Query()
	if query := strings.TrimSpace(q.Get("query")); query != "" && query != "*" {
		return badRequest("NotSupported", "pulling with a query (%.100q) is not supported", query)
	}
	from, err := decodeCursor(q.Get("cursor"))
	if err != nil {
		return err
	}
	end := uint64(math.MaxUint64)
	if text := q.Get("end_cursor"); text != "" {
		if end, err = decodeCursor(text); err != nil {
			return err
		}
	}
	count, err := c.intParam("count", 100)
	if err != nil {
		return err
	}
	if count < 1 || count > maxPullGroups {
		return badRequest("ParameterInvalid", "count %d is not between 1 and %d", count, maxPullGroups)
	}
	list, groups, next, err := c.collect(sh.shard, from, end, int(count))
	if err != nil {
		return err
	}
	return c.answerPull(list, groups, next)
}

// collect builds a LogGroupList of the groups in [from, end) and the cursor after them.
func (c *call) collect(sh *shard, from, end uint64, count int) (list []byte, groups int, next uint64, err error) {
	next = from
	for _, seg := range sh.view() {
		if seg.Last < from {
			continue
		}
		more, err := seg.each(from, nil, func(h frameHead, group []byte) (bool, error) {
			if h.sequence >= end {
				next = max(next, end) // clients pull until they are given the end
				return false, nil
			}
			if groups > 0 && len(list)+len(group) > maxPullBytes {
				return false, nil
			}
			list = protowire.AppendTag(list, 1, protowire.BytesType)
			list = protowire.AppendBytes(list, group)
			groups++
			next = h.sequence + 1
			return groups < count, nil
		})
		if err = c.tolerate(err); err != nil || !more {
			return list, groups, next, err
		}
		next = max(next, min(seg.Last+1, end))
	}
	return list, groups, next, nil
}

func (c *call) answerPull(list []byte, groups int, next uint64) error {
	h := c.w.Header()
	h.Set("x-log-cursor", encodeCursor(next))
	h.Set("x-log-count", strconv.Itoa(groups))
	h.Set("x-log-bodyrawsize", strconv.Itoa(len(list)))
	if len(list) == 0 {
		return c.bytes("application/x-protobuf", nil)
	}
	kind, body, err := compress(list, c.r.Header.Get("Accept-Encoding"))
	if err != nil {
		return err
	}
	h.Set("x-log-compresstype", kind)
	return c.bytes("application/x-protobuf", body)
}

// compress packs an answer in the way the client accepts: zstd if it names it, else lz4.
func compress(raw []byte, accept string) (kind string, body []byte, err error) {
	if strings.Contains(accept, "zstd") {
		enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
		if err != nil {
			return "", nil, err
		}
		defer enc.Close()
		return "zstd", enc.EncodeAll(raw, nil), nil
	}
	body = make([]byte, lz4.CompressBlockBound(len(raw)))
	n, err := lz4.CompressBlock(raw, body, nil)
	if err != nil {
		return "", nil, err
	}
	if n == 0 {
		return "lz4", literalBlock(raw), nil
	}
	return "lz4", body[:n], nil
}

// literalBlock is raw as an lz4 block of one literal run, for bytes that do not compress.
func literalBlock(raw []byte) []byte {
	n := len(raw)
	if n < 15 {
		return append([]byte{byte(n << 4)}, raw...)
	}
	b := []byte{0xF0}
	for n -= 15; n >= 255; n -= 255 {
		b = append(b, 255)
	}
	return append(append(b, byte(n)), raw...)
}
