package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestParseHead(t *testing.T) {
	for _, c := range []struct {
		name, in             string
		status, head, length int
		bad                  bool
	}{
		{"a usual answer", "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 12\r\n\r\nrest", 200, 48, 12, false},
		{"header names in any case", "HTTP/1.1 202 Accepted\r\ncontent-length: 3\r\n\r\n", 202, 44, 3, false},
		{"no body", "HTTP/1.1 204 No Content\r\n\r\n", 204, 27, 0, false},
		{"not HTTP", "hello\r\n\r\n", 0, 0, 0, true},
		{"no status", "HTTP/1.1 abc OK\r\n\r\n", 0, 0, 0, true},
		{"a length that is none", "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", 0, 0, 0, true},
		{"not yet whole", "HTTP/1.1 200 OK\r\nContent-Le", 0, 0, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, head, length, err := parseHead([]byte(c.in))
			if c.bad != (err != nil) || !c.bad && (status != c.status || head != c.head || length != c.length) {
				t.Errorf("status %d, head %d, length %d, error %v", status, head, length, err)
			}
		})
	}
}

// loads are both kinds of a load against a handler.
func loads(t *testing.T, h http.HandlerFunc) map[string]load {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	r, err := http.NewRequest(http.MethodPost, srv.URL+"/x", strings.NewReader("event"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := newLoad(3, http.StatusOK, r.Clone(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	r.Body, _ = r.GetBody()
	return map[string]load{"lean": l, "ordinary": newOrdinary(http.StatusOK, r)}
}

func TestLoadsSendTheRequestAgainAndAgain(t *testing.T) {
	for name, l := range loads(t, func(w http.ResponseWriter, r *http.Request) {
		if b, _ := io.ReadAll(r.Body); string(b) != "event" {
			w.WriteHeader(http.StatusBadRequest)
		}
		w.Write([]byte("answer"))
	}) {
		defer l.close()
		got, err := l.run(t.Context(), 20*time.Millisecond)
		if err != nil || got.rate <= 0 || got.p50 <= 0 || got.p99 < got.p50 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if took, err := l.once(); err != nil || took <= 0 {
			t.Errorf("%s once: %v ms, %v", name, took, err)
		}
	}
}

func TestAnUnexpectedAnswerEndsALoad(t *testing.T) {
	for name, l := range loads(t, func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "too many", http.StatusTooManyRequests)
	}) {
		defer l.close()
		if _, err := l.run(t.Context(), time.Minute); err == nil || !strings.Contains(err.Error(), "429") ||
			!strings.Contains(err.Error(), "too many") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEventIsJSONOfItsSize(t *testing.T) {
	for _, size := range []int{1 << 10, 16 << 10} {
		var order struct {
			ID    string
			Items []any
		}
		b := event(size)
		if err := json.Unmarshal(b, &order); err != nil || len(b) != size || len(order.Items) != 2 {
			t.Errorf("%d bytes in place of %d: %v", len(b), size, err)
		}
	}
}
