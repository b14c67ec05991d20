package daemon

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"

	"fcd/fc"
)

// TestCodeFromAFaultyObjectStorage: half a package, or another one, is never taken for it, and who is at fault is told.
func TestCodeFromAFaultyObjectStorage(t *testing.T) {
	const content, crc = "hello", "11177612005948864433"
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			io.WriteString(w, "<Error><Code>Odd</Code><Message>not now</Message></Error>")
		}
	}
	gives := func(length, sum, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if length != "" {
				w.Header().Set("Content-Length", length)
			}
			if sum != "" {
				w.Header().Set("x-oss-hash-crc64ecma", sum)
			}
			io.WriteString(w, body)
			w.(http.Flusher).Flush() // without a length the end is the end of a chunked body
		}
	}
	const good, mistake, passing = "", fc.InvalidArgument, fc.ResourceThrottled
	for _, tt := range []struct {
		name    string
		service http.HandlerFunc
		want    fc.Code
	}{
		{"a good one", gives("5", crc, content), good},
		{"one without a checksum", gives("5", "", content), good},
		{"one without a length", gives("", crc, content), good},
		{"half of one", gives("9", crc, content), passing},
		{"half of one without a length", gives("", crc, content[:3]), passing},
		{"another one", gives("5", crc, "other"), passing},
		{"the connection lost in the midst of it", func(w http.ResponseWriter, r *http.Request) {
			gives("9", crc, content)(w, r)
			panic(http.ErrAbortHandler)
		}, passing},
		{"the connection lost", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, passing},
		{"no answer", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, passing},
		{"500", status(500), passing},
		{"503", status(503), passing},
		{"429", status(429), passing},
		{"403", status(403), mistake},
		{"404", status(404), mistake},
	} {
		t.Run(tt.name, func(t *testing.T) {
			web := httptest.NewServer(tt.service)
			defer web.Close()
			client, err := oss.New(web.URL, "key", "secret", oss.Timeout(1, 1)) // seconds
			if err != nil {
				t.Fatal(err)
			}
			body, _, err := objects{client}.Open(t.Context(), "bucket", "object")
			if err == nil {
				var got []byte
				got, err = io.ReadAll(body)
				body.Close()
				if err == nil && string(got) != content {
					t.Errorf("read %q as a whole", got)
				}
			}
			got := fc.Code("")
			if err != nil {
				got = fc.CodeOf(err)
			}
			if got != tt.want {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}
