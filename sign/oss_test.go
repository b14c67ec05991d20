package sign

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"
)

var vectorTime = time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)

const vectorDate = "Mon, 05 Jan 2026 08:00:00 GMT"

type ossVector struct {
	name, method, url, bucket, key string
	header                         map[string]string
	version                        string
}

// ossVectors are signed for key "AK", secret "SK" at vectorTime, region cn-shanghai.
var ossVectors = []ossVector{
	{"V1 put", "PUT", "/bkt/dir/a%20b+c.txt", "bkt", "dir/a b+c.txt",
		map[string]string{"Content-Type": "text/plain", "X-Oss-Meta-A": "b", "Date": vectorDate, "Authorization": "OSS AK:PuF1uvnxO3QxIVZiKTHRRDQxgBo="}, "V1"},
	{"V1 get with sub-resources whose names share a prefix", "GET", "/bkt/?uploads&callback=1&callback-var=2", "bkt", "",
		map[string]string{"X-Oss-Security-Token": "TOKEN", "Date": vectorDate, "Authorization": "OSS AK:WzYsvyzaPkeAhHOw5MWXVo6t08I="}, "V1"},
	{"V1 signed URL", "GET", "/bkt/k?OSSAccessKeyId=AK&Expires=1767603600&Signature=WHN54zTuV9LvwIjNh5TfRFJA%2Fog%3D", "bkt", "k", nil, "V1"},
	{"V2 get", "GET", "/bkt/dir/a%20b+c.txt?prefix=a%2F&max-keys=10", "bkt", "dir/a b+c.txt",
		map[string]string{"Date": vectorDate, "Authorization": "OSS2 AccessKeyId:AK,Signature:XeWVwPYEfRzlzppkGrTzv3xLEfIpYTYJvEYj/nYpnvM="}, "V2"},
	{"V4 put", "PUT", "/bkt/dir/a%20b+c.txt", "bkt", "dir/a b+c.txt",
		map[string]string{"Content-Type": "text/plain", "X-Oss-Content-Sha256": "UNSIGNED-PAYLOAD", "X-Oss-Date": "20260105T080000Z", "X-Oss-Meta-A": "b",
			"Authorization": "OSS4-HMAC-SHA256 Credential=AK/20260105/cn-shanghai/oss/aliyun_v4_request,Signature=84a5eacdc8cf8d5a942ef7f1fd80755c76f2ee497cc2f9b73fbf0772cb299d4c"}, "V4"},
	{"V4 signed URL", "GET", "/bkt/k?x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-credential=AK%2F20260105%2Fcn-shanghai%2Foss%2Faliyun_v4_request&x-oss-date=20260105T080000Z&x-oss-expires=3600&x-oss-signature=a0335ed37d5d7f5a9f5308873702250e74a08001cfbb3109f8dae7b6e801e162",
		"bkt", "k", nil, "V4"},
}

func (v ossVector) request() *http.Request {
	r := httptest.NewRequest(v.method, v.url, nil)
	for k, val := range v.header {
		r.Header.Set(k, val)
	}
	return r
}

func TestOSSVectors(t *testing.T) {
	for _, v := range ossVectors {
		t.Run(v.name, func(t *testing.T) {
			s, err := ParseOSS(v.request(), v.bucket, v.key)
			if err != nil {
				t.Fatal(err)
			}
			if s.AccessKeyID != "AK" || s.Version != v.version || s.Presigned != (v.header == nil) {
				t.Errorf("got %+v", s)
			}
			if !s.Verify("SK") {
				t.Error("not accepted")
			}
			if s.Verify("SKx") {
				t.Error("accepted with another secret")
			}
			if err := s.Expired(vectorTime.Add(time.Minute)); err != nil {
				t.Error(err)
			}
			if err := s.Expired(vectorTime.Add(24 * time.Hour)); err == nil {
				t.Error("accepted a day later")
			}
			if other, err := ParseOSS(v.request(), "other", v.key); err != nil || other.Verify("SK") {
				t.Errorf("accepted for another bucket, or %v", err)
			}
		})
	}
}

func TestOSSDateRules(t *testing.T) {
	// ali-oss sends no Date and signs the text of x-oss-date in its place, as well as the header.
	r := httptest.NewRequest("GET", "/bkt/k", nil)
	r.Header.Set("X-Oss-Date", vectorDate)
	text := "GET\n\n\n" + vectorDate + "\nx-oss-date:" + vectorDate + "\n/bkt/k"
	r.Header.Set("Authorization", "OSS AK:"+v1Signature("SK", text))
	s, err := ParseOSS(r, "bkt", "k")
	if err != nil || !s.Verify("SK") || s.Expired(vectorTime) != nil {
		t.Errorf("x-oss-date in the place of Date: %v", err)
	}
	// A fresh Date beside an old x-oss-date does not revive a request that signed the latter.
	r.Header.Set("Date", vectorTime.Add(time.Hour).Format(http.TimeFormat))
	s, err = ParseOSS(r, "bkt", "k")
	if err != nil || s.Expired(vectorTime.Add(time.Hour)) == nil {
		t.Errorf("replayed with a fresh Date: %v", err)
	}
}

func TestOSSRefusals(t *testing.T) {
	auth := func(s string) map[string]string { return map[string]string{"Authorization": s, "Date": vectorDate} }
	for _, c := range []struct {
		name, url string
		header    map[string]string
		code      string
		status    int
	}{
		{"an unknown scheme", "/b/k", auth("AWS a:b"), "InvalidArgument", 400},
		{"V1 without a signature", "/b/k", auth("OSS a"), "InvalidArgument", 400},
		{"V1 without a date", "/b/k", map[string]string{"Authorization": "OSS a:b"}, "AccessDenied", 403},
		{"V1 with no such date", "/b/k", map[string]string{"Authorization": "OSS a:b", "Date": "x"}, "AccessDenied", 403},
		{"V1 signed URL without a time", "/b/k?OSSAccessKeyId=a&Signature=b", nil, "AccessDenied", 403},
		{"V1 signed URL with a bad time", "/b/k?OSSAccessKeyId=a&Signature=b&Expires=x", nil, "AccessDenied", 403},
		{"V2 without a key", "/b/k", auth("OSS2 Signature:b"), "InvalidArgument", 400},
		{"V2 signed URL without a key", "/b/k?x-oss-signature-version=OSS2", nil, "AccessDenied", 403},
		{"V4 with a short credential", "/b/k", auth("OSS4-HMAC-SHA256 Credential=a/b,Signature=c"), "InvalidArgument", 400},
		{"V4 for another product", "/b/k", auth("OSS4-HMAC-SHA256 Credential=a/20260105/r/sls/aliyun_v4_request,Signature=c"), "InvalidArgument", 400},
		{"V4 with the key of another day", "/b/k", auth("OSS4-HMAC-SHA256 Credential=a/20260104/r/oss/aliyun_v4_request,Signature=c"), "InvalidArgument", 400},
		{"V4 signed URL for 8 days", "/b/k?x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-credential=AK/20260105/r/oss/aliyun_v4_request&x-oss-date=20260105T080000Z&x-oss-expires=691200&x-oss-signature=x", nil, "InvalidArgument", 400},
		{"a version that does not exist", "/b/k?x-oss-signature-version=OSS9", nil, "InvalidArgument", 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := ossVector{method: "GET", url: c.url, header: c.header}.request()
			_, err := ParseOSS(r, "b", "k")
			var e *OSSError
			if !errors.As(err, &e) || e.Code != c.code || e.Status != c.status {
				t.Errorf("got %v", err)
			}
		})
	}
	if _, err := ParseOSS(httptest.NewRequest("GET", "/b/k?acl", nil), "b", "k"); !errors.Is(err, ErrNoSignature) {
		t.Errorf("anonymous: %v", err)
	}
}

func FuzzParseOSS(f *testing.F) {
	for _, v := range ossVectors {
		r := v.request()
		f.Add(r.Method, r.URL.Path, r.URL.RawQuery, r.Header.Get("Authorization"), r.Header.Get("Date"), v.bucket, v.key)
	}
	f.Add("GET", "/", "x-oss-signature-version=OSS2&%", "OSS4-HMAC-SHA256 ,=,;", "", "", "/")
	f.Fuzz(func(t *testing.T, method, path, query, auth, date, bucket, key string) {
		r := &http.Request{Method: method, URL: &url.URL{Path: path, RawQuery: query}, Header: http.Header{
			"Authorization": {auth}, "Date": {date}, "X-Oss-Date": {date}, "X-Oss-Empty": {}}}
		s, err := ParseOSS(r, bucket, key)
		if err != nil {
			return
		}
		s.Verify("k")
		_ = s.Expired(time.Unix(0, 0))
	})
}
