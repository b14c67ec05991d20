package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"fcd/config"
)

// TestChecksOfATriggerWhenItIsMade goes through what must hold for a caller, a source and a role, at create and at update.
func TestChecksOfATriggerWhenItIsMade(t *testing.T) {
	trigger := "acs:fc:" + region + ":" + account + ":services/s/functions/f/triggers/"
	invoke := []config.Policy{{Name: "AliyunFCInvocationAccess"}}
	pass := func(role string) m {
		s := allow(roleARN(role), "ram:PassRole")
		s["Condition"] = m{"StringEquals": m{"acs:Service": "fc.aliyuncs.com"}}
		return s
	}
	users := map[string][]m{
		"full":    {allow(trigger+"*", "fc:CreateTrigger", "fc:UpdateTrigger", "fc:DeleteTrigger"), pass("*")},
		"no-pass": {allow(trigger+"*", "fc:CreateTrigger", "fc:UpdateTrigger")},
		"no-fc":   {pass("*")},
		"other":   {allow(trigger+"*", "fc:CreateTrigger"), pass("other")},
	}
	h := boot(t, func(c *config.Config) {
		c.RAM.Roles = []config.Role{
			{Name: "good", Trust: trusting("oss.aliyuncs.com"), Policies: invoke},
			{Name: "untrusting", Trust: trusting("log.aliyuncs.com"), Policies: invoke},
			{Name: "powerless", Trust: trusting("oss.aliyuncs.com")},
			{Name: "elsewhere", Trust: trusting("oss.aliyuncs.com"), Policies: []config.Policy{document(allow("acs:fc:*:*:services/x/functions/*", "fc:InvokeFunction"))}},
		}
		for name, statements := range users {
			c.RAM.Users = append(c.RAM.Users, config.User{Name: name, AccessKeyID: "AK" + name, AccessKeySecret: "SK", Policies: []config.Policy{document(statements...)}})
		}
	})
	h.service("s", "")
	h.python("s/f", "def handler(event, context):\n    pass\n")
	const path = "/services/s/functions/f/triggers"
	function := "acs:fc:" + region + ":" + account + ":services/s/functions/f"
	h.must("POST", path, ossTrigger("there", bucket, roleARN("good"), "there/", ""))
	for i, c := range []struct {
		what, user, role, source string
		status                   int
		code, message            string
	}{
		{"all that it takes", "full", roleARN("good"), "", 200, "", ""},
		{"a role's name in other letters", "full", roleARN("GOOD"), "", 200, "", ""},
		{"a caller without the right", "no-fc", roleARN("good"), "", 403, "AccessDenied", "the caller is not authorized to perform 'fc:%sTrigger' on resource '" + trigger},
		{"a caller who may not hand the role over", "no-pass", roleARN("good"), "", 403, "AccessDenied",
			"the caller is not authorized to perform 'ram:PassRole' on resource '" + roleARN("good") + "' with condition '[acs:Service=fc.aliyuncs.com]'"},
		{"no role", "full", "", "", 400, "InvalidArgument", "InvocationRole"},
		{"what is no role", "full", "acs:ram::" + account + ":user/good", "", 400, "InvalidArgument", "InvocationRole"},
		{"a role of another account", "full", "acs:ram::42:role/good", "", 0, "", ""}, // 400, or 403 where it cannot be handed over
		{"a source of another service", "full", roleARN("good"), "acs:log:" + region + ":" + account + ":project/p", 400, "InvalidArgument", "SourceArn"},
		{"a source in another region", "full", roleARN("good"), "acs:oss:cn-beijing:" + account + ":" + bucket, 400, "InvalidArgument", "SourceArn"},
		{"a source of another account", "full", roleARN("good"), "acs:oss:" + region + ":42:" + bucket, 400, "InvalidArgument", "SourceArn"},
		{"a source that is none", "full", roleARN("good"), "photos", 400, "InvalidArgument", "SourceArn"},
		{"a role that is not there", "full", roleARN("none"), "", 403, "AccessDenied", "role '" + roleARN("none") + "' does not exist"},
		{"a role that trusts another service", "full", roleARN("untrusting"), "", 403, "AccessDenied", "does not trust the service 'oss.aliyuncs.com'"},
		{"a role without policies", "full", roleARN("powerless"), "", 403, "AccessDenied",
			"does not allow 'fc:InvokeFunction' on resource '" + function + "': it has no policies"},
		{"a role for another function", "full", roleARN("elsewhere"), "", 403, "AccessDenied", "no statement of its policies allows it"},
	} {
		who := as("AK"+c.user, "SK", "")
		check := func(verb string, a answer) {
			t.Helper()
			want := c.message
			if strings.Contains(want, "%s") {
				want = fmt.Sprintf(want, verb)
			}
			if c.status == 0 && (a.status == 400 || a.status == 403) {
				return
			}
			if a.status != c.status || a.code() != c.code || !strings.Contains(a.message(), want) {
				t.Errorf("%s, %s: %d %s", c.what, verb, a.status, a.body)
			}
		}
		body := ossTrigger(fmt.Sprint("t", i), bucket, c.role, fmt.Sprint("p", i, "/"), "")
		if c.source != "" {
			body["sourceArn"] = c.source
		}
		check("Create", h.do("POST", path, body, who))
		if c.source == "" && c.role != "" {
			check("Update", h.do("PUT", path+"/there", m{"invocationRole": c.role}, who))
		}
	}
}

// TestCredentialsOfARealRole lets a function have the keys of a real role: those that Security Token Service gives.
func TestCredentialsOfARealRole(t *testing.T) {
	var calls atomic.Int32
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("Action") != "AssumeRole" || r.FormValue("RoleArn") != "acs:ram::42:role/real" || r.FormValue("Signature") == "" {
			http.Error(w, `{"Code":"NoPermission","Message":"no"}`, http.StatusForbidden)
			return
		}
		calls.Add(1)
		_ = json.NewEncoder(w).Encode(m{"Credentials": m{"AccessKeyId": "STS.real", "AccessKeySecret": "realsecret", "SecurityToken": "realtoken",
			"Expiration": time.Now().Add(time.Hour).UTC().Format(time.RFC3339)}})
	}))
	defer sts.Close()
	h := boot(t, func(c *config.Config) {
		c.RAM.STS = config.STS{Endpoint: sts.URL, AccessKeyID: "LTAIuser", AccessKeySecret: "usersecret", Life: time.Hour}
		c.RAM.Roles = []config.Role{
			{Name: "real", Trust: trusting("fc.aliyuncs.com"), Credentials: "sts", RemoteARN: "acs:ram::42:role/real"},
			{Name: "forbidden", Trust: trusting("fc.aliyuncs.com"), Credentials: "sts", RemoteARN: "acs:ram::42:role/forbidden"},
			{Name: "fixed", Trust: trusting("fc.aliyuncs.com"), Credentials: "static", Keys: config.Keys{AccessKeyID: "LTAIfixed", AccessKeySecret: "fixedsecret"}},
		}
	})
	for role, want := range map[string]string{"real": "STS.real realsecret realtoken", "forbidden": "  ", "fixed": "LTAIfixed fixedsecret "} {
		h.service(role, roleARN(role))
		h.python(role+"/keys", "def handler(event, context):\n    c = context.credentials\n"+
			"    return '%s %s %s' % (c.access_key_id or '', c.access_key_secret or '', c.security_token or '')\n")
		for range 2 {
			if got := h.returns(role+"/keys", ""); got != want {
				t.Errorf("a function of the role %s has %q", role, got)
			}
		}
	}
	if n := calls.Load(); n != 1 {
		t.Errorf("%d calls for two invocations", n)
	}
	for _, entry := range h.log.All() {
		for _, secret := range []string{"usersecret", "realsecret", "realtoken", "fixedsecret"} {
			if strings.Contains(fmt.Sprint(entry.Message, entry.ContextMap()), secret) {
				t.Errorf("a secret in the log: %v", entry)
			}
		}
	}
}
