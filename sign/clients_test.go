package sign

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	ossv2 "github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"
	sls "github.com/aliyun/aliyun-log-go-sdk"
	"github.com/aliyun/aliyun-oss-go-sdk/oss"
)

func hexSHA256(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

const (
	clientKey    = "STS.client"
	clientSecret = "client-secret"
)

// verdicts collects what a server made of the requests it got.
type verdicts struct {
	mu   sync.Mutex
	seen []string // "V1 GET /bkt/k"
	bad  []string
}

func (v *verdicts) add(ok bool, what string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.seen = append(v.seen, what)
	if !ok {
		v.bad = append(v.bad, what)
	}
}

func (v *verdicts) check(t *testing.T, atLeast int, version string) {
	t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.bad) > 0 {
		t.Errorf("not accepted: %q", v.bad)
	}
	if len(v.seen) < atLeast {
		t.Errorf("only %d requests arrived: %q", len(v.seen), v.seen)
	}
	for _, s := range v.seen {
		if !strings.HasPrefix(s, version) {
			t.Errorf("%q is not of version %s", s, version)
		}
	}
}

// ossServer checks every request's signature, path style, and answers 200 with nothing.
func ossServer(t *testing.T, token string) (*httptest.Server, *verdicts) {
	v := &verdicts{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
		key, _ = url.PathUnescape(key)
		o, err := ParseOSS(r, bucket, key)
		ok := err == nil && o.AccessKeyID == clientKey && o.Token == token && o.Verify(clientSecret) && o.Expired(time.Now()) == nil
		what := o.Version + " " + r.Method + " " + r.URL.String()
		if err != nil {
			what += " " + err.Error()
		}
		v.add(ok, what)
	}))
	t.Cleanup(s.Close)
	return s, v
}

var objectKeys = []string{"k", "dir/a b+c.txt", "a%2Fb", "ümlaut/ключ?x=1&y#z", "a//b", "~-_.!*'()"}

func TestOSSClientV3(t *testing.T) {
	for _, c := range []struct {
		name    string
		version oss.AuthVersionType
		token   string
		extra   []oss.ClientOption
	}{
		{"V1", oss.AuthV1, "", nil},
		{"V1 with a token", oss.AuthV1, "token/+=", nil},
		{"V2", oss.AuthV2, "", nil},
		{"V2 with additional headers", oss.AuthV2, "token", []oss.ClientOption{oss.AdditionalHeaders([]string{"content-type", "user-agent"})}},
		{"V4", oss.AuthV4, "", nil},
		{"V4 with additional headers", oss.AuthV4, "token", []oss.ClientOption{oss.AdditionalHeaders([]string{"date", "user-agent"})}},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv, v := ossServer(t, c.token)
			opts := append([]oss.ClientOption{oss.AuthVersion(c.version), oss.Region("cn-shanghai"), oss.SecurityToken(c.token)}, c.extra...)
			client, err := oss.New(srv.URL, clientKey, clientSecret, opts...)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = client.ListBuckets(oss.MaxKeys(3))
			bucket, err := client.Bucket("bkt")
			if err != nil {
				t.Fatal(err)
			}
			n := 1
			for _, key := range objectKeys {
				_ = bucket.PutObject(key, strings.NewReader("x"), oss.Meta("a", "b  c"), oss.ContentType("text/plain"))
				_, _ = bucket.GetObject(key, oss.Range(0, 3), oss.ResponseContentType("a b"))
				_, _ = bucket.InitiateMultipartUpload(key)
				_ = bucket.DeleteObject(key)
				n += 4
				signed, err := bucket.SignURL(key, oss.HTTPGet, 60, oss.ResponseContentType("text/x y"))
				if err != nil {
					t.Fatal(err)
				}
				get(t, signed)
				n++
			}
			_, _ = bucket.ListObjectsV2(oss.Prefix("a b/"), oss.Delimiter("/"))
			_, _ = bucket.DeleteObjects([]string{"a", "b"})
			v.check(t, n, strings.ToUpper(string(c.version)))
		})
	}
}

func get(t *testing.T, u string) {
	t.Helper()
	resp, err := http.Get(u)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
}

func TestOSSClientV2(t *testing.T) {
	for _, c := range []struct {
		name    string
		version ossv2.SignatureVersionType
		token   string
	}{
		{"V1", ossv2.SignatureVersionV1, ""}, {"V1 with a token", ossv2.SignatureVersionV1, "token/+="},
		{"V4", ossv2.SignatureVersionV4, ""}, {"V4 with a token", ossv2.SignatureVersionV4, "token/+="},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv, v := ossServer(t, c.token)
			cfg := ossv2.LoadDefaultConfig().WithRegion("cn-shanghai").WithEndpoint(srv.URL).WithUsePathStyle(true).
				WithSignatureVersion(c.version).WithAdditionalHeaders([]string{"host", "user-agent"}).
				WithCredentialsProvider(credentials.NewStaticCredentialsProvider(clientKey, clientSecret, c.token)).WithRetryMaxAttempts(1)
			client := ossv2.NewClient(cfg)
			ctx := context.Background()
			n := 0
			for _, key := range objectKeys {
				_, _ = client.PutObject(ctx, &ossv2.PutObjectRequest{Bucket: ossv2.Ptr("bkt"), Key: ossv2.Ptr(key),
					Body: strings.NewReader("x"), Metadata: map[string]string{"a": " b  c "}})
				_, _ = client.GetObject(ctx, &ossv2.GetObjectRequest{Bucket: ossv2.Ptr("bkt"), Key: ossv2.Ptr(key), ResponseContentType: ossv2.Ptr("a b")})
				signed, err := client.Presign(ctx, &ossv2.GetObjectRequest{Bucket: ossv2.Ptr("bkt"), Key: ossv2.Ptr(key)})
				if err != nil {
					t.Fatal(err)
				}
				req, _ := http.NewRequest(signed.Method, signed.URL, nil)
				for k, val := range signed.SignedHeaders {
					req.Header.Set(k, val)
				}
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				n += 3
			}
			_, _ = client.ListObjectsV2(ctx, &ossv2.ListObjectsV2Request{Bucket: ossv2.Ptr("bkt"), Prefix: ossv2.Ptr("a b/"), ContinuationToken: ossv2.Ptr("t+/=")})
			v.check(t, n+1, c.name[:2])
		})
	}
}

func TestSLSClient(t *testing.T) {
	for _, c := range []struct {
		name    string
		version sls.AuthVersionType
		token   string
	}{
		{"V1", sls.AuthV1, ""}, {"V1 with a token", sls.AuthV1, "token"}, {"V4", sls.AuthV4, "token"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := &verdicts{}
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				s, err := ParseSLS(r, body)
				ok := err == nil && s.AccessKeyID == clientKey && s.Token == c.token && s.Verify(clientSecret) && !s.Skewed(time.Now())
				what := s.Version + " " + r.Method + " " + r.Host + " " + r.URL.String()
				if err != nil {
					what += " " + err.Error()
				}
				v.add(ok, what)
				w.Header().Set("x-log-requestid", "r")
				_, _ = w.Write([]byte("{}"))
			}))
			t.Cleanup(srv.Close)
			client := sls.CreateNormalInterface("http://sls.example", clientKey, clientSecret, c.token)
			client.SetRegion("cn-shanghai")
			client.SetAuthVersion(c.version)
			client.SetHTTPClient(&http.Client{Transport: &http.Transport{
				DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
					return (&net.Dialer{}).DialContext(ctx, network, srv.Listener.Addr().String())
				}}})
			_, _ = client.ListLogStore("proj")
			_ = client.CreateLogStore("proj", "ls", 1, 1, false, 1)
			_ = client.PutLogs("proj", "ls", &sls.LogGroup{Logs: []*sls.Log{{Time: new(uint32), Contents: []*sls.LogContent{}}}})
			_, _ = client.GetLogs("proj", "ls", "to pic", 1, 2, `k: "a b" and +x/ö*`, 100, 0, false)
			_, _ = client.GetCursor("proj", "ls", 0, "begin")
			_, _, _ = client.PullLogs("proj", "ls", 0, "MTIz+/==", "", 10)
			v.check(t, 6, c.name[:2])
		})
	}
}

func TestEncode(t *testing.T) {
	for _, c := range []struct {
		in, all, slash string
	}{
		{"a/b c+~", "a%2Fb%20c%2B~", "a/b%20c%2B~"},
		{"\x00\xff", "%00%FF", "%00%FF"},
	} {
		if got := encode(c.in, false); got != c.all {
			t.Errorf("encode(%q) = %q", c.in, got)
		}
		if got := encode(c.in, true); got != c.slash {
			t.Errorf("encode(%q) keeping slashes = %q", c.in, got)
		}
	}
}
