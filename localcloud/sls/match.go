package sls

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// number compares a field's value as a number. A field that is absent or no number does not match.
type number struct {
	key  []byte
	test func(float64) bool
}

func compareWith(key, op string, n float64) expr {
	test := map[string]func(float64) bool{
		"=":  func(v float64) bool { return v == n },
		"<":  func(v float64) bool { return v < n },
		"<=": func(v float64) bool { return v <= n },
		">":  func(v float64) bool { return v > n },
		">=": func(v float64) bool { return v >= n },
	}[op]
	return number{[]byte(key), test}
}

func (e number) match(g *logGroup, l logLine) bool {
	v, ok := g.value(l, e.key)
	if !ok {
		return false
	}
	n, err := strconv.ParseFloat(string(v), 64)
	return err == nil && e.test(n)
}

// text looks for consecutive tokens in one field, or in any.
type text struct {
	key    []byte // nil: any field
	tokens []pattern
}

// newText makes the expression of a word or phrase. One that is only * or holds no token matches any value.
func newText(key string, t token) expr {
	e := text{}
	if key != "" {
		e.key = []byte(key)
	}
	for rest := []byte(t.text); ; {
		tok, after, ok := nextToken(rest)
		if !ok {
			break
		}
		p := pattern{text: lower(tok)}
		p.glob = t.kind == tokWord && strings.Contains(p.text, "*")
		e.tokens = append(e.tokens, p)
		rest = after
	}
	anything := true
	for _, p := range e.tokens {
		anything = anything && p.glob && strings.Trim(p.text, "*") == ""
	}
	if anything {
		e.tokens = nil
	}
	if anything && e.key == nil {
		return everything{}
	}
	return e
}

func (e text) match(g *logGroup, l logLine) bool {
	if e.key != nil {
		v, ok := g.value(l, e.key)
		return ok && e.in(v)
	}
	for _, p := range g.fields(l) {
		if e.in(p.value) {
			return true
		}
	}
	for _, p := range g.tags {
		if e.in(p.value) {
			return true
		}
	}
	return e.in(g.topic) || e.in(g.source)
}

// in tells whether the tokens stand one after the other in value.
func (e text) in(value []byte) bool {
	if len(e.tokens) == 0 {
		return true
	}
	for rest := value; ; {
		tok, after, ok := nextToken(rest)
		if !ok {
			return false
		}
		if e.tokens[0].matches(tok) && e.follow(after) {
			return true
		}
		rest = after
	}
}

func (e text) follow(rest []byte) bool {
	for _, p := range e.tokens[1:] {
		tok, after, ok := nextToken(rest)
		if !ok || !p.matches(tok) {
			return false
		}
		rest = after
	}
	return true
}

// nextToken cuts the first token off; ok is false if there is none.
func nextToken(b []byte) (tok, rest []byte, ok bool) {
	i := 0
	for i < len(b) && delimiters[b[i]] {
		i++
	}
	j := i
	for j < len(b) && !delimiters[b[j]] {
		j++
	}
	return b[i:j], b[j:], j > i
}

// delimiters are the bytes that part tokens, those of the service's default index. Never changed.
var delimiters = func() (set [256]bool) {
	for _, c := range []byte(" ,'\";=()[]{}?@&<>/:\n\t\r") {
		set[c] = true
	}
	return set
}()

// pattern is a token to look for, in lower case.
type pattern struct {
	text string
	glob bool // * stands for any run
}

func (p pattern) matches(tok []byte) bool {
	if p.glob {
		return glob(p.text, lower(tok))
	}
	if len(tok) == len(p.text) && isASCII(tok) {
		for i, c := range tok {
			if lowerByte(c) != p.text[i] {
				return false
			}
		}
		return true
	}
	return !isASCII(tok) && lower(tok) == p.text
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func lower(b []byte) string { return strings.ToLower(string(b)) }

// glob matches s with a pattern in which * stands for any run.
func glob(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if !strings.HasPrefix(s, parts[0]) {
		return false
	}
	s = s[len(parts[0]):]
	last := len(parts) - 1
	for _, p := range parts[1:last] {
		i := strings.Index(s, p)
		if i < 0 {
			return false
		}
		s = s[i+len(p):]
	}
	return strings.HasSuffix(s, parts[last])
}
