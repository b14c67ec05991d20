package invoker

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"fcd/invoker/runtimes/frame"
	"fcd/invoker/sandbox"
)

// A speaker carries requests to the program of an instance and brings its answers: frames one at a time, several frames
// at a time (mux.go), or HTTP (web.go). The methods may be called concurrently where the pool lends the instance to
// several requests.
type speaker interface {
	// ready waits until the program takes requests. It is called before the first request, and again after an error.
	ready() error
	// exchange sends a request and waits for its answer. Its errors: os.ErrDeadlineExceeded if that did not come in time,
	// errStale if the program had ended before it could see the request, *verdict for an end that is told to the caller
	// as it stands; any other means that the instance is to be killed.
	exchange(r run, deadline time.Time) (frame.Answer, error)
	// hangUp tells an idle program that nothing more will come.
	hangUp()
	// obituary is the error message, and its type, for a request whose program has ended.
	obituary(sandbox.Exit) (message, errorType string)
}

// A verdict is how a request ended where neither the program nor the clock has said it.
type verdict struct {
	message, errorType string
	fatal              bool // the instance must not serve again
}

func (v *verdict) Error() string { return v.message }

// frames speaks to a bootstrap with one request in flight at a time.
type frames struct {
	*process
	hello *frame.Hello      // until it has been sent
	sent  frame.Credentials // what the bootstrap knows

	writeBy  time.Time        // the deadline of writes that is set; not before the request's, by writeSlack at most after it
	messages [2]frame.Message // memory for greet
}

// writeSlack is how much later than at its deadline a request is given up that the instance does not read. Only one that
// is broken or hostile does that; the deadline is set once in this time in place of for each request.
const writeSlack = time.Second

func (s *frames) ready() error { return nil } // startProcess has waited for it

func (s *frames) hangUp() { s.in.Close() }

func (s *frames) obituary(sandbox.Exit) (message, errorType string) { return exitText, "" }

// bigBody is the size from which a body is written while the answer is already awaited: the pipe may not hold it.
const bigBody = 32 << 10

// errProtocol says that the instance did not speak as a bootstrap does.
var errProtocol = errors.New("protocol violation")

// exchange sends the request, the HELLO before it if it is the first, and reads the answer.
func (s *frames) exchange(r run, deadline time.Time) (frame.Answer, error) {
	if err := s.answers.expect(deadline); err != nil {
		return frame.Answer{}, err
	}
	if s.writeBy.Before(deadline) {
		s.writeBy = deadline.Add(writeSlack)
		if err := s.in.SetWriteDeadline(s.writeBy); err != nil {
			return frame.Answer{}, err
		}
	}
	messages := greet(s.messages[:0], &s.hello, &s.sent, &r)
	defer clear(s.messages[:]) // an idle instance holds no event
	if len(r.body) < bigBody {
		if err := s.writer.Write(messages...); err != nil {
			return frame.Answer{}, err
		}
		return s.answer(r.request.ID)
	}
	written := make(chan error, 1)
	go func() { written <- s.writer.Write(messages...) }()
	a, err := s.answer(r.request.ID)
	s.writeBy = time.Time{}
	_ = s.in.SetWriteDeadline(time.Unix(1, 0)) // an answer means that the request has been read
	if werr := <-written; werr != nil && err == nil {
		return a, fmt.Errorf("%w: an answer before the end of the request: %w", errProtocol, werr)
	}
	return a, err
}

// greet makes the messages of a request: the HELLO before it if that has not been sent yet, the keys with it if the
// bootstrap does not have them.
func greet(room []frame.Message, hello **frame.Hello, sent *frame.Credentials, r *run) []frame.Message {
	if r.keys != *sent {
		*sent = r.keys
		r.request.Credentials = &r.keys
	}
	request := frame.Message{Type: r.kind, Header: &r.request, Body: r.body}
	if *hello == nil {
		return append(room, request)
	}
	first := frame.Message{Type: frame.TypeHello, Header: *hello}
	(*hello).Credentials, *hello = r.keys, nil
	return append(room, first, request)
}

func (s *frames) answer(id string) (frame.Answer, error) {
	f, err := s.frames.Read()
	if err != nil {
		return frame.Answer{}, err
	}
	if f.Type == frame.TypeResult && plainHeader(f.Header, id) {
		return frame.Answer{Type: f.Type, ID: id, Body: f.Body, Dropped: f.Dropped}, nil
	}
	a, err := frame.ReadAnswer(f)
	if err != nil {
		return frame.Answer{}, err
	}
	if a.ID != id {
		return frame.Answer{}, fmt.Errorf("%w: answer to %q while %q is in flight", errProtocol, a.ID, id)
	}
	return a, nil
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
