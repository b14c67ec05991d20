package sign

import (
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"
)

func v1Signature(secret, text string) string {
	return base64.StdEncoding.EncodeToString(macSum(sha1.New, []byte(secret), text))
}

type slsVector struct {
	name, secret, method, url string
	header                    map[string]string
	body                      string
}

var slsVectors = []slsVector{
	{"V1 list of logstores, one-digit day", "mockAccessKeySecret", "GET", "/logstores", map[string]string{
		"Date": "Mon, 3 Jan 2010 08:33:47 GMT", "X-Log-Apiversion": "0.6.0", "X-Log-Bodyrawsize": "0",
		"X-Log-Signaturemethod": "hmac-sha1", "Authorization": "LOG AK:Rwm6cTKzoti4HWoe+GKcb6Kv07E="}, ""},
	{"V1 query, as the 2018 SDK names it", "SK", "GET",
		"/logstores/ls?type=log&from=1&to=2&topic=&line=100&offset=0&reverse=false&query=a+and+b", map[string]string{
			"Date": vectorDate, "X-Log-Apiversion": "0.6.0", "X-Log-Bodyrawsize": "0",
			"X-Log-Signaturemethod": "hmac-sha1", "Authorization": "SLS AK:vnn0zccUCGqPz2YzdDxSuuGRxwg="}, ""},
	{"V4 create, host not signed", "zxasdasdasw2", "POST", "/logstores", map[string]string{
		"X-Log-Date": "20220808T032330Z", "X-Log-Content-Sha256": "", "Authorization": "SLS4-HMAC-SHA256 Credential=AK/20220808/cn-shanghai/sls/aliyun_v4_request,Signature=8a10a5e723cb2e75964816de660b2c16a58af8bc0261f7f0722d832468c76ce8"},
		"adasd= -asd zcas"},
}

func (v slsVector) request() *http.Request {
	r := httptest.NewRequest(v.method, v.url, nil)
	for k, val := range v.header {
		r.Header.Set(k, val)
	}
	if v.body != "" {
		r.Header.Set("X-Log-Content-Sha256", hexSHA256(v.body))
	}
	return r
}

func TestSLSVectors(t *testing.T) {
	for _, v := range slsVectors {
		t.Run(v.name, func(t *testing.T) {
			s, err := ParseSLS(v.request(), []byte(v.body))
			if err != nil {
				t.Fatal(err)
			}
			if s.AccessKeyID != "AK" || !s.Verify(v.secret) {
				t.Errorf("not accepted: %+v", s)
			}
			if s.Verify(v.secret + "x") {
				t.Error("accepted with another secret")
			}
			if s.Skewed(s.Date.Add(MaxSkew)) || !s.Skewed(s.Date.Add(MaxSkew+time.Second)) {
				t.Error("skew is not 15 minutes")
			}
		})
	}
}

func TestSLSBodyMustBeTheSignedOne(t *testing.T) {
	v := slsVectors[2]
	var e *SLSError
	if _, err := ParseSLS(v.request(), []byte("other")); !errors.As(err, &e) || e.Code != "SignatureNotMatch" {
		t.Errorf("V4 with another body: %v", err)
	}
	r := v.request()
	r.Header.Set("X-Log-Content-Sha256", emptySHA256)
	if _, err := ParseSLS(r, []byte("anything")); err != nil {
		t.Errorf("V4 with an unhashed body: %v", err)
	}
	r = slsVectors[0].request()
	r.Header.Set("Content-MD5", "D41D8CD98F00B204E9800998ECF8427E")
	if _, err := ParseSLS(r, nil); err != nil {
		t.Errorf("V1 with the checksum of nothing: %v", err)
	}
	if _, err := ParseSLS(r, []byte("x")); !errors.As(err, &e) || e.Code != "InvalidContentMD5" || e.Status != 400 {
		t.Errorf("V1 with another body: %v", err)
	}
}

func TestSLSRefusals(t *testing.T) {
	for _, c := range []struct {
		name   string
		header map[string]string
		code   string
		status int
	}{
		{"nothing", nil, "Unauthorized", 401},
		{"another scheme", map[string]string{"Authorization": "OSS a:b"}, "Unauthorized", 401},
		{"V1 without a signature", map[string]string{"Authorization": "LOG a", "Date": vectorDate}, "Unauthorized", 401},
		{"V1 without a date", map[string]string{"Authorization": "LOG a:b"}, "MissingDate", 400},
		{"V1 with no such date", map[string]string{"Authorization": "LOG a:b", "Date": "x"}, "InvalidDateFormat", 400},
		{"V4 with a bad credential", map[string]string{"Authorization": "SLS4-HMAC-SHA256 Credential=a,Signature=b"}, "Unauthorized", 401},
		{"V4 of another day", map[string]string{"Authorization": "SLS4-HMAC-SHA256 Credential=a/20220807/r/sls/aliyun_v4_request,Signature=b", "X-Log-Date": "20220808T032330Z"}, "InvalidDateFormat", 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseSLS(slsVector{method: "GET", url: "/", header: c.header}.request(), nil)
			var e *SLSError
			if !errors.As(err, &e) || e.Code != c.code || e.Status != c.status {
				t.Errorf("got %v", err)
			}
		})
	}
}

func FuzzParseSLS(f *testing.F) {
	for _, v := range slsVectors {
		r := v.request()
		f.Add(r.Method, r.URL.Path, r.URL.RawQuery, r.Header.Get("Authorization"), r.Header.Get("Date"), []byte(v.body))
	}
	f.Fuzz(func(t *testing.T, method, path, query, auth, date string, body []byte) {
		r := &http.Request{Method: method, URL: &url.URL{Path: path, RawQuery: query}, Header: http.Header{
			"Authorization": {auth}, "Date": {date}, "X-Log-Date": {date}, "X-Log-Content-Sha256": {emptySHA256}, "X-Acs-Empty": {}}}
		if s, err := ParseSLS(r, body); err == nil {
			s.Verify("k")
			s.Skewed(time.Unix(0, 0))
		}
	})
}
