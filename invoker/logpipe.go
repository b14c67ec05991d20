package invoker

import (
	"bytes"
	"regexp"
	"slices"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"fcd/fc/nonblock"
	"fcd/invoker/runtimes/frame"
)

// A logPipe is stdout or stderr of an instance. Its fields are guarded by the journal's mu, those of the line at hand
// by its reading: current and late change with both held.
type logPipe struct {
	journal *journal
	fd      int
	ended   atomic.Bool // nothing more will come
	split   splitter
	queue   []*section // begun and not yet seen on this pipe
	current *section   // nil before the first fence
	late    bool       // current's end fence has passed
	closed  bool
	heapOut bool      // the interpreter said that it ran out of heap
	at      time.Time // when the bytes at hand were read
}

// maxDrain is the most that is read from a pipe in one go, so that a function that never stops writing keeps nobody
// from the other pipes.
const maxDrain = 1 << 20

// drain reads until the pipe is empty or at its end, at most about maxDrain.
func (p *logPipe) drain() (total int) {
	for total < maxDrain && !p.ended.Load() {
		room := p.split.room()
		n, err := nonblock.Read(p.fd, room)
		switch {
		case n > 0:
			p.read(n)
			total += n
			if n < len(room) {
				return total // a pipe gives all it has
			}
		case err == unix.EAGAIN:
			return total
		default:
			p.close()
		}
	}
	return total
}

// read takes n bytes that were put into split.room.
func (p *logPipe) read(n int) {
	if p.journal.ship {
		p.at = p.journal.now()
	}
	p.split.wrote(n)
}

// close gives out what is left and ends all sections of the pipe.
func (p *logPipe) close() {
	if p.ended.Swap(true) {
		return
	}
	defer p.journal.handOver()
	p.split.flush()
	p.journal.mu.Lock()
	defer p.journal.mu.Unlock()
	if p.current != nil && !p.late {
		p.journal.leave(p.current)
	}
	for _, s := range p.queue {
		p.journal.leave(s)
	}
	p.queue, p.late, p.closed = nil, true, true
}

// What an interpreter writes as it dies of its own heap limit.
var (
	nodeHeapOut = []byte("FATAL ERROR: ")
	javaHeapOut = []byte("Terminating due to java.lang.OutOfMemoryError")
)

func heapWords(text []byte) bool {
	return bytes.HasPrefix(text, nodeHeapOut) && bytes.Contains(text, []byte("heap")) || bytes.HasPrefix(text, javaHeapOut)
}

func (p *logPipe) line(text []byte) {
	if heapWords(text) {
		p.journal.mu.Lock()
		p.heapOut = true
		p.journal.mu.Unlock()
	}
	if p.current == nil || p.current.ended != nil {
		p.journal.mu.Lock()
		defer p.journal.mu.Unlock()
	}
	s := p.current
	if s == nil && len(p.queue) > 0 {
		s = p.queue[0] // before the first fence: the interpreter speaks while it loads the first request
	}
	p.journal.write(s, text, p.at, p.late)
}

// errorLine is how a bootstrap begins the line of an error that it answers: time, request id, level, JSON.
var errorLine = regexp.MustCompile(`^[0-9T:.-]{23}Z \S{1,128} (?:error|\[error\]|ERROR|\[ERROR\]) \{`)

// maxErrorLine is the longest line of that kind: bootstraps cut it at frame.MaxErrorLogChars characters.
const maxErrorLine = frame.MaxErrorLogChars*utf8.UTFMax + 1<<10

func (p *logPipe) limit(text []byte) int {
	if errorLine.Match(text[:min(len(text), 200)]) {
		return max(maxErrorLine, p.split.max)
	}
	return p.split.max
}

func (p *logPipe) accept(f frame.Fence) bool {
	p.journal.mu.Lock()
	defer p.journal.mu.Unlock()
	switch f.Mark {
	case frame.FenceStart:
		return p.find(f.ID) >= 0
	case frame.FenceEnd:
		return p.current != nil && !p.late && p.current.id == string(f.ID)
	}
	return false // labels are for journals that are mixed
}

func (p *logPipe) find(id []byte) int {
	return slices.IndexFunc(p.queue, func(s *section) bool { return s.id == string(id) })
}

func (p *logPipe) fence(f frame.Fence) {
	p.journal.mu.Lock()
	defer p.journal.mu.Unlock()
	if p.current != nil && !p.late {
		p.journal.leave(p.current)
		p.late = true
	}
	if f.Mark == frame.FenceEnd {
		return
	}
	i := p.find(f.ID)
	for _, skipped := range p.queue[:i] {
		p.journal.leave(skipped)
	}
	p.current, p.late = p.queue[i], false
	p.current.started = true
	p.journal.say(p.current, p.at) // no later than the lines behind it, which were read with it
	p.queue = slices.Delete(p.queue, 0, i+1)
}
