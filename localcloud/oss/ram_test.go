package oss_test

import (
	"encoding/json"
	"strings"
	"testing"

	sdk "github.com/aliyun/aliyun-oss-go-sdk/oss"

	"fcd/localcloud/oss"
	"fcd/ram"
)

// TestRoleCredentialsReachWhatTheRoleMay uses the real directory: temporary keys of a role, its policy, and the token.
func TestRoleCredentialsReachWhatTheRoleMay(t *testing.T) {
	d, err := ram.New(ram.Options{
		Account: account, Keys: []ram.Key{{ID: accessKey, Secret: secretKey}},
		Roles: []ram.Role{{
			Name:  "resize",
			Trust: json.RawMessage(`{"Version":"1","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":["fc.aliyuncs.com"]}}]}`),
			Policies: []ram.Policy{{Name: "own", Document: json.RawMessage(`{"Version":"1","Statement":[
				{"Effect":"Allow","Action":"oss:GetObject","Resource":"acs:oss:*:*:bucket/in/*"},
				{"Effect":"Allow","Action":"oss:PutObject","Resource":"acs:oss:*:*:bucket/out/*"}]}`)}},
		}},
	})
	must(t, err)
	rec := newRecorder()
	_, url := start(t, func(o *oss.Options) { o.Keys, o.Policy, o.Events = d, d, rec })
	own, err := client(t, url, v4()...).Bucket("bucket")
	must(t, err)
	must(t, own.Client.CreateBucket("bucket"))
	must(t, own.PutObject("in/a", strings.NewReader("x")))
	creds, err := d.Credentials(t.Context(), "acs:ram::"+account+":role/resize", "svc/fn")
	must(t, err)
	for name, v := range signatures() {
		t.Run(name, func(t *testing.T) {
			role := func(token string) *sdk.Bucket {
				b, err := clientOf(t, url, creds.AccessKeyID, creds.AccessKeySecret, append(v, sdk.SecurityToken(token))...).Bucket("bucket")
				must(t, err)
				return b
			}
			b := role(creds.SecurityToken)
			if got := read(t, b, "in/a"); got != "x" {
				t.Errorf("read %q", got)
			}
			must(t, b.PutObject("out/a", strings.NewReader("y")))
			wantCode(t, b.PutObject("in/a", strings.NewReader("y")), 403, "AccessDenied")
			_, err := b.GetObject("out/a")
			wantCode(t, err, 403, "AccessDenied")
			_, err = b.CopyObject("out/a", "out/b")
			wantCode(t, err, 403, "AccessDenied")
			_, err = b.ListObjects()
			wantCode(t, err, 403, "AccessDenied")
			_, err = role("forged").GetObject("in/a")
			wantCode(t, err, 403, "InvalidSecurityToken")
		})
	}
	for _, e := range rec.wait(t, 4)[1:] {
		if e.PrincipalID != "resize:svc/fn" {
			t.Errorf("principal %q", e.PrincipalID)
		}
	}
}
