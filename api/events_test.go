package api_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fcd/api"
	"fcd/fc"
)

// inbox keeps what it is given and answers as its source says.
type inbox struct {
	got    fc.Arrival
	kind   string
	source string // of the events
	err    error
}

func (i *inbox) Receive(_ context.Context, kind string, a fc.Arrival) ([]fc.Receipt, error) {
	i.kind, i.got = kind, a
	if err := a.Allow(i.source); err != nil {
		return nil, err
	}
	return []fc.Receipt{{EventID: "e", Matched: []string{"t"}, Duplicate: true}, {EventID: "f", Matched: []string{}, Reason: "prefix"}}, i.err
}

func TestPutEvents(t *testing.T) {
	in := &inbox{source: bucket}
	s := start(t, func(o *api.Options) { o.Events = in })
	a := s.must("POST", "!/fcd/v1/events/oss?dedup=off", `{"events":[]}`, header("X-Fc-Source-Arn", "acs:x"), header("X-Fc-Event-Id", "7"))
	want := `{"events":[{"eventId":"e","matched":["t"],"duplicate":true},{"eventId":"f","matched":[],"duplicate":false,"reason":"prefix"}]}`
	if a.status != 200 || a.body != want {
		t.Errorf("got %d %s", a.status, a.body)
	}
	in.got.Allow = nil
	if diff := cmp.Diff(fc.Arrival{Body: []byte(`{"events":[]}`), Source: "acs:x", MessageID: "7", NoDedup: true}, in.got); diff != "" || in.kind != "oss" {
		t.Errorf("kind %q (-want +got):\n%s", in.kind, diff)
	}
}

func TestPutEventsIsForThoseWhoMay(t *testing.T) {
	in := &inbox{source: bucket}
	s := start(t, func(o *api.Options) { o.Events = in })
	if a := s.do("POST", "!/fcd/v1/events/oss", "x", user); a.status != 403 || a.code() != "AccessDenied" || !strings.Contains(a.message(), "'fcd:PutEvents' on resource '"+bucket+"'") {
		t.Errorf("a user without the right: %d %s", a.status, a.body)
	}
	s.policy["fcd:PutEvents "+bucket] = true
	s.must("POST", "!/fcd/v1/events/oss", "x", user)
	in.source = bucket + "2"
	if a := s.do("POST", "!/fcd/v1/events/oss", "x", user); a.status != 403 {
		t.Errorf("another bucket: %d %s", a.status, a.body)
	}
	if a := s.do("POST", "!/fcd/v1/events/oss", "x", unsigned); a.status != 403 {
		t.Errorf("unsigned: %d %s", a.status, a.body)
	}
}

func TestPutEventsRefusals(t *testing.T) {
	in := &inbox{source: bucket}
	s := start(t, func(o *api.Options) { o.Events = in })
	for _, c := range []struct {
		name, method, path, body string
		err                      error
		want                     string
	}{
		{"a word for dedup", "POST", "oss?dedup=maybe", "x", nil, "400 InvalidArgument"},
		{"too much", "POST", "oss", strings.Repeat("x", 600<<10), nil, "400 EntityTooLarge"},
		{"another method", "GET", "oss", "", nil, "400 PathNotSupported"},
		{"a longer path", "POST", "oss/x", "", nil, "400 PathNotSupported"},
		{"no type", "POST", "", "", nil, "400 PathNotSupported"},
		{"what the kind refuses", "POST", "oss", "x", fc.Errorf(fc.InvalidArgument, "no"), "400 InvalidArgument"},
		{"a full queue", "POST", "oss", "x", fc.Errorf(fc.ResourceExhausted, "full"), "429 ResourceExhausted"},
		{"a store that does not answer", "POST", "oss", "x", errors.New("disk on fire"), "500 InternalServerError"},
	} {
		in.err = c.err
		a := s.do(c.method, "!/fcd/v1/events/"+c.path, c.body)
		if got := fmt.Sprint(a.status, " ", a.code()); got != c.want || strings.Contains(a.body, "fire") {
			t.Errorf("%s: %s %s, want %s", c.name, got, a.body, c.want)
		}
	}
	off := start(t)
	if a := off.do("POST", "!/fcd/v1/events/oss", "x"); a.code() != "PathNotSupported" {
		t.Errorf("where events are not taken: %d %s", a.status, a.body)
	}
}
