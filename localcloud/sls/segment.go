package sls

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	segmentSuffix = ".seg"
	footerMagic   = "fcdsegF1"
	trailerBytes  = 8 + len(footerMagic)
	indexEvery    = 64 << 10 // bytes between two index entries
)

// facts are what is known of a segment's frames without reading them. In a closed segment they are its footer.
type facts struct {
	First    uint64      `json:"first"` // sequences
	Last     uint64      `json:"last"`
	Earliest uint32      `json:"earliest"` // log times
	Latest   uint32      `json:"latest"`
	Received uint64      `json:"received"` // of the last frame, Unix ns
	Groups   int         `json:"groups"`
	Size     int64       `json:"size"`  // bytes of frames
	Index    [][2]uint64 `json:"index"` // sequence and offset of a frame about every 64 KiB; appended to, never changed
}

// add counts one more frame, which begins at f.Size.
func (f *facts) add(h frameHead) {
	if f.Groups == 0 {
		f.First, f.Earliest, f.Latest = h.sequence, h.earliest, h.latest
	}
	if n := len(f.Index); n == 0 || f.Size-int64(f.Index[n-1][1]) >= indexEvery {
		f.Index = append(f.Index, [2]uint64{h.sequence, uint64(f.Size)})
	}
	f.Last, f.Received = h.sequence, h.received
	f.Earliest, f.Latest = min(f.Earliest, h.earliest), max(f.Latest, h.latest)
	f.Groups++
	f.Size += h.size()
}

// offset is where to start reading for the first frame with a sequence of at least seq.
func (f *facts) offset(seq uint64) int64 {
	i, found := slices.BinarySearchFunc(f.Index, seq, func(e [2]uint64, seq uint64) int {
		switch {
		case e[0] < seq:
			return -1
		case e[0] > seq:
			return 1
		}
		return 0
	})
	if !found {
		i--
	}
	if i < 0 {
		return 0
	}
	return int64(f.Index[i][1])
}

// segment is one file of a shard with the facts of its flushed frames. Copies are snapshots.
type segment struct {
	path   string
	closed bool
	facts
}

func segmentPath(dir string, first uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%020d%s", first, segmentSuffix))
}

// openSegments reads the facts of all segments of a shard, in order, from footers or else by reading the frames; then what
// follows the last sound frame is cut. A segment without frames is removed.
func openSegments(dir string) ([]segment, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var segs []segment
	for _, e := range entries {
		first, err := strconv.ParseUint(strings.TrimSuffix(e.Name(), segmentSuffix), 10, 64)
		if err != nil || e.Name() != filepath.Base(segmentPath(dir, first)) {
			continue
		}
		s := segment{path: filepath.Join(dir, e.Name())}
		if err := s.load(); err != nil {
			return nil, err
		}
		if s.Groups == 0 {
			if err := os.Remove(s.path); err != nil {
				return nil, err
			}
			continue
		}
		segs = append(segs, s)
	}
	return segs, nil
}

func (s *segment) load() error {
	f, err := os.OpenFile(s.path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if s.facts, s.closed = readFooter(f, info.Size()); s.closed {
		return nil
	}
	if err := s.scan(f); err != nil {
		return fmt.Errorf("log segment %s: %w", s.path, err)
	}
	if s.Size == info.Size() {
		return nil
	}
	if err := f.Truncate(s.Size); err != nil {
		return err
	}
	return f.Sync()
}

// scan sets the facts from the frames, up to the first that is not sound or not in order.
func (s *segment) scan(r io.Reader) error {
	s.facts = facts{}
	fr := newFrameReader(r)
	for {
		h, _, err := fr.next(nil)
		if errors.Is(err, io.EOF) || errors.Is(err, errTorn) || err == nil && s.Groups > 0 && h.sequence <= s.Last {
			return nil
		}
		if err != nil {
			return err
		}
		s.add(h)
	}
}

// readFooter gives the facts of a closed segment; ok is false if it has no sound footer.
func readFooter(r io.ReaderAt, size int64) (f facts, ok bool) {
	if size < int64(trailerBytes) {
		return f, false
	}
	var trailer [8 + len(footerMagic)]byte
	if _, err := r.ReadAt(trailer[:], size-int64(trailerBytes)); err != nil || string(trailer[8:]) != footerMagic {
		return f, false
	}
	n := int64(binary.LittleEndian.Uint32(trailer[:]))
	if n > size-int64(trailerBytes) {
		return f, false
	}
	body := make([]byte, n)
	if _, err := r.ReadAt(body, size-int64(trailerBytes)-n); err != nil {
		return f, false
	}
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(trailer[4:]) || json.Unmarshal(body, &f) != nil {
		return facts{}, false
	}
	return f, f.Size == size-int64(trailerBytes)-n
}

// footer is the footer's bytes.
func (f facts) footer() ([]byte, error) {
	b, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	n, sum := uint32(len(b)), crc32.Checksum(b, castagnoli)
	b = binary.LittleEndian.AppendUint32(b, n)
	b = binary.LittleEndian.AppendUint32(b, sum)
	return append(b, footerMagic...), nil
}

// each calls visit for the frames with a sequence of at least from that want accepts, in order, until visit returns false.
// more is false if visit did. A segment deleted meanwhile is passed over; damage ends the segment and is returned as errTorn.
func (s segment) each(from uint64, want func(frameHead) bool, visit func(frameHead, []byte) (bool, error)) (more bool, err error) {
	f, err := os.Open(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	off := s.offset(from)
	fr := newFrameReader(io.NewSectionReader(f, off, s.Size-off))
	wanted := func(h frameHead) bool { return h.sequence >= from && (want == nil || want(h)) }
	for {
		h, group, err := fr.next(wanted)
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return true, fmt.Errorf("log segment %s: %w", s.path, err)
		}
		if group == nil {
			continue
		}
		if more, err := visit(h, group); !more || err != nil {
			return false, err
		}
	}
}
