package daemon

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"

	"fcd/fc"
)

// TestDestinationsTellPassingFromLastingRefusals, for a bucket and for a queue, through what a service can do to one
// message.
func TestDestinationsTellPassingFromLastingRefusals(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.WriteHeader(code)
			io.WriteString(w, "<Error><Code>Odd</Code><Message>not now</Message></Error>")
		}
	}
	for _, tt := range []struct {
		name    string
		service http.HandlerFunc
		want    string
	}{
		{"taken", func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }, "taken"},
		{"500", status(500), "passing"},
		{"503", status(503), "passing"},
		{"403", status(403), "passing"}, // somebody may mend it
		{"404", status(404), "passing"},
		{"429", status(429), "passing"},
		{"400", status(400), "lasting"},
		{"413", status(413), "lasting"},
		{"no answer", func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body); <-r.Context().Done() }, "passing"},
		{"the connection lost", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "passing"},
		{"taken, and the answer that of another service", func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Length", "100")
			w.Header().Set("x-oss-hash-crc64ecma", "1")
			io.WriteString(w, "half an answer")
		}, "passing"},
		{"taken, and the answer lost", func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			panic(http.ErrAbortHandler)
		}, "passing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			web := httptest.NewServer(tt.service)
			defer web.Close()
			client, err := oss.New(web.URL, "key", "secret")
			if err != nil {
				t.Fatal(err)
			}
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			d := destinations{oss: client, clock: time.Now, timeout: 2 * time.Second,
				mns: &mnsClient{endpoint: web.URL, http: &http.Client{Transport: transport}, now: time.Now}}
			for _, arn := range []string{"acs:oss:cn-shanghai:1:bucket/ends/", "acs:mns:cn-shanghai:1:/queues/q/messages"} {
				to, err := fc.ParseDestination(arn)
				if err != nil {
					t.Fatal(err)
				}
				err = d.Deliver(context.Background(), to, "id", []byte("{}"))
				got := "taken"
				switch fc.CodeOf(err) {
				case "":
				case fc.InternalServerError: // which is any error that is not the API's own
					got = "passing"
				default:
					got = "lasting"
				}
				if got != tt.want {
					t.Errorf("%s: %s: %v, want %s", arn, got, err, tt.want)
				}
			}
		})
	}
}
