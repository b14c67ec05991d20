package sls

import (
	"strconv"
	"strings"

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
	raw, err := uncompress(c.body, c.r.Header.Get("x-log-bodyrawsize"), c.r.Header.Get("x-log-compresstype"))
	if err != nil {
		return err
	}
	var g logGroup
	if err := g.decode(raw); err != nil {
		return err
	}
	if err := g.check(); err != nil {
		return err
	}
	if len(g.logs) > 0 {
		if err := l.write(raw, &g, key, c.s.opts.Clock()); err != nil {
			return err
		}
		c.s.metrics.lines.Add(float64(len(g.logs)))
	}
	return c.ok()
}

// uncompress gives the body of a write as it was before compression. The size announced is checked before anything is
// allocated for it, and the result must have it.
func uncompress(body []byte, rawSize, kind string) ([]byte, error) {
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
		raw, err = unLZ4(body, int(size))
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

func unLZ4(body []byte, size int) ([]byte, error) {
	if size > len(body)*lz4MaxRatio {
		return nil, lz4.ErrInvalidSourceShortBuffer
	}
	raw := make([]byte, size)
	n, err := lz4.UncompressBlock(body, raw)
	if err != nil {
		return nil, err
	}
	return raw[:n], nil
}

func unZstd(body []byte, size int) ([]byte, error) {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxRawBytes), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		return nil, err
	}
	defer dec.Close()
	return dec.DecodeAll(body, make([]byte, 0, size))
}
