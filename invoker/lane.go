package invoker

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"fcd/invoker/runtimes/frame"
	"fcd/invoker/sandbox"
)

// A lane speaks frames to a bootstrap that serves one request at a time. Where the function is quick, its next requests
// may stand in the pipe behind the one that it serves: the program goes on without being put to sleep and woken, and
// the daemon takes several answers at a wake-up. They are begun in the order they were sent in, each when the one before
// it has been answered, and its time runs from then.
//
// Each small frame is a packet of the pipe, so that the program takes one at a time and what it has not taken can be
// withdrawn: nobody waits behind a request that turns out to be slow.
type lane struct {
	*process
	drain func() int // empties the log pipes

	mu       sync.Mutex        // guards the pipe in and the rest; held while a small frame is written
	hello    *frame.Hello      // until it has been sent
	sent     frame.Credentials // what the bootstrap knows
	writeBy  time.Time         // the deadline of writes that is set; not before the request's, by writeSlack at most after it
	messages [2]frame.Message  // memory for greet
	packets  bool              // what is written to the pipe now stays apart from what is written later
	flight   []*turn           // sent and not answered, in order
	leader   *turn             // whose caller reads the answers, for all
	began    time.Time         // when the program could begin with the first of flight
	over     bool              // the instance is to be ended
	cause    error             // why, as long as nobody knows who would end it
	watching bool              // overdue will be called
	room     []*turn           // memory for unanswered; the leader's
}

// A turn is the place of a request in a lane.
type turn struct {
	id   string
	size int       // of its packet
	at   time.Time // when it was sent
	word chan word // capacity 1; one word comes to all but one that leads at once
}

// A told is an answer and whose it is.
type told struct {
	turn   *turn
	answer frame.Answer
}

// A word is what the caller of a request learns who does not read himself.
type word struct {
	answer frame.Answer
	err    error
	waited time.Duration
	lead   bool // neither: he is to read now
}

var turns = sync.Pool{New: func() any { return &turn{word: make(chan word, 1)} }}

const (
	// maxFlight is how many requests an instance may have, with that which it serves.
	maxFlight = 8
	// slowAfter is how long a request may take before those behind it are withdrawn.
	slowAfter = 5 * time.Millisecond
	// writeSlack is how much later than at its deadline a request is given up that the instance does not read. Only one
	// that is broken or hostile does that; the deadline is set once in this time in place of for each request.
	writeSlack = time.Second
	// bigBody is the size from which a body is written while the answer is already awaited: the pipe may not hold it.
	bigBody = 32 << 10
	// maxPacket is the most that a pipe keeps in one piece (PIPE_BUF).
	maxPacket = 4096
	// smallBody is the longest event that may stand behind others: its frame fits into a packet.
	smallBody = 3 << 10
)

var (
	// errProtocol says that the instance did not speak as a bootstrap does.
	errProtocol = errors.New("protocol violation")
	// errWithdrawn says that a request was taken back from an instance that has not seen it, errNotBehind that it cannot
	// be told apart there, or withdrawn.
	errWithdrawn = errors.New("the request was withdrawn from an instance that is slow")
	errNotBehind = errors.New("the request must not stand behind another")
	// errBehind says that the request before this one ends the instance. Whether this one had begun by then is to be
	// found out when it has ended.
	errBehind = errors.New("the request before this one ended the instance")
)

func (s *lane) ready() error { return nil } // startProcess has waited for it

func (s *lane) hangUp() { s.in.Close() }

func (s *lane) obituary(sandbox.Exit) (message, errorType string) { return exitText, "" }

// exchange sends the request, the HELLO before it if it is the first, and brings the answer. Besides a speaker's errors:
// errWithdrawn, errNotBehind and errBehind.
func (s *lane) exchange(r run, deadline time.Time) (reply, error) {
	if len(r.body) >= bigBody {
		return s.exchangeBig(r, deadline)
	}
	t := turns.Get().(*turn)
	defer turns.Put(t)
	t.id, t.at = r.request.ID, time.Now()
	lead, err := s.send(&r, t, deadline)
	if err != nil {
		return reply{}, err
	}
	var waited time.Duration
	if !lead {
		w := <-t.word
		if !w.lead {
			return reply{answer: w.answer, waited: w.waited, drained: true}, w.err
		}
		waited = w.waited
	}
	a, err := s.lead(t, deadline.Add(waited))
	return reply{answer: a, waited: waited, drained: err == nil}, err
}

// exchangeBig is exchange for an event that the pipe may not hold. The pool lends the instance to nobody else meanwhile.
func (s *lane) exchangeBig(r run, deadline time.Time) (reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return reply{}, s.blame()
	}
	if err := s.prepare(deadline, false); err != nil {
		return reply{}, err
	}
	if err := s.answers.expect(deadline); err != nil {
		return reply{}, err
	}
	r.enter()
	messages := greet(s.messages[:0], &s.hello, &s.sent, &r)
	defer clear(s.messages[:]) // an idle instance holds no event
	written := make(chan error, 1)
	go func() { written <- s.writer.Write(messages...) }()
	t := &turn{id: r.request.ID}
	s.flight = append(s.flight, t)
	defer func() { s.flight = s.flight[:0] }()
	a, err := s.read(func() []*turn { return s.flight })
	s.writeBy = time.Time{}
	_ = s.in.SetWriteDeadline(time.Unix(1, 0)) // an answer means that the request has been read
	if werr := <-written; werr != nil && err == nil {
		err = fmt.Errorf("%w: an answer before the end of the request: %w", errProtocol, werr)
	}
	return reply{answer: a.answer}, err
}

// send writes a request and gives it its turn. lead: it is the first in flight, so its caller reads.
func (s *lane) send(r *run, t *turn, deadline time.Time) (lead bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return false, s.blame()
	}
	if slices.ContainsFunc(s.flight, func(other *turn) bool { return other.id == t.id }) {
		return false, errNotBehind // their answers could not be told apart
	}
	known := s.sent
	messages := greet(s.messages[:0], &s.hello, &s.sent, r)
	defer clear(s.messages[:]) // an idle instance holds no event
	size, err := s.writer.Prepare(messages...)
	if err != nil {
		return false, err
	}
	if len(s.flight) > 0 && size > maxPacket {
		s.sent = known
		return false, errNotBehind // its header is unusually long: it goes alone
	}
	if err := s.prepare(deadline, size <= maxPacket); err != nil {
		return false, err
	}
	t.size = size
	r.enter()
	if err := s.writer.Flush(); err != nil {
		return false, err
	}
	s.flight = append(s.flight, t)
	if len(s.flight) == 1 {
		s.leader, s.began = t, t.at
		return true, nil
	}
	if !s.watching {
		s.watching = true
		time.AfterFunc(slowAfter, s.overdue)
	}
	return false, nil
}

// prepare sets what the next write needs. Called with mu held.
func (s *lane) prepare(deadline time.Time, packet bool) error {
	if s.writeBy.Before(deadline) {
		s.writeBy = deadline.Add(writeSlack)
		if err := s.in.SetWriteDeadline(s.writeBy); err != nil {
			return err
		}
	}
	if packet == s.packets {
		return nil
	}
	flags := unix.O_NONBLOCK
	if packet {
		flags |= unix.O_DIRECT
	}
	s.packets = packet
	return s.control(func(fd int) error {
		_, err := unix.FcntlInt(uintptr(fd), unix.F_SETFL, flags)
		return err
	})
}

// control lets f act on the descriptor of in.
func (s *lane) control(f func(fd int) error) error {
	raw, err := s.in.SyscallConn()
	if err != nil {
		return err
	}
	var ferr error
	return errors.Join(raw.Control(func(fd uintptr) { ferr = f(int(fd)) }), ferr)
}

// lead reads until the answer of t has come, and takes in what has come with it. It hands out the answers of others and
// makes the next one lead.
func (s *lane) lead(t *turn, deadline time.Time) (frame.Answer, error) {
	var batch [maxFlight]told
	n, own := 0, -1
	err := s.answers.expect(deadline)
	for err == nil && n < len(batch) && (own < 0 || s.frames.Ready()) {
		if batch[n], err = s.read(func() []*turn { return s.unanswered(batch[:n]) }); err == nil {
			if batch[n].turn == t {
				own = n
			}
			n++
		}
	}
	now := time.Now()
	if n > 0 {
		s.drain() // what they printed has gone before their answers are known
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range batch[:n] {
		s.flight = slices.DeleteFunc(s.flight, func(t *turn) bool { return t == b.turn })
		if b.turn != t {
			b.turn.word <- word{answer: b.answer, waited: max(0, now.Sub(b.turn.at)-now.Sub(s.began)/time.Duration(n))}
		}
	}
	s.leader = nil
	switch {
	case own < 0:
		s.fail(t, nil) // t's caller ends the instance
		return frame.Answer{}, err
	case err != nil:
		s.fail(t, err)
	case len(s.flight) > 0:
		s.leader, s.began = s.flight[0], now
		s.leader.word <- word{lead: true, waited: max(0, now.Sub(s.leader.at))}
	}
	return batch[own].answer, nil
}

// unanswered are those in flight but for the answered.
func (s *lane) unanswered(answered []told) []*turn {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.room = s.room[:0]
	for _, t := range s.flight {
		if !slices.ContainsFunc(answered, func(b told) bool { return b.turn == t }) {
			s.room = append(s.room, t)
		}
	}
	return s.room
}

// fail tells all but t that the instance ends. The first to hear of cause, if there is one, ends it. Called with mu held.
func (s *lane) fail(t *turn, cause error) {
	s.over, s.cause = true, cause
	for _, other := range s.flight {
		if other != t {
			other.word <- word{err: s.blame()}
		}
	}
	s.flight = nil
}

// blame is what a request is told of an instance that is over. Called with mu held.
func (s *lane) blame() error {
	err := cmp.Or(s.cause, errBehind)
	s.cause = nil
	return err
}

// overdue looks whether somebody has waited for too long.
func (s *lane) overdue() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watching = false
	if len(s.flight) < 2 {
		return
	}
	wait := slowAfter - time.Since(s.began)
	if wait <= 0 {
		s.withdraw()
		wait = slowAfter
	}
	if len(s.flight) > 1 {
		s.watching = true
		time.AfterFunc(wait, s.overdue)
	}
}

// withdraw takes what the program has not begun to read out of the pipe. Called with mu held.
func (s *lane) withdraw() {
	packets, err := s.unread()
	if err != nil {
		return // who waits goes on to wait
	}
	for _, packet := range packets {
		f, err := frame.NewReader(bytes.NewReader(packet)).Read()
		if err != nil {
			continue // not of the daemon's
		}
		i := slices.IndexFunc(s.flight, func(t *turn) bool { return t != s.leader && requestOf(f.Header, t.id) })
		if i >= 0 {
			s.flight[i].word <- word{err: errWithdrawn}
			s.flight = slices.Delete(s.flight, i, i+1)
		}
	}
}

// requestOf tells whether a header is that of the request id.
func requestOf(header []byte, id string) bool {
	var r struct{ ID string }
	return json.Unmarshal(header, &r) == nil && r.ID == id
}

// unread takes the packets of those behind the first in flight out of the pipe: none while the program has not taken
// that one, since it would come behind them if it were put back. Called with mu held.
func (s *lane) unread() (packets [][]byte, err error) {
	behind := 0
	for _, t := range s.flight[1:] {
		behind += t.size
	}
	err = s.control(func(fd int) error {
		if n, err := unix.IoctlGetInt(fd, unix.TIOCINQ); err != nil || n > behind {
			return err
		}
		tap, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(tap)
		for range s.flight[1:] {
			packet := make([]byte, maxPacket)
			n, _ := unix.Read(tap, packet)
			if n <= 0 {
				break // EAGAIN: there is no more
			}
			packets = append(packets, packet[:n])
		}
		return nil
	})
	return packets, err
}

// read takes the next answer, which must be of one of the requests that are in flight when it has come.
func (s *lane) read(inFlight func() []*turn) (told, error) {
	f, err := s.frames.Read()
	if err != nil {
		return told{}, err
	}
	flight := inFlight()
	if f.Type == frame.TypeResult {
		for _, t := range flight {
			if plainHeader(f.Header, t.id) {
				return told{t, frame.Answer{Type: f.Type, ID: t.id, Body: f.Body, Dropped: f.Dropped}}, nil
			}
		}
	}
	a, err := frame.ReadAnswer(f)
	if err != nil {
		return told{}, err
	}
	for _, t := range flight {
		if t.id == a.ID {
			return told{t, a}, nil
		}
	}
	return told{}, fmt.Errorf("%w: answer to %q, which is not in flight", errProtocol, a.ID)
}

// plainHeader tells whether a header is {"id":"<id>"} and nothing else, as that of most results is.
func plainHeader(header []byte, id string) bool {
	rest, ok := bytes.CutPrefix(header, []byte(`{"id":`))
	if !ok {
		return false
	}
	rest = bytes.TrimPrefix(rest, []byte(" "))
	return len(rest) == len(id)+3 && rest[0] == '"' && string(rest[1:1+len(id)]) == id && string(rest[1+len(id):]) == `"}`
}
