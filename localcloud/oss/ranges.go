package oss

import (
	"net/http"
	"strconv"
	"strings"
)

// span is a run of bytes of an object.
type span struct{ offset, size int64 }

// rangeOf is the part of an object of that size which the request asks for; partial is false for all of it. A range
// that cannot be served as it stands means the whole object, as the service does it, unless the client asks for the
// standard behaviour: then the end is cut to the object's, and a range outside it is refused.
func rangeOf(h http.Header, size int64) (s span, partial bool, err error) {
	text := h.Get("Range")
	if text == "" {
		return span{0, size}, false, nil
	}
	standard := h.Get("x-oss-range-behavior") == "standard"
	first, last, ok := parseRange(text, size)
	if !ok {
		return span{0, size}, false, nil
	}
	if standard {
		last = min(last, size-1)
		first = max(first, 0)
	}
	switch {
	case first >= 0 && first <= last && last < size:
		return span{first, last - first + 1}, true, nil
	case standard:
		e := refuse(http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "the requested range %q cannot be satisfied", text)
		e.Header = map[string]string{"Content-Range": "bytes */" + strconv.FormatInt(size, 10)}
		return span{}, false, e
	}
	return span{0, size}, false, nil
}

// parseRange reads one range; first and last may lie outside of the object.
func parseRange(text string, size int64) (first, last int64, ok bool) {
	spec, ok := strings.CutPrefix(text, "bytes=")
	if !ok {
		return 0, 0, false
	}
	from, to, ok := strings.Cut(spec, "-")
	if !ok || strings.Contains(to, ",") {
		return 0, 0, false
	}
	if from == "" {
		n, ok := digits(to)
		return size - n, size - 1, ok && n > 0
	}
	first, ok = digits(from)
	if !ok {
		return 0, 0, false
	}
	if to == "" {
		return first, max(first, size-1), true
	}
	last, ok = digits(to)
	return first, last, ok && first <= last
}

// digits reads an unsigned number without a sign.
func digits(s string) (int64, bool) {
	if s == "" || s[0] < '0' || s[0] > '9' {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}
