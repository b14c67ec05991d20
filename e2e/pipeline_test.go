package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"fcd/config"
)

// copier reads the object of the event with the real OSS client and the keys of its context, writes a copy in upper case
// and says so.
const copier = `'use strict';
const OSS = require('ali-oss');
exports.handler = function (event, context, callback) {
  const e = JSON.parse(event.toString()).events[0];
  const c = context.credentials;
  const client = new OSS({
    region: 'oss-' + e.region, bucket: e.oss.bucket.name, accessKeyId: c.accessKeyId,
    accessKeySecret: c.accessKeySecret, stsToken: c.securityToken,
    refreshSTSToken: () => Promise.resolve(c), refreshSTSTokenInterval: 3600000
  });
  console.log('event', JSON.stringify(e));
  client.get(e.oss.object.key)
    .then((got) => client.put('out/' + e.oss.object.key, Buffer.from(got.content.toString().toUpperCase())))
    .then(() => { console.log('copied', e.oss.object.key); callback(null, 'done'); }, (err) => {
      console.error('failed with', err.code, err.status);
      callback(err);
    });
};
`

// TestObjectToLog walks the whole house: an object put with the OSS SDK, the oss trigger, a function in its sandbox that
// reads and writes objects with its role's keys, its lines in the logstore.
func TestObjectToLog(t *testing.T) {
	h := boot(t)
	b := h.makeBucket(bucket)
	h.service("pipe", functionRole)
	h.deploy("pipe/copy", "nodejs8", nil, m{"code": m{"zipFile": withModule(t, copier, "ali-oss")}, "memorySize": 512})
	h.must("POST", "/services/pipe/functions/copy/triggers", ossTrigger("put", bucket, ossRole, "in/", ".txt"))

	h.put(b, "in/skip.jpg", "the suffix does not match")
	h.put(b, "other/skip.txt", "the prefix does not match")
	h.put(b, "in/你好 a+b%.txt", "hello")
	eventually(t, "the copy stands in the bucket", func() bool {
		content, ok := get(b, "out/in/你好 a+b%.txt")
		return ok && content == "HELLO"
	})
	h.logged("pipe/copy", "copied in/你好 a+b%.txt", "FC Invoke End RequestId: ")

	var ids = map[string]bool{}
	var event string
	for _, r := range h.records("pipe/copy") {
		ids[r["requestId"]] = true
		if strings.Contains(r["message"], "verbose event ") {
			event = r["message"]
		}
		if r["__topic__"] != "pipe" || r["qualifier"] != "" && r["qualifier"] != "LATEST" {
			t.Errorf("record %v", r)
		}
	}
	if len(ids) != 1 {
		t.Errorf("%d invocations for one matching object: %q", len(ids), h.lines("pipe/copy"))
	}
	checkEvent(t, event)
	if n := h.metric("fcd_trigger_events_total", "type", "oss", "state", "queued"); n != 1 {
		t.Errorf("%v events were queued, want 1", n)
	}
}

// checkEvent holds the event that the function logged against the guide's shape.
func checkEvent(t *testing.T, line string) {
	t.Helper()
	_, text, _ := strings.Cut(line, "verbose event ")
	var e struct {
		EventName, EventSource, EventTime, EventVersion, Region string
		OSS                                                     struct {
			Bucket struct{ ARN, Name, OwnerIdentity string }
			Object struct {
				Key, ETag string
				Size      int
			}
			OSSSchemaVersion, RuleID string
		}
		RequestParameters struct{ SourceIPAddress string }
		ResponseElements  struct{ RequestID string }
		UserIdentity      struct{ PrincipalID string }
	}
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		t.Fatalf("%v in %q", err, line)
	}
	if e.EventName != "ObjectCreated:PutObject" || e.EventSource != "acs:oss" || e.EventVersion != "1.0" || e.Region != region ||
		e.OSS.Bucket.ARN != "acs:oss:"+region+":"+account+":"+bucket || e.OSS.Bucket.Name != bucket ||
		e.OSS.Object.Key != "in/你好 a+b%.txt" || e.OSS.Object.Size != 5 || e.OSS.Object.ETag != "5D41402ABC4B2A76B9719D911017C592" ||
		e.OSS.OSSSchemaVersion != "1.0" || e.RequestParameters.SourceIPAddress != "127.0.0.1" || e.ResponseElements.RequestID == "" {
		t.Errorf("event %s", text)
	}
	if when, err := time.Parse(time.RFC3339, e.EventTime); err != nil || time.Since(when).Abs() > time.Minute {
		t.Errorf("event time %q", e.EventTime)
	}
}

// TestRefusedEvents shows what becomes of events that the role of the trigger, or of the service, does not allow.
func TestRefusedEvents(t *testing.T) {
	h := boot(t, func(c *config.Config) {
		c.RAM.CheckAtCreate = "syntax"
		c.RAM.Roles = []config.Role{
			{Name: "untrusting", Trust: trusting("log.aliyuncs.com"), Policies: []config.Policy{{Name: "AliyunFCInvocationAccess"}}},
			{Name: "powerless", Trust: trusting("oss.aliyuncs.com")},
			{Name: "no-oss", Trust: trusting("fc.aliyuncs.com"), Policies: []config.Policy{{Name: "AliyunLogFullAccess"}}},
		}
	})
	b := h.makeBucket(bucket)
	h.service("refused", functionRole)
	h.python("refused/never", "def handler(event, context):\n    print('ran')\n")
	for reason, role := range map[string]string{"trust": "untrusting", "policy": "powerless", "role-missing": "unheard-of"} {
		t.Run("an event is denied for "+reason, func(t *testing.T) {
			h.must("POST", "/services/refused/functions/never/triggers", ossTrigger(role, bucket, roleARN(role), role+"/", ""))
			h.put(b, role+"/x", "x")
			eventually(t, "the denial is counted", func() bool {
				return h.metric("fcd_trigger_denied_total", "type", "oss", "reason", reason) == 1
			})
			lines := h.log.FilterMessage("event denied").FilterField(stringField("reason", reason))
			if lines.Len() != 1 {
				t.Errorf("%d warnings of the denial, want 1", lines.Len())
			}
		})
	}
	if n := h.metric("fcd_async_attempts_total"); n != 0 {
		t.Errorf("%v denied events were attempted", n)
	}

	t.Run("a service role without rights on objects gets AccessDenied from OSS", func(t *testing.T) {
		h.service("poor", roleARN("no-oss"))
		h.deploy("poor/copy", "nodejs8", nil, m{"code": m{"zipFile": withModule(t, copier, "ali-oss")}, "memorySize": 512})
		h.put(b, "plain", "x")
		a := h.invoke("poor/copy", m{"events": []m{{"region": region, "oss": m{"bucket": m{"name": bucket}, "object": m{"key": "plain"}}}}}, tail)
		if a.errorType() != "HandledInvocationError" || !strings.Contains(a.tail(), "failed with AccessDenied 403") {
			t.Errorf("%s %s\n%s", a.errorType(), a.body, a.tail())
		}
	})
	t.Run("a strict daemon refuses such a trigger when it is made", func(t *testing.T) {
		strict := boot(t, func(c *config.Config) {
			c.RAM.Roles = []config.Role{{Name: "powerless", Trust: trusting("oss.aliyuncs.com")}}
		})
		strict.service("s", "")
		strict.python("s/f", "def handler(event, context):\n    pass\n")
		a := strict.do("POST", "/services/s/functions/f/triggers", ossTrigger("t", bucket, roleARN("powerless"), "", ""))
		if a.status != 403 || a.code() != "AccessDenied" || !strings.Contains(a.message(), "powerless") {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
}

// TestTimer lets a timer trigger fire each second and stops it.
func TestTimer(t *testing.T) {
	h := boot(t, func(c *config.Config) { c.Timer.AllowSubMinute = true; c.Timer.MinEvery = time.Second })
	h.service("clock", "")
	h.python("clock/tick", "def handler(event, context):\n    print('tick ' + event.decode())\n")
	path := "/services/clock/functions/tick/triggers"
	h.must("POST", path, m{"triggerName": "each", "triggerType": "timer",
		"triggerConfig": m{"cronExpression": "@every 1s", "payload": "awesome-fc", "enable": true}})
	eventually(t, "it fires twice", func() bool { return h.metric("fcd_async_attempts_total", "outcome", "succeeded") >= 2 })
	h.must("PUT", path+"/each", m{"triggerConfig": m{"cronExpression": "@every 1s", "payload": "", "enable": false}})
	h.logged("clock/tick", `","triggerName":"each","payload":"awesome-fc"}`)

	seen := map[string]bool{}
	for _, l := range h.lines("clock/tick") {
		if _, event, ok := strings.Cut(l, "tick "); ok {
			var e struct{ TriggerTime string }
			if err := json.Unmarshal([]byte(event), &e); err != nil {
				t.Fatalf("%v in %q", err, l)
			}
			if when, err := time.Parse("2006-01-02T15:04:05Z", e.TriggerTime); err != nil || time.Since(when).Abs() > time.Minute {
				t.Errorf("trigger time %q", e.TriggerTime)
			}
			if seen[e.TriggerTime] {
				t.Errorf("%s fired twice", e.TriggerTime)
			}
			seen[e.TriggerTime] = true
		}
	}
	a := h.do("POST", path, m{"triggerName": "bad", "triggerType": "timer", "triggerConfig": m{"cronExpression": "CRON_TZ=Asia/Shanghai"}})
	if a.status != 400 || a.code() != "InvalidArgument" {
		t.Errorf("a broken expression: %d %s", a.status, a.body)
	}
}
