package invoker

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"fcd/fc"
	"fcd/invoker/runtimes/frame"
	"fcd/invoker/sandbox"
)

// A mux speaks frames to a bootstrap with several requests in flight: answers come in any order and are told apart by
// their ids. One goroutine reads them for as long as the instance lives.
type mux struct {
	*process

	writing sync.Mutex // guards the pipe in, hello and sent
	hello   *frame.Hello
	sent    frame.Credentials

	mu      sync.Mutex // guards the rest
	pending map[string]chan delivery
	ended   error // why nothing more will come
}

type delivery struct {
	answer frame.Answer
	err    error
}

func newMux(p *process, hello *frame.Hello) (*mux, error) {
	if err := p.out.SetReadDeadline(time.Time{}); err != nil { // that of the start
		return nil, err
	}
	return &mux{process: p, hello: hello, pending: make(map[string]chan delivery)}, nil
}

func (s *mux) ready() error { return nil }

func (s *mux) hangUp() { s.in.Close() }

func (s *mux) obituary(sandbox.Exit) (message, errorType string) { return exitText, "" }

// read hands out the answers until the pipe ends.
func (s *mux) read() {
	for {
		f, err := s.frames.Read()
		if err == nil {
			err = s.deliver(f)
		}
		if err != nil {
			s.end(err)
			return
		}
	}
}

func (s *mux) deliver(f frame.Frame) error {
	a, err := frame.ReadAnswer(f)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ready, ok := s.pending[a.ID]
	if !ok {
		return fmt.Errorf("%w: answer to %q, which is not in flight", errProtocol, a.ID)
	}
	delete(s.pending, a.ID)
	ready <- delivery{answer: a}
	return nil
}

// end fails what is in flight and what comes later.
func (s *mux) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = err
	for id, ready := range s.pending {
		delete(s.pending, id)
		ready <- delivery{err: err}
	}
}

func (s *mux) exchange(r run, deadline time.Time) (reply, error) {
	a, err := s.ask(r, deadline)
	return reply{answer: a}, err
}

func (s *mux) ask(r run, deadline time.Time) (frame.Answer, error) {
	ready, err := s.expect(r.request.ID)
	if err != nil {
		return frame.Answer{}, err
	}
	if err := s.send(r, deadline); err != nil {
		s.forget(r.request.ID)
		if errors.Is(err, syscall.EPIPE) {
			return frame.Answer{}, errStale // the last byte was not taken, so nobody has read the request
		}
		return frame.Answer{}, err
	}
	t := time.NewTimer(time.Until(deadline))
	defer t.Stop()
	select {
	case got := <-ready:
		return got.answer, got.err
	case <-t.C:
		s.forget(r.request.ID)
		return frame.Answer{}, os.ErrDeadlineExceeded
	}
}

// expect makes the place of an answer.
func (s *mux) expect(id string) (chan delivery, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil {
		return nil, errStale
	}
	if _, taken := s.pending[id]; taken {
		return nil, fc.Errorf(fc.ResourceThrottled, "a request with the id %s is in flight already", id)
	}
	ready := make(chan delivery, 1)
	s.pending[id] = ready
	return ready, nil
}

func (s *mux) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pending, id)
}

// send writes a request. Whoever is writing has begun earlier, so his deadline is not later than this one's.
func (s *mux) send(r run, deadline time.Time) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.in.SetWriteDeadline(deadline); err != nil {
		return err
	}
	return s.writer.Write(greet(nil, &s.hello, &s.sent, &r)...)
}
