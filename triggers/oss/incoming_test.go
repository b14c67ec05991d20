package oss

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fcd/fc"
	"fcd/triggers"
	"fcd/triggers/triggertest"
)

// guideEvent is the guide's sample with our account; rest is put behind userIdentity.
func guideEvent(object, rest string) string {
	return `{"eventName":"ObjectCreated:PutObject","eventSource":"acs:oss","eventTime":"2017-04-21T12:46:37.000Z","eventVersion":"1.0",` +
		`"oss":{"bucket":{"arn":"acs:oss:cn-shanghai:123456:photos","name":"photos","ownerIdentity":"123456","virtualBucket":""},` +
		`"object":{` + object + `},"ossSchemaVersion":"1.0","ruleId":"9adac8e253828f4f7c0466d941fa3db81161e853"},` +
		`"region":"cn-shanghai","requestParameters":{"sourceIPAddress":"140.205.128.221"},` +
		`"responseElements":{"requestId":"58F9FF2D3DF792092E12044C"},"userIdentity":{"principalId":"123456789"}` + rest + `}`
}

const guideObject = `"deltaSize":122539,"eTag":"688A7BF4F233DC9C88A80BF985AB7329","key":"image/a.jpg","size":122539`

func everyone(string) error { return nil }

func arrival(body string) fc.Arrival { return fc.Arrival{Body: []byte(body), Allow: everyone} }

// receiver makes a source with one trigger that wants everything.
func receiver(t testing.TB, o Options, dispatch func(triggers.Event) error, events ...string) (*Source, *[]triggers.Event) {
	t.Helper()
	o.Region, o.Account = triggertest.Region, triggertest.Account
	if len(events) == 0 {
		events = []string{"oss:ObjectCreated:*", "oss:ObjectRemoved:*", "oss:ObjectDownloaded:GetObject"}
	}
	env, seen := triggertest.Recorder(dispatch)
	s, err := Kind(o).New(env)
	if err != nil {
		t.Fatal(err)
	}
	list, _ := json.Marshal(events)
	if err := s.Apply(context.Background(), newTrigger("t1", fmt.Sprintf(`{"events":%s}`, list))); err != nil {
		t.Fatal(err)
	}
	return s.(*Source), seen
}

func TestWhatComesFromOutsideIsHandedOnInTheCloudsForm(t *testing.T) {
	meta := `"objectMeta":{"mimeType":"image/png","userMeta":{"x-oss-meta-a":"b"}},`
	for _, c := range []struct {
		name, body, want string // want: the events of each invocation, one a line
		o                Options
	}{
		{"the guide's sample passes byte for byte", `{"events":[` + guideEvent(guideObject, "") + `]}`, guideEvent(guideObject, ""), Options{}},
		{"so do custom variables, the position and the range of a read",
			`{"events":[` + guideEvent(`"deltaSize":1,"eTag":"A","key":"k","position":0,"readFrom":1,"readTo":2,"size":1`, `,"xVars":{"x:a":"<b>"}`) + `]}`,
			guideEvent(`"deltaSize":1,"eTag":"A","key":"k","position":0,"readFrom":1,"readTo":2,"size":1`, `,"xVars":{"x:a":"<b>"}`), Options{}},
		{"metadata is left out unless asked for", `{"events":[` + guideEvent(`"deltaSize":1,"eTag":"A","key":"k",`+meta+`"size":1`, "") + `]}`,
			guideEvent(`"deltaSize":1,"eTag":"A","key":"k","size":1`, ""), Options{}},
		{"metadata that is asked for", `{"events":[` + guideEvent(`"deltaSize":1,"eTag":"A","key":"k",`+meta+`"size":1`, "") + `]}`,
			guideEvent(`"deltaSize":1,"eTag":"A","key":"k",`+meta+`"size":1`, ""), Options{ObjectMeta: true}},
		{"several events are several invocations", `{"events":[` + guideEvent(guideObject, "") + "," + guideEvent(guideObject, "") + `]}`,
			guideEvent(guideObject, "") + "\n" + guideEvent(guideObject, ""), Options{}},
		{"one invocation where they are batched", `{"events":[` + guideEvent(guideObject, "") + "," + guideEvent(guideObject, "") + `]}`,
			guideEvent(guideObject, "") + "," + guideEvent(guideObject, ""), Options{Batch: true}},
		{"the resource name decides which bucket it is", `{"events":[` + strings.Replace(guideEvent(guideObject, ""), `"name":"photos"`, `"name":"other"`, 1) + `]}`,
			guideEvent(guideObject, ""), Options{}},
		{"a CloudEvent", `{"specversion":"1.0","id":"i","source":"acs.oss","type":"oss:ObjectCreated:PutObject","subject":"acs:oss:cn-shanghai:123456:photos/image/a.jpg","data":` + guideEvent(guideObject, "") + `}`,
			guideEvent(guideObject, ""), Options{}},
		{"a CloudEvent that names its bucket in the subject only", `[{"specversion":"1.0","id":"58F9FF2D3DF792092E12044C","source":"acs.oss","type":"oss:ObjectCreated:PutObject","subject":"acs:oss:cn-shanghai:123456:photos/k","data":{"eventTime":"x","oss":{"object":{"key":"k"},"ruleId":"r"}}}]`,
			`{"eventName":"ObjectCreated:PutObject","eventSource":"acs:oss","eventTime":"x","eventVersion":"1.0","oss":{"bucket":{"arn":"acs:oss:cn-shanghai:123456:photos","name":"photos","ownerIdentity":"123456","virtualBucket":""},"object":{"deltaSize":0,"eTag":"","key":"k","size":0},"ossSchemaVersion":"1.0","ruleId":"r"},"region":"cn-shanghai","requestParameters":{"sourceIPAddress":""},"responseElements":{"requestId":"58F9FF2D3DF792092E12044C"},"userIdentity":{"principalId":""}}`, Options{}},
		{"a notification of MinIO", `{"EventName":"s3:ObjectCreated:Put","Key":"photos/a b+c.jpg","Records":[{"eventVersion":"2.0","eventSource":"minio:s3","awsRegion":"","eventTime":"2026-01-05T08:00:00.123Z","eventName":"s3:ObjectCreated:Put","userIdentity":{"principalId":"minioadmin"},"requestParameters":{"principalId":"minioadmin","region":"","sourceIPAddress":"127.0.0.1"},"responseElements":{"x-amz-id-2":"x","x-amz-request-id":"17C9"},"s3":{"s3SchemaVersion":"1.0","configurationId":"Config","bucket":{"name":"photos","ownerIdentity":{"principalId":"m"},"arn":"arn:aws:s3:::photos"},"object":{"key":"a+b%2Bc.jpg","size":3,"eTag":"900150983cd24fb0d6963f7d28e17f72","contentType":"image/jpeg","sequencer":"17"}},"source":{"host":"127.0.0.1"}}]}`,
			`{"eventName":"ObjectCreated:PutObject","eventSource":"acs:oss","eventTime":"2026-01-05T08:00:00.123Z","eventVersion":"1.0","oss":{"bucket":{"arn":"acs:oss:cn-shanghai:123456:photos","name":"photos","ownerIdentity":"123456","virtualBucket":""},"object":{"deltaSize":3,"eTag":"900150983CD24FB0D6963F7D28E17F72","key":"a b+c.jpg","size":3},"ossSchemaVersion":"1.0","ruleId":"RULE"},"region":"cn-shanghai","requestParameters":{"sourceIPAddress":"127.0.0.1"},"responseElements":{"requestId":"17C9"},"userIdentity":{"principalId":"minioadmin"}}`, Options{}},
		{"an S3 removal", `{"Records":[{"eventTime":"t","eventName":"ObjectRemoved:Delete","s3":{"bucket":{"name":"photos"},"object":{"key":"k"}}}]}`,
			`{"eventName":"ObjectRemoved:DeleteObject","eventSource":"acs:oss","eventTime":"t","eventVersion":"1.0","oss":{"bucket":{"arn":"acs:oss:cn-shanghai:123456:photos","name":"photos","ownerIdentity":"123456","virtualBucket":""},"object":{"deltaSize":0,"eTag":"","key":"k","size":0},"ossSchemaVersion":"1.0","ruleId":"RULE"},"region":"cn-shanghai","requestParameters":{"sourceIPAddress":""},"responseElements":{"requestId":""},"userIdentity":{"principalId":""}}`, Options{}},
		{"an S3 delete marker is no event", `{"Records":[{"eventName":"s3:ObjectRemoved:DeleteMarkerCreated","eventTime":"t","s3":{"bucket":{"name":"photos"},"object":{"key":"k"}}}]}`, "", Options{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			wanted := []string{"oss:ObjectCreated:*", "oss:ObjectRemoved:DeleteObject"}
			s, seen := receiver(t, c.o, accept, wanted...)
			if _, err := s.Receive(t.Context(), arrival(c.body)); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, ev := range *seen {
				got = append(got, string(ev.Payload))
			}
			want := strings.ReplaceAll(c.want, "RULE", ruleID(triggertest.Account, newTrigger("t1", "")))
			var documents []string
			for line := range strings.SplitSeq(want, "\n") {
				if line != "" {
					documents = append(documents, `{"events":[`+line+`]}`)
				}
			}
			if diff := cmp.Diff(documents, got); diff != "" {
				t.Errorf("payloads (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBodiesThatAreNoEvents(t *testing.T) {
	for _, body := range []string{"", "null", "x", "[]", "{}", `{"events":[]}`, `{"events":[{}]}`, `{"events":{}}`, `{"Records":[]}`, `{"Records":{}}`,
		`{"Records":[{"eventName":"a","s3":{"bucket":{"name":"../x"}}}]}`, `{"Records":[{"eventName":"a","s3":{"bucket":{"name":"photos"},"object":{"key":"%zz"}}}]}`,
		`{"events":[{"eventName":"a","oss":{"bucket":{"arn":"acs:log:a:b:photos"}}}]}`, `{"events":[{"eventName":"a","oss":{"bucket":{"arn":"acs:oss:a:b:x/y"}}}]}`,
		`{"events":[{"eventName":"a","oss":{"bucket":{"name":"photos"},"object":{"key":"` + strings.Repeat("k", 1024) + `"}}}]}`,
		`{"specversion":"0.3","id":"i","source":"s","type":"t"}`, `{"specversion":"1.0","source":"s","type":"t"}`, `{"specversion":"1.0","id":"i","source":"s","type":"t"}`,
		`{"specversion":"1.0","id":"i","source":"s","type":"t","data":[]}`} {
		s, seen := receiver(t, Options{}, accept)
		receipts, err := s.Receive(t.Context(), arrival(body))
		if fc.CodeOf(err) != fc.InvalidArgument || receipts != nil || len(*seen) != 0 {
			t.Errorf("%.80q: %v, %v", body, receipts, err)
		}
	}
}

func TestABodyIsRefusedWholeIfOneOfItsBucketsMayNotComeThisWay(t *testing.T) {
	s, seen := receiver(t, Options{}, accept)
	a := arrival(`{"events":[` + guideEvent(guideObject, "") + "," + strings.ReplaceAll(guideEvent(guideObject, ""), "photos", "secret") + `]}`)
	a.Allow = func(arn string) error {
		if strings.HasSuffix(arn, ":photos") {
			return nil
		}
		return fc.Errorf(fc.AccessDenied, "not '%s'", arn)
	}
	if _, err := s.Receive(t.Context(), a); fc.CodeOf(err) != fc.AccessDenied || len(*seen) != 0 {
		t.Errorf("got %v after %d dispatches", err, len(*seen))
	}
	a.Allow = nil
	if _, err := s.Receive(t.Context(), a); fc.CodeOf(err) != fc.AccessDenied || len(*seen) != 0 {
		t.Errorf("a way that proves nothing: %v after %d dispatches", err, len(*seen))
	}
}

func TestReceiptsTellWhatBecameOfEachEvent(t *testing.T) {
	s, _ := receiver(t, Options{}, func(ev triggers.Event) error {
		if strings.Contains(string(ev.Payload), "twice") {
			return triggers.ErrDuplicate
		}
		return nil
	}, "oss:ObjectCreated:*")
	body := `{"events":[` + guideEvent(guideObject, "") + "," + guideEvent(`"key":"twice"`, "") + "," +
		strings.ReplaceAll(guideEvent(guideObject, ""), "ObjectCreated:Put", "ObjectRemoved:Put") + "," + strings.ReplaceAll(guideEvent(guideObject, ""), "photos", "empty-bucket") + `]}`
	got, err := s.Receive(t.Context(), arrival(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		if got[i].EventID == "" {
			t.Errorf("event %d has no id", i)
		}
		got[i].EventID = ""
	}
	want := []fc.Receipt{{Matched: []string{"t1"}}, {Matched: []string{"t1"}, Duplicate: true}, {Matched: []string{}, Reason: "event"}, {Matched: []string{}, Reason: "no-trigger"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDeniedEventsStayWithTheSenderUnlessATriggerTookThem(t *testing.T) {
	denied := map[string]bool{"t1": true}
	s, seen := receiver(t, Options{}, func(ev triggers.Event) error {
		if denied[ev.TriggerID] {
			return fmt.Errorf("%w: no", triggers.ErrDenied)
		}
		return nil
	})
	a := arrival(`{"events":[` + guideEvent(guideObject, "") + `]}`)
	if got, err := s.Receive(t.Context(), a); fc.CodeOf(err) != fc.AccessDenied || got[0].Reason != "denied" || len(*seen) != 1 || (*seen)[0].KeepDenied {
		t.Errorf("all refused: %v, %v, %+v", got, err, *seen)
	}
	if err := s.Apply(t.Context(), newTrigger("t2", `{"events":["oss:ObjectCreated:*"]}`)); err != nil {
		t.Fatal(err)
	}
	*seen = nil
	if got, err := s.Receive(t.Context(), a); err != nil || len(got[0].Matched) != 2 || len(*seen) != 3 || !(*seen)[2].KeepDenied || (*seen)[2].TriggerID != "t1" {
		t.Errorf("one took it: %v, %v, %+v", got, err, *seen)
	}
	*seen, a.KeepDenied = nil, true
	denied["t2"] = true
	if _, err := s.Receive(t.Context(), a); err != nil || len(*seen) != 2 || !(*seen)[0].KeepDenied {
		t.Errorf("a sender that cannot keep it: %v, %+v", err, *seen)
	}
}

func TestWhatCouldNotBeQueuedIsTheSendersAgain(t *testing.T) {
	for _, c := range []struct {
		cause error
		code  fc.Code
	}{{errors.New("the store does not answer"), fc.InternalServerError}, {triggers.ErrThrottled, fc.ResourceExhausted}} {
		s, _ := receiver(t, Options{}, func(triggers.Event) error { return c.cause })
		if _, err := s.Receive(t.Context(), arrival(`{"events":[`+guideEvent(guideObject, "")+`]}`)); !errors.Is(err, c.cause) || fc.CodeOf(err) != c.code {
			t.Errorf("got %v", err)
		}
	}
}

func TestTheSameEventByAnyWayHasTheSameKey(t *testing.T) {
	s, seen := receiver(t, Options{}, accept)
	for _, body := range []string{`{"events":[` + guideEvent(guideObject, "") + `]}`,
		`{"specversion":"1.0","id":"i","source":"acs.oss","type":"oss:ObjectCreated:PutObject","data":` + guideEvent(guideObject, "") + `}`} {
		if _, err := s.Receive(t.Context(), arrival(body)); err != nil {
			t.Fatal(err)
		}
	}
	a := arrival(`{"events":[` + strings.Replace(guideEvent(guideObject, ""), "58F9FF2D3DF792092E12044C", "", 1) + `]}`)
	_, _ = s.Receive(t.Context(), a)
	a.MessageID = "m1"
	_, _ = s.Receive(t.Context(), a)
	a.NoDedup = true
	_, _ = s.Receive(t.Context(), a)
	var keys []string
	for _, ev := range *seen {
		keys = append(keys, ev.DedupKey)
	}
	if len(keys) != 5 || keys[0] == "" || keys[0] != keys[1] || keys[2] != "" || keys[3] == "" || keys[3] == keys[0] || keys[4] != "" {
		t.Errorf("keys %q", keys)
	}
}

func TestObligationsOfReceive(t *testing.T) {
	triggertest.Run(t, triggertest.Harness{
		Kind:     testKind(),
		Trigger:  func(id string) *fc.Trigger { return newTrigger(id, `{"events":["oss:ObjectCreated:*"]}`) },
		Unwanted: func(id string) *fc.Trigger { return newTrigger(id, `{"events":["oss:ObjectRemoved:*"]}`) },
		Happen: func(ctx context.Context, s triggers.Source, n int) error {
			return triggertest.Receive(ctx, s, arrival(`{"events":[`+strings.Replace(guideEvent(guideObject, ""), "58F9FF2D", fmt.Sprintf("%08X", n), 1)+`]}`))
		},
	})
}

func TestEventsOfOneRequestMayShareAnInvocation(t *testing.T) {
	s, seen := receiver(t, Options{Batch: true}, accept)
	ev := putEvent(0)
	ev.Name, ev.Key = "ObjectRemoved:DeleteObjects", "a"
	also := ev
	also.Key = "b"
	ev.Also = []fc.ObjectEvent{also}
	if err := s.Apply(t.Context(), newTrigger("t1", `{"events":["oss:ObjectRemoved:*"],"filter":{"key":{"prefix":"b"}}}`)); err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(t.Context(), newTrigger("t2", `{"events":["oss:ObjectRemoved:*"]}`)); err != nil {
		t.Fatal(err)
	}
	if err := s.ObjectEvent(t.Context(), ev); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, ev := range *seen {
		var d document
		if err := json.Unmarshal(ev.Payload, &d); err != nil {
			t.Fatal(err)
		}
		text := ev.TriggerID
		for _, r := range d.Events {
			text += " " + r.OSS.Object.Key
		}
		got = append(got, text)
	}
	if diff := cmp.Diff([]string{"t1 b", "t2 a b"}, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzReceive(f *testing.F) {
	f.Add([]byte(`{"events":[` + guideEvent(guideObject, `,"xVars":{"x:a":"b"}`) + `]}`))
	f.Add([]byte(`{"Records":[{"eventName":"s3:ObjectCreated:Put","s3":{"bucket":{"name":"photos"},"object":{"key":"a+b%2Bc.jpg","size":3,"eTag":"x"}}}]}`))
	f.Add([]byte(`[{"specversion":"1.0","id":"i","source":"acs.oss","type":"oss:ObjectCreated:PutObject","subject":"acs:oss:cn-shanghai:123456:photos/k","data":{"oss":{"object":{"key":"k"}}}}]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		s, seen := receiver(t, Options{ObjectMeta: true, Batch: true}, accept)
		_, err := s.Receive(context.Background(), fc.Arrival{Body: body, Allow: everyone})
		if err != nil && fc.CodeOf(err) != fc.InvalidArgument {
			t.Error(err)
		}
		for _, ev := range *seen {
			var d document
			if err := json.Unmarshal(ev.Payload, &d); err != nil || len(d.Events) == 0 {
				t.Errorf("%s: %v", ev.Payload, err)
			}
			for _, r := range d.Events {
				if r.OSS.Bucket.ARN != ev.Source.ARN || r.OSS.Bucket.Name == "" || r.OSS.RuleID == "" {
					t.Errorf("%s from %s", ev.Payload, ev.Source.ARN)
				}
			}
		}
	})
}
