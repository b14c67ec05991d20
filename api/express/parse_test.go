package express

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const post = "POST /2016-08-15/services/s/functions/f/invocations HTTP/1.1\r\nHost: fcd:8080\r\nContent-Length: 5\r\n"

func TestPlainRequests(t *testing.T) {
	tests := []struct {
		name, request string
		plain         bool
	}{
		{"an invocation", post + "\r\nhello", true},
		{"header names in any case", "POST / HTTP/1.1\r\nhOST: x\r\nx-fc-LOG-type: Tail\r\nCONTENT-length: 0\r\n\r\n", true},
		{"a field twice", post + "X-A: 1\r\nx-a: 2\r\n\r\nhello", true},
		{"an empty value", post + "X-A:\r\n\r\nhello", true},
		{"blanks around a value", post + "X-A: \t1 2\t \r\n\r\nhello", true},
		{"bytes beyond ASCII in a value", post + "X-A: h\xc3\xa9\xff\r\n\r\nhello", true},
		{"a query", "GET /2016-08-15/services?limit=3&prefix=a%20b HTTP/1.1\r\nHost: x\r\n\r\n", true},
		{"an escaped path", "GET /2016-08-15/services/a%2Fb HTTP/1.1\r\nHost: x\r\n\r\n", true},
		{"keep-alive", post + "Connection: Keep-Alive\r\n\r\nhello", true},
		{"two slashes", "GET //a//b HTTP/1.1\r\nHost: x\r\n\r\n", true},

		{"HTTP/1.0", "GET / HTTP/1.0\r\nHost: x\r\n\r\n", false},
		{"another method", "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", false},
		{"a method in lower case", "get / HTTP/1.1\r\nHost: x\r\n\r\n", false},
		{"no target", "DELETE  HTTP/1.1\r\nHost: x\r\n\r\n", false},
		{"an absolute target", "GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n", false},
		{"a target that does not decode", "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", false},
		{"no host", "GET / HTTP/1.1\r\n\r\n", false},
		{"two hosts", "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", false},
		{"a strange host", "GET / HTTP/1.1\r\nHost: x/y\r\n\r\n", false},
		{"chunks", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false},
		{"chunks and a length", post + "Transfer-Encoding: chunked\r\n\r\nhello", false},
		{"two lengths", post + "Content-Length: 5\r\n\r\nhello", false},
		{"a signed length", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nhello", false},
		{"an empty length", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n", false},
		{"Expect", post + "Expect: 100-continue\r\n\r\nhello", false},
		{"Upgrade", post + "Upgrade: h2c\r\n\r\nhello", false},
		{"the end of the connection", post + "Connection: close\r\n\r\nhello", false},
		{"a folded line", post + "X-A: 1\r\n 2\r\n\r\nhello", false},
		{"a blank before the colon", post + "X-A : 1\r\n\r\nhello", false},
		{"no colon", post + "X-A\r\n\r\nhello", false},
		{"no name", post + ": 1\r\n\r\nhello", false},
		{"a bare newline", post + "X-A: 1\nX-B: 2\r\n\r\nhello", false},
		{"a bare carriage return", post + "X-A: 1\rX-B: 2\r\n\r\nhello", false},
		{"a zero byte", post + "X-A: \x00\r\n\r\nhello", false},
		{"too many fields", post + strings.Repeat("X-A: 1\r\n", maxFields) + "\r\nhello", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var h head
			for range 2 { // the second time most strings are there
				if got := agrees(t, &h, []byte(tt.request)); got != tt.plain {
					t.Errorf("plain: %v", got)
				}
			}
		})
	}
}

// agrees parses a request and, if it is plain, holds it against net/http's understanding.
func agrees(t *testing.T, h *head, b []byte) bool {
	t.Helper()
	i := bytes.Index(b, []byte("\r\n\r\n"))
	if i < 0 || !h.parse(b[:i+4]) || i+4+h.length > len(b) {
		return false
	}
	in := bufio.NewReader(bytes.NewReader(b))
	want, err := http.ReadRequest(in)
	if err != nil {
		t.Fatalf("net/http refuses %q: %v", b, err)
	}
	body, err := io.ReadAll(want.Body)
	if err != nil {
		t.Fatalf("net/http refuses the body of %q: %v", b, err)
	}
	if diff := cmp.Diff(want.Header, h.header); diff != "" {
		t.Errorf("header of %q: %s", b, diff)
	}
	if diff := cmp.Diff(*want.URL, h.url); diff != "" {
		t.Errorf("URL of %q: %s", b, diff)
	}
	if want.Method != h.method || want.Host != h.host || want.RequestURI != h.target || want.Close || want.Trailer != nil ||
		want.ContentLength != int64(h.length) || string(body) != string(b[i+4:i+4+h.length]) {
		t.Errorf("%q is %+v with body %q to net/http and %+v here", b, want, body, h)
	}
	if rest, _ := io.ReadAll(in); string(rest) != string(b[i+4+h.length:]) {
		t.Errorf("net/http leaves %q of %q", rest, b)
	}
	return true
}

// Whatever is taken for plain means the same to net/http, also when the head has parsed others before.
func FuzzParse(f *testing.F) {
	f.Add([]byte(post+"\r\nhello"), []byte(post+"X-Fc-Log-Type: Tail\r\n\r\nworld"))
	f.Add([]byte("GET /a?b=c%20d HTTP/1.1\r\nHost: [::1]:80\r\nX-A:  1\t\r\n\r\n"), []byte("DELETE /a HTTP/1.1\r\nHost: h\r\nx-a: 1\r\nX-a: 2\r\n\r\n"))
	f.Add([]byte("PUT /%2f HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\nContent-Length: 03\r\n\r\nabc"), []byte("\r\n\r\n"))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		var h head
		agrees(t, &h, first)
		agrees(t, &h, second)
		agrees(t, &h, first)
	})
}

func TestParsingTheSameRequestAgainAllocatesNothing(t *testing.T) {
	request := []byte(post + "Date: Sun, 29 Nov 2026 01:02:03 GMT\r\nAuthorization: FC key:signature\r\nContent-Type: application/octet-stream\r\n\r\n")
	var h head
	h.parse(request)
	if n := testing.AllocsPerRun(100, func() { h.parse(request) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkParse reads the head of an invocation as a signing client sends it, the same again and again.
func BenchmarkParse(b *testing.B) {
	request := []byte(post + "Date: Sun, 29 Nov 2026 01:02:03 GMT\r\nAuthorization: FC key:c2lnbmF0dXJlIG9mIDMyIGJ5dGVzIGluIGJhc2U2NC4uLi4=\r\n" +
		"Content-Type: application/octet-stream\r\nX-Fc-Invocation-Type: Async\r\n\r\n" + strings.Repeat("x", 1024))
	var h head
	b.ReportAllocs()
	for b.Loop() {
		i := bytes.Index(request, []byte("\r\n\r\n"))
		if !h.parse(request[:i+4]) {
			b.Fatal("not plain")
		}
	}
}
