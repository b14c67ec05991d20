package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	sls "github.com/aliyun/aliyun-log-go-sdk"
	"github.com/aliyun/aliyun-oss-go-sdk/oss"

	"fcd/config"
	"fcd/fc"
)

// users gives a daemon users whose only right is the statement.
func users(list map[string][]m) func(*config.Config) {
	return func(c *config.Config) {
		for name, statements := range list {
			c.RAM.Users = append(c.RAM.Users, config.User{Name: name, AccessKeyID: "LTAI" + name, AccessKeySecret: name + "secret",
				Policies: []config.Policy{document(statements...)}})
		}
	}
}

func user(name string) option { return as("LTAI"+name, name+"secret", "") }

const resources = "acs:fc:" + region + ":" + account + ":services/"

// TestUsersNeedEachAction lets a user without rights try every operation, and one with the single right do it.
func TestUsersNeedEachAction(t *testing.T) {
	type op struct{ action, method, path, resource string }
	ops := []op{
		{"CreateService", "POST", "/services", "new"},
		{"ListServices", "GET", "/services", "*"},
		{"GetService", "GET", "/services/svc", "svc"},
		{"UpdateService", "PUT", "/services/svc", "svc"},
		{"CreateFunction", "POST", "/services/svc/functions", "svc/functions/g"},
		{"ListFunctions", "GET", "/services/svc/functions", "svc/functions/*"},
		{"GetFunction", "GET", "/services/svc/functions/f", "svc/functions/f"},
		{"UpdateFunction", "PUT", "/services/svc/functions/f", "svc/functions/f"},
		{"GetFunctionCode", "GET", "/services/svc/functions/f/code", "svc/functions/f"},
		{"InvokeFunction", "POST", "/services/svc/functions/f/invocations", "svc/functions/f"},
		{"CreateTrigger", "POST", "/services/svc/functions/f/triggers", "svc/functions/f/triggers/u"},
		{"ListTriggers", "GET", "/services/svc/functions/f/triggers", "svc/functions/f/triggers/*"},
		{"GetTrigger", "GET", "/services/svc/functions/f/triggers/t", "svc/functions/f/triggers/t"},
		{"UpdateTrigger", "PUT", "/services/svc/functions/f/triggers/t", "svc/functions/f/triggers/t"},
		{"DeleteTrigger", "DELETE", "/services/svc/functions/f/triggers/t", "svc/functions/f/triggers/t"},
		{"DeleteFunction", "DELETE", "/services/svc/functions/f", "svc/functions/f"},
		{"DeleteService", "DELETE", "/services/svc", "svc"},
	}
	list := map[string][]m{"nobody": {allow("*", "ram:PassRole")}}
	for _, o := range ops {
		list[o.action] = []m{allow("*", "fc:"+o.action), allow("*", "ram:PassRole")}
	}
	h := furnished(t, users(list))
	bodies := map[string]any{
		"CreateService": m{"serviceName": "new"}, "UpdateService": m{"description": "d"}, "CreateFunction": functionBody(t, nil),
		"UpdateFunction": m{"timeout": 4}, "InvokeFunction": "x", "CreateTrigger": ossTrigger("u", bucket, ossRole, "u/", ""),
		"UpdateTrigger": m{"triggerConfig": m{"events": []string{"oss:ObjectCreated:*"}}},
	}
	for _, o := range ops {
		a := h.do(o.method, o.path, bodies[o.action], user("nobody"))
		if a.status != 403 || a.code() != "AccessDenied" || !strings.Contains(a.message(), "'fc:"+o.action+"'") || !strings.Contains(a.message(), resources+o.resource+"'") {
			t.Errorf("%s by nobody: %d %s", o.action, a.status, a.body)
		}
		other := ops[0].action
		if o.action == other {
			other = "GetService"
		}
		if a := h.do(o.method, o.path, bodies[o.action], user(other)); a.status != 403 {
			t.Errorf("%s by who may only %s: %d %s", o.action, other, a.status, a.body)
		}
	}
	for _, o := range ops {
		switch o.action {
		case "DeleteFunction":
			h.must("DELETE", "/services/svc/functions/f/triggers/u", nil)
		case "DeleteService":
			h.must("DELETE", "/services/svc/functions/g", nil)
		}
		if a := h.do(o.method, o.path, bodies[o.action], user(o.action)); a.status >= 300 {
			t.Errorf("%s by who may: %d %s", o.action, a.status, a.body)
		}
	}
}

// TestNarrowUsers: rights end where the resource, the role or a Deny says so.
func TestNarrowUsers(t *testing.T) {
	h := furnished(t, users(map[string][]m{
		"one":    {allow(resources+"svc/functions/f", "fc:*")},
		"norole": {allow("*", "fc:*")},
		"denied": {allow("*", "fc:*"), {"Effect": "Deny", "Action": "fc:Invoke*", "Resource": resources + "svc/functions/f"}},
		"far": {{"Effect": "Allow", "Action": "fc:*", "Resource": "*",
			"Condition": m{"IpAddress": m{"acs:SourceIp": []string{"10.0.0.0/8"}}}}},
	}))
	h.python("svc/other", pyEcho)
	for _, c := range []struct {
		user, method, path string
		body               any
		status             int
	}{
		{"one", "POST", invocations("svc/f"), "x", 200},
		{"one", "POST", invocations("svc.LATEST/f"), "x", 403},
		{"one", "POST", invocations("svc/other"), "x", 403},
		{"one", "GET", "/services/svc", nil, 403},
		{"norole", "PUT", "/services/svc", m{"role": ossRole}, 403},
		{"norole", "PUT", "/services/svc", m{"description": "d"}, 200},
		{"norole", "POST", "/services/svc/functions/f/triggers", ossTrigger("u", bucket, ossRole, "u/", ""), 403},
		{"denied", "POST", invocations("svc/f"), "x", 403},
		{"denied", "POST", invocations("svc/other"), "x", 200},
		{"far", "GET", "/services", nil, 403},
	} {
		if a := h.do(c.method, c.path, c.body, user(c.user)); a.status != c.status {
			t.Errorf("%s: %s %s: %d %s, want %d", c.user, c.method, c.path, a.status, a.body, c.status)
		}
	}
	// The same keys at the embedded OSS and Log Service.
	c := h.oss(fc.Credentials{AccessKeyID: "LTAIone", AccessKeySecret: "onesecret"})
	if _, err := c.ListBuckets(); !ossDenied(err) {
		t.Errorf("a user without rights lists buckets: %v", err)
	}
	if _, err := h.sls(fc.Credentials{AccessKeyID: "LTAIone", AccessKeySecret: "onesecret"}).ListProject(); !slsDenied(err) {
		t.Errorf("a user without rights lists projects: %v", err)
	}
}

func ossDenied(err error) bool {
	var e oss.ServiceError
	return errors.As(err, &e) && e.StatusCode == 403 && (e.Code == "AccessDenied" || e.Code == "InvalidAccessKeyId" || e.Code == "SecurityTokenExpired" || e.Code == "InvalidSecurityToken" || e.Code == "SignatureDoesNotMatch")
}

func slsDenied(err error) bool {
	var e *sls.Error
	return errors.As(err, &e) && (e.HTTPCode == 401 || e.HTTPCode == 403)
}

// TestKeysOutOfAFunction reads the temporary keys out of a function and uses them from outside with the real SDKs: they
// are worth what the role is worth, and nothing when they are changed.
func TestKeysOutOfAFunction(t *testing.T) {
	h := boot(t, func(c *config.Config) {
		c.RAM.Roles = []config.Role{{Name: "narrow", Trust: trusting("fc.aliyuncs.com"), Policies: []config.Policy{document(
			allow("acs:oss:*:*:"+bucket+"/shared/*", "oss:GetObject", "oss:PutObject"),
			allow("acs:log:*:*:project/"+project+"/logstore/"+logstore, "log:GetLogStoreLogs", "log:GetCursorOrData", "log:ListShards"),
			allow(resources+"svc/functions/f", "fc:InvokeFunction"))}}}
	})
	b := h.makeBucket(bucket)
	h.put(b, "shared/a", "for all")
	h.put(b, "own/a", "for few")
	h.service("svc", roleARN("narrow"))
	h.python("svc/f", `
import json
def handler(event, context):
    c = context.credentials
    return json.dumps({'AccessKeyID': c.access_key_id, 'AccessKeySecret': c.access_key_secret, 'SecurityToken': c.security_token})
`)
	var keys fc.Credentials
	if err := json.Unmarshal([]byte(h.returns("svc/f", "")), &keys); err != nil {
		t.Fatal(err)
	}
	mine, err := h.oss(keys).Bucket(bucket)
	if err != nil {
		t.Fatal(err)
	}
	if err := mine.PutObject("shared/b", strings.NewReader("written outside")); err != nil {
		t.Error(err)
	}
	if content, ok := get(mine, "shared/a"); !ok || content != "for all" {
		t.Errorf("read %q, %v", content, ok)
	}
	if _, err := mine.GetObject("own/a"); !ossDenied(err) {
		t.Errorf("read beyond the role: %v", err)
	}
	if err := mine.DeleteObject("shared/b"); !ossDenied(err) {
		t.Errorf("deleted beyond the role: %v", err)
	}
	if _, err := h.sls(keys).ListShards(project, logstore); err != nil {
		t.Errorf("log service: %v", err)
	}
	if err := h.sls(keys).DeleteLogStore(project, logstore); !slsDenied(err) {
		t.Errorf("deleted a logstore beyond the role: %v", err)
	}
	role := as(keys.AccessKeyID, keys.AccessKeySecret, keys.SecurityToken)
	if a := h.invoke("svc/f", "", role); a.status != 200 {
		t.Errorf("invoke as the role: %d %s", a.status, a.body)
	}
	if a := h.do("GET", "/services/svc", nil, role); a.status != 403 || a.code() != "AccessDenied" {
		t.Errorf("read a service beyond the role: %d %s", a.status, a.body)
	}
	forgedKeys(t, h, keys)
}

// forgedKeys tries keys that were never issued.
func forgedKeys(t *testing.T, h *house, keys fc.Credentials) {
	t.Helper()
	flip := func(s string) string {
		last := byte('A')
		if s[len(s)/2] == last {
			last = 'B'
		}
		return s[:len(s)/2] + string(last) + s[len(s)/2+1:]
	}
	for name, k := range map[string]fc.Credentials{
		"another token":        {AccessKeyID: keys.AccessKeyID, AccessKeySecret: keys.AccessKeySecret, SecurityToken: flip(keys.SecurityToken)},
		"no token":             {AccessKeyID: keys.AccessKeyID, AccessKeySecret: keys.AccessKeySecret},
		"another secret":       {AccessKeyID: keys.AccessKeyID, AccessKeySecret: flip(keys.AccessKeySecret), SecurityToken: keys.SecurityToken},
		"another key id":       {AccessKeyID: flip(keys.AccessKeyID), AccessKeySecret: keys.AccessKeySecret, SecurityToken: keys.SecurityToken},
		"the token as a token": {AccessKeyID: rootKey, AccessKeySecret: keys.AccessKeySecret, SecurityToken: keys.SecurityToken},
	} {
		if a := h.invoke("svc/f", "", as(k.AccessKeyID, k.AccessKeySecret, k.SecurityToken)); a.status != 403 {
			t.Errorf("%s: the API answers %d %s", name, a.status, a.body)
		}
		b, err := h.oss(k).Bucket(bucket)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := b.GetObject("shared/a"); !ossDenied(err) {
			t.Errorf("%s: OSS answers %v", name, err)
			if body != nil {
				io.Copy(io.Discard, body)
				body.Close()
			}
		}
		if _, err := h.sls(k).ListShards(project, logstore); !slsDenied(err) {
			t.Errorf("%s: the Log Service answers %v", name, err)
		}
	}
}

// TestEmbeddedServicesFromInside: a function reaches the embedded OSS and Log Service, by any of their names, only as its
// role.
func TestEmbeddedServicesFromInside(t *testing.T) {
	h := boot(t)
	b := h.makeBucket(bucket)
	h.put(b, "plain", "content")
	h.service("svc", functionRole)
	h.python("svc/f", `
import base64, email.utils, hashlib, hmac, json, os, urllib.request, urllib.error
def signed(host, bucket, key, c):
    date = email.utils.formatdate(usegmt=True)
    text = 'GET\n\n\n%s\nx-oss-security-token:%s\n/%s/%s' % (date, c.security_token, bucket, key)
    mac = base64.b64encode(hmac.new(c.access_key_secret.encode(), text.encode(), hashlib.sha1).digest()).decode()
    return urllib.request.Request('http://%s/%s' % (host, key), headers={'Date': date, 'x-oss-security-token': c.security_token,
        'Authorization': 'OSS %s:%s' % (c.access_key_id, mac)})
def outcome(request):
    try:
        return urllib.request.urlopen(request, timeout=5).read().decode()
    except urllib.error.HTTPError as e:
        return e.code
def handler(event, context):
    names = [n % event.decode() for n in ('%s.oss-cn-shanghai.aliyuncs.com', '%s.oss-cn-shanghai-internal.aliyuncs.com')]
    return json.dumps({'signed': [outcome(signed(n, event.decode(), 'plain', context.credentials)) for n in names],
        'anonymous': outcome('http://%s/plain' % names[0]), 'logs': outcome('http://`+project+`.cn-shanghai.log.aliyuncs.com/logstores'),
        'endpoints': [os.environ['FCD_OSS_ENDPOINT'], os.environ['FCD_SLS_ENDPOINT']]})
`)
	want := `{"signed": ["content", "content"], "anonymous": 403, "logs": %d, "endpoints": ["http://127.100.0.1", "http://sls.fcd.local"]}`
	got := h.returns("svc/f", bucket)
	if got != fmt.Sprintf(want, 401) && got != fmt.Sprintf(want, 403) {
		t.Errorf("inside: %s", got)
	}
	late := h.makeBucket("made-later") // while the instance lives
	h.put(late, "plain", "content")
	if got := h.returns("svc/f", "made-later"); !strings.Contains(got, `["content", "content"]`) {
		t.Errorf("inside, of a later bucket: %s", got)
	}
}
