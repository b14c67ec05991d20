package spool

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Cursor is the sequence of the first record that is not taken over yet.
func (q *Queue) Cursor() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.cursor
}

// Window is the end of the batch that was being sent from the cursor when the process ended; ok is false if there is none.
// Sending exactly [Cursor, end) again lets the receiver know the batch by its pack id.
func (q *Queue) Window() (end uint64, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.window, q.window > q.cursor
}

// SetWindow notes that [Cursor, end) is about to be sent. It survives a kill, not a power cut: a note lost in one costs
// duplicates at worst.
func (q *Queue) SetWindow(end uint64) error {
	q.mu.Lock()
	q.window = end
	mark := encodeMark(q.cursor, end)
	q.mu.Unlock()
	return os.WriteFile(filepath.Join(q.dir, windowFile), mark, 0o600)
}

// Read returns the records [start, end): at most maxRecords of them and, after the first, at most maxBytes. start is above
// from only if the records between are lost. No records and start = end mean that nothing more is written. Damage ends a
// batch early, so numbers within one are consecutive.
func (q *Queue) Read(from uint64, maxRecords int, maxBytes int64) (recs [][]byte, start, end uint64, err error) {
	start = from
	var size int64
	for len(recs) < maxRecords {
		seg, ok := q.segmentAt(start + uint64(len(recs)))
		if !ok {
			break
		}
		if seg.first > start+uint64(len(recs)) {
			if len(recs) > 0 {
				break
			}
			q.lose(seg.first - start)
			start = seg.first
		}
		n := len(recs)
		at := start + uint64(n)
		var torn bool
		recs, size, torn, err = q.readSegment(seg, at, recs, size, maxRecords, maxBytes)
		if err != nil {
			return nil, from, from, err
		}
		at += uint64(len(recs) - n)
		if !torn && at < seg.next {
			break // a bound was reached
		}
		if torn && len(recs) > 0 {
			break // the next Read begins at the damage
		}
		if torn {
			q.lose(seg.next - at)
			start = seg.next
		}
	}
	return recs, start, start + uint64(len(recs)), nil
}

// readSegment appends records from seq on. torn means that the segment ends, by damage, before its next.
func (q *Queue) readSegment(seg segment, seq uint64, recs [][]byte, size int64, maxRecords int, maxBytes int64) ([][]byte, int64, bool, error) {
	off, err := q.offset(seq)
	if errors.Is(err, errTorn) || errors.Is(err, fs.ErrNotExist) {
		return recs, size, true, nil
	}
	if err != nil {
		return recs, size, false, err
	}
	f, err := os.Open(seg.path)
	if err != nil {
		return recs, size, false, err
	}
	defer f.Close()
	r := borrowReader(io.NewSectionReader(f, off, seg.size-off))
	defer returnReader(r)
	for seq < seg.next && len(recs) < maxRecords {
		rec, err := readFrame(r)
		if errors.Is(err, errTorn) || errors.Is(err, io.EOF) {
			q.remember(seq, seg.first, off)
			return recs, size, true, nil
		}
		if err != nil {
			return recs, size, false, err
		}
		if len(recs) > 0 && size+int64(len(rec)) > maxBytes {
			break
		}
		recs, size, seq = append(recs, rec), size+int64(len(rec)), seq+1
		off += frameHeaderBytes + int64(len(rec))
	}
	q.remember(seq, seg.first, off)
	return recs, size, false, nil
}

// segmentAt copies the first segment that holds a written record at or after seq.
func (q *Queue) segmentAt(seq uint64) (segment, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, s := range q.segs {
		if s.next > seq {
			return *s, true
		}
	}
	return segment{}, false
}

func (q *Queue) lose(n uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lost += n
}

func (q *Queue) remember(seq, segment uint64, off int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.hint = hint{seq: seq, segment: segment, offset: off}
}

// offset is where record seq begins in its segment; errTorn if damage comes first. A seq outside all segments gives 0.
func (q *Queue) offset(seq uint64) (int64, error) {
	seg, ok := q.segmentAt(seq)
	if !ok || seg.first >= seq {
		return 0, nil
	}
	q.mu.Lock()
	h := q.hint
	q.mu.Unlock()
	if h.seq == seq && h.segment == seg.first {
		return h.offset, nil
	}
	f, err := os.Open(seg.path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	r := borrowReader(io.NewSectionReader(f, 0, seg.size))
	defer returnReader(r)
	var off int64
	for at := seg.first; at < seq; at++ {
		rec, err := readFrame(r)
		if errors.Is(err, io.EOF) {
			return 0, errTorn
		}
		if err != nil {
			return 0, err
		}
		off += frameHeaderBytes + int64(len(rec))
	}
	return off, nil
}

// Commit moves the cursor to end, durably, then deletes the segments it has passed. A lower end does nothing.
func (q *Queue) Commit(end uint64) error {
	end, more := q.committable(end)
	if !more {
		return nil
	}
	if err := writeCursor(q.dir, end); err != nil {
		return err
	}
	consumed, err := q.offset(end)
	if err != nil {
		consumed = 0 // damage at the cursor: Read will pass it
	}
	err = q.pass(end, consumed)
	q.spool.wakeAppends()
	return err
}

// pass sets the cursor and forgets the segments below it.
func (q *Queue) pass(end uint64, consumed int64) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.cursor, q.consumed = end, consumed
	err := q.dropPassed()
	if n := len(q.segs); n > 0 && q.segs[0].next <= end {
		q.consumed = q.segs[0].size // the open tail, all delivered
	}
	q.recount()
	return err
}

// committable bounds end by what is written; more is false if the cursor is there already.
func (q *Queue) committable(end uint64) (bounded uint64, more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	bounded = min(end, q.next)
	return bounded, bounded > q.cursor
}

// dropPassed removes segments below the cursor, but not the one being written to. Callers hold mu or are alone.
func (q *Queue) dropPassed() error {
	for len(q.segs) > 0 && q.segs[0].next <= q.cursor && (q.tail == nil || len(q.segs) > 1) {
		if err := os.Remove(q.segs[0].path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		q.segs = q.segs[1:]
	}
	return nil
}
