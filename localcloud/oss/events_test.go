package oss_test

import (
	"strings"
	"testing"

	sdk "github.com/aliyun/aliyun-oss-go-sdk/oss"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"fcd/localcloud/oss"
)

func TestEventsOfEveryOperation(t *testing.T) {
	rec := newRecorder()
	b := bucketOf(t, func(o *oss.Options) { o.Events = rec })
	must(t, b.PutObject("put", strings.NewReader("12345")))
	must(t, b.PutObject("put", strings.NewReader("123")))
	_, err := b.CopyObject("put", "copy")
	must(t, err)
	_, err = b.AppendObject("append", strings.NewReader("ab"), 0)
	must(t, err)
	must(t, b.PutSymlink("link", "put"))
	u, err := b.InitiateMultipartUpload("multi")
	must(t, err)
	p1, err := b.UploadPart(u, strings.NewReader("part"), 4, 1)
	must(t, err)
	_, err = b.UploadPartCopy(u, "bucket", "put", 0, 3, 2)
	must(t, err)
	_, err = b.CompleteMultipartUpload(u, []sdk.UploadPart{p1})
	must(t, err)
	u, err = b.InitiateMultipartUpload("multi")
	must(t, err)
	must(t, b.AbortMultipartUpload(u))
	must(t, b.DeleteObject("put"))
	must(t, b.DeleteObject("put")) // absent: no event
	_, err = b.DeleteObjects([]string{"copy", "absent", "append"})
	must(t, err)
	type row struct {
		Name, Key   string
		Size, Delta int64
	}
	want := []row{
		{"ObjectCreated:PutObject", "put", 5, 5}, {"ObjectCreated:PutObject", "put", 3, -2}, {"ObjectCreated:CopyObject", "copy", 3, 3},
		{"ObjectCreated:AppendObject", "append", 2, 2}, {"ObjectCreated:PutSymlink", "link", 0, 0},
		{"ObjectCreated:InitiateMultipartUpload", "multi", 0, 0}, {"ObjectCreated:UploadPart", "multi", 4, 0},
		{"ObjectCreated:UploadPartCopy", "multi", 3, 0}, {"ObjectCreated:CompleteMultipartUpload", "multi", 4, 4},
		{"ObjectCreated:InitiateMultipartUpload", "multi", 0, 0}, {"ObjectRemoved:AbortMultipartUpload", "multi", 0, 0},
		{"ObjectRemoved:DeleteObject", "put", 0, -3}, {"ObjectRemoved:DeleteObjects", "copy", 0, -3},
		{"ObjectRemoved:DeleteObjects", "append", 0, -2},
	}
	var got []row
	for i, e := range rec.wait(t, len(want)) {
		got = append(got, row{e.Name, e.Key, e.Size, e.Delta})
		if e.Sequence != uint64(i+1) || e.Bucket != "bucket" || e.SourceIP != "127.0.0.1" || len(e.RequestID) != 24 ||
			e.PrincipalID != account || e.Time.IsZero() {
			t.Errorf("event %+v", e)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestNamesChangedFollowsBuckets(t *testing.T) {
	var s *oss.Server
	var seen [][]string
	s, url := start(t, func(o *oss.Options) { o.NamesChanged = func() { seen = append(seen, s.Buckets()) } })
	must(t, s.CreateBucket(t.Context(), "one"))
	must(t, s.CreateBucket(t.Context(), "one"))
	c := client(t, url)
	must(t, c.CreateBucket("two"))
	must(t, c.DeleteBucket("one"))
	if diff := cmp.Diff([][]string{{"one"}, {"one", "two"}, {"two"}}, seen); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

func TestMetricsAreBounded(t *testing.T) {
	reg := prometheus.NewRegistry()
	b := bucketOf(t, func(o *oss.Options) { o.Registerer = reg })
	must(t, b.PutObject("k", strings.NewReader("12345")))
	read(t, b, "k")
	send(t, "BREW", b.Client.Config.Endpoint+"/bucket/k", "")
	send(t, "GET", b.Client.Config.Endpoint+"/bucket/k?lifecycle2", "")
	want := `# HELP fcd_oss_requests_total Requests to the embedded object storage by operation and status class.
# TYPE fcd_oss_requests_total counter
fcd_oss_requests_total{operation="GetObject",status="2xx"} 1
fcd_oss_requests_total{operation="GetObject",status="4xx"} 1
fcd_oss_requests_total{operation="PutBucket",status="2xx"} 1
fcd_oss_requests_total{operation="PutObject",status="2xx"} 1
fcd_oss_requests_total{operation="unknown",status="4xx"} 1
# HELP fcd_oss_stored_bytes Bytes of all objects and parts of the embedded object storage.
# TYPE fcd_oss_stored_bytes gauge
fcd_oss_stored_bytes 5
# HELP fcd_oss_outbox_events Object events that wait to be taken over.
# TYPE fcd_oss_outbox_events gauge
fcd_oss_outbox_events 0
`
	must(t, testutil.GatherAndCompare(reg, strings.NewReader(want), "fcd_oss_requests_total", "fcd_oss_stored_bytes", "fcd_oss_outbox_events"))
}

func TestSizesOfEventsThatReplaceObjects(t *testing.T) {
	rec := newRecorder()
	b := bucketOf(t, func(o *oss.Options) { o.Events = rec })
	must(t, b.PutObject("small", strings.NewReader("12")))
	must(t, b.PutObject("k", strings.NewReader("12345")))
	must(t, b.PutObject("k", strings.NewReader("54321")))
	_, err := b.CopyObject("small", "k")
	must(t, err)
	u, err := b.InitiateMultipartUpload("k")
	must(t, err)
	p, err := b.UploadPart(u, strings.NewReader("1234567"), 7, 1)
	must(t, err)
	_, err = b.CompleteMultipartUpload(u, []sdk.UploadPart{p})
	must(t, err)
	must(t, b.PutSymlink("k", "small"))
	_, err = b.AppendObject("log", strings.NewReader("ab"), 0)
	must(t, err)
	_, err = b.AppendObject("log", strings.NewReader("cde"), 2)
	must(t, err)
	type row struct {
		Name                  string
		Size, Delta, Position int64
	}
	want := []row{
		{"ObjectCreated:PutObject", 2, 2, -1}, {"ObjectCreated:PutObject", 5, 5, -1}, {"ObjectCreated:PutObject", 5, 0, -1},
		{"ObjectCreated:CopyObject", 2, -3, -1}, {"ObjectCreated:InitiateMultipartUpload", 0, 0, -1}, {"ObjectCreated:UploadPart", 7, 0, -1},
		{"ObjectCreated:CompleteMultipartUpload", 7, 5, -1}, {"ObjectCreated:PutSymlink", 0, -7, -1},
		{"ObjectCreated:AppendObject", 2, 2, 0}, {"ObjectCreated:AppendObject", 5, 3, 2},
	}
	var got []row
	for _, e := range rec.wait(t, len(want)) {
		r := row{e.Name, e.Size, e.Delta, -1}
		if e.Position != nil {
			r.Position = *e.Position
		}
		got = append(got, r)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestEventsCarryMetadataAndComeTogetherWhereAsked(t *testing.T) {
	rec := newRecorder()
	b := bucketOf(t, func(o *oss.Options) { o.Events, o.EventMeta, o.EventsTogether = rec, true, 2 })
	for _, k := range []string{"a", "b", "c"} {
		must(t, b.PutObject(k, strings.NewReader("1"), sdk.ContentType("image/png"), sdk.Meta("Who", "me")))
	}
	_, err := b.DeleteObjects([]string{"a", "b", "absent", "c"})
	must(t, err)
	events := rec.wait(t, 5)
	if diff := cmp.Diff(map[string]string{"x-oss-meta-who": "me"}, events[0].UserMeta); diff != "" || events[0].MimeType != "image/png" {
		t.Errorf("metadata %q %v", events[0].MimeType, events[0].UserMeta)
	}
	if e := events[3]; e.Key != "a" || len(e.Also) != 1 || e.Also[0].Key != "b" || e.Also[0].Delta != -1 {
		t.Errorf("the first two keys: %+v", e)
	}
	if e := events[4]; e.Key != "c" || len(e.Also) != 0 {
		t.Errorf("the last key: %+v", e)
	}
}
