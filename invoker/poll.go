package invoker

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"fcd/invoker/runtimes/frame"
)

// A runtimeAPI is where a function's own program may fetch its requests, in place of serving HTTP: programs that are built
// with the service's runtime SDKs do. It listens inside the instance.
//
//	GET  /2020-11-11/runtime/invocation/next           waits for a request: its facts are headers, the event is the body
//	POST /2020-11-11/runtime/invocation/{id}/response  the result
//	POST /2020-11-11/runtime/invocation/{id}/error     {"errorMessage", "errorType", "stackTrace"}
//	POST /2020-11-11/runtime/init/error                the program cannot go on
//
// The paths, the headers and the status 200 of every answer are those of fc-runtime-go-sdk v0.2.7 and of the service's PHP
// runtime. Its methods may be called concurrently.
type runtimeAPI struct {
	limit int64         // of a result
	begun chan struct{} // closed when the program has asked for a request
	first sync.Once
	todo  chan *errand  // unbuffered: to a program that waits
	over  chan struct{} // closed when the instance ends

	mu     sync.Mutex         // guards these
	taken  map[string]*errand // by request id
	failed *verdict           // what init/error said
	broken chan struct{}      // closed when failed is set
}

// An errand is a request on its way to the program and back.
type errand struct {
	id     string
	header http.Header
	body   []byte
	answer chan frame.Answer // capacity 1
}

// functionTypes are the values of x-fc-function-type. The first releases of the SDK had the hooks the other way round.
var functionTypes = map[frame.Type]string{frame.TypeInvoke: "0", frame.TypeInit: "1", frame.TypePreStop: "2", frame.TypePreFreeze: "3"}

func newRuntimeAPI(limit int64) *runtimeAPI {
	return &runtimeAPI{limit: limit, begun: make(chan struct{}), todo: make(chan *errand), over: make(chan struct{}),
		taken: map[string]*errand{}, broken: make(chan struct{})}
}

// serve answers the program until the listener is closed.
func (a *runtimeAPI) serve(l net.Listener) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2020-11-11/runtime/invocation/next", a.next)
	mux.HandleFunc("POST /2020-11-11/runtime/invocation/{id}/response", a.response)
	mux.HandleFunc("POST /2020-11-11/runtime/invocation/{id}/error", a.error)
	mux.HandleFunc("POST /2020-11-11/runtime/init/error", a.initError)
	var connections sync.WaitGroup // Serve itself calls ConnState with StateNew, so that none is added beside the Wait
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute, MaxHeaderBytes: frame.MaxHeader,
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				connections.Add(1)
			case http.StateClosed:
				connections.Done()
			}
		}}
	_ = srv.Serve(l) // until l is closed
	close(a.over)
	srv.Close()
	connections.Wait()
}

// polls tells whether the program fetches its requests here.
func (a *runtimeAPI) polls() bool {
	select {
	case <-a.begun:
		return true
	default:
		return false
	}
}

// exchange hands a request to the program and waits for its answer, until ctx ends or the process does.
func (a *runtimeAPI) exchange(ctx context.Context, r run, header http.Header, gone <-chan struct{}) (frame.Answer, error) {
	e := &errand{id: r.request.ID, header: header, body: r.body, answer: make(chan frame.Answer, 1)}
	header["x-fc-function-type"] = []string{functionTypes[r.kind]}
	header["x-fc-function-deadline"] = []string{strconv.FormatInt(r.request.DeadlineMS, 10)}
	select {
	case a.todo <- e:
	case <-gone:
		return frame.Answer{}, errStale
	case <-ctx.Done():
		return frame.Answer{}, os.ErrDeadlineExceeded
	}
	defer a.take(e.id)
	select {
	case got := <-e.answer:
		return got, nil
	case <-a.broken:
		return frame.Answer{}, a.failed
	case <-gone:
		select {
		case got := <-e.answer: // its last deed
			return got, nil
		default:
			return frame.Answer{}, io.ErrUnexpectedEOF
		}
	case <-ctx.Done():
		return frame.Answer{}, os.ErrDeadlineExceeded
	}
}

// take gives the request of an id, once: nil if it is not in flight.
func (a *runtimeAPI) take(id string) *errand {
	a.mu.Lock()
	defer a.mu.Unlock()
	e := a.taken[id]
	delete(a.taken, id)
	return e
}

func (a *runtimeAPI) next(w http.ResponseWriter, r *http.Request) {
	a.first.Do(func() { close(a.begun) })
	select {
	case e := <-a.todo:
		a.mu.Lock()
		a.taken[e.id] = e
		a.mu.Unlock()
		for key, values := range e.header {
			w.Header()[key] = values
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(e.body)))
		_, _ = w.Write(e.body) // a program that is gone is seen to have ended
	case <-r.Context().Done():
	case <-a.over:
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

func (a *runtimeAPI) response(w http.ResponseWriter, r *http.Request) {
	a.settle(w, r, func(id string, body []byte) frame.Answer {
		return frame.Answer{Type: frame.TypeResult, ID: id, Body: body}
	})
}

func (a *runtimeAPI) error(w http.ResponseWriter, r *http.Request) { a.settle(w, r, reported) }

// reported is the answer of an error that the program tells: one with a stack was not foreseen, as a panic.
func reported(id string, body []byte) frame.Answer {
	a := frame.Answer{Type: frame.TypeHandled, Class: frame.ClassHandled, ID: id, Body: errorBody(body, http.StatusInternalServerError)}
	var told struct{ StackTrace []any }
	if json.Unmarshal(body, &told) == nil && len(told.StackTrace) > 0 {
		a.Type, a.Class = frame.TypeUnhandled, frame.ClassUnhandled
	}
	return a
}

// settle answers the request that the path names.
func (a *runtimeAPI) settle(w http.ResponseWriter, r *http.Request, answer func(id string, body []byte) frame.Answer) {
	body, err := io.ReadAll(io.LimitReader(r.Body, a.limit+1))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	id := r.PathValue("id")
	e := a.take(id)
	if e == nil {
		http.Error(w, fmt.Sprintf("request %q is not in flight", id), http.StatusNotFound)
		return
	}
	e.answer <- answer(id, body)
}

func (a *runtimeAPI) initError(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, frame.MaxHeader))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var told struct{ ErrorMessage, ErrorType string }
	if err := json.Unmarshal(body, &told); err != nil || told.ErrorMessage == "" {
		told.ErrorMessage = string(body)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.failed == nil {
		a.failed = &verdict{message: told.ErrorMessage, errorType: told.ErrorType, fatal: true}
		close(a.broken)
	}
}
