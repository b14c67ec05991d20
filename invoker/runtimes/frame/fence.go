package frame

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
)

// Token is what tells an instance's own fences from text that looks like one. It is known to the daemon and to the
// bootstrap, which got it in Hello; never to the environment, a command line or a file.
type Token [16]byte

// Marks of a fence.
const (
	FenceStart byte = 'S' // what follows belongs to the request
	FenceEnd   byte = 'E' // the request's result is known; what follows is late

	// Where several requests are in flight, single records carry the id of theirs instead.
	FenceLabel   byte = 'L' // what follows belongs to the request, up to FenceUnlabel with the same id
	FenceUnlabel byte = 'U'
)

// MaxID is the longest request id, bytes. Fences stay far below PIPE_BUF, so that one write(2) is atomic.
const MaxID = 128

const fenceHead = 1 + len(Token{}) + 1

// Fence is one fence as read.
type Fence struct {
	Mark byte   // FenceStart, FenceEnd, FenceLabel or FenceUnlabel
	ID   []byte // part of what was parsed
}

// NewToken draws a token.
func NewToken() Token {
	var t Token
	rand.Read(t[:])
	return t
}

// Hex is the token as Hello carries it.
func (t Token) Hex() string { return hex.EncodeToString(t[:]) }

// ValidID tells whether a request id can stand in a fence: 1 to MaxID printable ASCII characters, no space.
func ValidID[T string | []byte](id T) bool {
	if len(id) == 0 || len(id) > MaxID {
		return false
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return false
		}
	}
	return true
}

// AppendFence appends the bytes of a fence to dst. id must be valid.
func (t Token) AppendFence(dst []byte, mark byte, id string) []byte {
	dst = append(dst, 0)
	dst = append(dst, t[:]...)
	dst = append(dst, mark)
	dst = append(dst, id...)
	return append(dst, '\n')
}

// ParseFence looks for a fence of this token at the very beginning of b. It gives the fence and its length in bytes; or
// n = 0 when b begins with something else, which is text; or n = -1 when b is too short to tell, so that the caller
// holds b back until more bytes or the end of the pipe come. It never holds back more than MaxID+19 bytes. Whether
// the id is the one expected is the caller's to check: if not, the bytes are text as well.
func (t Token) ParseFence(b []byte) (f Fence, n int) {
	if len(b) == 0 {
		return Fence{}, -1
	}
	known := min(len(b), 1+len(t))
	if b[0] != 0 || !bytes.Equal(b[1:known], t[:known-1]) {
		return Fence{}, 0
	}
	if len(b) < fenceHead {
		return Fence{}, -1
	}
	mark := b[fenceHead-1]
	if mark != FenceStart && mark != FenceEnd && mark != FenceLabel && mark != FenceUnlabel {
		return Fence{}, 0
	}
	return fenceID(mark, b)
}

// fenceID reads the id and the newline behind a fence's head.
func fenceID(mark byte, b []byte) (Fence, int) {
	rest := b[fenceHead:]
	end := bytes.IndexByte(rest[:min(len(rest), MaxID+1)], '\n')
	if end < 0 && len(rest) <= MaxID {
		if len(rest) > 0 && !ValidID(rest) {
			return Fence{}, 0
		}
		return Fence{}, -1
	}
	if end < 0 || !ValidID(rest[:end]) {
		return Fence{}, 0
	}
	return Fence{Mark: mark, ID: rest[:end]}, fenceHead + end + 1
}
