package api_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"fcd/api"
	"fcd/fc"
)

// codeURL asks for the download URL of demo/resize.
func (s *server) codeURL() (link, checksum string) {
	s.t.Helper()
	o := s.must("GET", "/services/demo/functions/resize/code", nil).object(s.t)
	return o["url"].(string), o["checksum"].(string)
}

func (s *server) get(method, link string) answer {
	s.t.Helper()
	r, err := http.NewRequest(method, link, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.send(r)
}

func TestCodeIsDownloadedByAPlainGet(t *testing.T) {
	s := start(t)
	s.demo()
	link, checksum := s.codeURL()
	if strings.Contains(link, rootKey) || strings.Contains(link, rootSecret) || !strings.HasPrefix(link, s.url+"/") {
		t.Errorf("link %s", link)
	}
	a := s.get("GET", link)
	if a.status != 200 || a.body != string(zipFile(t, "index.py")) || a.header.Get("X-Oss-Hash-Crc64ecma") != checksum {
		t.Errorf("%d, %d bytes, %v", a.status, len(a.body), a.header)
	}
	if checksum != s.must("GET", "/services/demo/functions/resize", nil).object(t)["codeChecksum"] {
		t.Errorf("checksum %s is not the function's", checksum)
	}
	if a := s.get("HEAD", link); a.status != 200 || a.body != "" || a.header.Get("Content-Length") == "" {
		t.Errorf("HEAD: %d %v", a.status, a.header)
	}
	wantError(t, s.get("PUT", link), 400, fc.PathNotSupported)
}

func TestCodeURLsCannotBeBent(t *testing.T) {
	s := start(t)
	s.demo()
	link, _ := s.codeURL()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	with := func(k, v string) string {
		q := u.Query()
		q.Set(k, v)
		return s.url + u.Path + "?" + q.Encode()
	}
	for name, bent := range map[string]string{
		"no query":         s.url + u.Path,
		"a later expiry":   with("Expires", "99999999999"),
		"another checksum": with("Checksum", "1"),
		"another package":  s.url + "/fcd/v1/code/" + strings.Repeat("0", 64) + "?" + u.RawQuery,
		"another mac":      with("Signature", strings.Repeat("0", 64)),
		"no package":       s.url + "/fcd/v1/code/?" + u.RawQuery,
		"a way out":        s.url + "/fcd/v1/code/../../etc/passwd?" + u.RawQuery,
	} {
		t.Run(name, func(t *testing.T) { wantError(t, s.get("GET", bent), 403, fc.AccessDenied) })
	}
}

func TestCodeURLsExpire(t *testing.T) {
	s := start(t)
	s.demo()
	link, _ := s.codeURL()
	asked := time.Now()
	s.now = func() time.Time { return asked.Add(9 * time.Minute) }
	if a := s.get("GET", link); a.status != 200 {
		t.Errorf("after nine minutes: %d", a.status)
	}
	s.now = func() time.Time { return asked.Add(11 * time.Minute) }
	wantError(t, s.get("GET", link), 403, fc.AccessDenied)
}

func TestTheChecksumOfACreateIsChecked(t *testing.T) {
	s := start(t)
	s.demo()
	_, checksum := s.codeURL()
	s.must("POST", "/services/demo/functions", functionOf(t, "other"), header("X-Fc-Code-Checksum", checksum))
}

func TestCodeIsNeverGivenBack(t *testing.T) {
	s := start(t)
	s.demo()
	for _, path := range []string{"/services/demo/functions/resize", "/services/demo/functions"} {
		if a := s.must("GET", path, nil); strings.Contains(a.body, "zipFile") || strings.Contains(a.body, "ode\":{") ||
			strings.Contains(strings.ToLower(a.body), "sha256") {
			t.Errorf("%s answers %s", path, a.body)
		}
	}
}

func TestHostileCodeLeavesNothing(t *testing.T) {
	s := start(t)
	s.must("POST", "/services", m{"serviceName": "demo"})
	before, _ := s.contents()
	for name, zip := range map[string][]byte{
		"a way out":   zipFile(t, "../evil.py"),
		"an absolute": zipFile(t, "/etc/cron.d/evil"),
		"a torn zip":  zipFile(t, "index.py")[:100],
		"not a zip":   []byte("hello"),
	} {
		t.Run(name, func(t *testing.T) {
			f := functionOf(t, "resize")
			f["code"] = m{"zipFile": zip}
			wantError(t, s.do("POST", "/services/demo/functions", f), 400, fc.InvalidArgument)
		})
	}
	if after, _ := s.contents(); after != before {
		t.Errorf("%d records are left", after-before)
	}
}

func TestUploadsAreBounded(t *testing.T) {
	limits := fc.DefaultLimits()
	limits.MaxRequestBytes = 1000
	s := start(t, func(o *api.Options) { o.Limits, o.UploadBytes = limits, 1 })
	s.must("POST", "/services", m{"serviceName": "demo"})
	big := `{"functionName":"` + strings.Repeat("x", 1000) + `"}`
	for _, body := range []any{big, chunked{strings.NewReader(big)}, big + big} {
		a := s.do("POST", "/services/demo/functions", body)
		wantError(t, a, 400, fc.EntityTooLarge)
		if a.message() != "payload size exceeds maximum allowed size (1000 bytes)" {
			t.Errorf("message %q", a.message())
		}
	}
	// Every refusal gave its share of the memory back, or these would wait for ever.
	got := together(crowd, func(int) answer {
		return s.do("PUT", "/services/demo/functions/absent", chunked{strings.NewReader("{}")})
	})
	want(t, got, "404FunctionNotFound", crowd)
}

func TestACodeURLOfADroppedPackageSaysSo(t *testing.T) {
	s := start(t)
	s.demo()
	link, _ := s.codeURL()
	s.must("DELETE", "/services/demo/functions/resize/triggers/uploads", nil)
	s.must("DELETE", "/services/demo/functions/resize", nil)
	s.dropCode()
	wantError(t, s.get("GET", link), 404, fc.FunctionNotFound)
}
