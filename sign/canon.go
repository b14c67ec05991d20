package sign

import (
	"crypto/hmac"
	"encoding/base64"
	"hash"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// isoBasic is the date form of the version 4 signatures.
const isoBasic = "20060102T150405Z"

// dateForms are the date forms that clients send: RFC 1123 with any zone name that means UTC, the two older HTTP forms
// and the version 4 form. "2" reads one digit as well as two.
var dateForms = [...]string{
	"Mon, 2 Jan 2006 15:04:05 GMT",
	"Mon, 2 Jan 2006 15:04:05 UTC",
	"Mon, 2 Jan 2006 15:04:05 -0700",
	"Monday, 02-Jan-06 15:04:05 GMT",
	time.ANSIC,
	isoBasic,
	time.RFC3339,
}

func parseDate(s string) (time.Time, bool) {
	for _, f := range dateForms {
		if t, err := time.Parse(f, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// field is one header or query parameter.
type field struct {
	name, value string
	bare        bool // a query parameter without "="
}

func byName(a, b field) int { return strings.Compare(a.name, b.name) }

// headers collects the headers whose lower-cased name is wanted, sorted by it. Values of a repeated header are joined by
// a comma; net/http has trimmed them already.
func headers(h http.Header, wanted func(lower string) bool) []field {
	var out []field
	for k, v := range h {
		if lower := strings.ToLower(k); wanted(lower) {
			out = append(out, field{name: lower, value: strings.Join(v, ",")})
		}
	}
	slices.SortFunc(out, byName)
	return out
}

// prefixed is headers for a lower-case prefix. Names without it, which are most, cost nothing.
func prefixed(h http.Header, prefix string) []field {
	var out []field
	for k, v := range h {
		if len(k) < len(prefix) || !strings.EqualFold(k[:len(prefix)], prefix) {
			continue
		}
		out = append(out, field{name: strings.ToLower(k), value: strings.Join(v, ",")})
	}
	slices.SortFunc(out, byName)
	return out
}

// lines renders headers as "name:value\n" each.
func lines(fs []field) string {
	var b strings.Builder
	for _, f := range fs {
		b.WriteString(f.name)
		b.WriteByte(':')
		b.WriteString(f.value)
		b.WriteByte('\n')
	}
	return b.String()
}

// queryFields decodes a raw query in wire order. Unlike url.ParseQuery it keeps whatever does not decode as it stands
// (so that nothing escapes the signature) and remembers which parameters had no "=".
func queryFields(raw string) []field {
	var out []field
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		if pair == "" {
			continue
		}
		k, v, eq := strings.Cut(pair, "=")
		out = append(out, field{name: unescape(k), value: unescape(v), bare: !eq})
	}
	return out
}

func unescape(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}

// first is the value of the first parameter of that name and whether there is one.
func first(fs []field, name string) (string, bool) {
	for _, f := range fs {
		if f.name == name {
			return f.value, true
		}
	}
	return "", false
}

const upperHex = "0123456789ABCDEF"

// encode percent-encodes everything but A-Za-z0-9-_.~ and, if keepSlash, "/".
func encode(s string, keepSlash bool) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if unreserved(c) || keepSlash && c == '/' {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(upperHex[c>>4])
		b.WriteByte(upperHex[c&15])
	}
	return b.String()
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '_' || c == '.' || c == '~'
}

// encodedQuery renders parameters percent-encoded, sorted by encoded name, an empty value as the bare name. Names are
// encoded unless plainNames.
func encodedQuery(fs []field, plainNames bool, skip ...string) string {
	enc := make([]field, 0, len(fs))
	for _, f := range fs {
		if slices.Contains(skip, f.name) {
			continue
		}
		e := field{name: f.name, value: encode(f.value, false)}
		if !plainNames {
			e.name = encode(f.name, false)
		}
		enc = append(enc, e)
	}
	slices.SortStableFunc(enc, byName)
	parts := make([]string, len(enc))
	for i, f := range enc {
		parts[i] = f.name
		if f.value != "" {
			parts[i] += "=" + f.value
		}
	}
	return strings.Join(parts, "&")
}

func macSum(h func() hash.Hash, secret []byte, s string) []byte {
	m := hmac.New(h, secret)
	m.Write([]byte(s))
	return m.Sum(nil)
}

// macMatches tells in constant time whether signature is the base64 of the keyed hash of any candidate.
func macMatches(h func() hash.Hash, secret, signature string, candidates []string) bool {
	for i, c := range candidates {
		if slices.Contains(candidates[:i], c) {
			continue
		}
		if equal(base64.StdEncoding.EncodeToString(macSum(h, []byte(secret), c)), signature) {
			return true
		}
	}
	return false
}

func equal(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }
