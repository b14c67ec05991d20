package oss

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"fcd/ram"
)

// noKeys is a Keys that knows nobody.
type noKeys struct{}

func (noKeys) Authenticate(string, string) (ram.Identity, error) {
	return ram.Identity{}, errNotModified
}

func fuzzServer(f *testing.F) *Server {
	s, err := New(Options{Dir: f.TempDir(), Keys: noKeys{}, MaxTotal: 1 << 26})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	if err := s.CreateBucket(f.Context(), "bucket"); err != nil {
		f.Fatal(err)
	}
	return s
}

// serveTrusted serves a request as if the account's key had signed it.
func serveTrusted(s *Server, w http.ResponseWriter, r *http.Request) *call {
	c := newCall(s, w, r)
	c.who = ram.Principal{Kind: ram.KindRoot, Account: "1"}
	err := c.locate()
	if err == nil {
		err = c.checkNames()
	}
	if err == nil {
		err = c.op.serve(c)
	}
	if err != nil {
		c.fail(err)
	}
	return c
}

// FuzzRequest sends any request, unsigned and trusted: no answer is an internal error and nothing panics.
func FuzzRequest(f *testing.F) {
	s := fuzzServer(f)
	for _, seed := range [][4]string{
		{"GET", "/", "", ""},
		{"PUT", "/bucket/k", "", "x-oss-meta-a: b\r\nContent-MD5: x"},
		{"GET", "/bucket/k", "response-content-type=a", "Range: bytes=0-1\r\nx-oss-range-behavior: standard"},
		{"HEAD", "/bucket/k", "objectMeta", "If-Match: *"},
		{"GET", "/bucket", "list-type=2&prefix=a&delimiter=/&encoding-type=url&continuation-token=eA&max-keys=3", ""},
		{"GET", "/bucket", "marker=a&delimiter=%ff&prefix=%ff", ""},
		{"POST", "/bucket", "delete", ""},
		{"POST", "/bucket", "", "Content-Type: multipart/form-data; boundary=b"},
		{"POST", "/bucket/k", "append&position=0", ""},
		{"PUT", "/bucket/c", "", "x-oss-copy-source: /bucket/k\r\nx-oss-metadata-directive: REPLACE"},
		{"POST", "/bucket/k", "uploads", ""},
		{"PUT", "/bucket/k", "partNumber=1&uploadId=X", ""},
		{"POST", "/bucket/k", "uploadId=X", "x-oss-complete-all: yes"},
		{"GET", "/bucket", "uploads&key-marker=a&delimiter=/", ""},
		{"PUT", "/bucket/l", "symlink", "x-oss-symlink-target: l"},
		{"GET", "/bucket/l", "", ""},
		{"PUT", "/bucket/k", "tagging", ""},
		{"PUT", "/bucket/k", "acl", "x-oss-object-acl: private"},
		{"OPTIONS", "*", "", ""},
		{"PUT", "/bucket/k", "", "Transfer-Encoding: chunked"},
		{"GET", "/%2F/%00", "x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-credential=a", "Authorization: OSS a:b"},
		{"DELETE", "//", "uploadId", "Authorization: OSS4-HMAC-SHA256 Credential=,Signature="},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3], "<Delete><Object><Key>k</Key></Object></Delete>")
	}
	f.Fuzz(func(t *testing.T, method, path, query, header, body string) {
		raw := fmt.Sprintf("%s %s?%s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\nContent-Length: %d\r\n\r\n%s", method, path, query, header, len(body), body)
		for _, serve := range []func(http.ResponseWriter, *http.Request){
			s.ServeHTTP, func(w http.ResponseWriter, r *http.Request) { serveTrusted(s, w, r) },
		} {
			r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
			if err != nil {
				return
			}
			r.RemoteAddr = "127.0.0.1:1"
			w := httptest.NewRecorder()
			serve(w, r)
			if c := w.Code; c == 0 || c >= 500 && c != http.StatusNotImplemented && c != http.StatusInsufficientStorage {
				t.Errorf("answer %d %s", c, w.Body)
			}
		}
	})
}

// FuzzDocument reads any XML body as every document there is.
func FuzzDocument(f *testing.F) {
	for _, seed := range []string{
		"<Delete><Quiet>true</Quiet><Object><Key>a&#x01;b&amp;</Key></Object></Delete>", "<Delete>&#x;&#99999999;</Delete>",
		"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\"A\"</ETag></Part></CompleteMultipartUpload>",
		"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>", "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", "",
		"<Delete><Object><Key>\U000F0001&#x1;</Key></Object></Delete>",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, v := range []any{&deleteXML{}, &completeXML{}, &taggingXML{}, &struct{}{}} {
			unmarshal(bytes.Clone(raw), v)
		}
	})
}

// FuzzPolicy reads any form policy.
func FuzzPolicy(f *testing.F) {
	f.Add([]byte(`{"expiration":"2026-01-05T08:00:00Z","conditions":[{"bucket":"b"},["eq","$key","k"],["content-length-range",1,2],["in","$a",["b"]]]}`))
	f.Add([]byte(`{"expiration":"2026-01-05T08:00:00Z","conditions":[[],null,1,[1,2,3],["eq",null,null],["content-length-range",-1,1e99]]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		limits, err := checkPolicy(raw, map[string]string{"bucket": "b", "key": "k"}, time.Unix(0, 0))
		if err == nil && limits.size < 0 {
			t.Errorf("bounds %+v", limits)
		}
	})
}

// FuzzRange reads any Range header: what it gives lies within the object.
func FuzzRange(f *testing.F) {
	for _, seed := range []string{"bytes=0-0", "bytes=-1", "bytes=5-", "bytes=9-3", "bytes=--1", "bytes=1-9223372036854775807", "bytes=-9223372036854775807"} {
		f.Add(seed, int64(10), true)
		f.Add(seed, int64(0), false)
	}
	f.Fuzz(func(t *testing.T, text string, size int64, standard bool) {
		if size < 0 {
			return
		}
		h := http.Header{"Range": {text}}
		if standard {
			h.Set("x-oss-range-behavior", "standard")
		}
		s, partial, err := rangeOf(h, size)
		if err != nil {
			return
		}
		if s.offset < 0 || s.size < 0 || s.offset+s.size > size || partial && s.size == 0 || !partial && s != (span{0, size}) {
			t.Errorf("%q of %d bytes: %+v, partial %v", text, size, s, partial)
		}
	})
}

func TestRangesWithTheStandardBehaviour(t *testing.T) {
	for _, c := range []struct {
		ask     string
		size    int64
		want    span
		partial bool
		refused bool
	}{
		{"bytes=5-20", 10, span{5, 5}, true, false},
		{"bytes=10-", 10, span{}, false, true},
		{"bytes=-20", 10, span{0, 10}, true, false},
		{"bytes=4-2", 10, span{0, 10}, false, false},
		{"bytes=0-", 0, span{}, false, true},
		{"bytes=-5", 0, span{}, false, true},
	} {
		got, partial, err := rangeOf(http.Header{"Range": {c.ask}, "X-Oss-Range-Behavior": {"standard"}}, c.size)
		if got != c.want || partial != c.partial || (err != nil) != c.refused {
			t.Errorf("%s of %d: %+v, %v, %v", c.ask, c.size, got, partial, err)
		}
	}
}

func TestCopySources(t *testing.T) {
	for text, want := range map[string]string{
		"/bucket/a%20b%2Bc": "a b+c", "bucket/a+b": "a b", "/bucket/%2F": "", "/bucket/dir%2Fk": "dir/k", "/bucket": "",
		"/bucket/%zz": "", "/B/k": "", "/bucket/k?versionId=1": "", "%2Fbucket%2Fk": "k",
	} {
		bucket, key, err := copySource(text)
		if want == "" && err == nil || want != "" && (err != nil || bucket != "bucket" || key != want) {
			t.Errorf("%q: %q, %q, %v", text, bucket, key, err)
		}
	}
}
