package oss_test

import (
	"strings"
	"testing"
	"time"

	sdk "github.com/aliyun/aliyun-oss-go-sdk/oss"
	"github.com/google/go-cmp/cmp"

	"fcd/fc"
	"fcd/localcloud/oss"
	"fcd/ram"
)

func TestRefusedSignatures(t *testing.T) {
	b := bucketOf(t)
	url := b.Client.Config.Endpoint
	for name, v := range signatures() {
		get := func(ak, secret string, opts ...sdk.ClientOption) error {
			b, err := clientOf(t, url, ak, secret, append(v, opts...)...).Bucket("bucket")
			must(t, err)
			_, err = b.ListObjects()
			return err
		}
		t.Run(name, func(t *testing.T) {
			wantCode(t, get(accessKey, "wrong"), 403, "SignatureDoesNotMatch")
			wantCode(t, get("nobody", secretKey), 403, "InvalidAccessKeyId")
			wantCode(t, get(stsKey, stsSecret), 403, "InvalidSecurityToken")
			wantCode(t, get(stsKey, stsSecret, sdk.SecurityToken("forged")), 403, "InvalidSecurityToken")
			wantCode(t, get(stsKey, "wrong", sdk.SecurityToken(token)), 403, "SignatureDoesNotMatch")
		})
	}
	res, body := send(t, "GET", url+"/bucket/k", "")
	if res.StatusCode != 403 || !strings.Contains(body, "<Code>AccessDenied</Code>") {
		t.Errorf("anonymous: %d %s", res.StatusCode, body)
	}
}

func TestSkewedRequestIsRefused(t *testing.T) {
	_, url := start(t, func(o *oss.Options) { o.Now = func() time.Time { return time.Now().Add(time.Hour) } })
	_, err := client(t, url, v4()...).ListBuckets()
	wantCode(t, err, 403, "RequestTimeTooSkewed")
}

type policyFunc func(p ram.Principal, action, resource string, env ram.Env) error

func (f policyFunc) Allowed(p ram.Principal, action, resource string, env ram.Env) error {
	return f(p, action, resource, env)
}

func TestPoliciesAreAskedForEveryRequest(t *testing.T) {
	var asked []string
	deny := ""
	b := bucketOf(t, func(o *oss.Options) {
		o.Policy = policyFunc(func(p ram.Principal, action, resource string, env ram.Env) error {
			asked = append(asked, action+" "+resource)
			if env["acs:SourceIp"] != "127.0.0.1" || p.Kind != ram.KindRoot {
				t.Errorf("principal %+v, conditions %v", p, env)
			}
			if deny != "" && strings.HasPrefix(action+" "+resource, deny) {
				return fc.Errorf(fc.AccessDenied, "no %s for you", action)
			}
			return nil
		})
	})
	must(t, b.PutObject("k", strings.NewReader("x")))
	_, err := b.CopyObject("k", "copy")
	must(t, err)
	_, err = b.ListObjects()
	must(t, err)
	_, err = b.DeleteObjects([]string{"k", "copy"})
	must(t, err)
	want := []string{
		"oss:PutBucket acs:oss:*:123456789:bucket",
		"oss:PutObject acs:oss:*:123456789:bucket/k",
		"oss:PutObject acs:oss:*:123456789:bucket/copy", "oss:GetObject acs:oss:*:123456789:bucket/k",
		"oss:ListObjects acs:oss:*:123456789:bucket",
		"oss:DeleteObject acs:oss:*:123456789:bucket/k", "oss:DeleteObject acs:oss:*:123456789:bucket/copy",
	}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	must(t, b.PutObject("k", strings.NewReader("x")))
	for _, deny = range []string{"oss:DeleteObject acs:oss:*:123456789:bucket/k"} {
		wantCode(t, b.DeleteObject("k"), 403, "AccessDenied")
		_, err = b.DeleteObjects([]string{"other", "k"})
		wantCode(t, err, 403, "AccessDenied")
	}
	deny = "oss:GetObject"
	_, err = b.CopyObject("k", "copy")
	wantCode(t, err, 403, "AccessDenied")
	_, err = b.GetObject("k")
	wantCode(t, err, 403, "AccessDenied")
}

func TestSignedURLs(t *testing.T) {
	b := bucketOf(t)
	url := b.Client.Config.Endpoint
	for name, v := range signatures() {
		t.Run(name, func(t *testing.T) {
			sts, err := clientOf(t, url, stsKey, stsSecret, append(v, sdk.SecurityToken(token))...).Bucket("bucket")
			must(t, err)
			own, err := clientOf(t, url, accessKey, secretKey, v...).Bucket("bucket")
			must(t, err)
			for _, b := range []*sdk.Bucket{own, sts} {
				for _, key := range []string{"dir/a b+c.txt", "%2F", "猫"} {
					put, err := b.SignURL(key, sdk.HTTPPut, 60, sdk.ContentType("text/x"))
					must(t, err)
					if res, body := send(t, "PUT", put, "by url", "Content-Type", "text/x"); res.StatusCode != 200 {
						t.Fatalf("put: %d %s", res.StatusCode, body)
					}
					get, err := b.SignURL(key, sdk.HTTPGet, 60, sdk.ResponseContentType("text/y"), sdk.ResponseContentDisposition("attachment"))
					must(t, err)
					res, body := send(t, "GET", get, "")
					if body != "by url" || res.Header.Get("Content-Type") != "text/y" || res.Header.Get("Content-Disposition") != "attachment" {
						t.Errorf("get: %d %s %v", res.StatusCode, body, res.Header)
					}
					if res, _ := send(t, "DELETE", get, ""); res.StatusCode != 403 {
						t.Errorf("a URL signed for GET deletes: %d", res.StatusCode)
					}
				}
			}
		})
	}
	late, url := start(t, func(o *oss.Options) { o.Now = func() time.Time { return time.Now().Add(2 * time.Minute) } })
	must(t, late.CreateBucket(t.Context(), "bucket"))
	b, err := client(t, url, v4()...).Bucket("bucket")
	must(t, err)
	get, err := b.SignURL("k", sdk.HTTPGet, 60)
	must(t, err)
	if res, body := send(t, "GET", get, ""); res.StatusCode != 403 || !strings.Contains(body, "<Code>AccessDenied</Code>") {
		t.Errorf("an expired URL: %d %s", res.StatusCode, body)
	}
}

func TestAccessControlListsOpenToAnybody(t *testing.T) {
	b := bucketOf(t)
	url := b.Client.Config.Endpoint + "/bucket/k"
	must(t, b.PutObject("k", strings.NewReader("open")))
	status := func(method string) int {
		res, _ := send(t, method, url, "")
		return res.StatusCode
	}
	if got := status("GET"); got != 403 {
		t.Errorf("a private object: %d", got)
	}
	must(t, b.SetObjectACL("k", sdk.ACLPublicRead))
	if acl, err := b.GetObjectACL("k"); err != nil || acl.ACL != "public-read" {
		t.Errorf("acl %v, %v", acl, err)
	}
	if get, put := status("GET"), status("PUT"); get != 200 || put != 403 {
		t.Errorf("a readable object: get %d, put %d", get, put)
	}
	must(t, b.Client.SetBucketACL("bucket", sdk.ACLPublicReadWrite))
	must(t, b.SetObjectACL("k", sdk.ACLPrivate))
	if get, put := status("GET"), status("PUT"); get != 403 || put != 403 {
		t.Errorf("a private object in an open bucket: get %d, put %d", get, put)
	}
	must(t, b.SetObjectACL("k", sdk.ACLDefault))
	if get, put := status("GET"), status("PUT"); get != 200 || put != 200 {
		t.Errorf("an object in an open bucket: get %d, put %d", get, put)
	}
}
