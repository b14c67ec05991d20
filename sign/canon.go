package sign

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

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
		if hasPrefixFold(k, prefix) {
			out = append(out, field{name: strings.ToLower(k), value: strings.Join(v, ",")})
		}
	}
	slices.SortFunc(out, byName)
	return out
}

func hasPrefixFold(s, lower string) bool {
	return len(s) >= len(lower) && s[0]|' ' == lower[0] && strings.EqualFold(s[:len(lower)], lower)
}

// appendPrefixed is lines of prefixed that puts nothing on the heap, for names of ASCII.
func appendPrefixed(b []byte, h http.Header, prefix string) []byte {
	var room [8]string
	names := room[:0]
	for k := range h {
		if hasPrefixFold(k, prefix) {
			names = append(names, k)
		}
	}
	if len(names) > 1 {
		slices.SortFunc(names, compareLower)
	}
	for _, name := range names {
		for i := range len(name) {
			b = append(b, lower(name[i]))
		}
		b = append(b, ':')
		for i, v := range h[name] {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, v...)
		}
		b = append(b, '\n')
	}
	return b
}

// compareLower compares as strings.Compare does the lower-cased strings.
func compareLower(a, b string) int {
	for i := range min(len(a), len(b)) {
		if c := cmp.Compare(lower(a[i]), lower(b[i])); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// value is the first value of a header, whose name is in canonical form.
func value(h http.Header, name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// lines renders headers as "name:value\n" each.
func lines(fs []field) string {
	var b strings.Builder
	for _, f := range fs {
		b.WriteString(f.name + ":" + f.value + "\n")
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

// mac256 is macSum for SHA-256 that puts nothing on the heap: every request to the API has one.
func mac256(secret string, text []byte) (sum [sha256.Size]byte) {
	var pad [sha256.BlockSize]byte
	if len(secret) > len(pad) {
		sum = sha256.Sum256([]byte(secret))
		copy(pad[:], sum[:])
	} else {
		copy(pad[:], secret)
	}
	for i := range pad {
		pad[i] ^= 0x36
	}
	h := sha256.New()
	h.Write(pad[:])
	h.Write(text)
	h.Sum(sum[:0])
	for i := range pad {
		pad[i] ^= 0x36 ^ 0x5c
	}
	h.Reset()
	h.Write(pad[:])
	h.Write(sum[:])
	h.Sum(sum[:0])
	return sum
}

// isBase64 tells in constant time whether signature is the base64 of sum.
func isBase64(signature string, sum [sha256.Size]byte) bool {
	var want, got [(sha256.Size + 2) / 3 * 4]byte
	base64.StdEncoding.Encode(want[:], sum[:])
	return len(signature) == len(got) && hmac.Equal(want[:], got[:copy(got[:], signature)])
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
