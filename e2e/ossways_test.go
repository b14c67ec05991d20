package e2e

import (
	"fmt"
	"strings"
	"testing"

	"fcd/config"
)

const overlapText = "event source 'oss' returned error: Cannot specify overlapping prefix and suffix with same event type.."

// TestOverlapOfOSSTriggers makes triggers beside one on oss:ObjectCreated:PutObject, prefix source, suffix zip.
func TestOverlapOfOSSTriggers(t *testing.T) {
	const put = "oss:ObjectCreated:PutObject"
	rows := []struct {
		event, prefix, suffix string
		created               bool
	}{
		{"oss:ObjectCreated:*", "source", "zip", false},
		{"oss:ObjectCreated:*", "source1", "zip1", true},
		{put, "source", "zip", false},
		{put, "source", "1zip", false},
		{put, "source1", "zip", false},
		{put, "source", "", false},
		{put, "", "zip", false},
		{put, "source1", "zip1", true},
		{put, "1source", "1zip", true},
		{"oss:ObjectCreated:PostObject", "source", "zip", true},
	}
	for _, status := range []int{400, 409} {
		t.Run(fmt.Sprint("status ", status), func(t *testing.T) {
			h := boot(t, func(c *config.Config) { c.OSS.OverlapStatus = status })
			h.service("one", "")
			h.python("one/f", "def handler(event, context):\n    pass\n")
			h.service("two", "")
			h.python("two/f", "def handler(event, context):\n    pass\n")
			h.must("POST", "/services/one/functions/f/triggers", ossTrigger("existing", bucket, ossRole, "source", "zip"))
			for i, row := range rows {
				body := ossTrigger("beside", bucket, ossRole, row.prefix, row.suffix)
				body["triggerConfig"].(m)["events"] = []string{row.event}
				a := h.do("POST", "/services/two/functions/f/triggers", body)
				switch {
				case row.created && a.status == 200:
					h.must("DELETE", "/services/two/functions/f/triggers/beside", nil)
				case row.created, a.status != status, a.code() != "InvalidArgument", a.message() != overlapText:
					t.Errorf("row %d: %d %s", i+1, a.status, a.body)
				}
			}
			h.must("PUT", "/services/one/functions/f/triggers/existing", m{"triggerConfig": m{"events": []string{"oss:ObjectCreated:*"}}})
		})
	}
	t.Run("as many as the bucket may have", func(t *testing.T) {
		h := boot(t, func(c *config.Config) { c.OSS.MaxTriggersPerBucket, c.OSS.AllowOverlap = 2, true })
		h.service("one", "")
		h.python("one/f", "def handler(event, context):\n    pass\n")
		for i := range 2 {
			h.must("POST", "/services/one/functions/f/triggers", ossTrigger(fmt.Sprint("t", i), bucket, ossRole, "", ""))
		}
		a := h.do("POST", "/services/one/functions/f/triggers", ossTrigger("t2", bucket, ossRole, "", ""))
		if a.status != 400 || !strings.Contains(a.message(), "no more are allowed") {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
}

// TestEventsThatCallersReport sends events to the ingest endpoint: of a bucket in a real account, of an S3-compatible
// store, and the same one again.
func TestEventsThatCallersReport(t *testing.T) {
	h := boot(t, func(c *config.Config) {
		c.RAM.Users = []config.User{{Name: "relay", AccessKeyID: "relaykey", AccessKeySecret: "relaysecret", Policies: []config.Policy{document(
			m{"Effect": "Allow", "Action": "fcd:PutEvents", "Resource": "acs:oss:*:*:" + bucket})}}}
	})
	relay := as("relaykey", "relaysecret", "")
	h.service("in", functionRole)
	h.python("in/see", "import json\ndef handler(event, context):\n    print('saw ' + json.loads(event)['events'][0]['oss']['object']['key'])\n")
	h.must("POST", "/services/in/functions/see/triggers", ossTrigger("t", bucket, ossRole, "in/", ""))
	event := func(bucket, key, id string) string {
		return `{"events":[{"eventName":"ObjectCreated:PutObject","oss":{"bucket":{"name":"` + bucket + `"},"object":{"key":"` + key + `"}},"responseElements":{"requestId":"` + id + `"}}]}`
	}
	first := h.must("POST", "!/fcd/v1/events/oss", event(bucket, "in/a", "1"), relay).body
	if !strings.Contains(first, `"duplicate":false`) || strings.Contains(first, `"matched":[]`) {
		t.Errorf("the first: %s", first)
	}
	if again := h.must("POST", "!/fcd/v1/events/oss", event(bucket, "in/a", "1"), relay).body; again != strings.Replace(first, "false", "true", 1) {
		t.Errorf("again: %s", again)
	}
	h.must("POST", "!/fcd/v1/events/oss", `{"Records":[{"eventName":"s3:ObjectCreated:Put","s3":{"bucket":{"name":"`+bucket+`"},"object":{"key":"in%2Fb"}},"responseElements":{"x-amz-request-id":"2"}}]}`, relay)
	if other := h.must("POST", "!/fcd/v1/events/oss", event(bucket, "out/a", "3"), relay).body; !strings.Contains(other, `"matched":[],"duplicate":false,"reason":"prefix"`) {
		t.Errorf("another prefix: %s", other)
	}
	if a := h.do("POST", "!/fcd/v1/events/oss", event("secret", "in/a", "4"), relay); a.status != 403 || a.code() != "AccessDenied" {
		t.Errorf("a bucket that the caller may not speak for: %d %s", a.status, a.body)
	}
	if n := h.metric("fcd_trigger_denied_total", "type", "oss", "reason", "verify"); n != 1 {
		t.Errorf("%v events were refused for their way, want 1", n)
	}
	h.logged("in/see", "saw in/a", "saw in/b")
	if n := h.metric("fcd_trigger_events_total", "type", "oss", "state", "queued"); n != 2 {
		t.Errorf("%v events were queued, want 2", n)
	}
}
