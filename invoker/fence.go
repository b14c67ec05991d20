package invoker

import (
	"bytes"
	"unicode/utf8"

	"fcd/invoker/runtimes/frame"
)

// Bounds of a log pipe's buffer: what it begins with, and the most that one read takes.
const (
	minLogBuffer = 4 << 10
	maxLogRead   = 64 << 10
)

// sections is told what a splitter finds. Slices are valid during the call only.
type sections interface {
	line(text []byte)        // a line without its newline, or a piece of one that is too long
	accept(frame.Fence) bool // may this fence stand here? If not, its bytes are text
	fence(frame.Fence)       // an accepted fence
	limit(text []byte) int   // the most bytes that one record of this overlong line may have; asked at its beginning
}

// A splitter cuts the raw bytes of one log pipe into lines and fences. It never refuses anything: what is not a fence
// with the right token and an acceptable id is text, and a line longer than max comes out in pieces that end at UTF-8
// boundaries.
type splitter struct {
	token frame.Token
	max   int
	to    sections
	buf   []byte // what was read and not yet given out
	seen  int    // so much of buf is known to hold neither a newline nor a fence
}

// room is where the next bytes go; follow it with wrote.
func (s *splitter) room() []byte {
	if cap(s.buf)-len(s.buf) < minLogBuffer/2 {
		grown := make([]byte, len(s.buf), max(minLogBuffer, 2*cap(s.buf)))
		copy(grown, s.buf)
		s.buf = grown
	}
	free := s.buf[len(s.buf):cap(s.buf)]
	return free[:min(len(free), maxLogRead)]
}

// wrote takes in the first n bytes of room and gives out the lines and fences that are complete.
func (s *splitter) wrote(n int) {
	s.buf = s.buf[:len(s.buf)+n]
	begin := s.scan()
	begin = s.cutLong(begin)
	s.buf = s.buf[:copy(s.buf, s.buf[begin:])]
	s.seen -= begin
}

// scan walks from seen and returns where the unfinished line begins.
func (s *splitter) scan() (begin int) {
	pos := s.seen
	for pos < len(s.buf) {
		end := bytes.IndexByte(s.buf[pos:], '\n')
		span := s.buf[pos:]
		if end >= 0 {
			span = span[:end]
		}
		if zero := bytes.IndexByte(span, 0); zero >= 0 {
			at := pos + zero
			f, n := s.token.ParseFence(s.buf[at:])
			switch {
			case n < 0: // only more bytes can tell
				s.seen = at
				return begin
			case n == 0 || !s.to.accept(f):
				pos = at + 1
			default:
				if at > begin {
					s.emit(s.buf[begin:at])
				}
				s.to.fence(f)
				begin, pos = at+n, at+n
			}
			continue
		}
		if end < 0 {
			pos = len(s.buf)
			break
		}
		s.emit(s.buf[begin : pos+end])
		begin, pos = pos+end+1, pos+end+1
	}
	s.seen = pos
	return begin
}

// cutLong gives out pieces of an unfinished line that has grown over max.
func (s *splitter) cutLong(begin int) int {
	for s.seen-begin > s.max {
		limit := s.to.limit(s.buf[begin:s.seen])
		if s.seen-begin <= limit {
			break
		}
		n := runeCut(s.buf[begin:s.seen], limit)
		s.to.line(s.buf[begin : begin+n])
		begin += n
	}
	return begin
}

func (s *splitter) emit(text []byte) {
	for len(text) > s.max {
		limit := s.to.limit(text)
		if len(text) <= limit {
			break
		}
		n := runeCut(text, limit)
		s.to.line(text[:n])
		text = text[n:]
	}
	s.to.line(text)
}

// flush gives out the unfinished line: at the end of the pipe.
func (s *splitter) flush() {
	if len(s.buf) > 0 {
		s.emit(s.buf)
	}
	s.buf, s.seen = nil, 0
}

// runeCut is the greatest n <= limit at which b may be cut without splitting a character; limit itself where b is not
// UTF-8 there.
func runeCut(b []byte, limit int) int {
	for n := limit; n > limit-utf8.UTFMax && n > 0; n-- {
		if utf8.RuneStart(b[n]) {
			return n
		}
	}
	return limit
}
