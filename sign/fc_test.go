package sign

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"fcd/fc"
)

const fcDate = "Mon, 08 May 2017 03:08:31 GMT"

// fcVectors are requests with the signature that clients compute for them; want is the string to sign where the client's
// choice among the candidates is the point.
var fcVectors = []struct {
	name, secret, method, url string
	header                    map[string]string
	signature                 string // "" if it stands in the query
}{
	{"the Go SDK signs a URL with a header, blanks and repeats", "S9MWOBG0AOWHSO9HPASP216QOPHT5YR4NLH3A", "GET",
		"/2016-08-15/proxy/service.LATEST/func/abc%20123?a=123+45&x=xyz&x=456&x-fc-access-key-id=akID&x-fc-expires=1583221068&x-fc-security-token=stsToken&x-fc-signature=QFdNhz0Dl%2BonUM%2FMvpX940WFH3H8OHayZHbby1c01aI%3D",
		map[string]string{"Content-MD5": "ef5b43a0fe1d5b401b62c3ba33a7a3d6", "Content-Type": "text/json", "X-Fc-Trace-Id": "trace-id"}, ""},
	{"the Go SDK signs a URL with a token", "akSec", "GET",
		"/2016-08-15/proxy/service/func/?x-fc-access-key-id=akid&x-fc-expires=1583339600&x-fc-security-token=stsToken&x-fc-signature=Yi0jCBQ6cTZc%2BtN8wtYUz9FbYNijx5jDiE3sVNW6XwA%3D", nil, ""},
	{"the Go SDK signs a URL without a token", "akSec", "GET",
		"/2016-08-15/proxy/service/func/?x-fc-access-key-id=akid&x-fc-expires=1583339600&x-fc-signature=6Rc4KxEAv3%2BlHpbNQWceIUqWVWq3ewxhadlJBRzZ0XQ%3D", nil, ""},
	{"a management path", "secret", "GET", "/2016-08-15/services", nil, "6IE1IBrPO2FMqhUy+fdx7bgfhf2h4UXV2/FAhxQ15a0="},
	{"a management path whose query the SDKs leave out", "secret", "GET", "/2016-08-15/services?limit=100", nil, "6IE1IBrPO2FMqhUy+fdx7bgfhf2h4UXV2/FAhxQ15a0="},
	{"the guide's form with the query", "secret", "GET", "/2016-08-15/services?limit=100", nil, "Yb0fEKCVk6o2upa30NalSAu6o1QAixv2guEtJh3J3Ak="},
	{"an empty account header", "secret", "GET", "/2016-08-15/services", map[string]string{"X-Fc-Account-Id": ""}, "O02Vvn+fc55lsI67AD2mE+rtx8GcpWFSwZhZzIViPgU="},
	{"an asynchronous invocation", "secret", "POST", "/2016-08-15/services/s.LATEST/functions/f/invocations",
		map[string]string{"Content-MD5": "5d41402abc4b2a76b9719d911017c592", "Content-Type": "application/octet-stream", "X-Fc-Account-Id": "123456", "X-Fc-Invocation-Type": "Async"},
		"tkzIoSm1Y234TocIw9g5AY9d40+rkTr+03xugem94J4="},
	{"an HTTP trigger path without a query", "secret", "GET", "/2016-08-15/proxy/s/f/", nil, "bYlaFb9OuphR39+IZTwwm7LZlamhiS/b00Z6vL8wuBw="},
}

func fcVector(i int) (*http.Request, string) {
	v := fcVectors[i]
	r := httptest.NewRequest(v.method, v.url, nil)
	for k, val := range v.header {
		r.Header.Set(k, val)
	}
	if v.signature != "" {
		r.Header.Set("Date", fcDate)
		r.Header.Set("Authorization", "FC ak:"+v.signature)
	}
	return r, v.secret
}

func TestFCVectors(t *testing.T) {
	for i, v := range fcVectors {
		t.Run(v.name, func(t *testing.T) {
			r, secret := fcVector(i)
			s, err := ParseFC(r)
			if err != nil {
				t.Fatal(err)
			}
			if !s.Verify(secret) {
				t.Errorf("not accepted; candidates %q and %q after %q", s.resource, s.others, appendFCHead(nil, r, s.line))
			}
			if s.Verify(secret + "x") {
				t.Error("accepted with another secret")
			}
			if s.Presigned != (v.signature == "") {
				t.Errorf("Presigned = %v", s.Presigned)
			}
		})
	}
}

func TestFCPresignedNamesKeyTokenAndTime(t *testing.T) {
	r, _ := fcVector(0)
	s, err := ParseFC(r)
	if err != nil {
		t.Fatal(err)
	}
	if s.AccessKeyID != "akID" || s.Token != "stsToken" || !s.Expires.Equal(time.Unix(1583221068, 0)) {
		t.Errorf("got %q %q %v", s.AccessKeyID, s.Token, s.Expires)
	}
	if s.Skewed(time.Unix(1583221068, 0)) {
		t.Error("expired at its own instant")
	}
	if code := fc.CodeOf(s.Check(time.Unix(1583221069, 0))); code != fc.AccessDenied {
		t.Errorf("a second later: %q", code)
	}
}

func TestFCCandidates(t *testing.T) {
	mac := func(res string) string {
		return base64.StdEncoding.EncodeToString(macSum(sha256.New, []byte("k"), "GET\n\n\n"+fcDate+"\n"+res))
	}
	for _, c := range []struct{ name, url, signed string }{
		{"a decoded path", "/2016-08-15/services/a%20b", "/2016-08-15/services/a b"},
		{"an escaped path", "/2016-08-15/services/a%20b", "/2016-08-15/services/a%20b"},
		{"an escaped slash", "/2016-08-15/tag/acs%2Ffc", "/2016-08-15/tag/acs%2Ffc"},
		{"a path that a router would clean", "/2016-08-15/proxy/s/f//a/../b", "/2016-08-15/proxy/s/f//a/../b\n"},
		{"a plus in a path", "/2016-08-15/proxy/s/f/a+b?q=c+d", "/2016-08-15/proxy/s/f/a+b\nq=c d"},
		{"a bare parameter signed with =", "/2016-08-15/proxy/s/f/?key", "/2016-08-15/proxy/s/f/\nkey="},
		{"a bare parameter signed bare", "/2016-08-15/proxy/s/f/?key", "/2016-08-15/proxy/s/f/\nkey"},
		{"an empty parameter", "/2016-08-15/proxy/s/f/?key=", "/2016-08-15/proxy/s/f/\nkey="},
		{"the resource vector of the Go SDK",
			"/2016-08-15/proxy/action%20with%20space?foo=bar&key1=xyz&key1=abc&key2=123&key3%2F~x-y_z.a%23b=value%2F~x-y_z.a%23b&xyz",
			"/2016-08-15/proxy/action with space\nfoo=bar\nkey1=abc\nkey1=xyz\nkey2=123\nkey3/~x-y_z.a#b=value/~x-y_z.a#b\nxyz"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", c.url, nil)
			r.Header.Set("Date", fcDate)
			r.Header.Set("Authorization", "FC ak:"+mac(c.signed))
			s, err := ParseFC(r)
			if err != nil {
				t.Fatal(err)
			}
			if !s.Verify("k") {
				t.Errorf("not accepted; candidates %q and %q", s.resource, s.others)
			}
		})
	}
	t.Run("an empty parameter is not signed bare", func(t *testing.T) {
		r := httptest.NewRequest("GET", "/2016-08-15/proxy/s/f/?key=", nil)
		r.Header.Set("Date", fcDate)
		r.Header.Set("Authorization", "FC ak:"+mac("/2016-08-15/proxy/s/f/\nkey"))
		if s, err := ParseFC(r); err != nil || s.Verify("k") {
			t.Errorf("accepted, or %v", err)
		}
	})
}

func TestFCHeaderRules(t *testing.T) {
	r := httptest.NewRequest("GET", "/2016-08-15/services", nil)
	r.Header.Set("X-Fc-Date", fcDate)
	r.Header["X-Fc-Meta"] = []string{"b", "a"}
	sts := "GET\n\n\n" + fcDate + "\nx-fc-date:" + fcDate + "\nx-fc-meta:b,a\n/2016-08-15/services"
	r.Header.Set("Authorization", "FC ak:"+base64.StdEncoding.EncodeToString(macSum(sha256.New, []byte("k"), sts)))
	s, err := ParseFC(r)
	if err != nil {
		t.Fatal(err)
	}
	if !s.Verify("k") {
		t.Errorf("x-fc-date in the place of Date and joined repeats are not accepted: %q", appendFCHead(nil, r, s.line))
	}
}

func TestFCRefusals(t *testing.T) {
	for _, c := range []struct {
		name   string
		url    string
		header map[string]string
		want   fc.Code
	}{
		{"nothing", "/2016-08-15/services", nil, fc.AccessDenied},
		{"another scheme", "/2016-08-15/services", map[string]string{"Authorization": "Bearer x"}, fc.AccessDenied},
		{"no signature", "/2016-08-15/services", map[string]string{"Authorization": "FC ak"}, fc.AccessDenied},
		{"no key", "/2016-08-15/services", map[string]string{"Authorization": "FC :sig"}, fc.AccessDenied},
		{"no date", "/2016-08-15/services", map[string]string{"Authorization": "FC ak:sig"}, fc.MissingRequiredHeader},
		{"no such date", "/2016-08-15/services", map[string]string{"Authorization": "FC ak:sig", "Date": "yesterday"}, fc.RequestTimeTooSkewed},
		{"a signed URL outside the HTTP triggers", "/2016-08-15/services?x-fc-access-key-id=a&x-fc-expires=1&x-fc-signature=s", nil, fc.AccessDenied},
		{"a signed URL without a key", "/2016-08-15/proxy/s/f/?x-fc-expires=1&x-fc-signature=s", nil, fc.AccessDenied},
		{"a signed URL without a time", "/2016-08-15/proxy/s/f/?x-fc-access-key-id=a&x-fc-signature=s", nil, fc.AccessDenied},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", c.url, nil)
			for k, v := range c.header {
				r.Header.Set(k, v)
			}
			if _, err := ParseFC(r); fc.CodeOf(err) != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestFCSkew(t *testing.T) {
	now := time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name string
		at   time.Time
		want bool
	}{
		{"15 minutes old", now.Add(-15 * time.Minute), false},
		{"older", now.Add(-15*time.Minute - time.Second), true},
		{"15 minutes ahead", now.Add(15 * time.Minute), false},
		{"further ahead", now.Add(15*time.Minute + time.Second), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/2016-08-15/services", nil)
			SignFC(r, "ak", "k", "", c.at)
			s, err := ParseFC(r)
			if err != nil {
				t.Fatal(err)
			}
			if s.Skewed(now) != c.want {
				t.Errorf("Skewed = %v", !c.want)
			}
			if err := s.Check(now); (fc.CodeOf(err) == fc.RequestTimeTooSkewed) != c.want {
				t.Errorf("Check = %v", err)
			}
		})
	}
}

func TestSignFCIsAccepted(t *testing.T) {
	for _, target := range []string{
		"/2016-08-15/services?limit=3&prefix=", "/2016-08-15/services/a%2Fb", "/2016-08-15/proxy/s/f/a%20b?x=1&y&x=0+1",
	} {
		r := httptest.NewRequest("POST", target, nil)
		r.Header.Set("Content-Type", "application/json")
		SignFC(r, "STS.ak", "k", "token", time.Now())
		s, err := ParseFC(r)
		if err != nil {
			t.Fatal(err)
		}
		if s.AccessKeyID != "STS.ak" || s.Token != "token" || !s.Verify("k") || s.Skewed(time.Now()) {
			t.Errorf("%s: %+v", target, s)
		}
	}
}

func FuzzParseFC(f *testing.F) {
	for i := range fcVectors {
		r, _ := fcVector(i)
		f.Add(r.Method, r.URL.Path, r.URL.RawQuery, r.Header.Get("Authorization"), r.Header.Get("Date"))
	}
	f.Add("GET", "/2016-08-15/proxy/", "%zz&;=&&x-fc-signature", "FC :", "x")
	f.Fuzz(func(t *testing.T, method, path, query, auth, date string) {
		r := &http.Request{Method: method, URL: &url.URL{Path: path, RawQuery: query}, Header: http.Header{
			"Authorization": {auth}, "Date": {date}, "X-Fc-Date": {date}, "X-Fc-Empty": {}}}
		s, err := ParseFC(r)
		if err != nil {
			if fc.CodeOf(err) == fc.InternalServerError {
				t.Errorf("unexpected %v", err)
			}
			return
		}
		s.Verify("k")
		_ = s.Check(time.Unix(0, 0))
	})
}

// signedInvocation is signed by "secret".
func signedInvocation() *http.Request {
	r := httptest.NewRequest("POST", "/2016-08-15/services/demo/functions/resize/invocations", nil)
	r.Header.Set("Content-Type", "application/octet-stream")
	r.Header.Set("X-Fc-Account-Id", "123456")
	SignFC(r, "ak", "secret", "", time.Now())
	return r
}

func TestVerifyingFCAllocatesNothing(t *testing.T) {
	r := signedInvocation()
	if n := testing.AllocsPerRun(100, func() {
		if s, err := ParseFC(r); err != nil || !s.Verify("secret") {
			t.Error("not accepted")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkVerifyFC(b *testing.B) {
	r := signedInvocation()
	b.ReportAllocs()
	for b.Loop() {
		s, err := ParseFC(r)
		if err != nil || !s.Verify("secret") {
			b.Fatal("not accepted")
		}
	}
}
