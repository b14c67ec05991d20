package oss

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"fcd/fc"
	"fcd/store"
	"fcd/triggers"
	"fcd/triggers/triggertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func testKind() triggers.Kind {
	return Kind(Options{Region: triggertest.Region, Account: triggertest.Account, MaxTriggersPerBucket: 10})
}

func newTrigger(id, cfg string) *fc.Trigger {
	return &fc.Trigger{
		ServiceName: "svc", FunctionName: "fn", Name: "oss_" + id, ID: id, Type: fc.TriggerOSS, Enabled: true,
		SourceARN: "acs:oss:cn-shanghai:123456:photos", InvocationRole: "acs:ram::123456:role/r", Config: json.RawMessage(cfg),
	}
}

func putEvent(n int) fc.ObjectEvent {
	return fc.ObjectEvent{Sequence: uint64(n + 1), Name: "ObjectCreated:PutObject", Bucket: "photos", Key: "in/a.jpg", Size: 3, Delta: 3, Time: time.Unix(0, 0)}
}

func TestObligations(t *testing.T) {
	triggertest.Run(t, triggertest.Harness{
		Kind:    testKind(),
		Trigger: func(id string) *fc.Trigger { return newTrigger(id, `{"events":["oss:ObjectCreated:*"]}`) },
		Unwanted: func(id string) *fc.Trigger {
			return newTrigger(id, `{"events":["oss:ObjectCreated:*"],"filter":{"key":{"suffix":".gif"}}}`)
		},
		Happen: func(ctx context.Context, s triggers.Source, n int) error {
			return s.(*Source).ObjectEvent(ctx, putEvent(n))
		},
	})
}

// source makes a source that keeps what it dispatches and notes.
func source(t *testing.T, dispatch func(triggers.Event) error, cfgs ...string) (*Source, *[]triggers.Event, *[]store.Fate) {
	t.Helper()
	events, fates := &[]triggers.Event{}, &[]store.Fate{}
	s, err := testKind().New(triggers.Env{
		Region: triggertest.Region, Account: triggertest.Account,
		Dispatch: func(_ context.Context, ev triggers.Event, _ ...store.Checkpoint) error {
			*events = append(*events, ev)
			return dispatch(ev)
		},
		Note: func(f store.Fate) { *fates = append(*fates, f) },
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, cfg := range cfgs {
		if err := s.Apply(context.Background(), newTrigger(fmt.Sprint("t", i+1), cfg)); err != nil {
			t.Fatal(err)
		}
	}
	return s.(*Source), events, fates
}

func accept(triggers.Event) error { return nil }

func TestMatching(t *testing.T) {
	for _, c := range []struct {
		name, cfg, event, key string
		want, detail          string // reason and its words, "" for a match
	}{
		{"the event itself", `{"events":["oss:ObjectCreated:PutObject"]}`, "ObjectCreated:PutObject", "a", "", ""},
		{"one of several", `{"events":["oss:ObjectRemoved:DeleteObject","oss:ObjectCreated:PutObject"]}`, "ObjectCreated:PutObject", "a", "", ""},
		{"the wildcard", `{"events":["oss:ObjectCreated:*"]}`, "ObjectCreated:UploadPart", "a", "", ""},
		{"the wildcard and an event of the future", `{"events":["oss:ObjectCreated:*"]}`, "ObjectCreated:Teleport", "a", "", ""},
		{"the wildcard of another group", `{"events":["oss:ObjectRemoved:*"]}`, "ObjectCreated:PutObject", "a", "event", "the trigger's events are oss:ObjectRemoved:*, not oss:ObjectCreated:PutObject"},
		{"another event", `{"events":["oss:ObjectCreated:PutObject"]}`, "ObjectCreated:PostObject", "a", "event", "the trigger's events are oss:ObjectCreated:PutObject, not oss:ObjectCreated:PostObject"},
		{"an event that begins alike", `{"events":["oss:ObjectRemoved:DeleteObject"]}`, "ObjectRemoved:DeleteObjects", "a", "event", "the trigger's events are oss:ObjectRemoved:DeleteObject, not oss:ObjectRemoved:DeleteObjects"},
		{"prefix and suffix", `{"events":["oss:ObjectCreated:*"],"filter":{"key":{"prefix":"in/","suffix":".jpg"}}}`, "ObjectCreated:PutObject", "in/a.jpg", "", ""},
		{"prefix and suffix that overlap in the key", `{"events":["oss:ObjectCreated:*"],"filter":{"key":{"prefix":"aba","suffix":"aba"}}}`, "ObjectCreated:PutObject", "aba", "", ""},
		{"another prefix", `{"events":["oss:ObjectCreated:*"],"filter":{"key":{"prefix":"in/"}}}`, "ObjectCreated:PutObject", "out/a.jpg", "prefix", "the key 'out/a.jpg' does not begin with 'in/'"},
		{"another suffix", `{"events":["oss:ObjectCreated:*"],"filter":{"key":{"suffix":".jpg"}}}`, "ObjectCreated:PutObject", "in/a.png", "suffix", "the key 'in/a.png' does not end with '.jpg'"},
		{"the raw key, not its encoding", `{"events":["oss:ObjectCreated:*"],"filter":{"key":{"prefix":"a b/"}}}`, "ObjectCreated:PutObject", "a b/c", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, events, fates := source(t, accept, c.cfg)
			ev := putEvent(0)
			ev.Name, ev.Key = c.event, c.key
			if err := s.ObjectEvent(context.Background(), ev); err != nil {
				t.Fatal(err)
			}
			if c.want == "" {
				if len(*events) != 1 || len(*fates) != 0 {
					t.Errorf("dispatched %d, noted %v", len(*events), *fates)
				}
				return
			}
			want := []store.Fate{{Trigger: "t1", EventID: "oss/photos/1", Source: bucketARN, Subject: c.event + " photos/" + c.key,
				State: "unmatched", Reason: c.want, Detail: c.detail}}
			if diff := cmp.Diff(want, *fates, unkept); diff != "" || len(*events) != 0 {
				t.Errorf("dispatched %d, noted (-want +got)\n%s", len(*events), diff)
			}
		})
	}
}

func TestObjectEventWithoutTriggers(t *testing.T) {
	s, _, fates := source(t, accept)
	if err := s.ObjectEvent(context.Background(), putEvent(6)); err != nil {
		t.Fatal(err)
	}
	want := []store.Fate{{EventID: "oss/photos/7", Source: bucketARN, Subject: "ObjectCreated:PutObject photos/in/a.jpg",
		State: "unmatched", Reason: "no-trigger", Detail: "no trigger has this source"}}
	if diff := cmp.Diff(want, *fates, unkept); diff != "" || !strings.Contains((string((*fates)[0].Payload)), `"key":"in/a.jpg"`) {
		t.Error(diff)
	}
}

func TestEveryTriggerGetsItsOwnEvent(t *testing.T) {
	boom := errors.New("the store does not answer")
	s, events, _ := source(t, func(ev triggers.Event) error {
		if ev.TriggerID == "t1" {
			return boom
		}
		return nil
	}, `{"events":["oss:ObjectCreated:*"]}`, `{"events":["oss:ObjectCreated:PutObject"]}`)
	if err := s.ObjectEvent(context.Background(), putEvent(0)); !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
	if len(*events) != 2 {
		t.Fatalf("%d dispatches: a trigger that fails keeps the event from the others", len(*events))
	}
	for i, key := range []string{"t1/oss/photos/1", "t2/oss/photos/1"} {
		ev := (*events)[i]
		if ev.DedupKey != key || ev.Source.ARN != "acs:oss:cn-shanghai:123456:photos" || ev.Source.Service != "oss.aliyuncs.com" || !ev.KeepDenied {
			t.Errorf("got %+v", ev)
		}
	}
}

func TestEventsWithoutASequence(t *testing.T) {
	s, events, _ := source(t, accept, `{"events":["oss:ObjectCreated:*"]}`)
	ev := putEvent(0)
	ev.Sequence, ev.RequestID = 0, "58F9FF2D3DF792092E12044C"
	for range 2 {
		if err := s.ObjectEvent(context.Background(), ev); err != nil {
			t.Fatal(err)
		}
	}
	ev.Key = "other"
	_ = s.ObjectEvent(context.Background(), ev)
	ev.RequestID = ""
	_ = s.ObjectEvent(context.Background(), ev)
	es := *events
	if es[0].DedupKey == "" || es[0].DedupKey != es[1].DedupKey || es[1].DedupKey == es[2].DedupKey || es[3].DedupKey != "" {
		t.Errorf("keys %q %q %q %q", es[0].DedupKey, es[1].DedupKey, es[2].DedupKey, es[3].DedupKey)
	}
}

func TestRuleID(t *testing.T) {
	got := ruleID("123456789", &fc.Trigger{ServiceName: "svc", FunctionName: "fn", Name: "oss_t"})
	if got != "7ee808ec1ca2094f96ffdc206c93d22354fbe3e0" {
		t.Error(got)
	}
}

func TestOverlap(t *testing.T) {
	kinds, err := triggers.NewKinds(testKind())
	if err != nil {
		t.Fatal(err)
	}
	make := func(id, event, prefix, suffix string) *fc.Trigger {
		tr := newTrigger(id, "")
		raw := fmt.Sprintf(`{"events":[%q],"filter":{"key":{"prefix":%q,"suffix":%q}}}`, event, prefix, suffix)
		if err := kinds.Normalize(nil, tr, json.RawMessage(raw)); err != nil {
			t.Fatal(err)
		}
		return tr
	}
	existing := make("t1", "oss:ObjectCreated:PutObject", "source", "zip")
	const put = "oss:ObjectCreated:PutObject"
	for i, c := range []struct {
		event, prefix, suffix string
		create                bool
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
	} {
		err := kinds.Conflict(make("t2", c.event, c.prefix, c.suffix), []*fc.Trigger{existing})
		var e *fc.Error
		if c.create != (err == nil) || err != nil && (!errors.As(err, &e) || e.Code != fc.InvalidArgument || e.Message != "event source 'oss' returned error: Cannot specify overlapping prefix and suffix with same event type..") {
			t.Errorf("row %d: %v", i+1, err)
		}
	}
	if err := kinds.Conflict(existing, []*fc.Trigger{existing}); err != nil {
		t.Errorf("a trigger conflicts with itself: %v", err)
	}
	other := make("t2", put, "source", "zip")
	other.SourceARN = "acs:oss:cn-shanghai:123456:elsewhere"
	if err := kinds.Conflict(other, []*fc.Trigger{existing}); err != nil {
		t.Errorf("triggers of different buckets conflict: %v", err)
	}
	lax, _ := triggers.NewKinds(Kind(Options{Region: triggertest.Region, Account: triggertest.Account, AllowOverlap: true, MaxTriggersPerBucket: 1}))
	if err := lax.Conflict(make("t2", put, "source", "zip"), nil); err != nil {
		t.Error(err)
	}
	if err := lax.Conflict(make("t2", put, "x", "y"), []*fc.Trigger{existing}); err == nil || !strings.Contains(err.Error(), "no more are allowed") {
		t.Errorf("one trigger too many: %v", err)
	}
}

func TestNormalize(t *testing.T) {
	kinds, err := triggers.NewKinds(testKind())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, old, raw string
		want           string // canonical, or a part of the refusal
	}{
		{"in full", "", `{"events":["oss:ObjectCreated:*"],"filter":{"key":{"prefix":"src/","suffix":".png"}}}`,
			`{"events":["oss:ObjectCreated:*"],"filter":{"key":{"prefix":"src/","suffix":".png"}}}`},
		{"as the deployment tool writes it", "", `{"BucketName":"b","Events":["oss:ObjectCreated:*"],"filter":{"Key":{"Prefix":"src/","Suffix":null}}}`,
			`{"events":["oss:ObjectCreated:*"],"filter":{"key":{"prefix":"src/","suffix":""}}}`},
		{"without a filter", "", `{"events":["oss:ObjectRemoved:DeleteObject"],"filter":null}`,
			`{"events":["oss:ObjectRemoved:DeleteObject"],"filter":{"key":{"prefix":"","suffix":""}}}`},
		{"an update of the events alone", `{"events":["oss:ObjectCreated:*"],"filter":{"key":{"prefix":"a","suffix":"b"}}}`, `{"events":["oss:ObjectCreated:PutObject"]}`,
			`{"events":["oss:ObjectCreated:PutObject"],"filter":{"key":{"prefix":"a","suffix":"b"}}}`},
		{"an update of one half of the filter", `{"events":["oss:ObjectCreated:*"],"filter":{"key":{"prefix":"a","suffix":"b"}}}`, `{"filter":{"key":{"prefix":""}}}`,
			`{"events":["oss:ObjectCreated:*"],"filter":{"key":{"prefix":"","suffix":"b"}}}`},
		{"an update of nothing", `{"events":["oss:ObjectCreated:*"],"filter":{"key":{"prefix":"a","suffix":"b"}}}`, ``,
			`{"events":["oss:ObjectCreated:*"],"filter":{"key":{"prefix":"a","suffix":"b"}}}`},
		{"no events", "", `{}`, "TriggerConfig.Events is required"},
		{"an event without its scheme", "", `{"events":["ObjectCreated:*"]}`, "TriggerConfig.Events"},
		{"a bare wildcard", "", `{"events":["oss:*"]}`, "TriggerConfig.Events"},
		{"an unknown event", "", `{"events":["oss:ObjectCreated:Teleport"]}`, "'oss:ObjectCreated:Teleport'"},
		{"events of another type", "", `{"events":"oss:ObjectCreated:*"}`, "TriggerConfig.events is a string"},
		{"a list", "", `[]`, "not an object"},
		{"not JSON", "", `{"events"`, "TriggerConfig cannot be read"},
		{"a prefix longer than any key", "", `{"events":["oss:ObjectCreated:*"],"filter":{"key":{"prefix":"` + strings.Repeat("a", 1024) + `"}}}`, "1023"},
		{"far too long", "", `{"events":["` + strings.Repeat("a", 70000) + `"]}`, "bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := newTrigger("t1", "")
			var old *fc.Trigger
			if c.old != "" {
				old = newTrigger("t1", c.old)
			}
			err := kinds.Normalize(old, tr, json.RawMessage(c.raw))
			if err != nil {
				if fc.CodeOf(err) != fc.InvalidArgument || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v", err)
				}
				return
			}
			if string(tr.Config) != c.want || !tr.Enabled {
				t.Errorf("got %s", tr.Config)
			}
		})
	}
	for _, arn := range []string{"", "bucket", "acs:oss:cn-beijing:123456:photos", "acs:oss:cn-shanghai:9:photos", "acs:log:cn-shanghai:123456:photos", "acs:oss:cn-shanghai:123456:Photos", "acs:oss:cn-shanghai:123456:photos/a"} {
		tr := newTrigger("t1", "")
		tr.SourceARN = arn
		if err := kinds.Normalize(nil, tr, json.RawMessage(`{"events":["oss:ObjectCreated:*"]}`)); fc.CodeOf(err) != fc.InvalidArgument || !strings.Contains(err.Error(), "SourceArn") {
			t.Errorf("source %q: %v", arn, err)
		}
	}
	tr := newTrigger("t1", "")
	tr.InvocationRole = ""
	if err := kinds.Normalize(nil, tr, json.RawMessage(`{"events":["oss:ObjectCreated:*"]}`)); fc.CodeOf(err) != fc.InvalidArgument || !strings.Contains(err.Error(), "InvocationRole") {
		t.Errorf("no role: %v", err)
	}
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(`{"events":["oss:ObjectCreated:*"],"filter":{"key":{"prefix":"a","suffix":"b"}}}`), []byte(`{"Events":null,"filter":{"Key":{"Prefix":""}}}`))
	f.Add([]byte(`null`), []byte(`{"filter":{"key":[]}}`))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		first, err := decode(nil, a)
		if err != nil {
			return
		}
		again, err := decode(first.JSON, nil)
		if err != nil || !bytes.Equal(again.JSON, first.JSON) {
			t.Fatalf("%s became %s: %v", first.JSON, again.JSON, err)
		}
		second, err := decode(first.JSON, b)
		if err != nil {
			return
		}
		tr := newTrigger("t", string(second.JSON))
		if err := testKind().Conflict(tr, []*fc.Trigger{newTrigger("u", string(first.JSON))}); err != nil && fc.CodeOf(err) != fc.InvalidArgument {
			t.Error(err)
		}
	})
}

func BenchmarkObjectEvent(b *testing.B) {
	s, err := testKind().New(triggers.Env{
		Region: triggertest.Region, Account: triggertest.Account,
		Dispatch: func(context.Context, triggers.Event, ...store.Checkpoint) error { return nil },
		Note:     func(store.Fate) {},
	})
	if err != nil {
		b.Fatal(err)
	}
	for i := range 10_000 {
		tr := newTrigger(fmt.Sprint("t", i), `{"events":["oss:ObjectCreated:*"],"filter":{"key":{"suffix":".jpg"}}}`)
		tr.SourceARN = fmt.Sprint("acs:oss:cn-shanghai:123456:bucket", i)
		if err := s.Apply(context.Background(), tr); err != nil {
			b.Fatal(err)
		}
	}
	ev := putEvent(0)
	ev.Bucket = "bucket77"
	b.ReportAllocs()
	for b.Loop() {
		if err := s.(*Source).ObjectEvent(context.Background(), ev); err != nil {
			b.Fatal(err)
		}
	}
}

const bucketARN = "acs:oss:cn-shanghai:123456:photos"

// unkept leaves the payloads out of comparisons.
var unkept = cmpopts.IgnoreFields(store.Fate{}, "Payload")

func TestARecordedEventIsDeliveredAgain(t *testing.T) {
	o := Options{Region: triggertest.Region, Account: triggertest.Account}
	tr := &fc.Trigger{ServiceName: "svc", FunctionName: "fn", Name: "t", SourceARN: bucketARN,
		Config: json.RawMessage(`{"events":["oss:ObjectCreated:*"],"filter":{"key":{"suffix":".jpg"}}}`)}
	jpg, png := o.recordOf(putEvent(1)), o.recordOf(putEvent(2))
	png.OSS.Object.Key = "a.png"
	own := jpg
	own.OSS.RuleID = "its-own"
	for _, c := range []struct {
		name     string
		recorded []byte
		again    string // rule ids
		reason   string
	}{
		{"what it wants, under its rule id", payload([]record{jpg}, ""), ruleID(triggertest.Account, tr), ""},
		{"what it wants of several", payload([]record{png, jpg}, ""), ruleID(triggertest.Account, tr), ""},
		{"a rule id that the event brought stays", payload([]record{own}, ""), "its-own", ""},
		{"what it does not want", payload([]record{png}, ""), "", "suffix"},
		{"what cannot be read", []byte("x"), "", "unreadable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			again, reason, detail := o.again(tr, c.recorded)
			var d document
			_ = json.Unmarshal(again, &d)
			if reason != c.reason || (detail == "") != (reason == "") || c.again != "" && (len(d.Events) != 1 || d.Events[0].OSS.RuleID != c.again) || c.again == "" && again != nil {
				t.Errorf("%s, %q: %s", reason, detail, again)
			}
		})
	}
}

func FuzzAgain(f *testing.F) {
	o := Options{Region: triggertest.Region, Account: triggertest.Account}
	tr := newTrigger("t1", `{"events":["oss:ObjectCreated:*"],"filter":{"key":{"prefix":"in/"}}}`)
	f.Add(payload([]record{o.recordOf(putEvent(1))}, ""))
	f.Add([]byte(`{"events":[{"oss":{"object":{"key":"x"}}},{}]}`))
	f.Fuzz(func(t *testing.T, recorded []byte) {
		again, reason, detail := o.again(tr, recorded)
		if (again == nil) != (reason != "") || (reason == "") != (detail == "") {
			t.Errorf("%q becomes %q, %s: %s", recorded, again, reason, detail)
		}
		if again != nil {
			if twice, _, _ := o.again(tr, again); !bytes.Equal(again, twice) {
				t.Errorf("%q, delivered once more, becomes %q", again, twice)
			}
		}
	})
}
