package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// callTime bounds one request of a load.
const callTime = 30 * time.Second

// A load is a number of callers that send the same request over and over, each the next one as soon as the answer is
// there.
type load struct{ callers []caller }

// A caller sends a request and takes its answer.
type caller interface {
	call(deadline time.Time) error
	Close() error
}

// sample is what a load did in one turn.
type sample struct {
	rate     float64 // answers a second
	p50, p99 float64 // milliseconds
}

// newLoad opens lean connections to the request's host.
func newLoad(connections, want int, request *http.Request) (*load, error) {
	raw, err := render(request)
	if err != nil {
		return nil, err
	}
	l := &load{}
	for range connections {
		c, err := net.Dial("tcp", request.URL.Host)
		if err != nil {
			l.close()
			return nil, err
		}
		l.callers = append(l.callers, &lean{c, bufio.NewReaderSize(c, 8<<10), raw, want})
	}
	return l, nil
}

// render is a request as it goes over the wire.
func render(r *http.Request) ([]byte, error) {
	var b bytes.Buffer
	err := r.Write(&b)
	return b.Bytes(), err
}

func (l *load) close() {
	for _, c := range l.callers {
		c.Close()
	}
}

// run sends requests for the duration. An unexpected answer ends it.
func (l *load) run(ctx context.Context, d time.Duration) (sample, error) {
	took := make([][]float64, len(l.callers))
	errs := make([]error, len(l.callers))
	begin := time.Now()
	end := begin.Add(d)
	var wg sync.WaitGroup
	for i, c := range l.callers {
		wg.Go(func() {
			for now := time.Now(); errs[i] == nil && now.Before(end) && ctx.Err() == nil; {
				errs[i] = c.call(now.Add(callTime))
				after := time.Now()
				took[i] = append(took[i], milliseconds(after.Sub(now)))
				now = after
			}
		})
	}
	wg.Wait()
	elapsed := time.Since(begin)
	var all []float64
	for _, t := range took {
		all = append(all, t...)
	}
	return sample{float64(len(all)) / elapsed.Seconds(), median(all), percentile(all, 99)}, errors.Join(append(errs, ctx.Err())...)
}

// once sends one request on the first caller's connection and tells how long its answer took, in milliseconds.
func (l *load) once() (float64, error) {
	begin := time.Now()
	err := l.callers[0].call(begin.Add(callTime))
	return milliseconds(time.Since(begin)), err
}

// lean is a kept connection that costs little, because it runs on the cores of what it measures: the request is rendered
// and signed once (a signature holds for 15 minutes), and of the answer only status and length are looked at.
type lean struct {
	net.Conn
	r       *bufio.Reader
	request []byte
	want    int // status
}

func (c *lean) call(deadline time.Time) error {
	c.SetDeadline(deadline)
	if _, err := c.Write(c.request); err != nil {
		return err
	}
	status, length, err := readHead(c.r)
	if err != nil {
		return err
	}
	if status == c.want {
		_, err = c.r.Discard(length)
		return err
	}
	body := make([]byte, min(length, 500))
	io.ReadFull(c.r, body)
	return unexpected(status, c.want, body)
}

// ordinary is Go's own HTTP client on one kept connection, as programs use it.
type ordinary struct {
	http.Client
	request *http.Request
	want    int
}

// newOrdinary makes a load of one ordinary caller.
func newOrdinary(want int, request *http.Request) *load {
	return &load{[]caller{&ordinary{http.Client{Transport: &http.Transport{}}, request, want}}}
}

func (c *ordinary) call(deadline time.Time) error {
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	r := c.request.Clone(ctx)
	body, err := c.request.GetBody()
	if err != nil {
		return err
	}
	r.Body = body
	res, err := c.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != c.want {
		err = unexpected(res.StatusCode, c.want, answer)
	}
	return err
}

// Close lets the connection go.
func (c *ordinary) Close() error {
	c.CloseIdleConnections()
	return nil
}

func unexpected(status, want int, body []byte) error {
	return fmt.Errorf("answer %d in place of %d: %s", status, want, body[:min(len(body), 500)])
}

// readHead reads the head of an answer: its status and the length of its body.
func readHead(r *bufio.Reader) (status, length int, err error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return 0, 0, err
	}
	if len(line) < len("HTTP/1.1 200") {
		return 0, 0, fmt.Errorf("not an HTTP answer: %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, 0, fmt.Errorf("not an HTTP answer: %q", line)
	}
	for {
		if line, err = r.ReadSlice('\n'); err != nil {
			return 0, 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			return status, length, nil
		}
		const name = "content-length:"
		if len(line) > len(name) && bytes.EqualFold(line[:len(name)], []byte(name)) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[len(name):]))); err != nil {
				return 0, 0, fmt.Errorf("length of the answer: %w", err)
			}
		}
	}
}
