package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"fcd/api/client"
	"fcd/fc"
	"fcd/sign"
)

// serve answers every request by f after it has checked the signature.
func serve(t *testing.T, f http.HandlerFunc) *client.Client {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sig, err := sign.ParseFC(r)
		if err != nil || sig.AccessKeyID != "akid" || sig.Skewed(time.Now()) || !sig.Verify("secret") {
			t.Errorf("%s %s is not well signed: %v", r.Method, r.URL, err)
		}
		f(w, r)
	}))
	t.Cleanup(srv.Close)
	return client.New(srv.URL+"/", "akid", "secret")
}

func TestDoSendsWhatItIsGiven(t *testing.T) {
	tests := []struct {
		name     string
		body     any
		wantBody string
		wantType string
	}{
		{"no body", nil, "", ""},
		{"bytes as they stand", []byte("\x00\xff"), "\x00\xff", "application/octet-stream"},
		{"a code package", client.Zip("PK"), "PK", "application/zip"},
		{"JSON as it stands", json.RawMessage(`{ "a":1}`), `{ "a":1}`, "application/json"},
		{"a value as JSON", map[string]int{"timeout": 3}, `{"timeout":3}`, "application/json"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil || string(body) != tt.wantBody || r.Header.Get("Content-Type") != tt.wantType {
					t.Errorf("body %q of type %q, %v", body, r.Header.Get("Content-Type"), err)
				}
				if r.Method != "POST" || r.URL.String() != "/2016-08-15/services?limit=1" || r.Header.Get("X-Fc-Log-Type") != "Tail" {
					t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
				}
				w.Header().Set("Etag", "tag")
				_, _ = io.WriteString(w, "answer")
			})
			ans, err := c.With("X-Fc-Log-Type", "Tail").Do(t.Context(), "POST", "/services", url.Values{"limit": {"1"}}, tt.body)
			if err != nil || string(ans.Body) != "answer" || ans.Status != 200 || ans.Header.Get("ETag") != "tag" {
				t.Errorf("%+v, %v", ans, err)
			}
			if c.Header != nil {
				t.Error("With changed the client it was called on")
			}
		})
	}
}

func TestDoGivesTheDaemonsErrorBack(t *testing.T) {
	body := `{"ErrorCode":"ServiceNotFound","ErrorMessage":"service 'a' does not exist","errorCode":"ServiceNotFound","errorMessage":"service 'a' does not exist"}`
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, body)
	})
	_, err := c.Do(t.Context(), "GET", "/services/a", nil, nil)
	var e *fc.Error
	if !errors.As(err, &e) || e.Code != fc.ServiceNotFound || e.Message != "service 'a' does not exist" {
		t.Errorf("got %v", err)
	}
}

func TestDoNamesAnAnswerThatIsNotTheDaemons(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "bad gateway", http.StatusBadGateway) })
	_, err := c.Do(t.Context(), "GET", "/services", nil, nil)
	if fc.CodeOf(err) != fc.InternalServerError || err.Error() != "InternalServerError: unexpected answer 502 Bad Gateway" {
		t.Errorf("got %v", err)
	}
}

func TestDoFailsPlainly(t *testing.T) {
	c := serve(t, func(http.ResponseWriter, *http.Request) {})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Do(ctx, "GET", "/services", nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := c.Do(t.Context(), "POST", "/services", nil, func() {}); err == nil {
		t.Error("a body that is no JSON was sent")
	}
	if _, err := c.Do(t.Context(), "BAD METHOD", "/services", nil, nil); err == nil {
		t.Error("a bad method was sent")
	}
}
