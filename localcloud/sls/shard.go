package sls

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// shardLimits say when a segment is closed.
type shardLimits struct {
	segmentBytes int64
	segmentAge   time.Duration
}

// shard is an ordered file of log groups.
type shard struct {
	dir    string
	limits shardLimits

	// The leader of a commit alone touches these.
	file    *os.File // open for the last segment, nil if there is none
	last    uint64   // highest sequence given out
	opened  time.Time
	scratch []byte

	mu     sync.Mutex // guards the fields below
	segs   []segment
	base   uint64 // the cursor begin: one above what was deleted or, after an open, the first group's sequence
	end    uint64 // one above the highest sequence that was published
	queue  []*put
	busy   bool // someone leads
	closed bool

	appends sync.WaitGroup // appends in progress; added to under mu while not closed
}

// put is a group on its way to the disk.
type put struct {
	group            []byte
	earliest, latest uint32
	received         uint64
	turn             chan bool // true: lead the next commit; false: done, err is set
	err              error
}

var errClosed = errors.New("log service is closed")

// openShard opens a shard, made at created (Unix seconds): the cursors of one without groups begin there.
func openShard(dir string, created int64, limits shardLimits) (*shard, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	segs, err := openSegments(dir)
	if err != nil {
		return nil, err
	}
	s := &shard{dir: dir, limits: limits, segs: segs, last: uint64(max(created, 0)) * uint64(time.Second)}
	if n := len(segs); n > 0 {
		s.last = max(s.last, segs[n-1].Last)
		s.opened = time.Unix(0, int64(segs[n-1].First))
	}
	s.base, s.end = s.last+1, s.last+1
	if len(segs) > 0 {
		s.base = segs[0].First
	}
	return s, nil
}

// append writes a group and returns when it is on the disk and visible. Callers at the same time share a flush: the first
// leads, the others wait, and one of them leads the next.
func (s *shard) append(group []byte, earliest, latest uint32, received time.Time) error {
	p := &put{group: group, earliest: earliest, latest: latest, received: uint64(received.UnixNano()), turn: make(chan bool, 1)}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return errClosed
	}
	s.appends.Add(1)
	defer s.appends.Done()
	s.queue = append(s.queue, p)
	if s.busy {
		s.mu.Unlock()
		if lead := <-p.turn; !lead {
			return p.err
		}
		s.mu.Lock()
	}
	s.busy = true
	batch := s.queue
	s.queue = nil
	s.mu.Unlock()
	err := s.commit(batch)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, other := range batch {
		if other.err = err; other != p {
			other.turn <- false
		}
	}
	if len(s.queue) > 0 {
		s.queue[0].turn <- true
	} else {
		s.busy = false
	}
	return err
}

// commit writes and flushes a batch, then publishes it.
func (s *shard) commit(batch []*put) error {
	seg, err := s.tail(time.Unix(0, int64(batch[0].received)))
	if err != nil {
		return err
	}
	begin, last := seg.Size, s.last
	buf := s.scratch[:0]
	for _, p := range batch {
		last = max(last+1, p.received)
		h := frameHead{length: uint32(len(p.group)), sequence: last, received: p.received, earliest: p.earliest, latest: p.latest}
		buf = appendFrame(buf, h, p.group)
		seg.add(h)
	}
	if cap(buf) <= 4<<20 {
		s.scratch = buf
	}
	_, err = s.file.WriteAt(buf, begin)
	if err == nil {
		err = s.file.Sync()
	}
	if err != nil {
		s.abandon(begin)
		return err
	}
	s.last = last
	s.mu.Lock()
	defer s.mu.Unlock()
	s.segs[len(s.segs)-1] = seg
	s.end = last + 1
	return nil
}

// tail gives a copy of the segment to append to, opening or closing one where needed.
func (s *shard) tail(now time.Time) (segment, error) {
	s.mu.Lock()
	var seg segment
	n := len(s.segs)
	if n > 0 {
		seg = s.segs[n-1]
	}
	s.mu.Unlock()
	full := seg.Size >= s.limits.segmentBytes || now.Sub(s.opened) >= s.limits.segmentAge && seg.Groups > 0
	if n == 0 || seg.closed || full {
		if n > 0 && !seg.closed {
			if err := s.seal(seg); err != nil {
				return seg, err
			}
		}
		return s.begin(now)
	}
	if s.file != nil {
		return seg, nil
	}
	f, err := os.OpenFile(seg.path, os.O_RDWR, 0)
	s.file = f
	return seg, err
}

// seal writes the footer of the open segment.
func (s *shard) seal(seg segment) error {
	footer, err := seg.footer()
	if err != nil {
		return err
	}
	f := s.file
	if f == nil {
		if f, err = os.OpenFile(seg.path, os.O_RDWR, 0); err != nil {
			return err
		}
	}
	s.file = nil
	defer f.Close()
	if _, err := f.WriteAt(footer, seg.Size); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.segs[len(s.segs)-1].closed = true
	return nil
}

// begin opens a new segment named for the sequence that its first frame may have at least.
func (s *shard) begin(now time.Time) (segment, error) {
	seg := segment{path: segmentPath(s.dir, max(s.last+1, uint64(now.UnixNano())))}
	f, err := os.OpenFile(seg.path, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return seg, err
	}
	if err := syncDir(s.dir); err != nil {
		f.Close()
		return seg, err
	}
	s.file, s.opened = f, now
	s.mu.Lock()
	defer s.mu.Unlock()
	s.segs = append(s.segs, seg)
	return seg, nil
}

// abandon gives up the file after a failed write: what was flushed stays, the next write begins a new segment.
func (s *shard) abandon(size int64) {
	_ = s.file.Truncate(size) // a torn end would be cut at the next open
	s.file.Close()
	s.file = nil
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.segs) - 1; s.segs[n].Groups == 0 {
		_ = os.Remove(s.segs[n].path) // an empty segment is removed at the next open as well
		s.segs = s.segs[:n]
	} else {
		s.segs[n].closed = true
	}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// view is a snapshot of the segments that hold frames.
func (s *shard) view() []segment {
	s.mu.Lock()
	defer s.mu.Unlock()
	segs := make([]segment, 0, len(s.segs))
	for _, seg := range s.segs {
		if seg.Groups > 0 {
			segs = append(segs, seg)
		}
	}
	return segs
}

// bounds are the sequences for the cursors begin and end: at most the first kept group's, and one above the last one's. For
// a shard without groups both are one above the last that is known to have been given out.
func (s *shard) bounds() (begin, end uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.base, s.end
}

// expire deletes closed segments, oldest first, while drop says so. The open segment is closed first if drop wants it.
func (s *shard) expire(drop func(segment) bool) (removed int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.segs) > 0 && s.segs[0].Groups > 0 && drop(s.segs[0]) {
		if !s.segs[0].closed {
			if s.busy {
				return removed, nil // it is being written to: next time
			}
			if s.file != nil {
				s.file.Close()
				s.file = nil
			}
		}
		if err := os.Remove(s.segs[0].path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return removed, err
		}
		removed += s.segs[0].Size
		s.base = s.segs[0].Last + 1
		s.segs = s.segs[1:]
	}
	return removed, nil
}

// close waits for the commits in progress and closes the file. Appends fail from then on.
func (s *shard) close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.appends.Wait()
	return s.closeFile()
}

func (s *shard) closeFile() error {
	if s.file == nil {
		return nil
	}
	f := s.file
	s.file = nil
	return f.Close()
}

func shardDir(dir string, id int) string { return filepath.Join(dir, strconv.Itoa(id)) }
