package oss_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	sdk2 "github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"
	"github.com/google/go-cmp/cmp"
)

// client2 is a client of the second Go SDK.
func client2(t testing.TB, url string, version sdk2.SignatureVersionType, creds ...string) *sdk2.Client {
	t.Helper()
	h := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(h.CloseIdleConnections)
	cfg := sdk2.LoadDefaultConfig().WithEndpoint(url).WithRegion(region).WithSignatureVersion(version).WithHttpClient(h).
		WithCredentialsProvider(credentials.NewStaticCredentialsProvider(creds[0], creds[1], creds[2:]...)).WithRetryMaxAttempts(1)
	return sdk2.NewClient(cfg)
}

func TestSecondGoSDKRoundTrip(t *testing.T) {
	for name, c := range map[string]struct {
		version sdk2.SignatureVersionType
		creds   []string
	}{
		"V1":                     {sdk2.SignatureVersionV1, []string{accessKey, secretKey}},
		"V4":                     {sdk2.SignatureVersionV4, []string{accessKey, secretKey}},
		"V1 with temporary keys": {sdk2.SignatureVersionV1, []string{stsKey, stsSecret, token}},
		"V4 with temporary keys": {sdk2.SignatureVersionV4, []string{stsKey, stsSecret, token}},
	} {
		t.Run(name, func(t *testing.T) {
			s, url := start(t)
			must(t, s.CreateBucket(t.Context(), "bucket"))
			roundTrip2(t, client2(t, url, c.version, c.creds...))
		})
	}
}

var bucket2 = sdk2.Ptr("bucket")

func roundTrip2(t *testing.T, c *sdk2.Client) {
	ctx := t.Context()
	for _, key := range hostileKeys() {
		put, err := c.PutObject(ctx, &sdk2.PutObjectRequest{
			Bucket: bucket2, Key: &key, Body: strings.NewReader("body of " + key), Metadata: map[string]string{"a": "b"},
		})
		must(t, err)
		if sdk2.ToString(put.HashCRC64) == "" {
			t.Error("no checksum")
		}
		if got := read2(t, c, key); got != "body of "+key {
			t.Errorf("%q reads %q", key, got)
		}
		h, err := c.HeadObject(ctx, &sdk2.HeadObjectRequest{Bucket: bucket2, Key: &key})
		must(t, err)
		if h.Metadata["a"] != "b" || h.ContentLength != int64(len("body of "+key)) {
			t.Errorf("%q has %+v", key, h)
		}
		signedURL2(t, c, key)
	}
	want := slices.Sorted(slices.Values(hostileKeys()))
	if diff := cmp.Diff(want, listAll2(t, c)); diff != "" {
		t.Errorf("listing (-want +got):\n%s", diff)
	}
	transfer2(t, c)
	var e *sdk2.ServiceError
	if _, err := c.HeadObject(ctx, &sdk2.HeadObjectRequest{Bucket: bucket2, Key: sdk2.Ptr("absent")}); !errors.As(err, &e) || e.Code != "NoSuchKey" {
		t.Errorf("head of an absent key: %v", err)
	}
	deleteAll2(t, c)
}

func read2(t testing.TB, c *sdk2.Client, key string) string {
	t.Helper()
	r, err := c.GetObject(t.Context(), &sdk2.GetObjectRequest{Bucket: bucket2, Key: &key})
	must(t, err)
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	must(t, err)
	return string(body)
}

func signedURL2(t testing.TB, c *sdk2.Client, key string) {
	t.Helper()
	p, err := c.Presign(t.Context(), &sdk2.GetObjectRequest{Bucket: bucket2, Key: &key}, sdk2.PresignExpires(time.Minute))
	must(t, err)
	if res, body := send(t, "GET", p.URL, ""); body != "body of "+key {
		t.Errorf("%q by its URL: %d %s", key, res.StatusCode, body)
	}
}

func listAll2(t testing.TB, c *sdk2.Client) (keys []string) {
	t.Helper()
	p := c.NewListObjectsV2Paginator(&sdk2.ListObjectsV2Request{Bucket: bucket2, MaxKeys: 6})
	for p.HasNext() {
		page, err := p.NextPage(t.Context())
		must(t, err)
		for _, o := range page.Contents {
			keys = append(keys, *o.Key)
		}
	}
	return keys
}

// transfer2 uploads, copies and downloads by the SDK's parallel managers, and appends.
func transfer2(t testing.TB, c *sdk2.Client) {
	t.Helper()
	ctx := context.Background()
	data := randomBytes(700<<10 + 3)
	from, to := filepath.Join(t.TempDir(), "from"), filepath.Join(t.TempDir(), "to")
	must(t, os.WriteFile(from, data, 0o600))
	big, copied := sdk2.Ptr("big 1+2"), sdk2.Ptr("big copy")
	_, err := c.NewUploader(func(o *sdk2.UploaderOptions) { o.PartSize, o.ParallelNum = 100<<10, 3 }).
		UploadFile(ctx, &sdk2.PutObjectRequest{Bucket: bucket2, Key: big}, from)
	must(t, err)
	_, err = c.NewCopier(func(o *sdk2.CopierOptions) {
		o.PartSize, o.MultipartCopyThreshold, o.DisableShallowCopy = 100<<10, 1, true
	}).
		Copy(ctx, &sdk2.CopyObjectRequest{Bucket: bucket2, Key: copied, SourceBucket: bucket2, SourceKey: big})
	must(t, err)
	_, err = c.NewDownloader(func(o *sdk2.DownloaderOptions) { o.PartSize, o.ParallelNum = 64<<10, 3 }).
		DownloadFile(ctx, &sdk2.GetObjectRequest{Bucket: bucket2, Key: copied}, to)
	must(t, err)
	if got, err := os.ReadFile(to); err != nil || !bytes.Equal(got, data) {
		t.Errorf("the file that went up, over and down differs (%v)", err)
	}
	if read2(t, c, *big) != string(data) {
		t.Error("the uploaded object differs")
	}
	f, err := c.AppendFile(ctx, "bucket", "log")
	must(t, err)
	io.WriteString(f, "one,")
	io.WriteString(f, "two")
	must(t, f.Close())
	if got := read2(t, c, "log"); got != "one,two" {
		t.Errorf("appended %q", got)
	}
}

func deleteAll2(t testing.TB, c *sdk2.Client) {
	t.Helper()
	var all []sdk2.DeleteObject
	for _, k := range listAll2(t, c) {
		all = append(all, sdk2.DeleteObject{Key: sdk2.Ptr(k)})
	}
	res, err := c.DeleteMultipleObjects(t.Context(), &sdk2.DeleteMultipleObjectsRequest{
		Bucket: bucket2, Objects: all, EncodingType: sdk2.Ptr("url"),
	})
	must(t, err)
	if len(res.DeletedObjects) != len(all) {
		t.Errorf("%d of %d objects deleted", len(res.DeletedObjects), len(all))
	}
	if left := listAll2(t, c); len(left) != 0 {
		t.Errorf("left %q", left)
	}
	_, err = c.DeleteBucket(t.Context(), &sdk2.DeleteBucketRequest{Bucket: bucket2})
	must(t, err)
}
