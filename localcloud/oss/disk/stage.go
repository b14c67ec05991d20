package disk

import (
	"context"
	"crypto/md5"
	"encoding"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc64"
	"io"
	"os"
	"strings"
	"sync"
)

var ecma = crc64.MakeTable(crc64.ECMA)

// Staged is a body on disk that no row names yet. It is used up by the write it is handed to; a caller that does not
// hand it on calls Discard.
type Staged struct {
	Size int64
	MD5  [md5.Size]byte
	CRC  uint64 // CRC-64/ECMA

	disk  *Disk
	file  *os.File // nil once used up, and for an empty body
	id    string
	state []byte // the MD5 to go on from
}

// ETag is the body's MD5 in upper-case hex.
func (s *Staged) ETag() string { return upperHex(s.MD5[:]) }

func upperHex(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }

var buffers = sync.Pool{New: func() any { return new([128 << 10]byte) }}

// Stage writes r to a new file and hashes it on the way; memory use does not depend on its length. It returns ErrTooLarge
// above limit bytes, ErrFull when MaxTotal is reached, r's own error, or ctx's. Nothing is left behind by an error.
func (d *Disk) Stage(ctx context.Context, r io.Reader, limit int64) (*Staged, error) {
	s := &Staged{disk: d}
	sum, crc := md5.New(), crc64.New(ecma)
	if err := s.fill(ctx, r, limit, sum, crc); err != nil {
		s.Discard()
		return nil, err
	}
	sum.Sum(s.MD5[:0])
	s.CRC = crc.Sum64()
	s.state = md5State(sum)
	return s, nil
}

func (s *Staged) fill(ctx context.Context, r io.Reader, limit int64, sum, crc hash.Hash) error {
	buf := buffers.Get().(*[128 << 10]byte)
	defer buffers.Put(buf)
	for ctx.Err() == nil {
		n, end := readFull(r, buf[:])
		if n > 0 {
			if err := s.write(buf[:n], limit); err != nil {
				return err
			}
			sum.Write(buf[:n])
			crc.Write(buf[:n])
		}
		if end == io.EOF {
			return nil
		}
		if end != nil {
			return end
		}
	}
	return ctx.Err()
}

// readFull fills buf, or stops at r's first error and returns it as it is: io.EOF is a complete body, while an
// io.ErrUnexpectedEOF is a client that went away.
func readFull(r io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var m int
		m, err = r.Read(buf[n:])
		n += m
	}
	return n, err
}

func (s *Staged) write(p []byte, limit int64) error {
	if s.Size+int64(len(p)) > limit {
		return ErrTooLarge
	}
	if err := s.disk.reserve(int64(len(p))); err != nil {
		return err
	}
	s.Size += int64(len(p))
	if s.file == nil {
		f, id, err := s.disk.files.create()
		if err != nil {
			return fmt.Errorf("stage an object: %w", err)
		}
		s.file, s.id = f, id
	}
	if _, err := s.file.Write(p); err != nil {
		return fmt.Errorf("stage an object: %w", err)
	}
	return nil
}

// settle makes the bytes and their name durable.
func (s *Staged) settle() error {
	if s.file == nil {
		return nil
	}
	if err := s.file.Sync(); err != nil {
		return fmt.Errorf("flush an object: %w", err)
	}
	return s.disk.files.settle([]string{s.id})
}

// keep ends the staging: a row names the file now and its bytes stay counted.
func (s *Staged) keep() {
	if s.file != nil {
		s.file.Close()
	}
	s.file, s.Size = nil, 0
}

// drop ends the staging after a write that failed with err. A failed flush leaves open what the disk holds, so the file
// stays then; the next Open's sweep knows.
func (s *Staged) drop(err error) {
	if errors.Is(err, ErrBroken) {
		s.keep()
		return
	}
	s.Discard()
}

// Discard removes the body unless a write has taken it over. It may be called more than once.
func (s *Staged) Discard() {
	if s.file != nil {
		s.file.Close()
		s.disk.files.unlink([]string{s.id})
	}
	s.disk.release(s.Size)
	s.file, s.Size = nil, 0
}

// extent is the staged body as an object's content.
func (s *Staged) extents() []extent {
	if s.file == nil {
		return nil
	}
	return []extent{{file: s.id, size: s.Size}}
}

// extent is a run of bytes in one file.
type extent struct {
	file string
	size int64
}

func fileNames(x []extent) []string {
	names := make([]string, len(x))
	for i := range x {
		names[i] = x[i].file
	}
	return names
}

// md5State is what an MD5 needs to be continued by a later append.
func md5State(h hash.Hash) []byte {
	b, _ := h.(encoding.BinaryMarshaler).MarshalBinary() // the standard MD5 cannot fail
	return b
}

func resumeMD5(state []byte) (hash.Hash, error) {
	h := md5.New()
	if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(state); err != nil {
		return nil, fmt.Errorf("object's hash state: %w", err)
	}
	return h, nil
}
