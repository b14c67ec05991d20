package oss

import (
	"io"
	"net/http"
)

// answer notes the status and counts the bytes of a response.
type answer struct {
	http.ResponseWriter
	before func() // run just before the header goes out
	status int
	sent   int64
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.before()
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	n, err := a.ResponseWriter.Write(p)
	a.sent += int64(n)
	return n, err
}

// ReadFrom lets a file go to the connection by sendfile.
func (a *answer) ReadFrom(r io.Reader) (int64, error) {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	n, err := io.Copy(a.ResponseWriter, r)
	a.sent += n
	return n, err
}

func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// counter counts the bytes of a request's body and marks its errors as the client's.
type counter struct {
	r io.Reader
	n int64
}

// bodyError is an error of reading a request's body: a connection lost, a malformed chunk.
type bodyError struct{ error }

func (e bodyError) Unwrap() error { return e.error }

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if err != nil && err != io.EOF {
		err = bodyError{err}
	}
	return n, err
}
