package listing

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/aliyun/aliyun-oss-go-sdk/oss"

	"fcd/localcloud/oss"
	"fcd/ram"
)

// keys of the embedded OSS.
type keys struct{}

func (keys) Authenticate(string, string) (ram.Identity, error) {
	return ram.Identity{Secret: "sk", Principal: ram.Principal{Kind: ram.KindRoot, Account: "1"}}, nil
}

// TestOfARealBucket lists the embedded OSS with the real client.
func TestOfARealBucket(t *testing.T) {
	s, err := oss.New(oss.Options{Dir: t.TempDir(), Keys: keys{}, Region: "cn-shanghai", AccountID: "1"})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s)
	t.Cleanup(func() { srv.Close(); must(t, s.Close()) })
	client, err := sdk.New(srv.URL, "ak", "sk", sdk.AuthVersion(sdk.AuthV4), sdk.Region("cn-shanghai"), sdk.HTTPClient(srv.Client()))
	must(t, err)
	must(t, client.CreateBucket("photos"))
	real, err := client.Bucket("photos")
	must(t, err)
	b := newBench(t)
	b.restart(func(o *Options) { o.List, o.Prefix = SDK{Bucket: real, Page: 10}, "in/" })

	for i := range 25 {
		must(t, real.PutObject(fmt.Sprintf("in/%04d", i), strings.NewReader("x")))
	}
	b.round()
	must(t, real.PutObject("in/你好 a+b%", strings.NewReader("12345")))
	must(t, real.PutObject("in/0021", strings.NewReader("changed")))
	must(t, real.PutObject("out/x", strings.NewReader("x")))
	_, err = real.AppendObject("in/log", strings.NewReader("ab"), 0)
	must(t, err)
	must(t, real.PutSymlink("in/symlink", "in/0001"))
	u, err := real.InitiateMultipartUpload("in/parts")
	must(t, err)
	p, err := real.UploadPart(u, strings.NewReader("part"), 4, 1)
	must(t, err)
	_, err = real.CompleteMultipartUpload(u, []sdk.UploadPart{p})
	must(t, err)
	must(t, real.DeleteObject("in/0000"))
	b.round("DeleteObject in/0000 0 -1", "PutObject in/0021 7 +6", "AppendObject in/log 2 +2", "CompleteMultipartUpload in/parts 4 +4",
		"PutSymlink in/symlink 0 +0", "PutObject in/你好 a+b% 5 +5")
	b.round()
}

// TestAnswersThatAreNoListing: a bucket that is down, slow, broken or lies gives no events, least of all removals; what
// happened meanwhile is told once it answers again.
func TestAnswersThatAreNoListing(t *testing.T) {
	s, err := oss.New(oss.Options{Dir: t.TempDir(), Keys: keys{}, Region: "cn-shanghai", AccountID: "1"})
	must(t, err)
	var fault atomic.Pointer[http.HandlerFunc]
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f := fault.Load(); f != nil {
			(*f)(w, r)
			return
		}
		s.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { srv.Close(); must(t, s.Close()) })
	client, err := sdk.New(srv.URL, "ak", "sk", sdk.AuthVersion(sdk.AuthV4), sdk.Region("cn-shanghai"), sdk.HTTPClient(srv.Client()))
	must(t, err)
	must(t, client.CreateBucket("photos"))
	real, err := client.Bucket("photos")
	must(t, err)
	b := newBench(t)
	b.restart(func(o *Options) { o.List, o.Prefix = SDK{Bucket: real, Page: 2}, "in/" })
	for i := range 5 {
		must(t, real.PutObject(fmt.Sprint("in/", i), strings.NewReader("x")))
	}
	b.round()
	says := func(status int, body string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	// rewritten changes what the second page says.
	rewritten := func(change func(string) string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) {
			rec := httptest.NewRecorder()
			s.ServeHTTP(rec, r)
			body := rec.Body.String()
			if r.URL.Query().Get("continuation-token") != "" {
				body = change(body)
			}
			_, _ = io.WriteString(w, body)
		}
	}
	n := 0
	for name, f := range map[string]http.HandlerFunc{
		"it is down":            func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"it answers 500":        says(500, "<Error><Code>InternalError</Code></Error>"),
		"it answers 503 oddly":  says(503, "busy"),
		"it refuses the key":    says(403, "<Error><Code>AccessDenied</Code></Error>"),
		"it answers nothing":    says(200, ""),
		"it answers garbage":    says(200, "<ListBucketResult><Contents><Key>in/0"),
		"it answers a page":     says(200, "<html><body>no</body></html>"),
		"it answers another":    says(200, "<ListAllMyBucketsResult></ListAllMyBucketsResult>"),
		"of another prefix":     says(200, "<ListBucketResult><Prefix>out/</Prefix></ListBucketResult>"),
		"it never answers":      func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"it is cut at a page":   rewritten(func(body string) string { return body[:len(body)/2] }),
		"it forgets its token":  rewritten(func(body string) string { return token.ReplaceAllString(body, "") }),
		"it repeats its token":  func(w http.ResponseWriter, r *http.Request) { rewritten(repeating(r))(w, r) },
		"it fails at page two":  func(w http.ResponseWriter, r *http.Request) { failing(s, w, r) },
		"its first page closes": rewritten(func(string) string { panic(http.ErrAbortHandler) }),
	} {
		t.Run(name, func(t *testing.T) {
			fault.Store(&f)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			if name == "it never answers" {
				ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
			}
			defer cancel()
			if err := b.Round(ctx); err == nil {
				t.Error("the round came to its end")
			}
			if got := b.sink.take(); len(got) > 0 {
				t.Errorf("events %q", got)
			}
			fault.Store(nil)
			n++
			must(t, real.PutObject(fmt.Sprint("in/a", n), strings.NewReader("xy")))
			b.t = t
			b.round(fmt.Sprintf("PutObject in/a%d 2 +2", n))
		})
	}
	must(t, real.DeleteObject("in/3"))
	b.t = t
	b.round("DeleteObject in/3 0 -1")
}

var token = regexp.MustCompile(`<NextContinuationToken>[^<]*</NextContinuationToken>`)

// repeating says at every page that the list goes on where this page began.
func repeating(r *http.Request) func(string) string {
	return func(body string) string {
		return token.ReplaceAllString(body, "<NextContinuationToken>"+url.QueryEscape(r.URL.Query().Get("continuation-token"))+"</NextContinuationToken>")
	}
}

// failing answers the first page alone.
func failing(s http.Handler, w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("continuation-token") != "" {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	s.ServeHTTP(w, r)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
