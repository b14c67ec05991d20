package api_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fcd/api"
	"fcd/fc"
	"fcd/store"
)

// past is a history of some events; Replay asks about one trigger.
type past struct {
	filter store.EventFilter
	before int64
	events []store.Event
	named  string
}

func (p *past) Events(_ context.Context, f store.EventFilter, before int64, limit int) (page []store.Event, err error) {
	p.filter, p.before = f, before
	for _, e := range p.events {
		if (before == 0 || e.ID < before) && (f.EventID == "" || f.EventID == e.EventID) && len(page) < limit || limit == 0 && f.EventID == e.EventID {
			page = append(page, e)
		}
	}
	return page, nil
}

func (p *past) Payload(_ context.Context, e *store.Event) ([]byte, error) {
	return map[int64][]byte{3: []byte(`{"n":1}`), 2: {0xff}}[e.ID], nil
}

func (p *past) Replay(_ context.Context, id, trigger string, allow func(*fc.Trigger) error) ([]fc.Replayed, error) {
	p.named = trigger
	if id != p.events[0].EventID {
		return nil, fc.Errorf(fc.EventNotFound, "there is no event '%s'", id)
	}
	if err := allow(&fc.Trigger{ServiceName: "demo", FunctionName: "resize", Name: "uploads"}); err != nil {
		return nil, err
	}
	return []fc.Replayed{{Trigger: "demo/resize/uploads", State: "queued", RequestID: "r"}}, nil
}

const uploads = "acs:fc:cn-shanghai:123456:services/demo/functions/resize/triggers/uploads"

func somePast() *past {
	at := time.Date(2026, 1, 5, 8, 0, 0, 123e6, time.UTC)
	return &past{events: []store.Event{
		{ID: 3, EventID: "oss/photos/7", Trigger: "id", Type: "oss", Function: "demo/resize", Name: "uploads", Source: bucket,
			Subject: "put", Received: at, State: "failed", Steps: []store.Step{{State: "queued", RequestID: "r", At: at},
				{State: "failed", Reason: "E", Detail: "boom", RequestID: "r", Attempt: 1, Status: 200, At: at}}},
		{ID: 2, EventID: "oss/photos/7", Trigger: "id2", Function: "other/f", Name: "t", Received: at, State: "unmatched",
			Steps: []store.Step{{State: "unmatched", Reason: "suffix", At: at}}},
		{ID: 1, EventID: "lost", Source: bucket, Received: at, State: "unmatched", Steps: []store.Step{{State: "unmatched", Reason: "no-trigger", At: at}}},
	}}
}

func TestListEvents(t *testing.T) {
	p := somePast()
	s := start(t, func(o *api.Options) { o.History = p })
	a := s.must("GET", "!/fcd/v1/events?limit=1&state=failed&since=2026-01-05T00:00:00Z", nil)
	const want = `{"events":[{"eventId":"oss/photos/7","type":"oss","subject":"put","source":"` + bucket + `","trigger":"demo/resize/uploads","triggerId":"id",` +
		`"receivedTime":"2026-01-05T08:00:00.123Z","state":"failed","reason":"E","detail":"boom","requestId":"r","attempt":1,"time":"2026-01-05T08:00:00.123Z"}],"nextToken":"3"}`
	if a.body != want {
		t.Errorf("got %s", a.body)
	}
	if diff := cmp.Diff(store.EventFilter{State: "failed", Since: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)}, p.filter); diff != "" {
		t.Error(diff)
	}
	if a := s.must("GET", "!/fcd/v1/events?limit=100&nextToken=3", nil); p.before != 3 || strings.Contains(a.body, "nextToken") || !strings.Contains(a.body, "no-trigger") {
		t.Errorf("the last page, before %d: %s", p.before, a.body)
	}
	s.must("GET", "!/fcd/v1/events?trigger=demo/resize/uploads", nil)
	if diff := cmp.Diff(store.EventFilter{Function: "demo/resize", Name: "uploads"}, p.filter); diff != "" {
		t.Error(diff)
	}
	for _, q := range []string{"since=yesterday", "function=demo", "trigger=a/b", "nextToken=x", "limit=0"} {
		wantError(t, s.do("GET", "!/fcd/v1/events?"+q, nil), 400, fc.InvalidArgument)
	}
}

func TestEventsAreForThoseWhoMay(t *testing.T) {
	p := somePast()
	s := start(t, func(o *api.Options) { o.History = p })
	const one = "!/fcd/v1/events/oss%2Fphotos%2F7"
	calls := func(want int) {
		t.Helper()
		for _, c := range [][2]string{{"GET", "!/fcd/v1/events?trigger=demo/resize/uploads"}, {"GET", one}, {"POST", one + "/replay"}} {
			if a := s.do(c[0], c[1], nil, user); a.status != want {
				t.Errorf("%s %s: %d %s", c[0], c[1], a.status, a.body)
			}
		}
	}
	calls(403)
	for _, action := range []string{"ListEvents", "GetEvent", "ReplayEvent"} {
		s.policy["fcd:"+action+" "+uploads] = true
	}
	calls(200)
	wantError(t, s.do("GET", "!/fcd/v1/events", nil, user), 403, fc.AccessDenied)
	wantError(t, s.do("GET", "!/fcd/v1/events/none", nil, user), 403, fc.AccessDenied)
	wantError(t, s.do("GET", "!/fcd/v1/events/none", nil), 404, fc.EventNotFound)
	wantError(t, s.do("POST", "!/fcd/v1/events/none/replay", nil), 404, fc.EventNotFound)
	wantError(t, s.do("GET", "!/fcd/v1/events/lost", nil, user), 403, fc.AccessDenied)
	s.policy["fcd:GetEvent "+bucket] = true
	s.must("GET", "!/fcd/v1/events/lost", nil, user)

	if a := s.must("GET", one, nil, user); strings.Contains(a.body, "other/f") || !strings.Contains(a.body, `"payload":"{\"n\":1}"`) ||
		!strings.Contains(a.body, `"steps":[{"time":"2026-01-05T08:00:00.123Z","state":"queued","requestId":"r"},{`) {
		t.Errorf("what a user may see of it: %s", a.body)
	}
	if a := s.must("GET", one, nil); !strings.Contains(a.body, `"trigger":"other/f/t"`) || !strings.Contains(a.body, `"payloadBase64":"/w=="`) {
		t.Errorf("what the account may: %s", a.body)
	}
	a := s.must("POST", one+"/replay?trigger="+url.QueryEscape("demo/resize/uploads"), nil)
	if a.body != `{"replayed":[{"trigger":"demo/resize/uploads","state":"queued","requestId":"r"}]}` || p.named != "demo/resize/uploads" {
		t.Errorf("replayed to %q: %s", p.named, a.body)
	}
	off := start(t)
	wantError(t, off.do("GET", "!/fcd/v1/events", nil), 400, fc.PathNotSupported)
}
