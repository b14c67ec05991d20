package oss_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	sdk "github.com/aliyun/aliyun-oss-go-sdk/oss"
	"github.com/google/go-cmp/cmp"
)

// hostileKeys are names that a careless path handling breaks.
func hostileKeys() []string {
	return []string{
		"a b+c", "a/b", "a", "a//b", "a/../b", "./a", "..", "100%2Fliteral", "%", "k?x=1&y#z", strings.Repeat("k", 1023),
		"图片/猫.jpg", "new\nline", "tab\tand\rreturn", `back\slash`, `"quotes"'&<>`, "trailing/", "~user", "*", "(x)!$,;:@",
	}
}

// signatures are the ways the first Go SDK signs.
func signatures() map[string][]sdk.ClientOption {
	return map[string][]sdk.ClientOption{
		"V1": {sdk.AuthVersion(sdk.AuthV1)},
		"V2": {sdk.AuthVersion(sdk.AuthV2)},
		"V4": v4(),
	}
}

func TestGoSDKRoundTripWithEverySignature(t *testing.T) {
	for name, opts := range signatures() {
		t.Run(name, func(t *testing.T) {
			_, url := start(t)
			c := client(t, url, opts...)
			roundTrip(t, c)
		})
		t.Run(name+" with temporary keys", func(t *testing.T) {
			_, url := start(t)
			roundTrip(t, clientOf(t, url, stsKey, stsSecret, append(opts, sdk.SecurityToken(token))...))
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func roundTrip(t *testing.T, c *sdk.Client) {
	must(t, c.CreateBucket("bucket"))
	b, err := c.Bucket("bucket")
	must(t, err)
	for _, key := range hostileKeys() {
		must(t, b.PutObject(key, strings.NewReader("body of "+key), sdk.Meta("a", "b"), sdk.ContentType("text/x-test")))
		if got := read(t, b, key); got != "body of "+key {
			t.Errorf("%q reads %q", key, got)
		}
		h, err := b.GetObjectDetailedMeta(key)
		must(t, err)
		if h.Get("x-oss-meta-a") != "b" || h.Get("Content-Type") != "text/x-test" || h.Get("x-oss-object-type") != "Normal" {
			t.Errorf("%q has headers %v", key, h)
		}
	}
	want := slices.Sorted(slices.Values(hostileKeys()))
	if diff := cmp.Diff(want, listAll(t, b)); diff != "" {
		t.Errorf("listing (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, listAllV2(t, b)); diff != "" {
		t.Errorf("listing, version 2 (-want +got):\n%s", diff)
	}
	transferFile(t, b)
	must(t, b.DeleteObject("a b+c"))
	ok, err := b.IsObjectExist("a b+c")
	must(t, err)
	if ok {
		t.Error("a deleted object is there")
	}
	res, err := b.DeleteObjects(append(hostileKeys(), "big", "absent"))
	must(t, err)
	if len(res.DeletedObjects) != len(hostileKeys())+2 {
		t.Errorf("deleted %q", res.DeletedObjects)
	}
	must(t, c.DeleteBucket("bucket"))
}

func read(t testing.TB, b *sdk.Bucket, key string, opts ...sdk.Option) string {
	t.Helper()
	r, err := b.GetObject(key, opts...)
	must(t, err)
	defer r.Close()
	body, err := io.ReadAll(r)
	must(t, err)
	return string(body)
}

func listAll(t testing.TB, b *sdk.Bucket) (keys []string) {
	t.Helper()
	marker := ""
	for {
		res, err := b.ListObjects(sdk.MaxKeys(7), sdk.Marker(marker))
		must(t, err)
		for _, o := range res.Objects {
			keys = append(keys, o.Key)
		}
		if marker = res.NextMarker; !res.IsTruncated {
			return keys
		}
	}
}

func listAllV2(t testing.TB, b *sdk.Bucket) (keys []string) {
	t.Helper()
	next := ""
	for {
		res, err := b.ListObjectsV2(sdk.MaxKeys(7), sdk.ContinuationToken(next))
		must(t, err)
		for _, o := range res.Objects {
			keys = append(keys, o.Key)
		}
		if next = res.NextContinuationToken; !res.IsTruncated {
			return keys
		}
	}
}

// transferFile uploads and downloads a file by the SDK's own parallel transfer.
func transferFile(t *testing.T, b *sdk.Bucket) {
	t.Helper()
	data := randomBytes(1<<20 + 17)
	from, to := filepath.Join(t.TempDir(), "from"), filepath.Join(t.TempDir(), "to")
	must(t, os.WriteFile(from, data, 0o600))
	must(t, b.UploadFile("big", from, 100<<10, sdk.Routines(3), sdk.Meta("m", "n")))
	h, err := b.GetObjectDetailedMeta("big")
	must(t, err)
	if h.Get("x-oss-object-type") != "Multipart" || !strings.HasSuffix(h.Get("ETag"), `-11"`) || h.Get("x-oss-meta-m") != "n" {
		t.Errorf("headers of the completed upload: %v", h)
	}
	must(t, b.DownloadFile("big", to, 70<<10, sdk.Routines(3)))
	got, err := os.ReadFile(to)
	must(t, err)
	if !bytes.Equal(got, data) {
		t.Error("the downloaded file differs")
	}
	if got := read(t, b, "big"); got != string(data) { // checked against the server's CRC
		t.Error("the whole object differs")
	}
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func TestListingGroupsByDelimiterAndPages(t *testing.T) {
	_, url := start(t)
	c := client(t, url, v4()...)
	must(t, c.CreateBucket("bucket"))
	b, err := c.Bucket("bucket")
	must(t, err)
	for i := range 30 {
		must(t, b.PutObject(fmt.Sprintf("dir%d/file%d", i/10, i%10), strings.NewReader("x")))
	}
	must(t, b.PutObject("dir", strings.NewReader("x")))
	must(t, b.PutObject("zed", strings.NewReader("x")))
	for _, size := range []int{1, 2, 3, 5, 100} {
		var got []string
		marker := ""
		for {
			res, err := b.ListObjects(sdk.Delimiter("/"), sdk.MaxKeys(size), sdk.Marker(marker))
			must(t, err)
			for _, o := range res.Objects {
				got = append(got, o.Key)
			}
			got = append(got, res.CommonPrefixes...)
			if marker = res.NextMarker; !res.IsTruncated {
				break
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff([]string{"dir", "dir0/", "dir1/", "dir2/", "zed"}, got); diff != "" {
			t.Errorf("pages of %d (-want +got):\n%s", size, diff)
		}
	}
	res, err := b.ListObjectsV2(sdk.Prefix("dir1/"), sdk.Delimiter("/"), sdk.StartAfter("dir1/file7"))
	must(t, err)
	if len(res.Objects) != 2 || len(res.CommonPrefixes) != 0 {
		t.Errorf("listing below dir1/: %+v", res)
	}
}
