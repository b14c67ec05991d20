package daemon

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"go.uber.org/zap"
)

// server is one HTTP listener of the daemon.
type server struct {
	name     string
	listener net.Listener
	http     *http.Server
	front    front
}

// front is what accepts the connections of a server: its http.Server, or what stands before that.
type front interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
	Close() error
}

// listen opens a listener at once, so that its port is known before anything is served. any takes a free port.
func listen(name, address string, anyPort bool, log *zap.Logger) (*server, error) {
	if anyPort {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		address = net.JoinHostPort(host, "0")
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	h := newHTTPServer(name, log)
	return &server{name: name, listener: l, http: h, front: h}, nil
}

// newHTTPServer bounds what a slow or idle client can hold, but not the time of a long answer: an invocation may run for
// minutes.
func newHTTPServer(name string, log *zap.Logger) *http.Server {
	errorLog, _ := zap.NewStdLogAt(log.Named("http").With(zap.String("listener", name)), zap.DebugLevel)
	return &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          errorLog,
	}
}

// url is where clients find the listener; "" for nil.
func (s *server) url() string {
	if s == nil {
		return ""
	}
	return "http://" + s.listener.Addr().String()
}

// serve answers until stop, and returns once ctx has ended too.
func (s *server) serve(ctx context.Context) error {
	if err := s.front.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	<-ctx.Done()
	return nil
}

// stop refuses new connections and waits for running requests until ctx ends; then it cuts them. It may be called again,
// and on nil.
func (s *server) stop(ctx context.Context) {
	if s == nil {
		return
	}
	if s.front.Shutdown(ctx) != nil {
		s.front.Close()
	}
}
