package api

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
)

// liftedFrom is the length from which the text of a code package is lifted out of a body, in bytes.
const liftedFrom = 64 << 10

// lifted stands in a body, quotes included, where a code package was lifted out. Nobody outside of this process can know
// it, and it is not base64, so a body that holds it was made by lift.
var lifted = `"lifted: ` + rand.Text() + `"`

// lift takes the code package out of a JSON body: what is left is small and can be parsed as JSON at leisure, which reads
// every byte of a text several times. Only a long "zipFile" without escapes is lifted, and only if it is base64, so that
// everything else about a body, its errors above all, is as if there were no lift. A nil zip means that nothing was lifted.
func lift(body []byte) (rest, zip []byte) {
	if len(body) < liftedFrom {
		return body, nil
	}
	var key []byte // the string before this one
	for at := 0; ; {
		open := bytes.IndexByte(body[at:], '"')
		if open < 0 {
			return body, nil
		}
		open += at + 1
		size := stringEnd(body[open:])
		if size < 0 {
			return body, nil
		}
		text := body[open : open+size]
		if size >= liftedFrom && bytes.EqualFold(key, []byte("zipFile")) && string(bytes.TrimSpace(body[at:open-1])) == ":" {
			if zip := decodeWhole(text); zip != nil {
				rest = append(rest, body[:open-1]...)
				rest = append(rest, lifted...)
				return append(rest, body[open+size+1:]...), zip
			}
		}
		key, at = text, open+size+1
	}
}

// stringEnd is where the JSON string ends whose begin is behind its opening quote; -1 if it does not end.
func stringEnd(text []byte) int {
	for at := 0; ; at++ {
		end := bytes.IndexByte(text[at:], '"')
		if end < 0 {
			return -1
		}
		at += end
		escapes := 0
		for at-escapes > 0 && text[at-escapes-1] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return at
		}
	}
}

// decodeWhole is what the base64 text says; nil if it is anything else, or has line breaks, which JSON forbids.
func decodeWhole(text []byte) []byte {
	if bytes.IndexByte(text, '\n') >= 0 || bytes.IndexByte(text, '\r') >= 0 {
		return nil
	}
	out := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(out, text)
	if err != nil {
		return nil
	}
	return out[:n]
}
