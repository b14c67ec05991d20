package oss_test

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	sdk "github.com/aliyun/aliyun-oss-go-sdk/oss"

	"fcd/localcloud/oss"
)

// bucketOf makes the bucket "bucket" on a fresh server.
func bucketOf(t testing.TB, change ...func(*oss.Options)) *sdk.Bucket {
	t.Helper()
	_, url := start(t, change...)
	c := client(t, url, v4()...)
	must(t, c.CreateBucket("bucket"))
	b, err := c.Bucket("bucket")
	must(t, err)
	return b
}

// wantCode holds an error against the service's code and status.
func wantCode(t testing.TB, err error, status int, code string) {
	t.Helper()
	var e sdk.ServiceError
	if !errors.As(err, &e) || e.StatusCode != status || e.Code != code {
		t.Errorf("got %v, want %d %s", err, status, code)
	}
	if e.RequestID == "" || e.Message == "" && status != 304 {
		t.Errorf("the error has no request id or no message: %+v", e)
	}
}

// send makes a request by hand and returns its answer and body.
func send(t testing.TB, method, url string, body string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	must(t, err)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
	}
	h := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := h.Do(r)
	must(t, err)
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	must(t, err)
	return res, string(got)
}

func TestErrorsHaveTheServiceCodes(t *testing.T) {
	b := bucketOf(t)
	c := b.Client
	none, err := c.Bucket("none")
	must(t, err)
	must(t, b.PutObject("k", strings.NewReader("x")))
	_, err = b.GetObject("absent")
	wantCode(t, err, 404, "NoSuchKey")
	_, err = b.GetObjectDetailedMeta("absent") // HEAD: the document stands in x-oss-err
	wantCode(t, err, 404, "NoSuchKey")
	wantCode(t, none.PutObject("k", strings.NewReader("x")), 404, "NoSuchBucket")
	_, err = none.ListObjects()
	wantCode(t, err, 404, "NoSuchBucket")
	wantCode(t, c.DeleteBucket("none"), 404, "NoSuchBucket")
	wantCode(t, c.DeleteBucket("bucket"), 409, "BucketNotEmpty")
	wantCode(t, b.PutObject("k", strings.NewReader("y"), sdk.ForbidOverWrite(true)), 409, "FileAlreadyExists")
	wantCode(t, b.PutObject("k", strings.NewReader("y"), sdk.ContentMD5("bm90IGl0")), 400, "InvalidDigest")
	_, err = b.ListObjects(sdk.MaxKeys(1001))
	wantCode(t, err, 400, "InvalidArgument")
	_, err = b.ListUploadedParts(sdk.InitiateMultipartUploadResult{Bucket: "bucket", Key: "k", UploadID: "NONE"})
	wantCode(t, err, 404, "NoSuchUpload")
	_, err = c.GetBucketLifecycle("bucket")
	wantCode(t, err, 501, "NotImplemented")
	wantCode(t, b.PutObject("k", strings.NewReader("y"), sdk.ServerSideEncryption("AES256")), 501, "NotImplemented")
	if got := read(t, b, "k"); got != "x" {
		t.Errorf("a refused put left %q", got)
	}
}

func TestEveryAnswerCarriesARequestIDAndADate(t *testing.T) {
	_, url := start(t)
	for _, path := range []string{"/", "/bucket/key", "/Bad_Bucket"} {
		res, body := send(t, "GET", url+path, "")
		if id := res.Header.Get("x-oss-request-id"); !regexp.MustCompile(`^[0-9A-F]{24}$`).MatchString(id) || !strings.Contains(body, id) {
			t.Errorf("%s: request id %q, body %s", path, id, body)
		}
		if _, err := time.Parse(http.TimeFormat, res.Header.Get("Date")); err != nil || res.Header.Get("x-oss-server-time") == "" {
			t.Errorf("%s: headers %v", path, res.Header)
		}
	}
}

// policyFunc is a Policy.
func TestBucketDocuments(t *testing.T) {
	b := bucketOf(t)
	c := b.Client
	must(t, c.CreateBucket("bucket")) // again
	must(t, c.CreateBucket("other", sdk.ACL(sdk.ACLPublicRead)))
	info, err := c.GetBucketInfo("other")
	must(t, err)
	got := info.BucketInfo
	if got.Name != "other" || got.Location != "oss-cn-shanghai" || got.ACL != "public-read" || got.Owner.ID != account || got.CreationDate.IsZero() {
		t.Errorf("bucket info %+v", got)
	}
	location, err := c.GetBucketLocation("bucket")
	must(t, err)
	acl, err := c.GetBucketACL("bucket")
	must(t, err)
	if location != "oss-cn-shanghai" || acl.ACL != "private" {
		t.Errorf("location %s, acl %s", location, acl.ACL)
	}
	must(t, c.SetBucketACL("bucket", sdk.ACLPublicReadWrite))
	list, err := c.ListBuckets(sdk.MaxKeys(1))
	must(t, err)
	if len(list.Buckets) != 1 || !list.IsTruncated || list.NextMarker != "bucket" || list.Owner.ID != account {
		t.Errorf("buckets %+v", list)
	}
	list, err = c.ListBuckets(sdk.Marker("bucket"))
	must(t, err)
	if len(list.Buckets) != 1 || list.Buckets[0].Name != "other" || list.IsTruncated {
		t.Errorf("buckets %+v", list)
	}
	must(t, b.PutObject("k", strings.NewReader("12345")))
	stat, err := c.GetBucketStat("bucket")
	must(t, err)
	if stat.Storage != 5 || stat.ObjectCount != 1 {
		t.Errorf("stat %+v", stat)
	}
}

func TestDeleteManyOfControlCharacters(t *testing.T) {
	b := bucketOf(t)
	key := "\x01a\x1f"
	must(t, b.PutObject(key, strings.NewReader("x")))
	_, err := b.DeleteObjects([]string{key})
	must(t, err)
	if keys := listAll(t, b); len(keys) != 0 {
		t.Errorf("left %q", keys)
	}
}

func TestFullStorageAnswers507(t *testing.T) {
	b := bucketOf(t, func(o *oss.Options) { o.MaxTotal = 100 })
	must(t, b.PutObject("k", strings.NewReader(strings.Repeat("x", 90))))
	err := b.PutObject("l", strings.NewReader(strings.Repeat("x", 20)))
	if err == nil || !strings.Contains(err.Error(), "InsufficientStorage") && !strings.Contains(err.Error(), "507") {
		t.Errorf("got %v", err)
	}
	must(t, b.DeleteObject("k"))
	must(t, b.PutObject("l", strings.NewReader(strings.Repeat("x", 20))))
}

// TestListedTimesHaveZeroMilliseconds guards the one form of time that all clients read.
func TestListedTimesHaveZeroMilliseconds(t *testing.T) {
	b := bucketOf(t)
	must(t, b.PutObject("k", strings.NewReader("x")))
	url, err := b.SignURL("", sdk.HTTPGet, 60)
	if err != nil { // this SDK signs no URL of a bucket
		must(t, b.Client.SetBucketACL("bucket", sdk.ACLPublicRead))
		url = b.Client.Config.Endpoint + "/bucket"
	}
	_, body := send(t, "GET", url, "")
	var doc struct {
		Contents []struct{ LastModified string }
	}
	must(t, xml.Unmarshal([]byte(body), &doc))
	if len(doc.Contents) != 1 || !strings.HasSuffix(doc.Contents[0].LastModified, ".000Z") {
		t.Errorf("listing %s", body)
	}
}
