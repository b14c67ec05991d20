package invoker

import (
	"errors"
	"os"
	"time"

	"fcd/fc/nonblock"
)

// answers is the daemon's end of the pipe that answers come through. Its deadline is that of the request in flight, but
// it is not set anew for each: an earlier one that passes too soon is moved then.
type answers struct {
	file         *os.File
	stream       *nonblock.Stream // file
	until, armed time.Time        // the request's deadline, the one that is set; zero: somebody else sets them
}

func newAnswers(file *os.File) (answers, error) {
	stream, err := nonblock.New(file)
	return answers{file: file, stream: stream}, err
}

// expect sets the deadline of what is read from now on.
func (a *answers) expect(deadline time.Time) error {
	a.until = deadline
	if !a.armed.IsZero() && !a.armed.After(deadline) {
		return nil
	}
	a.armed = deadline
	return a.file.SetReadDeadline(deadline)
}

func (a *answers) Read(p []byte) (int, error) {
	for {
		n, err := a.stream.Read(p)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) || !a.armed.Before(a.until) {
			return n, err
		}
		a.armed = a.until
		if err := a.file.SetReadDeadline(a.until); err != nil {
			return 0, err
		}
	}
}
