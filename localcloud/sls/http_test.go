package sls_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gogo/protobuf/proto"

	"fcd/localcloud/sls"
)

// raw sends a request signed by hand and gives status, headers and body.
func (s *service) raw(t testing.TB, method, host, uri string, body []byte, headers map[string]string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequest(method, "http://"+host+uri, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	h := req.Header
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	h.Set("x-log-apiversion", "0.6.0")
	h.Set("x-log-signaturemethod", "hmac-sha1")
	for k, v := range headers {
		h.Set(k, v)
	}
	if len(body) > 0 {
		sum := md5.Sum(body)
		h.Set("Content-MD5", strings.ToUpper(hex.EncodeToString(sum[:])))
	}
	h.Set("Authorization", "LOG "+testKey+":"+v1(req))
	resp, err := s.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(b)
}

// v1 is the V1 signature of a request.
func v1(req *http.Request) string {
	var names []string
	for k := range req.Header {
		if k = strings.ToLower(k); strings.HasPrefix(k, "x-log-") || strings.HasPrefix(k, "x-acs-") {
			names = append(names, k)
		}
	}
	slices.Sort(names)
	text := req.Method + "\n" + req.Header.Get("Content-MD5") + "\n" + req.Header.Get("Content-Type") + "\n" + req.Header.Get("Date") + "\n"
	for _, n := range names {
		text += n + ":" + req.Header.Get(n) + "\n"
	}
	text += req.URL.EscapedPath()
	q := req.URL.Query()
	var params []string
	for k := range q {
		params = append(params, k)
	}
	slices.Sort(params)
	for i, k := range params {
		text += "?&"[min(i, 1):min(i, 1)+1] + k + "=" + q.Get(k)
	}
	mac := hmac.New(sha1.New, []byte(testSecret))
	mac.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

const host = project + ".sls.fcd.local"

func TestOldGetLogs(t *testing.T) {
	s := withStore(t, 1)
	s.put(t, group("svc", "message=a", "message=b"))
	q := url.Values{"type": {"log"}, "from": {fmt.Sprint(base.Unix())}, "to": {fmt.Sprint(base.Unix() + 9)}, "topic": {"svc"}, "line": {"10"},
		"offset": {"0"}, "reverse": {"true"}, "query": {""}}
	status, h, body := s.raw(t, "GET", host, "/logstores/"+logstore+"?"+q.Encode(), nil, map[string]string{"x-log-bodyrawsize": "0"})
	if status != 200 || h.Get("X-Log-Count") != "2" || h.Get("X-Log-Progress") != "Complete" || len(h.Get("x-log-requestid")) != 24 {
		t.Errorf("status %d, headers %v", status, h)
	}
	if strings.Index(body, `"message":"b"`) > strings.Index(body, `"message":"a"`) || !strings.HasPrefix(body, "[{") {
		t.Errorf("body is %s", body)
	}
	q.Set("query", "nothing")
	if _, h, body := s.raw(t, "GET", host, "/logstores/"+logstore+"?"+q.Encode(), nil, nil); body != "[]" || h.Get("X-Log-Count") != "0" {
		t.Errorf("nothing found is answered by %s, %v", body, h)
	}
}

func TestBodies(t *testing.T) {
	s := withStore(t, 1)
	good, err := proto.Marshal(group("svc", "message=a"))
	if err != nil {
		t.Fatal(err)
	}
	size := fmt.Sprint(len(good))
	cases := []struct {
		name    string
		body    []byte
		headers map[string]string
		status  int
		code    string
	}{
		{"a plain group is written", good, map[string]string{"x-log-bodyrawsize": size}, 200, ""},
		{"an empty group is nothing", nil, map[string]string{"x-log-bodyrawsize": "0"}, 200, ""},
		{"no raw size", good, nil, 400, "MissingBodyRawSize"},
		{"a raw size that is no number", good, map[string]string{"x-log-bodyrawsize": "many"}, 400, "InvalidBodyRawSize"},
		{"a wrong raw size", good, map[string]string{"x-log-bodyrawsize": "3"}, 400, "InvalidBodyRawSize"},
		{"a raw size above 10 MiB", good, map[string]string{"x-log-bodyrawsize": "10485761"}, 400, "PostBodyTooLarge"},
		{"a huge raw size for a small lz4 block", []byte{0, 1, 2}, map[string]string{"x-log-bodyrawsize": "10485760", "x-log-compresstype": "lz4"}, 400, "PostBodyUncompressError"},
		{"an lz4 block of something announced as nothing", bytes.Repeat([]byte("0"), 18), map[string]string{"x-log-bodyrawsize": "0", "x-log-compresstype": "lz4"}, 400, "PostBodyUncompressError"},
		{"broken lz4", []byte{255, 255, 255}, map[string]string{"x-log-bodyrawsize": "100", "x-log-compresstype": "lz4"}, 400, "PostBodyUncompressError"},
		{"broken zstd", []byte("nonsense"), map[string]string{"x-log-bodyrawsize": "100", "x-log-compresstype": "zstd"}, 400, "PostBodyUncompressError"},
		{"unknown compression", good, map[string]string{"x-log-bodyrawsize": size, "x-log-compresstype": "gzip"}, 400, "InvalidCompressType"},
		{"not a protobuf", []byte{255, 255}, map[string]string{"x-log-bodyrawsize": "2"}, 400, "PostBodyInvalid"},
		{"a log without time", []byte{10, 0}, map[string]string{"x-log-bodyrawsize": "2"}, 400, "PostBodyInvalid"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for _, path := range []string{"", "/shards/lb", "/shards/route?key=00000000000000000000000000000001"} {
				status, _, body := s.raw(t, "POST", host, "/logstores/"+logstore+path, c.body, c.headers)
				if status != c.status || c.code != "" && !strings.Contains(body, `"errorCode":"`+c.code+`"`) {
					t.Errorf("%s: status %d, body %s", path, status, body)
				}
			}
		})
	}
	if got := s.find(t, ""); len(got) != 3 {
		t.Errorf("%d logs are stored, want 3", len(got))
	}
}

func TestHosts(t *testing.T) {
	s := withStore(t, 1)
	for h, isProject := range map[string]bool{
		host: true, strings.ToUpper(host): true, project + ".cn-shanghai.log.aliyuncs.com": true, project + ".cn-shanghai-intranet.log.aliyuncs.com:80": true,
		project + ".127.0.0.1:8082": true, project + ".localhost": true,
		"sls.fcd.local": false, "cn-shanghai.log.aliyuncs.com": false, "cn-shanghai-intranet.log.aliyuncs.com": false, "127.0.0.1:8082": false,
		"[::1]:8082": false, "localhost": false,
	} {
		status, _, body := s.raw(t, "GET", h, "/", nil, nil)
		if status != 200 || strings.HasPrefix(body, `{"projectName"`) != isProject {
			t.Errorf("host %s: status %d, body %s", h, status, body)
		}
	}
}

func TestUnservedRequests(t *testing.T) {
	s := withStore(t, 1)
	for _, c := range []struct {
		method, uri string
		status      int
	}{
		{"GET", "/dashboards", 404}, {"GET", "/logstores/" + logstore + "?type=context_log", 400}, {"PATCH", "/logstores", 400},
		{"POST", "/logstores/" + logstore + "/shards/0", 400}, {"GET", "/logstores//shards", 404}, {"GET", "/logstores/..%2f..%2fx/index", 404},
	} {
		if status, _, body := s.raw(t, c.method, host, c.uri, nil, nil); status != c.status || !strings.Contains(body, "errorCode") {
			t.Errorf("%s %s: status %d, body %s", c.method, c.uri, status, body)
		}
	}
	req, _ := http.NewRequest("GET", "http://"+host+"/logstores", nil)
	resp, err := s.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 401 {
		t.Errorf("a request without signature is answered %d", resp.StatusCode)
	}
}

func TestClock(t *testing.T) {
	s := serve(t, t.TempDir(), func(o *sls.Options) { o.Clock = func() time.Time { return time.Now().Add(time.Hour) } })
	_, err := s.client.CreateProject(project, "")
	wantCode(t, err, 400, "RequestTimeTooSkewed")
}

func TestNames(t *testing.T) {
	var names []string
	var s *service
	s = serve(t, t.TempDir(), func(o *sls.Options) {
		o.NamesChanged = func() { names = append(names, strings.Join(s.Projects(), " ")) }
	})
	for _, p := range []string{"b-project", "a-project"} {
		if err := s.EnsureLogstore(t.Context(), p, "store"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.EnsureLogstore(t.Context(), "a-project", "store"); err != nil {
		t.Fatal(err)
	}
	if err := s.EnsureLogstore(t.Context(), "../x", "store"); err == nil {
		t.Error("a project named ../x was made")
	}
	if err := s.client.DeleteProject("b-project"); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(names, ", "); got != "b-project, a-project b-project, a-project" {
		t.Errorf("names changed to %q", got)
	}
}

func TestNewRefuses(t *testing.T) {
	k := &keyring{}
	for name, o := range map[string]sls.Options{"no directory": {Keys: k, Policy: k}, "no keys": {Dir: mkdir(t), Policy: k}, "no policy": {Dir: mkdir(t), Keys: k}} {
		if srv, err := sls.New(o); err == nil {
			srv.Close()
			t.Errorf("%s: a service was made", name)
		}
	}
}

func BenchmarkPut(b *testing.B) {
	for _, writers := range []int{1, 16} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s := withStore(b, 1)
			g := group("svc", slices.Repeat([]string{"message=2016-08-18T05:38:41.401Z 1234567890 verbose hello world,requestId=0123456789abcdef"}, 10)...)
			work := make(chan struct{})
			done := make(chan error)
			for range writers {
				go func() {
					var err error
					for range work {
						if e := s.client.PutLogs(project, logstore, g); e != nil {
							err = e
						}
					}
					done <- err
				}()
			}
			for b.Loop() {
				work <- struct{}{}
			}
			close(work)
			for range writers {
				if err := <-done; err != nil {
					b.Error(err)
				}
			}
			b.ReportMetric(float64(10*b.N)/b.Elapsed().Seconds(), "lines/s")
		})
	}
}
