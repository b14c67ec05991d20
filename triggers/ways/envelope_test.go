package ways

import (
	"encoding/base64"
	"encoding/json"
	"testing"

	"fcd/fc"
)

const (
	document = `{"events":[{"eventName":"ObjectCreated:PutObject"}]}`
	asXML    = `<?xml version="1.0" encoding="utf-8"?><Notification xmlns="http://mns.aliyuncs.com/doc/v1/"><TopicOwner>1</TopicOwner><TopicName>T</TopicName><Subscriber>1</Subscriber><SubscriptionName>s</SubscriptionName><MessageId>ID</MessageId><MessageMD5>M</MessageMD5><Message>MESSAGE</Message><MessageTag>tag</MessageTag><PublishTime>1449556920975</PublishTime></Notification>`
)

func encoded(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func inXML(message string) string {
	return `<Notification xmlns="http://mns.aliyuncs.com/doc/v1/"><TopicName>T</TopicName><MessageId>ID</MessageId><Message>` + message + `</Message></Notification>`
}

func inJSON(message string) string {
	b, _ := json.Marshal(map[string]string{"TopicName": "T", "MessageId": "ID", "Message": message})
	return string(b)
}

func TestUnwrap(t *testing.T) {
	for name, c := range map[string]struct{ body, want string }{
		"the document itself":            {document, document},
		"base64 of it":                   {encoded(document), document},
		"base64 in lines":                {encoded(document)[:40] + "\r\n" + encoded(document)[40:] + "\n", document},
		"a notification in JSON":         {inJSON(document), document},
		"a notification of base64":       {inJSON(encoded(document)), document},
		"a notification in XML":          {inXML(encoded(document)), document},
		"XML with its JSON escaped":      {inXML(`{&quot;events&quot;:[]}`), `{"events":[]}`},
		"base64 of a notification":       {encoded(inXML(encoded(document))), document},
		"a notification of S3":           {`{"Records":[{}],"Message":"x","TopicName":"T"}`, `{"Records":[{}],"Message":"x","TopicName":"T"}`},
		"a list of CloudEvents":          {`[{}]`, `[{}]`},
		"plain text is left alone":       {"hello world", "hello world"},
		"base64 of text is left alone":   {encoded("hello world"), encoded("hello world")},
		"an object of another kind":      {`{"a":1}`, `{"a":1}`},
		"XML of another kind":            {`<a>b</a>`, `<a>b</a>`},
		"garbage in angle brackets":      {`<<<`, `<<<`},
		"nothing":                        {"", ""},
		"a notification without a topic": {`{"Message":"{\"events\":[]}"}`, `{"Message":"{\"events\":[]}"}`},
	} {
		if got := string(Unwrap([]byte(c.body))); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestOpenReadsAMessageAsTheTypeOfTriggerWantsIt(t *testing.T) {
	topic := Binding{Type: fc.TriggerMNSTopic, Source: "acs:mns:r:1:/topics/T"}
	bucket := Binding{Type: fc.TriggerOSS, Source: "acs:oss:r:1:b"}
	for name, c := range map[string]struct {
		b              Binding
		body, want, id string
	}{
		"a notification for topic triggers":    {topic, asXML, `{"TopicOwner":"1","TopicName":"T","Subscriber":"1","SubscriptionName":"s","MessageId":"ID","Message":"MESSAGE","MessageMD5":"M","MessageTag":"tag","PublishTime":"1449556920975"}`, "ID"},
		"attributes in XML":                    {topic, `<Notification><TopicName>T</TopicName><MessageAttributes><Extend>{"key":"value"}</Extend><Other/></MessageAttributes></Notification>`, `{"TopicOwner":"","TopicName":"T","Subscriber":"","SubscriptionName":"","MessageId":"","Message":"","MessageMD5":"","MessageTag":"","PublishTime":"","MessageAttributes":{"Extend":"{\"key\":\"value\"}","Other":""}}`, "transport"},
		"attributes in JSON":                   {topic, `{"TopicName":"T","MessageAttributes":{"Extend":"{}"}}`, `{"TopicOwner":"","TopicName":"T","Subscriber":"","SubscriptionName":"","MessageId":"","Message":"","MessageMD5":"","MessageTag":"","PublishTime":"","MessageAttributes":{"Extend":"{}"}}`, "transport"},
		"a bare message for topic triggers":    {topic, "hello", "hello", "transport"},
		"a notification for object triggers":   {bucket, inXML(encoded(document)), document, "ID"},
		"a bare document for object triggers":  {bucket, document, document, "transport"},
		"something else for object triggers":   {bucket, "hello", "hello", "transport"},
		"a number for the time of publication": {topic, `{"TopicName":"T","PublishTime":5}`, `{"TopicOwner":"","TopicName":"T","Subscriber":"","SubscriptionName":"","MessageId":"","Message":"","MessageMD5":"","MessageTag":"","PublishTime":"5"}`, "transport"},
	} {
		a := c.b.Open([]byte(c.body), "transport")
		if string(a.Body) != c.want || a.MessageID != c.id || a.Source != c.b.Source {
			t.Errorf("%s: %s %s", name, a.MessageID, a.Body)
		}
	}
	if err := bucket.Open(nil, "").Allow("acs:oss:r:1:c"); fc.CodeOf(err) != fc.AccessDenied {
		t.Errorf("another bucket: %v", err)
	}
}

func FuzzUnwrap(f *testing.F) {
	for _, s := range []string{document, asXML, inXML(encoded(document)), inJSON(encoded(document)), encoded(encoded(encoded(document))), "<a", `<Notification><TopicName>T</TopicName><MessageAttributes><Extend>{}</Extend></MessageAttributes></Notification>`, `{"TopicName":"T","MessageAttributes":null}`, `{"TopicName":"T","Message":1}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		Unwrap(body)
		if n, ok := ParseNotification(body); ok {
			again, ok := ParseNotification(n.JSON())
			if !ok || again.TopicName == "" {
				t.Errorf("%q became %s", body, n.JSON())
			}
		}
	})
}
