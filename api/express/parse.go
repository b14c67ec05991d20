package express

import (
	"bytes"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
)

// A head is the request line and header of a plain request. Parsing the next into the same head keeps the strings that
// repeat.
type head struct {
	method, target, host string
	url                  url.URL
	header               http.Header
	length               int // of the body

	lines  []line   // of this head and, beyond, of earlier ones
	values []string // what header's slices are cut from
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

var endOfLine = []byte("\r\n")

// parse reads a head that ends with an empty line. It is false for whatever is not plain: malformed, or to be understood
// by net/http alone.
func (h *head) parse(b []byte) bool {
	first, rest, _ := bytes.Cut(b, endOfLine)
	if !h.parseRequestLine(first) {
		return false
	}
	if h.header == nil {
		h.header, h.values = make(http.Header), make([]string, maxFields)
	}
	clear(h.header)
	h.host, h.length = "", -1
	hosts := 0
	for n := 0; ; n++ {
		var text []byte
		text, rest, _ = bytes.Cut(rest, endOfLine)
		if len(text) == 0 {
			break
		}
		if n == maxFields || !h.readLine(n, text) {
			return false
		}
		l := &h.lines[n]
		switch l.kind {
		case hostField:
			h.host = l.value
			hosts++
			continue // it is no part of the header
		case lengthField:
			if h.length >= 0 || !h.readLength(l.value) {
				return false
			}
		}
		h.values[n] = l.value
		if before := h.header[l.name]; before != nil {
			h.header[l.name] = append(before, l.value)
		} else {
			h.header[l.name] = h.values[n : n+1 : n+1]
		}
	}
	h.length = max(h.length, 0)
	return hosts == 1
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
	if string(target) == h.target {
		return true
	}
	if len(target) == 0 || target[0] != '/' {
		return false
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

// readLine puts the n-th field into lines, unless it stands there already.
func (h *head) readLine(n int, text []byte) bool {
	if n < len(h.lines) {
		if h.lines[n].text == string(text) {
			return true
		}
	} else {
		h.lines = append(h.lines, line{})
	}
	h.lines[n] = line{}
	whole := string(text)
	name, value, ok := strings.Cut(whole, ":")
	if !ok || !token(name) {
		return false
	}
	value = strings.Trim(value, " \t")
	if !printable(value) {
		return false
	}
	l := line{text: whole, name: textproto.CanonicalMIMEHeaderKey(name), value: value}
	switch l.name {
	case "Host":
		if !plainHost(value) {
			return false
		}
		l.kind = hostField
	case "Content-Length":
		l.kind = lengthField
	case "Connection":
		if !strings.EqualFold(value, "keep-alive") {
			return false
		}
	case "Transfer-Encoding", "Trailer", "Expect", "Upgrade", "Proxy-Connection", "Pragma", "Te", "Http2-Settings":
		return false
	}
	h.lines[n] = l
	return true
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
