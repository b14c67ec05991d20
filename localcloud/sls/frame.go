package sls

import (
	"bufio"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

const frameHeadBytes = 32

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errTorn means that the bytes at hand are not a whole, sound frame.
var errTorn = errors.New("torn frame")

// frameHead is what stands before a log group.
type frameHead struct {
	length   uint32 // of the group
	sum      uint32
	sequence uint64
	received uint64 // Unix ns
	earliest uint32 // log times, Unix seconds
	latest   uint32
}

// size is that of the whole frame.
func (h frameHead) size() int64 { return frameHeadBytes + int64(h.length) }

func (h frameHead) put(b []byte) {
	binary.LittleEndian.PutUint32(b, h.length)
	binary.LittleEndian.PutUint32(b[4:], h.sum)
	binary.LittleEndian.PutUint64(b[8:], h.sequence)
	binary.LittleEndian.PutUint64(b[16:], h.received)
	binary.LittleEndian.PutUint32(b[24:], h.earliest)
	binary.LittleEndian.PutUint32(b[28:], h.latest)
}

func readHead(b []byte) frameHead {
	return frameHead{
		length:   binary.LittleEndian.Uint32(b),
		sum:      binary.LittleEndian.Uint32(b[4:]),
		sequence: binary.LittleEndian.Uint64(b[8:]),
		received: binary.LittleEndian.Uint64(b[16:]),
		earliest: binary.LittleEndian.Uint32(b[24:]),
		latest:   binary.LittleEndian.Uint32(b[28:]),
	}
}

// frameSum covers everything but the sum itself.
func frameSum(head, group []byte) uint32 {
	c := crc32.Checksum(head[:4], castagnoli)
	c = crc32.Update(c, castagnoli, head[8:frameHeadBytes])
	return crc32.Update(c, castagnoli, group)
}

// appendFrame adds a frame to dst; length and sum of h are set here.
func appendFrame(dst []byte, h frameHead, group []byte) []byte {
	var head [frameHeadBytes]byte
	h.length = uint32(len(group))
	h.put(head[:])
	h.sum = frameSum(head[:], group)
	h.put(head[:])
	return append(append(dst, head[:]...), group...)
}

// frameReader reads frames one after the other. The group it gives is valid until the next call.
type frameReader struct {
	r    *bufio.Reader
	head [frameHeadBytes]byte
	buf  []byte
}

func newFrameReader(r io.Reader) *frameReader {
	return &frameReader{r: bufio.NewReaderSize(r, 256<<10)}
}

// next reads a frame. want, if given, may decline the group, which is then passed over unchecked and nil.
// The error is io.EOF at a clean end and errTorn for anything that is not a whole frame.
func (f *frameReader) next(want func(frameHead) bool) (frameHead, []byte, error) {
	if _, err := io.ReadFull(f.r, f.head[:]); err != nil {
		return frameHead{}, nil, tornOr(err)
	}
	h := readHead(f.head[:])
	if h.length > maxRawBytes {
		return h, nil, errTorn
	}
	if want != nil && !want(h) {
		if _, err := f.r.Discard(int(h.length)); err != nil {
			return h, nil, errTorn
		}
		return h, nil, nil
	}
	if cap(f.buf) < int(h.length) {
		f.buf = make([]byte, h.length)
	}
	group := f.buf[:h.length]
	if _, err := io.ReadFull(f.r, group); err != nil {
		if errors.Is(err, io.EOF) {
			return h, nil, errTorn
		}
		return h, nil, tornOr(err)
	}
	if frameSum(f.head[:], group) != h.sum {
		return h, nil, errTorn
	}
	return h, group, nil
}

func tornOr(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errTorn
	}
	return err
}
