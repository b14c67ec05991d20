package api_test

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fcd/api"
	"fcd/fc"
	"fcd/sign"
)

var asZip = header("Content-Type", "application/zip")

func TestAPackageAsItStandsIsTheNewCode(t *testing.T) {
	s := start(t)
	s.demo()
	s.must("PUT", "/services/demo/functions/resize", m{"timeout": 7, "environmentVariables": m{"A": "b"}})
	before := s.must("GET", "/services/demo/functions/resize", nil)
	etag := before.header.Get("Etag")
	for _, body := range []any{zipFile(t, "index.py", "more.py"), chunked{bytes.NewReader(zipFile(t, "index.py", "less.py"))}} {
		a := s.must("PUT", "/services/demo/functions/resize", body, asZip, header("If-Match", etag))
		old, now := before.object(t), a.object(t)
		for _, changes := range []string{"codeChecksum", "codeSize", "lastModifiedTime"} {
			if changes != "lastModifiedTime" && old[changes] == now[changes] {
				t.Errorf("%s is still %v", changes, now[changes])
			}
			delete(old, changes)
			delete(now, changes)
		}
		if d := cmp.Diff(old, now); d != "" {
			t.Error(d)
		}
		etag = a.header.Get("Etag")
	}
	link, _ := s.codeURL()
	if a := s.get("GET", link); a.body != string(zipFile(t, "index.py", "less.py")) {
		t.Errorf("%d bytes of code are not those that were sent last", len(a.body))
	}
}

func TestAPackageAsItStandsIsRefused(t *testing.T) {
	limits := fc.DefaultLimits()
	limits.MaxCodeZipBytes = 1000
	s := start(t, func(o *api.Options) { o.Limits = limits })
	s.demo()
	good := zipFile(t, "index.py")
	const path = "/services/demo/functions/resize"
	_, checksum := s.codeURL()
	tests := []struct {
		name, path string
		body       any
		with       option
		status     int
		code       fc.Code
	}{
		{"of another version", path, good, header("If-Match", "other"), 412, fc.PreconditionFailed},
		{"of another checksum", path, good, header("X-Fc-Code-Checksum", "1"), 400, fc.InvalidArgument},
		{"of no function", "/services/demo/functions/none", good, asZip, 404, fc.FunctionNotFound},
		{"that is empty", path, "", asZip, 400, fc.InvalidArgument},
		{"that is none", path, "hello", asZip, 400, fc.InvalidArgument},
		{"that leads outside", path, zipFile(t, "../evil.py"), asZip, 400, fc.InvalidArgument},
		{"of somebody who may not", path, good, user, 403, fc.AccessDenied},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wantError(t, s.do("PUT", tt.path, tt.body, asZip, tt.with), tt.status, tt.code) })
	}
	t.Run("for a function that is made", func(t *testing.T) {
		wantError(t, s.do("POST", "/services/demo/functions", good, asZip), 400, fc.InvalidArgument)
	})
	if _, now := s.codeURL(); now != checksum {
		t.Error("the code has changed")
	}
	s.must("PUT", path, good, asZip, header("X-Fc-Code-Checksum", checksum))
}

func TestAPackageThatBreaksOffIsRefused(t *testing.T) {
	s := start(t)
	s.demo()
	_, checksum := s.codeURL()
	r, err := http.NewRequest("PUT", s.url+base+"/services/demo/functions/resize", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/zip")
	sign.SignFC(r, rootKey, rootSecret, "", time.Now())
	u, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var head strings.Builder
	head.WriteString("PUT " + r.URL.Path + " HTTP/1.1\r\nHost: " + u.Host + "\r\nContent-Length: 1000000\r\n")
	if err := r.Header.Write(&head); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte(head.String() + "\r\nPK")); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 400 {
		t.Errorf("status %d", res.StatusCode)
	}
	if _, now := s.codeURL(); now != checksum {
		t.Error("the code has changed")
	}
}
