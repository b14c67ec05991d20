package oss_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	sdk "github.com/aliyun/aliyun-oss-go-sdk/oss"

	"fcd/fc"
	"fcd/localcloud/oss"
)

// discard takes every event over.
type discard struct{}

func (discard) ObjectEvent(context.Context, fc.ObjectEvent) error { return nil }

// benchBucket is a bucket behind an SDK client with room for many connections.
func benchBucket(b *testing.B, change ...func(*oss.Options)) *sdk.Bucket {
	b.Helper()
	s, err := oss.New(func() oss.Options {
		o := oss.Options{Dir: b.TempDir(), Keys: keys{}}
		for _, f := range change {
			f(&o)
		}
		return o
	}())
	must(b, err)
	h := httptest.NewServer(s)
	tr := &http.Transport{MaxIdleConnsPerHost: 64}
	b.Cleanup(func() { tr.CloseIdleConnections(); h.Close(); s.Close() })
	must(b, s.CreateBucket(b.Context(), "bucket"))
	c, err := sdk.New(h.URL, accessKey, secretKey, append(v4(), sdk.HTTPClient(&http.Client{Transport: tr}))...)
	must(b, err)
	bucket, err := c.Bucket("bucket")
	must(b, err)
	return bucket
}

func BenchmarkPut1KiB(b *testing.B) {
	body := strings.Repeat("x", 1024)
	for name, e := range map[string]oss.Events{"without events": nil, "with events": discard{}} {
		b.Run(name+", one client", func(b *testing.B) {
			bucket := benchBucket(b, func(o *oss.Options) { o.Events = e })
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				must(b, bucket.PutObject(strconv.Itoa(i), strings.NewReader(body)))
			}
		})
		b.Run(name+", 32 clients", func(b *testing.B) {
			bucket := benchBucket(b, func(o *oss.Options) { o.Events = e })
			var n atomic.Int64
			b.SetParallelism(max(1, 32/runtime.GOMAXPROCS(0)))
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					must(b, bucket.PutObject(strconv.FormatInt(n.Add(1), 10), strings.NewReader(body)))
				}
			})
		})
	}
}

func BenchmarkGet1KiB(b *testing.B) {
	bucket := benchBucket(b)
	must(b, bucket.PutObject("k", strings.NewReader(strings.Repeat("x", 1024))))
	b.ReportAllocs()
	for b.Loop() {
		if len(read(b, bucket, "k")) != 1024 {
			b.Fatal("short")
		}
	}
}

func BenchmarkPutAndGet64MiB(b *testing.B) {
	bucket := benchBucket(b)
	data := randomBytes(64 << 20)
	b.SetBytes(2 * int64(len(data)))
	for b.Loop() {
		must(b, bucket.PutObject("k", bytes.NewReader(data)))
		read(b, bucket, "k")
	}
}

func BenchmarkList1000(b *testing.B) {
	bucket := benchBucket(b)
	for i := range 1000 {
		must(b, bucket.PutObject("key/"+strconv.Itoa(i), strings.NewReader("")))
	}
	for b.Loop() {
		res, err := bucket.ListObjects(sdk.MaxKeys(1000))
		must(b, err)
		if len(res.Objects) != 1000 {
			b.Fatal(len(res.Objects))
		}
	}
}
