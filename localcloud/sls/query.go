package sls

import (
	"strconv"
	"strings"
)

// Limits of a query.
const (
	maxQueryBytes = 16 << 10
	maxQueryDepth = 64
)

// expr is a node of a parsed query: whether a log matches it.
type expr interface {
	match(g *logGroup, l logLine) bool
}

type (
	everything struct{}
	both       struct{ left, right expr }
	either     struct{ left, right expr }
	negation   struct{ of expr }
)

func (everything) match(*logGroup, logLine) bool     { return true }
func (e both) match(g *logGroup, l logLine) bool     { return e.left.match(g, l) && e.right.match(g, l) }
func (e either) match(g *logGroup, l logLine) bool   { return e.left.match(g, l) || e.right.match(g, l) }
func (e negation) match(g *logGroup, l logLine) bool { return !e.of.match(g, l) }

// parseQuery reads the search part of a query:
//
//	query   = [ or ]                                 empty matches everything, as * does
//	or      = and { "or" and }
//	and     = not { [ "and" ] not }                  juxtaposition is and
//	not     = "not" not | "(" or ")" | term
//	term    = text | key ":" text | key op number | key "in" bracket number number bracket
//	text    = word | "phrase"                        a word may hold * for any run of characters
//
// Keywords and words do not mind case. Errors are InvalidQueryString, and NotSupported for what follows "|".
func parseQuery(text string) (expr, error) {
	if len(text) > maxQueryBytes {
		return nil, badRequest("InvalidQueryString", "the query has %d bytes, at most %d", len(text), maxQueryBytes)
	}
	toks, err := lexQuery(text)
	if err != nil {
		return nil, err
	}
	p := &queryParser{toks: toks}
	if p.peek().kind == tokEnd {
		return everything{}, nil
	}
	e, err := p.or()
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != tokEnd {
		return nil, unexpected(t)
	}
	return e, nil
}

func unexpected(t token) error {
	if t.kind == tokEnd {
		return badRequest("InvalidQueryString", "the query ends where a word is expected")
	}
	return badRequest("InvalidQueryString", "unexpected %.100q at byte %d of the query", t.text, t.at)
}

type tokenKind int

const (
	tokEnd tokenKind = iota
	tokWord
	tokQuoted
	tokSymbol // one of ( ) [ ] : = > >= < <=
)

type token struct {
	kind tokenKind
	text string
	at   int
}

// is tells whether t is the symbol, or the bare word in any case.
func (t token) is(text string) bool {
	return t.kind == tokSymbol && t.text == text || t.kind == tokWord && strings.EqualFold(t.text, text)
}

const symbols = `()[]:=<>`

func lexQuery(s string) ([]token, error) {
	var toks []token
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case strings.IndexByte(" \t\r\n", c) >= 0:
			i++
		case c == '|':
			return nil, badRequest("NotSupported", "analysis by SQL is not supported: %.200q", strings.TrimSpace(s[i:]))
		case c == '"' || c == '\'':
			text, n, ok := unquote(s[i:])
			if !ok {
				return nil, badRequest("InvalidQueryString", "the quote at byte %d of the query is not closed", i)
			}
			toks = append(toks, token{tokQuoted, text, i})
			i += n
		case (c == '<' || c == '>') && i+1 < len(s) && s[i+1] == '=':
			toks = append(toks, token{tokSymbol, s[i : i+2], i})
			i += 2
		case strings.IndexByte(symbols, c) >= 0:
			toks = append(toks, token{tokSymbol, s[i : i+1], i})
			i++
		default:
			n := strings.IndexAny(s[i:], " \t\r\n|\""+symbols)
			if n < 0 {
				n = len(s) - i
			}
			toks = append(toks, token{tokWord, s[i : i+n], i})
			i += n
		}
	}
	return append(toks, token{kind: tokEnd, at: len(s)}), nil
}

// unquote reads a quoted text at the start of s, in which \ protects the next byte; n is its length with quotes.
func unquote(s string) (text string, n int, ok bool) {
	var sb strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == s[0]:
			return sb.String(), i + 1, true
		case s[i] == '\\' && i+1 < len(s):
			i++
			sb.WriteByte(s[i])
		default:
			sb.WriteByte(s[i])
		}
	}
	return "", 0, false
}

type queryParser struct {
	toks  []token
	pos   int
	depth int
}

func (p *queryParser) peek() token { return p.toks[p.pos] }

func (p *queryParser) next() token {
	t := p.toks[p.pos]
	if t.kind != tokEnd {
		p.pos++
	}
	return t
}

func (p *queryParser) or() (expr, error) {
	e, err := p.and()
	for err == nil && p.peek().is("or") {
		p.next()
		var right expr
		right, err = p.and()
		e = either{e, right}
	}
	return e, err
}

func (p *queryParser) and() (expr, error) {
	e, err := p.not()
	for err == nil {
		t := p.peek()
		if t.kind == tokEnd || t.is("or") || t.is(")") {
			return e, nil
		}
		if t.is("and") {
			p.next()
		}
		var right expr
		right, err = p.not()
		e = both{e, right}
	}
	return e, err
}

func (p *queryParser) not() (expr, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxQueryDepth {
		return nil, badRequest("InvalidQueryString", "the query nests deeper than %d", maxQueryDepth)
	}
	t := p.peek()
	switch {
	case t.is("not"):
		p.next()
		e, err := p.not()
		return negation{e}, err
	case t.is("("):
		p.next()
		e, err := p.or()
		if err == nil && !p.peek().is(")") {
			err = unexpected(p.peek())
		}
		p.next()
		return e, err
	}
	return p.term()
}

func (p *queryParser) term() (expr, error) {
	t := p.next()
	if t.kind != tokWord && t.kind != tokQuoted || t.is("and") || t.is("or") || t.is("in") {
		return nil, unexpected(t)
	}
	if t.text == "__tag__" && t.kind == tokWord && p.peek().is(":") && p.toks[min(p.pos+2, len(p.toks)-1)].is(":") {
		p.next()
		t.text += ":" + p.next().text
	}
	switch op := p.peek(); {
	case op.is(":"):
		p.next()
		return p.valueOf(t.text)
	case op.kind == tokSymbol && strings.Contains("=<=>=", op.text):
		p.next()
		n, err := p.number()
		return compareWith(t.text, op.text, n), err
	case op.kind == tokWord && op.is("in") && p.toks[min(p.pos+1, len(p.toks)-1)].kind == tokSymbol:
		p.next()
		return p.interval(t.text)
	}
	return newText("", t), nil
}

// valueOf reads what follows "key:".
func (p *queryParser) valueOf(key string) (expr, error) {
	t := p.next()
	if t.kind != tokWord && t.kind != tokQuoted {
		return nil, unexpected(t)
	}
	// a value may hold colons and other symbols that stand without blanks: trace:a:b, url:/x?y=1
	for t.kind == tokWord && p.peek().kind == tokSymbol && p.peek().at == t.at+len(t.text) && strings.Contains(":=", p.peek().text) {
		t.text += p.next().text
		if n := p.peek(); n.kind == tokWord && n.at == t.at+len(t.text) {
			t.text += p.next().text
		}
	}
	return newText(key, t), nil
}

func (p *queryParser) number() (float64, error) {
	t := p.next()
	n, err := strconv.ParseFloat(t.text, 64)
	if t.kind != tokWord || err != nil {
		return 0, badRequest("InvalidQueryString", "a number is expected at byte %d of the query, not %.100q", t.at, t.text)
	}
	return n, nil
}

// interval reads "[a b]", with ( or ) for an open end.
func (p *queryParser) interval(key string) (expr, error) {
	open := p.next()
	if !open.is("[") && !open.is("(") {
		return nil, unexpected(open)
	}
	low, err := p.number()
	if err != nil {
		return nil, err
	}
	high, err := p.number()
	if err != nil {
		return nil, err
	}
	end := p.next()
	if !end.is("]") && !end.is(")") {
		return nil, unexpected(end)
	}
	lowOp, highOp := ">=", "<="
	if open.is("(") {
		lowOp = ">"
	}
	if end.is(")") {
		highOp = "<"
	}
	return both{compareWith(key, lowOp, low), compareWith(key, highOp, high)}, nil
}
