package api

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"

	"fcd/fc"
)

// smallBody bounds the bodies that hold no code, in bytes. The store takes records of at most 1 MiB.
const smallBody = 512 << 10

// readBody reads at most limit bytes; EntityTooLarge if there are more.
func readBody(c *call, limit int64) ([]byte, error) {
	if c.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	if n := c.ContentLength; n > 0 && n <= smallEvent {
		body := make([]byte, n)
		if _, err := io.ReadFull(c.Body, body); err != nil {
			return nil, unreadable(err)
		}
		return body, nil
	}
	var b bytes.Buffer
	if c.ContentLength > 0 {
		b.Grow(int(c.ContentLength) + bytes.MinRead)
	}
	_, err := b.ReadFrom(http.MaxBytesReader(c.w, c.Body, limit))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return nil, tooLarge(limit)
	case err != nil:
		return nil, unreadable(err)
	}
	return b.Bytes(), nil
}

// smallEvent bounds the bodies for which memory is set aside on the word of their length alone, in bytes.
const smallEvent = 64 << 10

func unreadable(err error) error {
	return &fc.Error{Code: fc.InvalidArgument, Message: "the request body could not be read to its end", Err: err}
}

func tooLarge(limit int64) error {
	return fc.Errorf(fc.EntityTooLarge, "payload size exceeds maximum allowed size (%d bytes)", limit)
}

// readObject reads a body that holds no code into the fields of v. An empty body leaves v unchanged; it is refused
// where required.
func readObject(c *call, v any, required bool) error {
	body, err := readBody(c, smallBody)
	if err != nil {
		return err
	}
	return decode(body, v, required)
}

// readUpload is readObject for bodies that may hold code. It waits until there is memory for one more; release must be
// called when the body is no longer needed.
func (a *API) readUpload(c *call, v any, required bool) (release func(), err error) {
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
		err = decode(body, v, required)
	}
	if err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// decode reads a JSON object into v, whose fields are pointers so that an absent field and null stay nil. Keys match in
// any case, unknown keys are ignored.
func decode(body []byte, v any, required bool) error {
	body = bytes.TrimSpace(body)
	if len(body) == 0 || string(body) == "null" {
		if required {
			return fc.Errorf(fc.InvalidArgument, "the request body is empty")
		}
		return nil
	}
	if body[0] != '{' {
		return fc.Errorf(fc.InvalidArgument, "the request body is not a JSON object")
	}
	return decodeError(json.Unmarshal(body, v))
}

func decodeError(err error) error {
	var own *fc.Error
	var wrongType *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		return own
	case errors.As(err, &wrongType) && wrongType.Field != "":
		return fc.InvalidField(upperCamel(wrongType.Field), jsonType(wrongType.Type), wrongType.Value)
	}
	return fc.Errorf(fc.InvalidArgument, "the request body is not valid JSON: %v", err)
}

// upperCamel renders the path of a field as error messages name it: "logConfig.project" is "LogConfig.Project".
func upperCamel(path string) string {
	parts := strings.Split(path, ".")
	for i, p := range parts {
		if p != "" {
			parts[i] = strings.ToUpper(p[:1]) + p[1:]
		}
	}
	return strings.Join(parts, ".")
}

func jsonType(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return jsonType(t.Elem())
	case reflect.Bool:
		return "true | false"
	case reflect.String:
		return "a string"
	case reflect.Slice:
		return "an array"
	case reflect.Int, reflect.Int64:
		return "an integer"
	}
	return "an object"
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
	out := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(out, text)
	if err != nil {
		return fc.Errorf(fc.InvalidArgument, "Code.ZipFile is not base64: %v", err)
	}
	*b = out[:n]
	return nil
}

func jsonKind(literal []byte) string {
	switch {
	case len(literal) == 0:
		return "nothing"
	case literal[0] == '{':
		return "object"
	case literal[0] == '[':
		return "array"
	}
	return string(literal)
}

// object tells an empty JSON object from one whose members are all null, which count as absent.
type object struct {
	set   map[string]json.RawMessage // members that are not null, keys in lower case
	empty bool                       // the object was {}
}

// UnmarshalJSON reads any JSON object.
func (o *object) UnmarshalJSON(literal []byte) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(literal, &all); err != nil {
		return err
	}
	o.empty = len(all) == 0
	o.set = make(map[string]json.RawMessage, len(all))
	for k, v := range all {
		if string(v) != "null" {
			o.set[strings.ToLower(k)] = v
		}
	}
	return nil
}

// sameName refuses a body that names another resource than its path does.
func sameName(field string, sent *string, path string) error {
	if sent != nil && *sent != path {
		return fc.InvalidField(field, fmt.Sprintf("the name in the path, %s", path), *sent)
	}
	return nil
}
