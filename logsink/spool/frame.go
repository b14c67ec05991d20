package spool

import (
	"bufio"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"sync"
)

// MaxRecordBytes bounds one record. A log line is at most 900 KiB; the rest is room for its names.
const MaxRecordBytes = 1 << 20

const frameHeaderBytes = 8

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errTorn means that the bytes at hand are not a whole, sound frame.
var errTorn = errors.New("torn frame")

// readers is a pool of memory, no state: a buffer that is made anew for each batch is memory that the kernel may have to find
// and clear first, which takes longer than to read the batch.
var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 256<<10) }}

// borrowReader gives a reader of frames, for returnReader.
func borrowReader(from io.Reader) *bufio.Reader {
	r := readers.Get().(*bufio.Reader)
	r.Reset(from)
	return r
}

func returnReader(r *bufio.Reader) {
	r.Reset(nil)
	readers.Put(r)
}

// appendFrame adds the frame of rec to dst.
func appendFrame(dst, rec []byte) []byte {
	var head [frameHeaderBytes]byte
	binary.LittleEndian.PutUint32(head[:4], uint32(len(rec)))
	binary.LittleEndian.PutUint32(head[4:], frameSum(head[:4], rec))
	return append(append(dst, head[:]...), rec...)
}

func frameSum(length, rec []byte) uint32 {
	return crc32.Update(crc32.Checksum(length, castagnoli), castagnoli, rec)
}

// readFrame reads the next record. The error is io.EOF at a clean end and errTorn for anything that is not a whole frame;
// other errors are the reader's own.
func readFrame(r *bufio.Reader) ([]byte, error) {
	var head [frameHeaderBytes]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, tornOr(err)
	}
	n := binary.LittleEndian.Uint32(head[:4])
	if n == 0 || n > MaxRecordBytes {
		return nil, errTorn
	}
	rec := make([]byte, n)
	if _, err := io.ReadFull(r, rec); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errTorn
		}
		return nil, tornOr(err)
	}
	if frameSum(head[:4], rec) != binary.LittleEndian.Uint32(head[4:]) {
		return nil, errTorn
	}
	return rec, nil
}

// tornOr turns the error of a short read into errTorn and leaves io.EOF and real read errors alone.
func tornOr(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errTorn
	}
	return err
}
