package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

// callTime bounds one request of a load.
const callTime = 30 * time.Second

// A load sends the same request over and over, on each of its connections the next one as soon as the answer is there.
type load interface {
	// run sends requests for the duration. An unexpected answer ends it.
	run(ctx context.Context, d time.Duration) (sample, error)
	// once sends one request and tells how long its answer took, in milliseconds.
	once() (float64, error)
	close()
}

// sample is what a load did in one turn.
type sample struct {
	calls    int
	rate     float64 // answers a second
	p50, p99 float64 // milliseconds
}

// sampled is what answers that took so many milliseconds make in a time. It sorts them.
func sampled(took []float64, d time.Duration) sample {
	slices.Sort(took)
	return sample{len(took), float64(len(took)) / d.Seconds(), median(took), percentile(took, 99)}
}

// render is a request as it goes over the wire.
func render(r *http.Request) ([]byte, error) {
	var b bytes.Buffer
	err := r.Write(&b)
	return b.Bytes(), err
}

// ordinary is Go's own HTTP client on one kept connection, as programs use it.
type ordinary struct {
	http.Client
	request *http.Request
	want    int
}

// newOrdinary makes a load of one connection.
func newOrdinary(want int, request *http.Request) load {
	return &ordinary{http.Client{Transport: &http.Transport{}}, request, want}
}

func (c *ordinary) run(ctx context.Context, d time.Duration) (sample, error) {
	var took []float64
	begin := time.Now()
	for time.Since(begin) < d && ctx.Err() == nil {
		one, err := c.once()
		if err != nil {
			return sample{}, err
		}
		took = append(took, one)
	}
	return sampled(took, time.Since(begin)), ctx.Err()
}

func (c *ordinary) once() (float64, error) {
	begin := time.Now()
	err := c.call(begin.Add(callTime))
	return milliseconds(time.Since(begin)), err
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

func (c *ordinary) close() { c.CloseIdleConnections() }

func unexpected(status, want int, body []byte) error {
	return fmt.Errorf("answer %d in place of %d: %s", status, want, body[:min(len(body), 500)])
}
