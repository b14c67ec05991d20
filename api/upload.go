package api

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"sync"

	"fcd/fc"
)

// readUpload is readObject for bodies that may hold code. It waits until there is memory for one more; release must be
// called when the body is no longer needed.
func (a *API) readUpload(c *call, v *functionBody, required bool) (release func(), err error) {
	weight := a.o.Limits.MaxRequestBytes
	if c.ContentLength >= 0 {
		weight = min(weight, c.ContentLength)
	}
	if err := a.uploads.Acquire(c.Context(), weight); err != nil {
		return nil, fc.Errorf(fc.ResourceThrottled, "too many uploads are under way")
	}
	release = func() { a.uploads.Release(weight) }
	body, err := readBody(c, a.o.Limits.MaxRequestBytes)
	if err == nil {
		err = decodeUpload(body, v, required)
	}
	if err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// zipType is the Content-Type of a body that is a code package as it stands.
const zipType = "application/zip"

// readUpdate is readUpload for a function that exists. A body of zipType is its new code, and changes nothing else; it goes
// from the connection to the disk and takes no memory.
func (a *API) readUpdate(c *call, v *functionBody) (release func(), err error) {
	if c.Header.Get("Content-Type") != zipType {
		return a.readUpload(c, v, false)
	}
	v.Code = &codeBody{stream: bodyReader{c.Body}}
	return func() {}, nil
}

// bodyReader is a request's body whose errors are the client's.
type bodyReader struct{ io.Reader }

func (b bodyReader) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = unreadable(err)
	}
	return n, err
}

// Code packages are most of a body of JSON, and a JSON decoder looks at each of their bytes several times. So the first long
// string of a body is lifted out of it, and the rest decoded without it. Where anything about that is not as it mostly is,
// the whole body is decoded as any other, so that what is refused, and how, does not depend on it.
const longString = 64 << 10 // bytes

// decodeUpload is decode for a body that may hold code.
func decodeUpload(body []byte, v *functionBody, required bool) error {
	mark := rand.Text()[:24] // base64 that no body has
	if rest, text, ok := lift(body, mark); ok {
		var fast functionBody
		want, _ := base64.StdEncoding.DecodeString(mark)
		if decode(rest, &fast, required) == nil && fast.Code != nil && bytes.Equal(value(fast.Code.ZipFile), want) {
			if code, err := decodeBase64(text); err == nil {
				*fast.Code.ZipFile = code
				*v = fast
				return nil
			}
		}
	}
	return decode(body, v, required)
}

// lift takes the first long string that may be base64 out of a body. rest is a JSON text, with the mark in the string's
// place, exactly if the body is one. Not ok: there is no such string.
func lift(body []byte, mark string) (rest, text []byte, ok bool) {
	for at := 0; ; {
		open := bytes.IndexByte(body[at:], '"')
		if open < 0 {
			return nil, nil, false
		}
		at += open + 1
		end := stringEnd(body[at:])
		if end < 0 {
			return nil, nil, false
		}
		if end < longString {
			at += end + 1
			continue
		}
		text := body[at : at+end]
		// base64 has no escapes and, in JSON, no line breaks; all else is refused when it is decoded.
		if bytes.IndexByte(text, '\\') >= 0 || bytes.IndexByte(text, '\n') >= 0 || bytes.IndexByte(text, '\r') >= 0 {
			return nil, nil, false
		}
		rest := make([]byte, 0, len(body)-len(text)+len(mark))
		rest = append(append(append(rest, body[:at]...), mark...), body[at+end:]...)
		return rest, text, true
	}
}

// stringEnd is where the quote stands that ends a JSON string, which b begins within; -1 if there is none.
func stringEnd(b []byte) int {
	for at := 0; ; {
		quote := bytes.IndexByte(b[at:], '"')
		if quote < 0 {
			return -1
		}
		at += quote
		escapes := 0
		for escapes < at && b[at-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return at
		}
		at++
	}
}

// base64Bytes is a base64 string in JSON. It reads the literal in place: code packages are large.
type base64Bytes []byte

// UnmarshalJSON decodes a string of standard base64; line breaks within are ignored.
func (b *base64Bytes) UnmarshalJSON(literal []byte) error {
	if len(literal) < 2 || literal[0] != '"' {
		return fc.InvalidField("Code.ZipFile", "a base64 string", jsonKind(literal))
	}
	text := literal[1 : len(literal)-1]
	if bytes.IndexByte(text, '\\') >= 0 { // escaped slashes or line breaks
		var s string
		if err := json.Unmarshal(literal, &s); err != nil {
			return err
		}
		text = []byte(s)
	}
	out, err := decodeBase64(text)
	if err != nil {
		return fc.Errorf(fc.InvalidArgument, "Code.ZipFile is not base64: %v", err)
	}
	*b = out
	return nil
}

// decodeBase64 decodes standard base64; line breaks within are ignored. What is long is decoded in two halves at once.
func decodeBase64(text []byte) ([]byte, error) {
	out := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	half := len(text) / 8 * 4
	if half < longString || bytes.IndexByte(text, '\n') >= 0 || bytes.IndexByte(text, '\r') >= 0 {
		n, err := base64.StdEncoding.Decode(out, text)
		return out[:n], err
	}
	var wg sync.WaitGroup
	var first, second int
	var firstErr, secondErr error
	wg.Go(func() { first, firstErr = base64.StdEncoding.Decode(out[:half/4*3], text[:half]) })
	second, secondErr = base64.StdEncoding.Decode(out[half/4*3:], text[half:])
	wg.Wait()
	if firstErr != nil || secondErr != nil || first != half/4*3 { // a shorter first half is padded
		n, err := base64.StdEncoding.Decode(out, text) // for the place of the error in the whole
		return out[:n], err
	}
	return out[:first+second], nil
}
