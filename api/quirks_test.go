package api_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// signed sets Authorization for a string to sign that ends in resource, as a client that signs in its own way does.
func signed(r *http.Request, resource string) {
	date := time.Now().UTC().Format(http.TimeFormat)
	r.Header.Set("Date", date)
	fcHeaders := ""
	for _, k := range []string{"X-Fc-Account-Id", "X-Fc-Invocation-Type"} { // sorted
		if v, there := r.Header[k]; there {
			fcHeaders += strings.ToLower(k) + ":" + v[0] + "\n"
		}
	}
	sts := strings.Join([]string{r.Method, r.Header.Get("Content-MD5"), r.Header.Get("Content-Type"), date, fcHeaders}, "\n") + resource
	mac := hmac.New(sha256.New, []byte(rootSecret))
	mac.Write([]byte(sts))
	r.Header.Set("Authorization", "FC "+rootKey+":"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

// TestClientsSignInTheirOwnWays holds the resource lines that clients sign for one and the same request.
func TestClientsSignInTheirOwnWays(t *testing.T) {
	s := start(t)
	const path, query = "/2016-08-15/services", "limit=100&nextToken=&prefix=&startKey="
	for name, resource := range map[string]string{
		"the SDKs leave the query out": path,
		"the guide signs the query":    path + "?" + query,
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequest("GET", s.url+path+"?"+query, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header["X-Fc-Account-Id"] = []string{""} // fc-go-sdk sends it empty
			signed(r, resource)
			if a := s.send(r); a.status != 200 {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	r, err := http.NewRequest("GET", s.url+path+"?limit=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	signed(r, path+"?limit=2")
	wantError(t, s.send(r), 403, "SignatureNotMatch")
}

func TestClientQuirks(t *testing.T) {
	s := start(t)
	s.demo()
	const fn = "/services/demo/functions/resize"
	t.Run("a Host without its port is not looked at", func(t *testing.T) {
		a := s.must("GET", fn+"/code", nil, func(r *request) { r.Host = "fc.example.com" })
		if u, err := url.Parse(a.object(t)["url"].(string)); err != nil || "http://"+u.Host != s.url {
			t.Errorf("url %v, %v", u, err)
		}
	})
	t.Run("any account id is accepted", func(t *testing.T) {
		for _, id := range []string{"", "1", account} {
			s.must("GET", "/services/demo", nil, header("X-Fc-Account-Id", id))
		}
	})
	t.Run("Content-MD5 is an opaque string", func(t *testing.T) {
		for _, sum := range []string{"5d41402abc4b2a76b9719d911017c592", "XUFAKrxLKna5cZ2REBfFkg==", "wrong"} {
			s.must("POST", fn+"/invocations", "hello", header("Content-MD5", sum))
		}
	})
	t.Run("bodies are read whatever their type", func(t *testing.T) {
		for _, ct := range []string{"application/octet-stream", "text/json", ""} {
			s.must("PUT", fn, `{"timeout":9}`, header("Content-Type", ct))
		}
	})
	t.Run("create function in chunks with keys in upper camel", func(t *testing.T) {
		body := `{"FunctionName":"fun","Handler":"index.handler","RUNTIME":"nodejs8","Code":{"ZipFile":"` +
			strings.ReplaceAll(base64.StdEncoding.EncodeToString(zipFile(t, "index.js")), "/", `\/`) + `"},"environmentVariables":null,
			"initializer":"","layers":[],"caPort":null,"InstanceLifecycleConfig":{"PreFreeze":{"Handler":""}}}`
		a := s.must("POST", "/services/demo/functions", chunked{strings.NewReader(body)}, header("Content-Type", "application/octet-stream"))
		if o := a.object(t); o["runtime"] != "nodejs8" || o["memorySize"] != 128.0 || o["timeout"] != 3.0 {
			t.Errorf("answer %s", a.body)
		}
	})
	t.Run("none-values at create are none", func(t *testing.T) {
		a := s.must("POST", "/services", `{"serviceName":"none","description":null,"role":"","logConfig":{"project":"","logstore":""},
			"vpcConfig":{"vpcId":"","vSwitchIds":[],"securityGroupId":""},"nasConfig":{"userId":-1,"groupId":-1,"mountPoints":[]},
			"tracingConfig":{},"internetAccess":null}`)
		b := s.must("POST", "/services", m{"serviceName": "bare"})
		x, y := a.object(t), b.object(t)
		for _, k := range []string{"serviceName", "serviceId", "createdTime", "lastModifiedTime"} {
			delete(x, k)
			delete(y, k)
		}
		if jx, jy := mustJSON(t, x), mustJSON(t, y); jx != jy {
			t.Errorf("%s\n%s", jx, jy)
		}
	})
	t.Run("fields that clients look into unchecked are there", func(t *testing.T) {
		o := s.must("GET", "/services/demo", nil).object(t)
		for _, k := range []string{"description", "role", "logConfig", "internetAccess", "serviceId", "createdTime", "lastModifiedTime"} {
			if o[k] == nil {
				t.Errorf("%s is missing", k)
			}
		}
		times := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$`)
		if !times.MatchString(o["createdTime"].(string)) {
			t.Errorf("createdTime %v", o["createdTime"])
		}
		f := s.must("GET", fn, nil).object(t)
		if sum, ok := f["codeChecksum"].(string); !ok || !regexp.MustCompile(`^\d+$`).MatchString(sum) || f["codeSize"].(float64) <= 0 {
			t.Errorf("code %v %v", f["codeChecksum"], f["codeSize"])
		}
	})
	t.Run("a timer's source is null whatever was sent", func(t *testing.T) {
		a := s.must("POST", fn+"/triggers", m{"triggerName": "tick", "triggerType": "timer", "sourceArn": "acs:oss:x:y:z",
			"triggerConfig": m{"cronExpression": "@every 1m"}})
		o := a.object(t)
		if src, there := o["sourceArn"]; !there || src != nil || o["invocationRole"] != "" {
			t.Errorf("answer %s", a.body)
		}
	})
	t.Run("temporary keys sign their token", func(t *testing.T) {
		s.policy["fc:GetService acs:fc:cn-shanghai:123456:services/demo"] = true
		s.must("GET", "/services/demo", nil, as(tokenKey, tokenSecret), withToken(token))
	})
	t.Run("a delete may have a body", func(t *testing.T) {
		s.must("POST", "/services", m{"serviceName": "brief"})
		s.must("DELETE", "/services/brief", `{}`)
	})
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
