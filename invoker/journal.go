package invoker

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"fcd/fc"
	"fcd/invoker/runtimes/frame"
)

// Logs takes the lines of functions, those of one reading of an instance's output together. Append must not block: it is
// called while that output is being read. The slice is the caller's again when it returns.
type Logs interface{ Append(...fc.LogRecord) }

// A journal is the log of one instance: it knows which request each line belongs to. Each of the two pipes changes its
// request at a fence only, so the journal and the answers cannot race.
type journal struct {
	logs   Logs
	record fc.LogRecord // what all records of the instance have in common
	ship   bool         // the function has a logstore
	now    func() time.Time

	reading sync.Mutex // guards the pipes' splitters and descriptors; taken before mu
	closed  bool       // the descriptors must not be used any more

	mu    sync.Mutex // guards all sections' fields and the pipes' queues
	pipe  [2]*logPipe
	begun bool   // a section has entered
	mixed *mixed // nil: fences around requests tell which one a line belongs to

	handing sync.Mutex     // guards batch; taken last, held while the records are handed over so that they stay in order
	batch   []fc.LogRecord // what no Logs has yet: drain hands it over, or the pump's next tick
	printed bool           // some of it is the function's own

	touched atomic.Bool  // emptied since the pump's last tick
	loud    atomic.Int32 // ticks of the pump for which much is expected in the pipes
	tended  atomic.Bool  // the pump hands over at its next tick, whatever happens; it alone changes this, holding its mu
}

// maxBatch is how many records are handed over at a time.
const maxBatch = 256

// initialize is the noun of an initializer's section, whose end is waited for before the request's own begins.
const initialize = "Initialize"

// A section is the part of a journal that belongs to one run: an invocation, an initializer or a hook.
type section struct {
	id, qualifier, noun string
	started             bool          // a pipe has passed its start fence: the bootstrap has the request
	open                int           // pipes that have not passed its end fence
	tail                *tail         // nil unless it was asked for and not yet cut
	ended               chan struct{} // closed when open is 0; nil if nobody waits for that
	unsaid              bool          // its first line is still to be written
	known               bool          // how it ended is known; then:
	failure, errorType  string        // an error line of the daemon's own; what End says; "" = none
}

// newJournal makes the journal of two log pipes, given by the descriptors of their ends, which must not block. m is nil
// where fences stand around requests.
func newJournal(logs Logs, record fc.LogRecord, token frame.Token, maxRecord int, now func() time.Time, fds [2]int, m *mixed) *journal {
	j := &journal{logs: logs, record: record, now: now, mixed: m}
	j.ship = logs != nil && record.Project != "" && record.Logstore != ""
	for i := range j.pipe {
		p := &logPipe{journal: j, fd: fds[i]}
		p.split = splitter{token: token, max: maxRecord, to: p}
		if m != nil {
			p.split.to = &mixedPipe{logPipe: p}
		}
		j.pipe[i] = p
	}
	return j
}

// begin opens a section. noun is what begins: Invoke, Initialize, PreStop. t collects the section's lines, nil if nobody
// asked for them. Where fences stand around requests the caller has it enter before he sends the request.
func (j *journal) begin(id, qualifier, noun string, t *tail) *section {
	s := &section{id: id, qualifier: qualifier, noun: noun, open: len(j.pipe), tail: t, unsaid: true}
	if t != nil || noun == initialize {
		s.ended = make(chan struct{})
	}
	if j.mixed == nil {
		return s
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.say(s, j.now())
	s.open, s.started = 1, true // end closes it
	j.mixed.flight = append(j.mixed.flight, s)
	j.mixed.begun.Store(true)
	j.handOver()
	return s
}

// enter has the pipes expect the fences of a section. Sections enter in the order in which their requests are sent. The
// first line of the first is written now, that of others when the program begins with the request.
func (j *journal) enter(s *section) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.begun {
		j.begun = true
		j.say(s, j.now())
	}
	for _, p := range j.pipe {
		if p.closed {
			j.leave(s)
		} else {
			p.queue = append(p.queue, s)
		}
	}
}

// say writes the first line of a section, once. Called with mu held.
func (j *journal) say(s *section, at time.Time) {
	if s.unsaid && j.wants(s) {
		j.tell(s, "FC "+s.noun+" Start RequestId: "+s.id, at)
	}
	s.unsaid = false
}

// cancel forgets a section whose request has not reached the program and never will.
func (j *journal) cancel(s *section) {
	j.mu.Lock()
	defer j.mu.Unlock()
	s.known = true
	for _, p := range j.pipe {
		p.queue = slices.DeleteFunc(p.queue, func(other *section) bool { return other == s })
	}
}

// end says how the section ended: with which error type, "" for none, and with which line of the daemon's about it, ""
// if the function has written its own. The last lines follow what the function wrote: they wait for both end fences.
// They are handed over with those of the next request, or by the pump's tick, so that one write to the log serves many.
func (j *journal) end(s *section, failure, errorType string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	s.known, s.failure, s.errorType = true, failure, errorType
	if j.mixed != nil {
		j.mixed.end(s)
		j.leave(s)
		j.handOver()
		return
	}
	if s.open > 0 {
		return // the answer has come before the end fences
	}
	j.finish(s)
	if !j.tended.Load() {
		j.handOver()
	}
}

// reached tells whether the bootstrap has begun with the section's request.
func (j *journal) reached(s *section) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return s.started
}

// await waits for the end fences of s, a short while.
func (s *section) await(limit time.Duration) {
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-s.ended:
	case <-t.C:
	}
}

// takeTail ends the collecting of s and returns what it has collected. If the end fences are still missing, the last
// lines are in the tail all the same.
func (j *journal) takeTail(s *section) *tail {
	j.mu.Lock()
	defer j.mu.Unlock()
	if s.open > 0 {
		for _, text := range s.lastLines() {
			if text != "" {
				s.tail.add([]byte(text))
			}
		}
	}
	t := s.tail
	s.tail = nil
	return t
}

// leave says that one pipe is through with s. Called with mu held.
func (j *journal) leave(s *section) {
	s.open--
	if s.open > 0 {
		return
	}
	if s.known {
		j.finish(s)
	}
	if s.ended != nil {
		close(s.ended)
	}
}

func (j *journal) finish(s *section) {
	if !j.wants(s) {
		return
	}
	now := j.now()
	j.say(s, now)
	for _, text := range s.lastLines() {
		if text != "" {
			j.tell(s, text, now)
		}
	}
}

func (j *journal) wants(s *section) bool { return j.ship || s.tail != nil }

// lastLines are what failed, or "", and the end.
func (s *section) lastLines() [2]string {
	end := ""
	switch s.errorType {
	case fc.HandledInvocationError:
		end = ", Error: Handled function error"
	case fc.UnhandledInvocationError:
		end = ", Error: Unhandled function error"
	}
	return [2]string{s.failure, "FC " + s.noun + " End RequestId: " + s.id + end}
}

// write makes a record of a line of the function's. Called with mu held if s has a tail.
func (j *journal) write(s *section, text []byte, at time.Time, late bool) {
	if s != nil && s.tail != nil && !late {
		s.tail.add(text)
	}
	if j.ship {
		j.keep(s, string(text), at, late, true)
	}
}

// tell makes a record of a line of the daemon's. Called with mu held.
func (j *journal) tell(s *section, text string, at time.Time) {
	if s.tail != nil {
		s.tail.add([]byte(text))
	}
	if j.ship {
		j.keep(s, text, at, false, false)
	}
}

// keep puts a record into batch.
func (j *journal) keep(s *section, text string, at time.Time, late, printed bool) {
	r := j.record
	r.Time, r.Message, r.Late = at, text, late
	if s != nil {
		r.RequestID, r.Qualifier = s.id, s.qualifier
	}
	j.handing.Lock()
	defer j.handing.Unlock()
	j.printed = j.printed || printed
	if j.batch = append(j.batch, r); len(j.batch) >= maxBatch {
		j.handOverLocked()
	}
}

// handOver gives the records so far to the Logs.
func (j *journal) handOver() {
	j.handing.Lock()
	defer j.handing.Unlock()
	j.handOverLocked()
}

func (j *journal) handOverLocked() {
	if len(j.batch) == 0 {
		return
	}
	j.logs.Append(j.batch...)
	clear(j.batch)
	j.batch, j.printed = j.batch[:0], false
}

// drain reads what the pipes hold and returns how much that was. It does not block. What the function printed is handed
// over at once, so that it is written before the function's answer is known; lines of the daemon's alone, those of a call
// that printed nothing, may wait for the pump's tick.
func (j *journal) drain() (n int) {
	j.reading.Lock()
	defer j.reading.Unlock()
	if j.closed || j.mixed != nil && !j.mixed.begun.Load() {
		return 0
	}
	for _, p := range j.pipe {
		n += p.drain()
	}
	if n >= pumpFlood {
		j.loud.Store(pumpLoud)
	}
	j.handing.Lock()
	defer j.handing.Unlock()
	if j.printed || !j.tended.Load() {
		j.handOverLocked()
	}
	return n
}

// drainEnd reads to the end of both pipes, which comes when the last process that holds them has gone; at most until
// the given time. Nothing is read afterwards, and the descriptors may be closed.
func (j *journal) drainEnd(until time.Time) {
	if j.mixed != nil {
		j.mixed.begun.Store(true)
	}
	for {
		j.drain()
		var open []unix.PollFd
		for _, p := range j.pipe {
			if !p.ended.Load() {
				open = append(open, unix.PollFd{Fd: int32(p.fd), Events: unix.POLLIN})
			}
		}
		left := time.Until(until)
		if len(open) == 0 || left <= 0 {
			break
		}
		_, _ = unix.Poll(open, int(left.Milliseconds())+1)
	}
	j.reading.Lock()
	defer j.reading.Unlock()
	j.closed = true
	for _, p := range j.pipe {
		p.close()
	}
	j.handOver()
}

// heapExhausted tells whether the interpreter reported an exhausted heap.
func (j *journal) heapExhausted() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.pipe[0].heapOut || j.pipe[1].heapOut
}
