package e2e

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fcd/config"
	"fcd/triggers/ways/waystest"
)

const pushToken = "0123456789abcdef0123456789abcdef"

// eventOf is what Object Storage sends for a put.
func eventOf(bucket, key, requestID string) string {
	return `{"events":[{"eventName":"ObjectCreated:PutObject","eventSource":"acs:oss","eventTime":"2017-04-21T12:46:37.000Z","eventVersion":"1.0","oss":{"bucket":{"arn":"acs:oss:` +
		region + ":" + account + ":" + bucket + `","name":"` + bucket + `"},"object":{"key":"` + key + `","size":1}},"responseElements":{"requestId":"` + requestID + `"}}]}`
}

// seeing makes a function that logs the keys that it sees, with an oss trigger on the bucket.
func seeing(h *house) {
	h.service("in", functionRole)
	h.python("in/see", "import json\ndef handler(event, context):\n    o = json.loads(event)['events'][0]\n    print(o['eventName'] + ' ' + o['oss']['object']['key'])\n")
	body := ossTrigger("t", bucket, ossRole, "", "")
	body["triggerConfig"].(m)["events"] = []string{"oss:ObjectCreated:*", "oss:ObjectRemoved:*"}
	h.must("POST", "/services/in/functions/see/triggers", body)
}

// TestQueueAndPush brings events of a bucket that is elsewhere: by a queue, by pushes, and one by both.
func TestQueueAndPush(t *testing.T) {
	q := &waystest.FakeMNS{}
	service := httptest.NewServer(q)
	t.Cleanup(service.Close) // after the daemon has stopped
	h := boot(t, func(c *config.Config) {
		c.Triggers.Queues = []config.TriggerQueue{{Name: "photos", Endpoint: service.URL, Queue: "events", EventSource: config.EventSource{Bucket: bucket},
			AccessKeyID: waystest.AccessKeyID, AccessKeySecret: waystest.AccessKeySecret, DeniedMax: 3}}
		c.Triggers.Push = config.TriggerPush{Listen: "127.0.0.1:0", Bindings: []config.TriggerBinding{{Name: "photos", From: "mns", EventSource: config.EventSource{Bucket: bucket}, Token: pushToken}}}
	})
	seeing(h)
	q.Send(eventOf(bucket, "by-queue", "1"))
	q.Send(eventOf(bucket, "by-both", "2"))
	q.Send("what is this")
	h.logged("in/see", "ObjectCreated:PutObject by-queue", "ObjectCreated:PutObject by-both")
	eventually(t, "the queue is empty", func() bool { return q.Left() == 0 })
	if n := h.metric("fcd_ways_messages_total", "way", "queue", "name", "photos", "outcome", "kept"); n != 1 {
		t.Errorf("%v messages became dead letters, want 1", n)
	}
	if got := h.must("GET", "!/fcd/v1/deadletters?function=way:queue/photos", nil).object(t)["deadLetters"].([]any); len(got) != 1 {
		t.Errorf("dead letters of the queue: %v", got)
	}
	if got := h.must("GET", "!/fcd/v1/deadletters?function=way:queue/others", nil).object(t)["deadLetters"].([]any); len(got) != 0 {
		t.Errorf("dead letters of a queue that is not there: %v", got)
	}

	push := func(path string) int {
		t.Helper()
		r := waystest.NewFakeTopic(t).Push(t, h.e.Push+path, eventOf(bucket, "by-both", "2"), nil)
		res, err := h.http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	if status := push("/push/photos/" + pushToken); status != http.StatusForbidden {
		t.Errorf("a push that somebody else signed: %d", status)
	}
	if status := push("/2016-08-15/services"); status != http.StatusForbidden {
		t.Errorf("the API on the push listener: %d", status)
	}
	if a := h.do("POST", "!/push/photos/"+pushToken, "x"); a.status != 400 || a.code() != "PathNotSupported" {
		t.Errorf("a push on the API's listener: %d %s", a.status, a.body)
	}
	if dup := h.must("POST", "!/fcd/v1/events/oss", eventOf(bucket, "by-both", "2")).body; !strings.Contains(dup, `"duplicate":true`) {
		t.Errorf("the same event by another way: %s", dup)
	}
}

func TestThePushListenerIsOffByDefault(t *testing.T) {
	if h := boot(t); h.e.Push != "" {
		t.Errorf("pushes are taken at %s", h.e.Push)
	}
}

// TestListing finds what happened in a bucket whose own events go nowhere, over restarts of the daemon.
func TestListing(t *testing.T) {
	dir := t.TempDir()
	first := bootIn(t, dir)
	b := first.makeBucket(bucket)
	first.put(b, "old", "x")
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	listed := func(c *config.Config) {
		c.Triggers.Listings = []config.TriggerListing{{Name: "photos", Bucket: bucket, Interval: 1 << 40, MaxKeys: 1000}}
	}
	round := func(h *house) {
		t.Helper()
		eventually(t, "the bucket was listed", func() bool {
			return h.metric("fcd_ways_messages_total", "way", "listing", "name", "photos", "outcome", "accepted") == 1
		})
	}
	second := bootIn(t, dir, listed)
	round(second)
	second.put(second.makeBucket(bucket), "new", "x")
	if err := second.stop(); err != nil {
		t.Fatal(err)
	}
	// The trigger is made after the put, so that only the listing can tell of it.
	third := bootIn(t, dir)
	seeing(third)
	if err := third.stop(); err != nil {
		t.Fatal(err)
	}
	fourth := bootIn(t, dir, listed)
	round(fourth)
	fourth.logged("in/see", "ObjectCreated:PutObject new")
	if n := fourth.metric("fcd_trigger_events_total", "type", "oss", "state", "queued"); n != 1 {
		t.Errorf("%v events were queued, want 1", n)
	}
}

// TestUnwantedEventsAreDeliveredOnceATriggerWantsThem replays events that no trigger wanted when they came.
func TestUnwantedEventsAreDeliveredOnceATriggerWantsThem(t *testing.T) {
	h := boot(t, func(c *config.Config) {
		for name, service := range map[string]string{"mns": "mns.aliyuncs.com", "cdn": "cdn.aliyuncs.com", "ots": "ots.aliyuncs.com"} {
			c.RAM.Roles = append(c.RAM.Roles, config.Role{Name: name, Trust: trusting(service), Policies: []config.Policy{{Name: "AliyunFCInvocationAccess"}}})
		}
	})
	h.service("in", functionRole)
	h.python("in/see", "def handler(event, context):\n    print('saw ' + event.decode())\n")
	triggers := "/services/in/functions/see/triggers"
	topic, table := "acs:mns:"+region+":"+account+":/topics/T", "acs:ots:"+region+":"+account+":instance/i/table/t"
	make := func(name, kind, source, role string, config m) {
		t.Helper()
		h.must("POST", triggers, m{"triggerName": name, "triggerType": kind, "sourceArn": source, "invocationRole": roleARN(role), "triggerConfig": config})
	}
	send := func(kind, body string, options ...option) string {
		t.Helper()
		got := h.must("POST", "!/fcd/v1/events/"+kind, body, options...).object(t)["events"].([]any)[0].(m)
		if len(got["matched"].([]any)) != 0 {
			t.Errorf("%s is wanted: %v", kind, got)
		}
		return got["eventId"].(string)
	}
	replay := func(event, query, want string) {
		t.Helper()
		eventually(t, "the event's record is written", func() bool { return h.do("GET", "!/fcd/v1/events/"+url.PathEscape(event), nil).status == 200 })
		if a := h.do("POST", "!/fcd/v1/events/"+url.PathEscape(event)+"/replay"+query, nil); !strings.Contains(a.body, want) {
			t.Errorf("replay of %s: %d %s, want %s", event, a.status, a.body, want)
		}
	}
	early := send("eventbridge", `{"specversion":"1.0","id":"2","source":"s","type":"early"}`)
	make("mns", "mns_topic", topic, "mns", m{"filterTag": "other"})
	make("cdn", "cdn_events", "acs:cdn:*:"+account, "cdn", m{"eventName": "LogFileCreated", "filter": m{"domain": []string{"other.com"}}})
	make("bus", "eventbridge", "", "ots", m{"eventRuleFilterPattern": `{"type":["other"]}`})
	message := send("mns_topic", `{"TopicName":"T","MessageId":"1","Message":"a message","MessageTag":"mine"}`)
	file := send("cdn_events", `{"events":[{"eventName":"LogFileCreated","traceId":"1","resource":{"domain":"example.com"}}]}`)
	event := send("eventbridge", `{"specversion":"1.0","id":"1","source":"s","type":"demo"}`)
	rows := send("tablestore", `{"Records":[{"Type":"PutRow"}]}`, header("X-Fc-Source-Arn", table))

	replay(message, "", `"reason":"tag"`)
	replay(file, "", `"reason":"filter"`)
	make("mine", "mns_topic", topic, "mns", m{"filterTag": "mine"})
	make("ots", "tablestore", table, "ots", m{})
	make("late", "eventbridge", "", "ots", m{"eventRuleFilterPattern": `{"type":["early"]}`})
	h.must("PUT", triggers+"/cdn", m{"triggerConfig": m{"filter": m{"domain": []string{"example.com"}}}})
	h.must("PUT", triggers+"/bus", m{"triggerConfig": m{"eventRuleFilterPattern": `{"type":["demo"]}`}})
	replay(message, "?trigger=in/see/mine", `"state":"queued"`)
	for _, id := range []string{file, event, rows, early} {
		replay(id, "", `"state":"queued"`)
	}
	h.logged("in/see", "saw a message", `saw {"events":[{"eventName":"LogFileCreated"`, `saw {"specversion":"1.0","id":"1","source":"s","type":"demo"}`,
		`saw {"Records":[{"Type":"PutRow"}]}`, `saw {"specversion":"1.0","id":"2","source":"s","type":"early"}`)
	if a := h.must("GET", "!/fcd/v1/events/"+url.PathEscape(file), nil); strings.Contains(a.body, "fcdKept") {
		t.Errorf("the event is shown as it is kept: %s", a.body)
	}
}

// TestOtherTypesOfTriggers fires a trigger of each type whose events come from outside only, and one of the example of
// docs/extending.md.
func TestOtherTypesOfTriggers(t *testing.T) {
	folder := t.TempDir()
	h := boot(t, func(c *config.Config) {
		c.Triggers.Directories = []config.TriggerDirectory{{Name: "inbox", Path: folder}}
		for name, service := range map[string]string{"mns": "mns.aliyuncs.com", "cdn": "cdn.aliyuncs.com", "ots": "ots.aliyuncs.com", "rds": "rds.aliyuncs.com", "dir": "directory.fcd.local"} {
			c.RAM.Roles = append(c.RAM.Roles, config.Role{Name: name, Trust: trusting(service), Policies: []config.Policy{{Name: "AliyunFCInvocationAccess"}}})
		}
	})
	h.service("in", functionRole)
	h.python("in/see", "def handler(event, context):\n    print('saw ' + event.decode('ascii', 'backslashreplace'))\n")
	topic, table := "acs:mns:"+region+":"+account+":/topics/T", "acs:ots:"+region+":"+account+":instance/i/table/t"
	database := "acs:rds:" + region + ":" + account + ":dbinstance/rm-1"
	trigger := func(name, kind, source, role string, config m) {
		t.Helper()
		h.must("POST", "/services/in/functions/see/triggers", m{"triggerName": name, "triggerType": kind, "sourceArn": source, "invocationRole": roleARN(role), "triggerConfig": config})
	}
	trigger("mns", "mns_topic", topic, "mns", m{})
	trigger("cdn", "cdn_events", "acs:cdn:*:"+account, "cdn", m{"eventName": "LogFileCreated", "filter": m{"domain": []string{"example.com"}}})
	trigger("ots", "tablestore", table, "ots", m{})
	trigger("rds", "rds", database, "rds", m{"subscriptionObjects": []string{"shop.orders"}, "eventFormat": "json"})
	trigger("bus", "eventbridge", "", "ots", m{"eventRuleFilterPattern": `{"type":["demo"]}`})
	trigger("dir", "x-directory", "acs:directory:"+region+":"+account+":inbox", "dir", m{})
	if a := h.do("POST", "/services/in/functions/see/triggers", m{"triggerName": "bad", "triggerType": "mns_topic", "sourceArn": topic, "invocationRole": roleARN("cdn"), "triggerConfig": m{}}); a.status != 403 {
		t.Errorf("a role that does not trust the service: %d %s", a.status, a.body)
	}

	h.must("POST", "!/fcd/v1/events/mns_topic", `{"TopicName":"T","MessageId":"1","Message":"a message"}`)
	h.must("POST", "!/fcd/v1/events/mns_topic", "a bare message", header("X-Fc-Source-Arn", topic), header("X-Fc-Event-Id", "2"))
	h.must("POST", "!/fcd/v1/events/cdn_events", `{"events":[{"eventName":"LogFileCreated","traceId":"1","resource":{"domain":"example.com"}}]}`)
	h.must("POST", "!/fcd/v1/events/tablestore", `{"Records":[{"Type":"PutRow"}]}`, header("X-Fc-Source-Arn", table))
	h.must("POST", "!/fcd/v1/events/rds", "\xff\xfe rows of orders", header("X-Fc-Source-Arn", database))
	h.must("POST", "!/fcd/v1/events/eventbridge", `{"specversion":"1.0","id":"1","source":"s","type":"demo"}`)
	if err := os.WriteFile(filepath.Join(folder, "a.csv"), []byte("1,2"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.logged("in/see", "saw a message", "saw a bare message", `saw {"events":[{"eventName":"LogFileCreated"`, `saw {"Records":[{"Type":"PutRow"}]}`, `saw \xff\xfe rows of orders`,
		`saw {"specversion":"1.0","id":"1","source":"s","type":"demo"}`, `saw {"events":[{"eventName":"FileCreated","directory":"inbox","file":"a.csv"`)
	if a := h.do("POST", "!/fcd/v1/events/timer", "{}"); a.status != 400 || a.code() != "InvalidArgument" {
		t.Errorf("events of timers: %d %s", a.status, a.body)
	}

	if list := h.must("GET", "/services/in/functions/see/triggers", nil).body; strings.Contains(list, "x-directory") || strings.Contains(list, `"rds"`) || strings.Count(list, "triggerName") != 4 {
		t.Errorf("a client that knows the cloud's types sees %s", list)
	}
	if list := h.must("GET", "/services/in/functions/see/triggers", nil, header("X-Fcd-Extensions", "1")).body; !strings.Contains(list, "x-directory") || !strings.Contains(list, `"rds"`) {
		t.Errorf("a client that asked for all sees %s", list)
	}
	if got := string(h.must("GET", "/services/in/functions/see/triggers/rds", nil).body); !strings.Contains(got, `{"subscriptionObjects":["shop.orders"],"retry":3,"concurrency":1,"eventFormat":"json"}`) {
		t.Errorf("the rds trigger is %s", got)
	}
	if bus := h.must("GET", "/services/in/functions/see/triggers/bus", nil).field("sourceArn"); bus != "acs:eventbridge:"+region+":"+account+":eventbus/default/rule/in-see-bus" {
		t.Errorf("the source of the eventbridge trigger is %s", bus)
	}
}
