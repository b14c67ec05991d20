package sts

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	key, secret = "LTAIuser", "user/secret+key"
	role        = "acs:ram::123456:role/resize"
)

// peer is STS as its documentation says, apart from how this package does it: it takes a form, checks the parameters that
// are required, the age of the timestamp, that no nonce comes twice, and the signature as the document spells it out.
type peer struct {
	now    time.Time
	nonces map[string]bool
	broken string // an answer of its own instead
}

func (p *peer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, code, message string) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"RequestId": "R-1", "HostId": r.Host, "Code": code, "Message": message})
	}
	if p.broken != "" {
		fmt.Fprint(w, p.broken)
		return
	}
	if r.Method != http.MethodPost || r.URL.Path != "/" || r.ParseForm() != nil {
		refuse(400, "InvalidParameter", "form")
		return
	}
	f := r.PostForm
	for _, name := range []string{"Action", "Version", "Format", "AccessKeyId", "SignatureMethod", "SignatureVersion", "SignatureNonce", "Timestamp", "Signature", "RoleArn", "RoleSessionName"} {
		if len(f[name]) != 1 || f.Get(name) == "" {
			refuse(400, "MissingParameter", name)
			return
		}
	}
	at, err := time.Parse("2006-01-02T15:04:05Z", f.Get("Timestamp"))
	seconds := 0
	_, serr := fmt.Sscan(f.Get("DurationSeconds"), &seconds)
	switch {
	case f.Get("Action") != "AssumeRole" || f.Get("Version") != "2015-04-01" || f.Get("Format") != "JSON":
		refuse(404, "InvalidAction.NotFound", "action or version")
	case err != nil || at.Sub(p.now).Abs() > 15*time.Minute:
		refuse(400, "InvalidTimeStamp.Expired", "timestamp")
	case p.nonces[f.Get("SignatureNonce")]:
		refuse(400, "SignatureNonceUsed", "nonce")
	case f.Get("AccessKeyId") != key:
		refuse(404, "InvalidAccessKeyId.NotFound", "key")
	case f.Get("Signature") != documented(f):
		refuse(400, "SignatureDoesNotMatch", "signature")
	case serr != nil || seconds < 900 || seconds > 43200:
		refuse(400, "InvalidParameter.DurationSeconds", "duration")
	case f.Get("RoleArn") != role:
		refuse(403, "NoPermission", "You are not authorized to do this action. You should be authorized by RAM.")
	default:
		p.nonces[f.Get("SignatureNonce")] = true
		_ = json.NewEncoder(w).Encode(map[string]any{
			"RequestId":       "6894B13B-6D71-4EF5-88FA-F32781734A7F",
			"AssumedRoleUser": map[string]string{"Arn": role + "/" + f.Get("RoleSessionName"), "AssumedRoleId": "344:fcd"},
			"Credentials": map[string]string{"AccessKeyId": "STS.abc", "AccessKeySecret": "temporary", "SecurityToken": "CAES+token",
				"Expiration": p.now.Add(time.Duration(seconds) * time.Second).Format("2006-01-02T15:04:05Z")},
		})
	}
}

// documented is the signature byte by byte: every parameter but Signature, sorted, RFC 3986.
func documented(f url.Values) string {
	escape := func(s string) string {
		var b strings.Builder
		for i := range len(s) {
			if c := s[i]; 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("-_.~", c) >= 0 {
				b.WriteByte(c)
			} else {
				fmt.Fprintf(&b, "%%%02X", c)
			}
		}
		return b.String()
	}
	var pairs []string
	for k := range f {
		if k != "Signature" {
			pairs = append(pairs, escape(k)+"="+escape(f.Get(k)))
		}
	}
	slices.Sort(pairs)
	mac := hmac.New(sha1.New, []byte(secret+"&"))
	mac.Write([]byte("POST&%2F&" + escape(strings.Join(pairs, "&"))))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func start(t *testing.T, change func(*Options)) (*peer, *Client) {
	t.Helper()
	p := &peer{now: time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC), nonces: map[string]bool{}}
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	o := Options{Endpoint: s.URL, AccessKeyID: key, AccessKeySecret: secret, Now: func() time.Time { return p.now }, HTTP: s.Client()}
	if change != nil {
		change(&o)
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p, c
}

func TestAssumeRole(t *testing.T) {
	p, c := start(t, nil)
	for life, want := range map[time.Duration]time.Duration{time.Hour: time.Hour, time.Second: 15 * time.Minute, 48 * time.Hour: 12 * time.Hour} {
		got, err := c.AssumeRole(context.Background(), role, "a b/ü", life)
		if err != nil || got.AccessKeyID != "STS.abc" || got.AccessKeySecret != "temporary" || got.SecurityToken != "CAES+token" ||
			!got.Expiration.Equal(p.now.Add(want)) {
			t.Errorf("%v: %+v, %v", life, got, err)
		}
	}
}

func TestRefusalsNameTheirCode(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Options)
		role   string
		code   string
	}{
		{"a role that does not trust the key", nil, "acs:ram::123456:role/other", "NoPermission"},
		{"another key", func(o *Options) { o.AccessKeyID = "x" }, role, "InvalidAccessKeyId.NotFound"},
		{"another secret", func(o *Options) { o.AccessKeySecret = "x" }, role, "SignatureDoesNotMatch"},
		{"a clock that is wrong", func(o *Options) { o.Now = func() time.Time { return time.Unix(0, 0) } }, role, "InvalidTimeStamp.Expired"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, client := start(t, c.change)
			_, err := client.AssumeRole(context.Background(), c.role, "s", time.Hour)
			var e *Error
			if !errors.As(err, &e) || e.Code != c.code || strings.Contains(err.Error(), secret) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAnswersOfNoUse(t *testing.T) {
	for _, body := range []string{"x", "{}", `{"Credentials":{"AccessKeyId":"STS.a","AccessKeySecret":"hush","SecurityToken":"t"}}`} {
		p, c := start(t, nil)
		p.broken = body
		if got, err := c.AssumeRole(context.Background(), role, "s", time.Hour); err == nil || got.AccessKeyID != "" || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %+v %v", body, got, err)
		}
	}
	_, c := start(t, func(o *Options) { o.Endpoint = "http://127.0.0.1:1" })
	if _, err := c.AssumeRole(context.Background(), role, "s", time.Hour); err == nil || strings.Contains(err.Error(), "Signature") {
		t.Errorf("nobody there: %v", err)
	}
	for _, bad := range []Options{{Endpoint: "sts.example.com", AccessKeyID: "a", AccessKeySecret: "b"}, {Endpoint: "https://h/x", AccessKeyID: "a", AccessKeySecret: "b"}, {Endpoint: "https://h"}} {
		if _, err := New(bad); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"Credentials":{"AccessKeyId":"STS.a","AccessKeySecret":"s","SecurityToken":"t","Expiration":"2015-04-09T11:52:19Z"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := parse(b); err == nil && (c.AccessKeyID == "" || c.Expiration.IsZero()) {
			t.Errorf("credentials %+v", c)
		}
		_ = refusal("500", b)
	})
}
