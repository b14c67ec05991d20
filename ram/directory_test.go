package ram

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"fcd/fc"
)

const trustBoth = `{"Version":"1","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":["oss.aliyuncs.com","fc.aliyuncs.com"]}}]}`

func testOptions() Options {
	return Options{
		Account: "123456",
		Keys:    []Key{{"root-ak", "root-sk"}},
		Users: []User{{Name: "ci", Keys: []Key{{"ci-ak", "ci-sk"}}, Policies: []Policy{{Name: "AliyunFCReadOnlyAccess"},
			{Name: "own", Document: json.RawMessage(`{"Version":"1","Statement":[{"Effect":"Allow","Action":"fc:CreateService","Resource":"acs:fc:*:123456:services/ci-*"}]}`)}}}},
		Roles: []Role{
			{Name: "Invoke", Trust: json.RawMessage(trustBoth), Policies: []Policy{{Name: "AliyunFCInvocationAccess"}}},
			{Name: "no-trust", Trust: json.RawMessage(strings.ReplaceAll(trustBoth, "aliyuncs", "example")), Policies: []Policy{{Name: "AliyunFCInvocationAccess"}}},
			{Name: "no-policy", Trust: json.RawMessage(trustBoth)},
		},
		Clock: clock,
	}
}

func testDirectory(t testing.TB, change func(*Options)) *Directory {
	t.Helper()
	o := testOptions()
	if change != nil {
		change(&o)
	}
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Options)
		want   string
	}{
		{"an account that is no number", func(o *Options) { o.Account = "acme" }, "acme"},
		{"a mode of its own", func(o *Options) { o.Mode = "strict" }, "strict"},
		{"a check of its own", func(o *Options) { o.CheckAtCreate = "x" }, "role check"},
		{"a short master key", func(o *Options) { o.Master = []byte("x") }, "master key"},
		{"credentials for a minute", func(o *Options) { o.CredentialLife = time.Minute }, "1m"},
		{"credentials fresher than half their life", func(o *Options) { o.CredentialFresh = time.Hour }, "freshness"},
		{"a key given twice", func(o *Options) { o.Users[0].Keys[0].ID = "root-ak" }, "twice"},
		{"a key without a secret", func(o *Options) { o.Keys[0].Secret = "" }, "no secret"},
		{"a key that looks temporary", func(o *Options) { o.Keys[0].ID = "STS.x" }, "STS."},
		{"a key with a colon", func(o *Options) { o.Keys[0].ID = "a:b" }, "a:b"},
		{"a user without a name", func(o *Options) { o.Users[0].Name = "" }, "name"},
		{"a user given twice", func(o *Options) { o.Users = append(o.Users, User{Name: "ci"}) }, "twice"},
		{"a role given twice, but for case", func(o *Options) { o.Roles[1].Name = "INVOKE" }, "twice"},
		{"a role without trust", func(o *Options) { o.Roles[0].Trust = nil }, `role "Invoke": trust`},
		{"a policy that is nowhere", func(o *Options) { o.Roles[0].Policies[0].Name = "Nope" }, `policy "Nope"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := testOptions()
			c.change(&o)
			if _, err := New(o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
	if _, err := New(Options{}); err != nil {
		t.Errorf("the zero Options: %v", err)
	}
}

func TestAuthenticatePermanentKeys(t *testing.T) {
	d := testDirectory(t, nil)
	id, err := d.Authenticate("root-ak", "")
	if err != nil || id.Secret != "root-sk" || id.Principal.ARN() != "acs:ram::123456:root" {
		t.Errorf("root: %+v %v", id.Principal, err)
	}
	id, err = d.Authenticate("ci-ak", "")
	if err != nil || id.Secret != "ci-sk" || id.Principal.ARN() != "acs:ram::123456:user/ci" {
		t.Errorf("user: %+v %v", id.Principal, err)
	}
	_, err = d.Authenticate("nobody", "")
	var e *fc.Error
	if !errors.As(err, &e) || e.Code != fc.InvalidAccessKeyID || e.Message != "invalid access key ID 'nobody'" {
		t.Errorf("nobody: %v", err)
	}
	if _, err := d.Authenticate("root-ak", "token"); fc.CodeOf(err) != fc.AccessDenied {
		t.Errorf("a permanent key with a token: %v", err)
	}
}

func TestAllowed(t *testing.T) {
	d := testDirectory(t, nil)
	ci := Principal{Kind: KindUser, Account: "123456", Name: "ci"}
	for _, c := range []struct {
		name      string
		principal Principal
		action    string
		resource  string
		want      bool
	}{
		{"root may everything", Principal{Kind: KindRoot, Account: "123456"}, "fc:DeleteService", "acs:fc:r:123456:services/x", true},
		{"root of another account may nothing", Principal{Kind: KindRoot, Account: "9"}, "fc:DeleteService", "x", false},
		{"a user may what a policy says", ci, "fc:CreateService", "acs:fc:r:123456:services/ci-1", true},
		{"a user may nothing else", ci, "fc:CreateService", "acs:fc:r:123456:services/prod", false},
		{"a user that is gone may nothing", Principal{Kind: KindUser, Account: "123456", Name: "old"}, "fc:GetService", "x", false},
		{"a role may what its policies say", Principal{Kind: KindRole, Account: "123456", Name: "invoke"}, "fc:InvokeFunction", resizeARN, true},
		{"a role may nothing else", Principal{Kind: KindRole, Account: "123456", Name: "invoke"}, "oss:GetObject", "x", false},
		{"the zero principal may nothing", Principal{}, "fc:GetService", "x", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := d.Allowed(c.principal, c.action, c.resource, nil)
			if (err == nil) != c.want || err != nil && fc.CodeOf(err) != fc.AccessDenied {
				t.Errorf("got %v", err)
			}
		})
	}
	var e *fc.Error
	err := d.Allowed(ci, "ram:PassRole", "acs:ram::123456:role/x", Env{"acs:Service": "fc.aliyuncs.com"})
	want := "the caller is not authorized to perform 'ram:PassRole' on resource 'acs:ram::123456:role/x' with condition '[acs:Service=fc.aliyuncs.com]'"
	if !errors.As(err, &e) || e.Message != want {
		t.Errorf("got %v", err)
	}
}

func TestAuthorizeNamesTheMissingPiece(t *testing.T) {
	d := testDirectory(t, nil)
	for _, c := range []struct{ role, service, resource, want string }{
		{"acs:ram::123456:role/invoke", "oss.aliyuncs.com", resizeARN, ""},
		{"acs:ram::123456:role/INVOKE", "oss.aliyuncs.com", resizeARN, ""},
		{"acs:ram::123456:role/invoke", "log.aliyuncs.com", resizeARN, ReasonTrust},
		{"acs:ram::123456:role/no-trust", "oss.aliyuncs.com", resizeARN, ReasonTrust},
		{"acs:ram::123456:role/no-policy", "oss.aliyuncs.com", resizeARN, ReasonPolicy},
		{"acs:ram::123456:role/none", "oss.aliyuncs.com", resizeARN, ReasonRoleMissing},
		{"acs:ram::999:role/invoke", "oss.aliyuncs.com", resizeARN, ReasonRoleMissing},
		{"invoke", "oss.aliyuncs.com", resizeARN, ReasonRoleMissing},
		{"", "oss.aliyuncs.com", resizeARN, ReasonRoleMissing},
	} {
		err := d.Authorize(c.role, c.service, "fc:InvokeFunction", c.resource)
		var r *Refusal
		if got := errors.As(err, &r); got != (c.want != "") || got && r.Reason != c.want {
			t.Errorf("%s through %q: %v", c.service, c.role, err)
		}
	}
}

func TestModes(t *testing.T) {
	core, logs := observer.New(zap.WarnLevel)
	warn := testDirectory(t, func(o *Options) { o.Mode, o.Log = ModeWarn, zap.New(core) })
	off := testDirectory(t, func(o *Options) { o.Mode = ModeOff })
	ci := Principal{Kind: KindUser, Account: "123456", Name: "ci"}
	for name, d := range map[string]*Directory{"warn": warn, "off": off} {
		if err := d.Allowed(ci, "fc:DeleteService", "x", nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := d.Authorize("acs:ram::123456:role/none", "oss.aliyuncs.com", "fc:InvokeFunction", resizeARN); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		c, err := d.Credentials(context.Background(), "acs:ram::123456:role/none", "s/f")
		if err != nil || c.AccessKeyID == "" {
			t.Errorf("%s: no credentials for a role that is not declared: %v", name, err)
		}
		if _, err := d.Authenticate(c.AccessKeyID, c.SecurityToken); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if logs.FilterMessage("request would be denied").Len() != 1 || logs.FilterMessage("delivery would be denied").Len() != 1 {
		t.Errorf("logged %v", logs.All())
	}
}

func TestCheckInvocationRole(t *testing.T) {
	strict, syntax := testDirectory(t, nil), testDirectory(t, func(o *Options) { o.CheckAtCreate = CheckSyntax })
	for _, c := range []struct {
		role           string
		strict, syntax fc.Code
		names          string
	}{
		{"acs:ram::123456:role/invoke", "", "", ""},
		{"acs:ram::123456:role/none", fc.AccessDenied, "", "does not exist"},
		{"acs:ram::123456:role/no-trust", fc.AccessDenied, "", "does not trust the service 'oss.aliyuncs.com'"},
		{"acs:ram::123456:role/no-policy", fc.AccessDenied, "", "does not allow 'fc:InvokeFunction' on resource '" + resizeARN},
		{"acs:ram::999:role/invoke", fc.InvalidArgument, fc.InvalidArgument, "account 123456"},
		{"acs:ram::123456:user/invoke", fc.InvalidArgument, fc.InvalidArgument, "not a role name"},
		{"", fc.InvalidArgument, fc.InvalidArgument, "invocationRole"},
	} {
		err := strict.CheckInvocationRole(c.role, "oss.aliyuncs.com", resizeARN)
		if fc.CodeOf(err) != c.strict || err != nil && !strings.Contains(err.Error(), c.names) {
			t.Errorf("strict, %q: %v", c.role, err)
		}
		if err := syntax.CheckInvocationRole(c.role, "oss.aliyuncs.com", resizeARN); fc.CodeOf(err) != c.syntax {
			t.Errorf("syntax, %q: %v", c.role, err)
		}
	}
}

func TestReplaceKeepsTheOldGenerationOnError(t *testing.T) {
	d := testDirectory(t, nil)
	c, err := d.Credentials(context.Background(), "acs:ram::123456:role/invoke", "")
	if err != nil {
		t.Fatal(err)
	}
	bad := testOptions()
	bad.Roles[0].Trust = json.RawMessage(`{}`)
	if err := d.Replace(bad); err == nil {
		t.Error("a bad trust document was taken")
	}
	if err := d.Replace(Options{Account: "9"}); err == nil {
		t.Error("another account was taken")
	}
	if _, err := d.Authenticate("root-ak", ""); err != nil {
		t.Errorf("the old keys are gone: %v", err)
	}
	good := testOptions()
	good.Keys[0] = Key{"new-ak", "new-sk"}
	if err := d.Replace(good); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Authenticate("root-ak", ""); err == nil {
		t.Error("the old key is still good")
	}
	if _, err := d.Authenticate("new-ak", ""); err != nil {
		t.Error(err)
	}
	if _, err := d.Authenticate(c.AccessKeyID, c.SecurityToken); err != nil {
		t.Errorf("temporary credentials did not survive: %v", err)
	}
	good.Roles = nil
	if err := d.Replace(good); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Authenticate(c.AccessKeyID, c.SecurityToken); fc.CodeOf(err) != fc.AccessDenied {
		t.Errorf("credentials of a role that is gone: %v", err)
	}
}

func TestCredentials(t *testing.T) {
	now := testNow
	core, logs := observer.New(zap.WarnLevel)
	d := testDirectory(t, func(o *Options) { o.Clock, o.Log = func() time.Time { return now }, zap.New(core) })
	ctx := context.Background()
	role := "acs:ram::123456:role/invoke"
	if c, err := d.Credentials(ctx, "", "s/f"); err != nil || c != (fc.Credentials{}) {
		t.Errorf("without a role: %v", err)
	}
	for _, bad := range []string{"acs:ram::123456:role/none", "acs:ram::123456:role/no-trust", "x", "acs:ram::9:role/invoke"} {
		for range 2 {
			if c, err := d.Credentials(ctx, bad, "s/f"); err != nil || c != (fc.Credentials{}) {
				t.Errorf("%s: %v", bad, err)
			}
		}
	}
	if logs.Len() != 4 {
		t.Errorf("%d warnings, want one per role", logs.Len())
	}
	a, err := d.Credentials(ctx, role, "s/f")
	if err != nil {
		t.Fatal(err)
	}
	if len(a.AccessKeyID) != len("STS.")+24 || !a.Expiration.Equal(now.Add(time.Hour)) {
		t.Errorf("key %q until %v", a.AccessKeyID, a.Expiration)
	}
	id, err := d.Authenticate(a.AccessKeyID, a.SecurityToken)
	if err != nil || id.Secret != a.AccessKeySecret || id.Principal != (Principal{Kind: KindRole, Account: "123456", Name: "Invoke", Session: "s/f"}) {
		t.Errorf("%+v %v", id.Principal, err)
	}
	now = now.Add(40 * time.Minute)
	if b, _ := d.Credentials(ctx, role, "s/f"); b != a {
		t.Error("renewed with 20 minutes left")
	}
	if b, _ := d.Credentials(ctx, role, "s/g"); b == a {
		t.Error("two functions share credentials")
	}
	now = now.Add(time.Second)
	if b, _ := d.Credentials(ctx, role, "s/f"); b == a || !b.Expiration.Equal(now.Add(time.Hour)) {
		t.Error("not renewed with less than a third of its life left")
	}
	other := "A"
	if a.SecurityToken[:1] == other {
		other = "B"
	}
	for _, c := range []struct {
		name, ak, token string
		at              time.Time
	}{
		{"no token", a.AccessKeyID, "", now},
		{"a token that is none", a.AccessKeyID, "x", now},
		{"a token of another key", "STS.other", a.SecurityToken, now},
		{"a token changed", a.AccessKeyID, other + a.SecurityToken[1:], now},
		{"a token cut", a.AccessKeyID, a.SecurityToken[:10], now},
		{"a token expired", a.AccessKeyID, a.SecurityToken, a.Expiration},
	} {
		now = c.at
		if _, err := d.Authenticate(c.ak, c.token); fc.CodeOf(err) != fc.AccessDenied {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	stranger := testDirectory(t, nil)
	if _, err := stranger.Authenticate(a.AccessKeyID, a.SecurityToken); fc.CodeOf(err) != fc.AccessDenied {
		t.Errorf("sealed with another master key: %v", err)
	}
}

func TestStaticCredentials(t *testing.T) {
	static := fc.Credentials{AccessKeyID: "a", AccessKeySecret: "b"}
	d := testDirectory(t, func(o *Options) { o.Roles[0].Static = &static })
	if c, err := d.Credentials(context.Background(), "acs:ram::123456:role/invoke", ""); err != nil || c != static {
		t.Errorf("%v", err)
	}
}

func TestLoadMaster(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "master")
	keys := make([][]byte, 8)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			key, err := LoadMaster(path)
			if err != nil {
				t.Error(err)
			}
			keys[i] = key
		})
	}
	wg.Wait()
	for _, k := range keys {
		if len(k) != 32 || string(k) != string(keys[0]) {
			t.Fatal("eight callers at once got different keys")
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".master-*")); len(left) > 0 {
		t.Errorf("left %q behind", left)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadMaster(path); err == nil {
		t.Error("a key that others may read is taken")
	}
	short := filepath.Join(dir, "short")
	if err := os.WriteFile(short, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadMaster(short); err == nil {
		t.Error("a short key is taken")
	}
	if _, err := LoadMaster(filepath.Join(dir, "no", "dir")); err == nil {
		t.Error("a key in no directory is taken")
	}
}

func FuzzToken(f *testing.F) {
	d := testDirectory(f, func(o *Options) { o.Master = []byte(strings.Repeat("k", 32)) })
	c, _ := d.Credentials(context.Background(), "acs:ram::123456:role/invoke", "s/f")
	f.Add(c.AccessKeyID, c.SecurityToken)
	f.Add("STS.x", base64.RawURLEncoding.EncodeToString(make([]byte, 40)))
	f.Fuzz(func(t *testing.T, ak, token string) {
		id, err := d.Authenticate(ak, token)
		if err == nil && id.Principal.Kind == KindRole && id.Principal.Name != "Invoke" {
			t.Errorf("forged %+v", id.Principal)
		}
	})
}

func FuzzParseRole(f *testing.F) {
	for _, s := range []string{"acs:ram::123456:role/invoke", "acs:oss:r:1:bucket", "acs:fc:r:1:services/s/functions/f", ":::::", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if a, err := fc.ParseARN(s); err == nil && a.String() != s {
			t.Errorf("%q became %q", s, a)
		}
		if account, name, err := ParseRole(s); err == nil && "acs:ram::"+account+":role/"+name != s {
			t.Errorf("%q became %q %q", s, account, name)
		}
	})
}

func BenchmarkAuthorize(b *testing.B) {
	d := testDirectory(b, nil)
	b.ReportAllocs()
	for b.Loop() {
		if err := d.Authorize("acs:ram::123456:role/invoke", "oss.aliyuncs.com", "fc:InvokeFunction", resizeARN); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAuthenticateTemporary(b *testing.B) {
	d := testDirectory(b, nil)
	c, err := d.Credentials(context.Background(), "acs:ram::123456:role/invoke", "s/f")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Authenticate(c.AccessKeyID, c.SecurityToken); err != nil {
			b.Fatal(err)
		}
	}
}
