package invoker

import (
	"time"

	"fcd/invoker/runtimes/frame"
	"fcd/invoker/sandbox"
)

// A speaker carries requests to the program of an instance and brings its answers: frames one after the other (lane.go),
// several frames at a time (mux.go), or HTTP (web.go). The methods may be called concurrently where the pool lends the
// instance to several requests.
type speaker interface {
	// ready waits until the program takes requests. It is called before the first request, and again after an error.
	ready() error
	// exchange sends a request and waits for its answer. Its errors: os.ErrDeadlineExceeded if that did not come in time,
	// errStale if the program had ended before it could see the request, *verdict for an end that is told to the caller
	// as it stands; any other means that the instance is to be killed.
	exchange(r run, deadline time.Time) (reply, error)
	// hangUp tells an idle program that nothing more will come.
	hangUp()
	// obituary is the error message, and its type, for a request whose program has ended.
	obituary(sandbox.Exit) (message, errorType string)
}

// A reply is an answer and what the way to it was like.
type reply struct {
	answer  frame.Answer
	waited  time.Duration // behind other requests of the instance, before the program began with this one
	drained bool          // the log pipes have been emptied since the answer came
}

// A verdict is how a request ended where neither the program nor the clock has said it.
type verdict struct {
	message, errorType string
	fatal              bool // the instance must not serve again
}

func (v *verdict) Error() string { return v.message }

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
