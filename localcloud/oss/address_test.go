package oss_test

import (
	"errors"
	"strings"
	"testing"

	sdk "github.com/aliyun/aliyun-oss-go-sdk/oss"

	"fcd/localcloud/oss"
)

func TestAddresses(t *testing.T) {
	s, url := start(t, func(o *oss.Options) { o.Endpoints, o.Domains = []string{"oss.fcd.local"}, []string{"oss.fcd.local"} })
	must(t, s.CreateBucket(t.Context(), "bucket"))
	c := client(t, url)
	must(t, c.SetBucketACL("bucket", sdk.ACLPublicReadWrite))
	b, err := c.Bucket("bucket")
	must(t, err)
	must(t, b.PutObject("a/b+c", strings.NewReader("found")))
	for _, a := range []struct{ host, path string }{
		{"127.0.0.1:8081", "/bucket/a/b+c"}, {"127.0.0.1", "/bucket/a%2Fb%2Bc"}, {"localhost", "/bucket/a/b+c"},
		{"[::1]:80", "/bucket/a/b+c"}, {"oss.fcd.local", "/bucket/a/b+c"}, {"bucket.oss.fcd.local:8081", "/a/b+c"},
		{"bucket.oss-cn-hangzhou.aliyuncs.com", "/a%2Fb+c"}, {"BUCKET.oss-cn-shanghai-internal.aliyuncs.com", "/a/b+c"},
		{"oss-cn-shanghai.aliyuncs.com", "/bucket/a/b+c"}, {"anything.example", "/bucket/a/b+c"},
	} {
		if res, body := send(t, "GET", url+a.path, "", "Host", a.host); body != "found" {
			t.Errorf("%s%s: %d %s", a.host, a.path, res.StatusCode, body)
		}
	}
}

func TestBucketNames(t *testing.T) {
	s, _ := start(t)
	for _, name := range []string{"", "ab", "-ab", "ab-", "Abc", "a_b", "a.b", strings.Repeat("a", 64)} {
		var e *oss.Error
		if err := s.CreateBucket(t.Context(), name); !errors.As(err, &e) || e.Code != "InvalidBucketName" {
			t.Errorf("%q: %v", name, err)
		}
	}
}
