package express

import (
	"bytes"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
)

// A head is the request line and header of a plain request. Parsing the next into the same head keeps the strings that
// repeat, and the header itself where it has the same fields: whoever is given it must not change it.
type head struct {
	method, target, host string
	url                  url.URL
	header               http.Header
	length               int // of the body

	lines  []line   // of this head and, beyond, of earlier ones
	values []string // by line; what header's slices are cut from
	built  int      // header has the names of that many lines and their places in values; -1: it has not
}

// A line is one header field, remembered by its text.
type line struct {
	text        string
	name, value string
	kind        kind
}

type kind uint8

const (
	ordinaryField kind = iota
	hostField
	lengthField
)

// maxFields bounds the header fields of a plain request.
const maxFields = 64

// parse reads a head that ends with an empty line. It is false for whatever is not plain: malformed, or to be understood
// by net/http alone.
func (h *head) parse(b []byte) bool {
	first, rest, ok := cutLine(b)
	if !ok || !h.parseRequestLine(first) {
		return false
	}
	if h.header == nil {
		h.header, h.values = make(http.Header), make([]string, maxFields)
	}
	built := h.built
	h.built, h.host, h.length = -1, "", -1
	n, hosts, same := 0, 0, true
	for ; ; n++ {
		var text []byte
		if text, rest, ok = cutLine(rest); !ok {
			return false
		}
		if len(text) == 0 {
			break
		}
		named, plain := false, false
		if n < maxFields {
			named, plain = h.readLine(n, text)
		}
		if !plain {
			return false
		}
		same = same && named
		l := &h.lines[n]
		h.values[n] = l.value
		switch l.kind {
		case hostField:
			h.host = l.value
			hosts++
		case lengthField:
			if h.length >= 0 || !h.readLength(l.value) {
				return false
			}
		}
	}
	if h.built = n; !same || n != built {
		h.build(n)
	}
	h.length = max(h.length, 0)
	return hosts == 1
}

// cutLine cuts a line, without its end, from what begins with it.
func cutLine(b []byte) (text, rest []byte, ok bool) {
	n := bytes.IndexByte(b, '\n')
	if n < 1 || b[n-1] != '\r' {
		return nil, nil, false
	}
	return b[:n-1], b[n+1:], true
}

// build makes the header anew of the first n lines.
func (h *head) build(n int) {
	clear(h.header)
	for i, l := range h.lines[:n] {
		if l.kind == hostField { // it is no part of the header
			continue
		}
		if before := h.header[l.name]; before != nil {
			h.header[l.name] = append(before, l.value)
			h.built = -1
		} else {
			h.header[l.name] = h.values[i : i+1 : i+1]
		}
	}
}

// parseRequestLine reads "METHOD /target HTTP/1.1".
func (h *head) parseRequestLine(b []byte) bool {
	method, rest, ok := bytes.Cut(b, []byte(" "))
	target, proto, ok2 := bytes.Cut(rest, []byte(" "))
	if !ok || !ok2 || string(proto) != "HTTP/1.1" {
		return false
	}
	switch string(method) {
	case http.MethodPost:
		h.method = http.MethodPost
	case http.MethodGet:
		h.method = http.MethodGet
	case http.MethodPut:
		h.method = http.MethodPut
	case http.MethodDelete:
		h.method = http.MethodDelete
	default:
		return false
	}
	if len(target) == 0 || target[0] != '/' {
		return false
	}
	if string(target) == h.target {
		return true
	}
	h.target = ""
	text := string(target)
	if simplePath(text) {
		h.url = url.URL{Path: text}
	} else {
		u, err := url.ParseRequestURI(text)
		if err != nil {
			return false
		}
		h.url = *u
	}
	h.target = text
	return true
}

// simplePath tells whether a target is a path that needs no decoding.
func simplePath(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(alphanumeric(c) || c == '/' || c == '-' || c == '_' || c == '.' || c == '~' || c == '$' || c == ':') {
			return false
		}
	}
	return true
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// readLine puts the n-th field into lines, unless it stands there already. named says that the field which stood there
// has the same name; plain is false for what net/http is to have.
func (h *head) readLine(n int, text []byte) (named, plain bool) {
	if n == len(h.lines) {
		h.lines = append(h.lines, line{})
	}
	old := &h.lines[n]
	if old.text == string(text) {
		return true, true
	}
	whole := string(text)
	name, value, ok := strings.Cut(whole, ":")
	value = strings.Trim(value, " \t")
	if !ok || !printable(value) {
		return false, false
	}
	l := line{text: whole, value: value}
	if named = len(old.text) > len(name) && old.text[:len(name)+1] == whole[:len(name)+1]; named {
		l.name = old.name
	} else if token(name) {
		l.name = textproto.CanonicalMIMEHeaderKey(name)
	} else {
		return false, false
	}
	switch l.name {
	case "Host":
		if !plainHost(value) {
			return false, false
		}
		l.kind = hostField
	case "Content-Length":
		l.kind = lengthField
	case "Connection":
		if !strings.EqualFold(value, "keep-alive") {
			return false, false
		}
	case "Transfer-Encoding", "Trailer", "Expect", "Upgrade", "Proxy-Connection", "Pragma", "Te", "Http2-Settings":
		return false, false
	}
	*old = l
	return named, true
}

// token tells whether s may be the name of a field.
func token(s string) bool {
	for i := range len(s) {
		if !alphanumeric(s[i]) && s[i] != '-' && strings.IndexByte("!#$%&'*+.^_`|~", s[i]) < 0 {
			return false
		}
	}
	return s != ""
}

// printable tells whether s holds no control characters but tabs.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' && s[i] != '\t' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

func plainHost(s string) bool {
	for i := range len(s) {
		if !alphanumeric(s[i]) && strings.IndexByte("-._:[]", s[i]) < 0 {
			return false
		}
	}
	return s != ""
}

// readLength reads the length of the body, of at most seven digits.
func (h *head) readLength(s string) bool {
	if s == "" || len(s) > 7 {
		return false
	}
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
		n = 10*n + int(s[i]-'0')
	}
	h.length = n
	return true
}
