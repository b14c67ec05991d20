package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const segmentSuffix = ".seg"

// segment is one file of a queue. Its queue's mutex guards it.
type segment struct {
	path  string
	first uint64 // sequence of the first record
	next  uint64 // sequence after the last record, known for every segment but a damaged one
	size  int64  // bytes of whole frames
}

func segmentPath(dir string, first uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%020d%s", first, segmentSuffix))
}

// listSegments finds the segment files of a queue in order. Their sizes are the files' sizes; next is the first sequence
// of the one that follows, and 0 for the last.
func listSegments(dir string) ([]*segment, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var segs []*segment
	for _, e := range entries {
		first, err := strconv.ParseUint(strings.TrimSuffix(e.Name(), segmentSuffix), 10, 64)
		if err != nil || e.Name() != filepath.Base(segmentPath(dir, first)) {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		segs = append(segs, &segment{path: filepath.Join(dir, e.Name()), first: first, size: info.Size()})
	}
	slices.SortFunc(segs, func(a, b *segment) int { return compare(a.first, b.first) })
	for i := 1; i < len(segs); i++ {
		segs[i-1].next = segs[i].first
	}
	return segs, nil
}

func compare(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// scan counts the sound frames from the segment's start: n records in size bytes. torn reports that something else follows.
func (s *segment) scan() (n uint64, size int64, torn bool, err error) {
	f, err := os.Open(s.path)
	if err != nil {
		return 0, 0, false, err
	}
	defer f.Close()
	r := borrowReader(f)
	defer returnReader(r)
	for {
		rec, err := readFrame(r)
		switch {
		case err == nil:
			n++
			size += frameHeaderBytes + int64(len(rec))
		case errors.Is(err, io.EOF):
			return n, size, false, nil
		case errors.Is(err, errTorn):
			return n, size, true, nil
		default:
			return n, size, false, err
		}
	}
}
