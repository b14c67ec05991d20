package sqlite

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// The burst log is a file with one frame for each group that folded messages, behind a header that names the database it
// belongs to. Numbers are little-endian:
//
//	header  magic, 16 bytes; id of the database's log, 16 bytes
//	frame   form, 4 bytes; length of head, 4; length of payloads, 4; sequence number, 8; checksum, 4; head; payloads
//
// Sequence numbers grow and are never used again, but for that of a frame that was cut off. A checksum (CRC-32C) covers all of
// its frame, and goes on from that of the frame before it, the first one's from that of the header: what an earlier pass
// through the file has left behind the last frame cannot be taken for the next one.
const (
	logMagic  = "fcd burst log 1\n"
	logHead   = 32
	frameForm = "fcb1"
	frameSum  = 20 // where the checksum stands
	frameHead = 24
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is that of a frame behind one with the checksum before.
func checksum(b []byte, before uint32) uint32 {
	return crc32.Update(crc32.Update(before, castagnoli, b[:frameSum]), castagnoli, b[frameHead:])
}

// seal fills in the first bytes of a frame, of which a head of so many bytes and the payloads stand in their places.
func seal(b []byte, seq int64, head int, before uint32) (sum uint32) {
	copy(b, frameForm)
	binary.LittleEndian.PutUint32(b[4:], uint32(head))
	binary.LittleEndian.PutUint32(b[8:], uint32(len(b)-frameHead-head))
	binary.LittleEndian.PutUint64(b[12:], uint64(seq))
	sum = checksum(b, before)
	binary.LittleEndian.PutUint32(b[frameSum:], sum)
	return sum
}

// frame is what the first bytes of one say.
type frame struct {
	seq            int64
	head, payloads int64 // bytes
	sum            uint32
}

// readFrame is false for what cannot be the beginning of a frame.
func readFrame(b []byte) (f frame, ok bool) {
	if len(b) < frameHead || string(b[:4]) != frameForm {
		return f, false
	}
	f.head, f.payloads = int64(binary.LittleEndian.Uint32(b[4:])), int64(binary.LittleEndian.Uint32(b[8:]))
	f.seq, f.sum = int64(binary.LittleEndian.Uint64(b[12:])), binary.LittleEndian.Uint32(b[frameSum:])
	return f, f.seq > 0
}

// size is that of the frame, in bytes.
func (f frame) size() int64 { return frameHead + f.head + f.payloads }

// parts are the head and the payloads of a frame that stands in b.
func (f frame) parts(b []byte) (head, payloads []byte) {
	return b[frameHead : frameHead+f.head], b[frameHead+f.head:]
}

// errLog marks what is wrong with the burst log's file: it cannot be read or written, or it is damaged.
var errLog = errors.New("burst log")

// A scan goes through the frames of a burst log. The chain ends where no frame goes on from the one before: at what a
// write left that was cut off, or at what an earlier pass left.
type scan struct {
	file io.ReaderAt
	size int64
	r    *bufio.Reader
	left int64 // bytes behind what r was asked for
	buf  []byte

	last   int64  // sequence number of the last frame, 0 before the first
	sum    uint32 // its checksum
	before uint32 // checksum of the frame before that
	end    int64  // where it ends
}

// newScan begins behind the header of a log of size bytes, whose checksum is seed.
func newScan(file io.ReaderAt, size int64, seed uint32) *scan {
	s := &scan{file: file, size: size, r: bufio.NewReaderSize(nil, 1<<20), sum: seed, end: logHead}
	s.seek()
	return s
}

// seek goes to where the last frame ends.
func (s *scan) seek() {
	s.left = max(s.size-s.end, 0)
	s.r.Reset(io.NewSectionReader(s.file, s.end, s.left))
}

// next is the next frame, and its bytes, which are valid until the next call. ok is false behind the last one. One that is
// damaged and not merely cut off is an error: the store puts no frame behind one that is not on disk.
func (s *scan) next() (f frame, b []byte, ok bool, err error) {
	for again := false; ; again = true {
		last, sum := s.last, s.sum
		f, there, whole, err := s.read()
		if whole {
			s.before = sum
			s.end += f.size()
			return f, s.buf, true, nil
		}
		behind := false
		if err == nil && there {
			_, _, behind, err = s.read()
		}
		s.last, s.sum = last, sum
		switch {
		case err != nil || !behind:
			return f, nil, false, err
		case again:
			return f, nil, false, fmt.Errorf("%w: frame %d at byte %d is damaged, and the one behind it is not", errLog, f.seq, s.end)
		}
		s.seek() // both may have been written since the first was read
	}
}

// read takes what may be a frame. It is there if its first bytes go on from those of the frame before, and whole if its
// checksum does.
func (s *scan) read() (f frame, there, whole bool, err error) {
	if s.left < frameHead {
		return f, false, false, nil
	}
	b, err := s.r.Peek(frameHead)
	if err != nil {
		return f, false, false, cutOrBroken(err)
	}
	f, ok := readFrame(b)
	if !ok || f.seq <= s.last || f.size() > s.left {
		return f, false, false, nil
	}
	if int64(cap(s.buf)) < f.size() {
		s.buf = make([]byte, f.size())
	}
	s.buf = s.buf[:f.size()]
	if _, err := io.ReadFull(s.r, s.buf); err != nil {
		return f, false, false, cutOrBroken(err)
	}
	s.left -= f.size()
	whole = checksum(s.buf, s.sum) == f.sum
	s.last, s.sum = f.seq, f.sum
	return f, true, whole, nil
}

// cutOrBroken is nil for the end of a file, which another process may have cut meanwhile.
func cutOrBroken(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return nil
	}
	return fmt.Errorf("%w: %w", errLog, err)
}
