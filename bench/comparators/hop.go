package comparators

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
)

// Hop serves HTTP on a free port of loopback until stdin ends. It prints the port and passes each event to one of so
// many workers, each a process of the command, whose pipes carry frames: four bytes of length and the bytes.
func Hop(workers int, stdin io.Reader, stdout io.Writer, command ...string) error {
	idle := make(chan *worker, workers)
	for range workers {
		w, err := startWorker(command)
		if err != nil {
			return err
		}
		defer w.stop()
		idle <- w
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: hop(idle)}
	go func() {
		io.Copy(io.Discard, stdin)
		srv.Close()
	}()
	fmt.Fprintln(stdout, l.Addr().(*net.TCPAddr).Port)
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// hop lends the idle workers to requests.
type hop chan *worker

func (h hop) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	event, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	w := <-h
	result, err := w.call(event)
	h <- w
	if err != nil {
		http.Error(rw, err.Error(), http.StatusInternalServerError)
		return
	}
	rw.Header().Set("Content-Length", strconv.Itoa(len(result)))
	rw.Write(result)
}

// worker is a process that answers frames, one at a time.
type worker struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out io.Reader
}

func startWorker(command []string) (*worker, error) {
	w := &worker{cmd: exec.Command(command[0], command[1:]...)}
	w.cmd.Stderr = os.Stderr
	var err error
	if w.in, err = w.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if w.out, err = w.cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	return w, w.cmd.Start()
}

func (w *worker) call(event []byte) ([]byte, error) {
	frame := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(event)), uint32(len(event)))
	if _, err := w.in.Write(append(frame, event...)); err != nil {
		return nil, err
	}
	var head [4]byte
	if _, err := io.ReadFull(w.out, head[:]); err != nil {
		return nil, err
	}
	result := make([]byte, binary.BigEndian.Uint32(head[:]))
	_, err := io.ReadFull(w.out, result)
	return result, err
}

// stop closes the worker's input, at which it ends.
func (w *worker) stop() {
	w.in.Close()
	w.cmd.Wait()
}
