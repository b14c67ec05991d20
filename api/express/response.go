package express

import (
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxJoined is the longest body that is copied behind its head, to leave in one write with it.
const maxJoined = 64 << 10

// A response is the http.ResponseWriter of the request at hand. It sends nothing before the handler has returned, unless
// the body is large.
type response struct {
	c      *conn
	header http.Header
	status int
	out    []byte // head and body, kept for the next answer
	body   []byte // not yet sent
	keys   []string
	length [1]string // of the body, as the header holds it

	declared int64 // length of the body as the handler said, -1 if it did not
	written  int64
	sent     bool // the head has left
	last     bool // the connection ends with this answer
	failed   bool
}

func (w *response) reset() {
	clear(w.header)
	*w = response{c: w.c, header: w.header, out: w.out[:0], body: w.body[:0], keys: w.keys[:0], declared: -1}
	if cap(w.out) > keepBuffer {
		w.out = nil
	}
	if cap(w.body) > keepBuffer {
		w.body = nil
	}
}

func (w *response) Header() http.Header { return w.header }

// WriteHeader sets the status, once. Informational answers are not sent.
func (w *response) WriteHeader(status int) {
	if w.status != 0 || status < 200 {
		return
	}
	w.status = status
	if v := w.header.Get("Content-Length"); v != "" {
		if n, err := strconv.ParseInt(v, 10, 64); err == nil && n >= 0 {
			w.declared = n
		} else {
			w.header.Del("Content-Length")
		}
	}
}

func (w *response) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.bodyless() {
		return 0, http.ErrBodyNotAllowed
	}
	if w.written += int64(len(p)); w.declared >= 0 && w.written > w.declared {
		w.written -= int64(len(p))
		return 0, http.ErrContentLength
	}
	if !w.sent && len(w.body)+len(p) <= maxJoined {
		w.body = append(w.body, p...)
		return len(p), nil
	}
	if !w.sent && w.declared < 0 {
		w.last = true // the end of the connection is that of the body
	}
	return len(p), w.flush(p)
}

// flush sends the head, if it has not left, and what there is of the body.
func (w *response) flush(more []byte) error {
	if w.failed {
		return net.ErrClosed
	}
	parts := net.Buffers{w.body, more}
	if !w.sent {
		w.sent = true
		w.appendHead()
		parts = net.Buffers{w.out, w.body, more}
	}
	_, err := parts.WriteTo(w.c.tcp)
	w.body = w.body[:0]
	w.failed = err != nil
	return err
}

// finish sends what is left and tells whether the connection can be used again.
func (w *response) finish() bool {
	w.WriteHeader(http.StatusOK)
	if w.sent {
		return !w.failed && !w.last && w.written == w.declared
	}
	if w.declared < 0 && !w.bodyless() {
		w.declared = int64(len(w.body))
		w.length[0] = strconv.Itoa(len(w.body))
		w.header["Content-Length"] = w.length[:]
	}
	w.last = w.last || w.c.s.isStopping() || w.declared > w.written && !w.bodyless()
	w.appendHead()
	w.out = append(w.out, w.body...)
	_, err := w.c.stream.Write(w.out)
	return err == nil && !w.last
}

// bodyless tells whether the status allows no body.
func (w *response) bodyless() bool {
	return w.status == http.StatusNoContent || w.status == http.StatusNotModified
}

// appendHead renders status line and header into out, the fields sorted as net/http does.
func (w *response) appendHead() {
	if _, set := w.header["Content-Type"]; !set && len(w.body) > 0 {
		w.header["Content-Type"] = []string{http.DetectContentType(w.body)}
	}
	out := append(w.out, "HTTP/1.1 "...)
	out = strconv.AppendInt(out, int64(w.status), 10)
	out = append(out, ' ')
	out = append(out, http.StatusText(w.status)...)
	out = append(out, "\r\n"...)
	for _, key := range w.sortedKeys() {
		if w.bodyless() && key == "Content-Length" {
			continue
		}
		for _, value := range w.header[key] {
			out = append(out, key...)
			out = append(out, ": "...)
			out = appendValue(out, value)
			out = append(out, "\r\n"...)
		}
	}
	if _, set := w.header["Date"]; !set {
		out = append(out, w.c.s.dateField()...)
	}
	if w.last {
		out = append(out, "Connection: close\r\n"...)
	}
	w.out = append(out, "\r\n"...)
}

func (w *response) sortedKeys() []string {
	keys := w.keys[:0]
	for key := range w.header {
		if !token(key) || w.last && key == "Connection" {
			continue
		}
		at := len(keys)
		keys = append(keys, key)
		for ; at > 0 && keys[at-1] > key; at-- {
			keys[at] = keys[at-1]
		}
		keys[at] = key
	}
	w.keys = keys
	return keys
}

var oneLine = strings.NewReplacer("\r", " ", "\n", " ")

// appendValue appends a field's value, which cannot begin another line.
func appendValue(out []byte, value string) []byte {
	if strings.IndexByte(value, '\r') >= 0 || strings.IndexByte(value, '\n') >= 0 {
		value = oneLine.Replace(value)
	}
	return append(out, strings.Trim(value, " \t")...)
}

// A dateLine is the Date field of one second.
type dateLine struct {
	second int64
	text   string
}

func (s *Server) dateField() string {
	now := time.Now()
	d := s.date.Load()
	if d == nil || d.second != now.Unix() {
		d = &dateLine{now.Unix(), "Date: " + now.UTC().Format(http.TimeFormat) + "\r\n"}
		s.date.Store(d)
	}
	return d.text
}
