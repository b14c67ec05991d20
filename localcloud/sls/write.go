package sls

import (
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// postLogs writes one log group.
func (c *call) postLogs() error {
	l, err := c.logstore()
	if err != nil {
		return err
	}
	key := ""
	if strings.HasSuffix(strings.TrimRight(c.r.URL.Path, "/"), "/shards/route") {
		if key = c.r.URL.Query().Get("key"); key == "" {
			return badHashKey(key)
		}
	}
	m := writeMemories.Get().(*writeMemory)
	defer m.release()
	raw, err := m.uncompress(c.body, c.r.Header.Get("x-log-bodyrawsize"), c.r.Header.Get("x-log-compresstype"))
	if err != nil {
		return err
	}
	if err := m.group.decode(raw); err != nil {
		return err
	}
	if err := m.group.check(); err != nil {
		return err
	}
	if len(m.group.logs) > 0 {
		if err := l.write(raw, &m.group, key, c.s.opts.Clock()); err != nil {
			return err
		}
		c.s.metrics.lines.Add(float64(len(m.group.logs)))
	}
	return c.ok()
}

// A writeMemory is what a write needs of memory while it lasts, several times as much as its body: it is used again, so
// that the collector has less to do.
type writeMemory struct {
	raw   []byte // room for a body of lz4
	group logGroup
}

// writeMemories is a pool of memory, no state.
var writeMemories = sync.Pool{New: func() any { return new(writeMemory) }}

// maxKeptRaw is the largest body for which memory is kept. A group of it needs as much again, or twice.
const maxKeptRaw = 4 << 20

func (m *writeMemory) release() {
	if cap(m.raw) <= maxKeptRaw && cap(m.group.contents) <= maxKeptRaw/usualPair {
		m.group.forget()
		writeMemories.Put(m)
	}
}

// uncompress gives the body of a write as it was before compression. The size announced is checked before anything is
// allocated for it, and the result must have it. It is valid until release.
func (m *writeMemory) uncompress(body []byte, rawSize, kind string) ([]byte, error) {
	if rawSize == "" {
		return nil, badRequest("MissingBodyRawSize", "header x-log-bodyrawsize is missing")
	}
	size, err := strconv.ParseInt(rawSize, 10, 64)
	if err != nil || size < 0 {
		return nil, badRequest("InvalidBodyRawSize", "x-log-bodyrawsize %.40q is not a size", rawSize)
	}
	if size > maxRawBytes {
		return nil, badRequest("PostBodyTooLarge", "x-log-bodyrawsize %d is above %d", size, maxRawBytes)
	}
	var raw []byte
	switch kind {
	case "":
		raw = body
	case "lz4":
		raw, err = m.unLZ4(body, int(size))
	case "zstd":
		raw, err = unZstd(body, int(size))
	default:
		return nil, badRequest("InvalidCompressType", "x-log-compresstype %.40q is none of lz4, zstd", kind)
	}
	if err != nil {
		return nil, badRequest("PostBodyUncompressError", "the body is not %s of %d bytes: %v", kind, size, err)
	}
	if int64(len(raw)) != size {
		return nil, badRequest("InvalidBodyRawSize", "the body has %d bytes, x-log-bodyrawsize says %d", len(raw), size)
	}
	return raw, nil
}

// lz4MaxRatio is more than an lz4 block can expand: each input byte adds at most 255 bytes.
const lz4MaxRatio = 256

func (m *writeMemory) unLZ4(body []byte, size int) ([]byte, error) {
	if size > len(body)*lz4MaxRatio {
		return nil, lz4.ErrInvalidSourceShortBuffer
	}
	// The decoder writes to where nothing is if it is given no memory at all, even for a block of no bytes.
	if m.raw == nil || cap(m.raw) < size {
		m.raw = make([]byte, size)
	}
	n, err := lz4.UncompressBlock(body, m.raw[:size])
	if err != nil {
		return nil, err
	}
	return m.raw[:n], nil
}

func unZstd(body []byte, size int) ([]byte, error) {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxRawBytes), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		return nil, err
	}
	defer dec.Close()
	return dec.DecodeAll(body, make([]byte, 0, size))
}
