package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Queue is the spool of one logstore. Append may be called from several goroutines; Read, Commit, SetWindow belong to one
// goroutine, the queue's sender.
type Queue struct {
	Project, Logstore string

	spool  *Spool
	dir    string
	signal chan struct{} // holds one note that as much is there as was asked for

	mu       sync.Mutex // guards the fields below
	room     *sync.Cond // pending was written out, Commit made room, or the queue closed
	segs     []*segment // in order; the last one is written to if tail is open
	tail     *os.File
	pending  []byte // frames that wait for the write in progress
	pendingN uint64
	spare    []byte // the buffer that pending was swapped with
	writing  bool   // one Append is writing for all
	accepted uint64 // records that Append took, since open
	settled  uint64 // of these, how many were written or lost
	closed   bool
	cursor   uint64
	consumed int64  // bytes of the first segment below the cursor
	next     uint64 // sequence after the last written record
	lost     uint64 // records that could not be written or read back
	counted  int64  // this queue's share of spool.bytes
	hint     hint
	window   uint64 // end of the batch in flight; not above the cursor if there is none

	wantRecords uint64 // what makes a note
	wantBytes   int64
}

// hint remembers where a record begins, so that the next Read and Commit need no scan.
type hint struct {
	seq     uint64
	segment uint64 // its segment's first
	offset  int64
}

func openQueue(s *Spool, dir, project, logstore string) (*Queue, error) {
	if err := os.Mkdir(dir, 0o700); err == nil {
		err = syncDir(filepath.Dir(dir))
		if err != nil {
			return nil, err
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	q := &Queue{Project: project, Logstore: logstore, spool: s, dir: dir, signal: make(chan struct{}, 1),
		wantRecords: 1, wantBytes: math.MaxInt64}
	q.room = sync.NewCond(&q.mu)
	segs, err := listSegments(dir)
	if err != nil {
		return nil, err
	}
	if q.segs, err = cutTail(segs); err != nil {
		return nil, err
	}
	if err := q.restore(); err != nil {
		return nil, err
	}
	if q.next > q.cursor {
		poke(q.signal)
	}
	q.recount()
	return q, nil
}

// cutTail finds the end of the last segment and cuts what follows it. A segment without records is removed.
func cutTail(segs []*segment) ([]*segment, error) {
	if len(segs) == 0 {
		return nil, nil
	}
	last := segs[len(segs)-1]
	n, size, torn, err := last.scan()
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return segs[:len(segs)-1], os.Remove(last.path)
	}
	last.next, last.size = last.first+n, size
	if torn {
		return segs, os.Truncate(last.path, size)
	}
	return segs, nil
}

// restore sets cursor, next and window from the files and drops segments that the cursor has passed.
func (q *Queue) restore() error {
	cursor, _, known, err := readMark(filepath.Join(q.dir, cursorFile))
	if err != nil {
		return err
	}
	start, end, inFlight, err := readMark(filepath.Join(q.dir, windowFile))
	if err != nil {
		return err
	}
	switch {
	case known:
		q.cursor = cursor
	case len(q.segs) > 0:
		q.cursor = q.segs[0].first
	default:
		q.cursor = uint64(time.Now().UnixNano())
	}
	q.next = q.cursor
	if n := len(q.segs); n > 0 {
		q.next = max(q.next, q.segs[n-1].next)
	}
	if inFlight && start == q.cursor && end <= q.next {
		q.window = end
	}
	if err := q.dropPassed(); err != nil {
		return err
	}
	if q.consumed, err = q.offset(q.cursor); err != nil && !errors.Is(err, errTorn) {
		return err
	}
	if known {
		return nil
	}
	return writeCursor(q.dir, q.cursor)
}

// Append adds records of 1 to MaxRecordBytes bytes each, all or none. When it returns nil they are written (but maybe not
// yet flushed: see Sync), or are about to be, by an Append that is writing at this moment. It waits if more than
// Options.BufferBytes wait for that write and, with wait set, until the bounds of Options allow the records.
// Errors: ErrFull, ErrClosed, or the disk's; the records are not in the queue then.
func (q *Queue) Append(wait bool, recs ...[]byte) error {
	var size int64
	for _, rec := range recs {
		if len(rec) == 0 || len(rec) > MaxRecordBytes {
			return fmt.Errorf("log spool: record of %d bytes, must be 1 to %d", len(rec), MaxRecordBytes)
		}
		size += int64(frameHeaderBytes + len(rec))
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.closed && (q.writing && len(q.pending) >= q.spool.opts.BufferBytes || wait && !q.fits(size)) {
		q.room.Wait()
	}
	if q.closed {
		return ErrClosed
	}
	if !q.fits(size) {
		return ErrFull
	}
	for _, rec := range recs {
		q.pending = appendFrame(q.pending, rec)
	}
	q.pendingN += uint64(len(recs))
	q.accepted += uint64(len(recs))
	q.count(size)
	if q.writing {
		return nil
	}
	return q.writeOut()
}

func (q *Queue) fits(size int64) bool {
	return q.counted+size <= q.spool.opts.MaxBytesPerQueue && q.spool.bytes.Load()+size <= q.spool.opts.MaxBytes
}

func (q *Queue) count(size int64) {
	q.counted += size
	q.spool.bytes.Add(size)
}

// recount sets the queue's share of the spool's bytes from its segments. Callers hold mu.
func (q *Queue) recount() {
	sum := int64(len(q.pending)) - q.consumed
	for _, s := range q.segs {
		sum += s.size
	}
	q.count(sum - q.counted)
}

// writeOut writes everything pending, also what arrives meanwhile. Callers hold mu; it is released during writes.
func (q *Queue) writeOut() error {
	var failure error
	q.writing = true
	for len(q.pending) > 0 {
		buf, n := q.pending, q.pendingN
		q.pending, q.pendingN = q.spare[:0], 0
		f, seg, err := q.tailFor()
		if err == nil {
			q.mu.Unlock()
			err = writeAll(f, buf, seg.size)
			q.mu.Lock()
		}
		q.spare = buf
		q.settled += n
		q.room.Broadcast() // they go on when this Append has let go of mu, so after what follows
		if err != nil {
			failure = fmt.Errorf("log spool of %s/%s: %w", q.Project, q.Logstore, err)
			q.lost += n
			q.recount()
			continue
		}
		seg.size += int64(len(buf))
		q.next += n
		seg.next = q.next
		q.spool.syncer.wrote(f, false)
	}
	q.writing = false
	q.room.Broadcast()
	if q.next-q.cursor >= q.wantRecords || q.counted >= q.wantBytes {
		poke(q.signal)
	}
	return failure
}

// settle waits until every record accepted before the call is written.
func (q *Queue) settle() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for target := q.accepted; q.settled < target; {
		q.room.Wait()
	}
}

// writeAll writes buf at the end; after a failure the file is cut to its old size so that no torn frame stays.
func writeAll(f *os.File, buf []byte, size int64) error {
	if _, err := f.WriteAt(buf, size); err != nil {
		_ = f.Truncate(size) // a torn end would be cut at the next write or open
		return err
	}
	return nil
}

// tailFor gives the segment to write to, beginning a new one when the last is full. Callers hold mu and are the writer.
func (q *Queue) tailFor() (*os.File, *segment, error) {
	if q.tail != nil && q.segs[len(q.segs)-1].size < q.spool.opts.SegmentBytes {
		return q.tail, q.segs[len(q.segs)-1], nil
	}
	seg := &segment{path: segmentPath(q.dir, q.next), first: q.next, next: q.next}
	f, err := os.OpenFile(seg.path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, nil, err
	}
	d, err := os.Open(q.dir)
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	q.spool.syncer.wrote(d, true)
	if q.tail != nil {
		q.spool.syncer.wrote(q.tail, true)
	}
	q.tail, q.segs = f, append(q.segs, seg)
	return f, seg, nil
}

// Await asks for so many records, or so many bytes with their frames, and tells how full the queue is now. From then on
// Appended delivers a value after appends that find as much there; several may give one. Before the first call one record
// is asked for. Nobody is woken for less, since appends come before the answer of the call that printed.
func (q *Queue) Await(records uint64, bytes int64) State {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.wantRecords, q.wantBytes = records, bytes
	return q.state()
}

// Appended delivers what Await tells of.
func (q *Queue) Appended() <-chan struct{} { return q.signal }

// State is a snapshot of a queue.
type State struct {
	Records uint64 // written and not yet taken over
	Bytes   int64  // what they take on disk, with frames
	Lost    uint64 // records that the disk refused or damaged, since open
}

// State tells how full the queue is.
func (q *Queue) State() State {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.state()
}

// state is State. Callers hold mu.
func (q *Queue) state() State {
	return State{Records: q.next - q.cursor, Bytes: q.counted, Lost: q.lost}
}

// shut makes appends fail and wakes those who wait.
func (q *Queue) shut() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for q.writing {
		q.room.Wait()
	}
	q.room.Broadcast()
}

func (q *Queue) closeFiles() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.tail == nil {
		return nil
	}
	f := q.tail
	q.tail = nil
	return f.Close()
}
