package api_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestUpcoming(t *testing.T) {
	s := start(t)
	s.demo()
	s.must("POST", "/services/demo/functions/resize/triggers", m{"triggerName": "tick", "triggerType": "timer", "triggerConfig": m{"cronExpression": "x"}})
	var got struct {
		TriggerName, Schedule, Warning string
		Enabled                        bool
		Next                           []time.Time
	}
	for query, want := range map[string]int{"": 5, "?count=1": 1, "?count=100": 100} {
		a := s.must("GET", "!/fcd/v1/triggers/demo/resize/tick/next"+query, nil)
		if err := json.Unmarshal([]byte(a.body), &got); err != nil {
			t.Fatal(err)
		}
		if len(got.Next) != want || got.TriggerName != "tick" || got.Schedule != "hourly" || got.Warning != "careful" || got.Next[0].Minute() != 0 {
			t.Errorf("%q: %s", query, a.body)
		}
	}
	for query, part := range map[string]string{"?count=0": "count", "?count=101": "count", "?count=x": "count"} {
		if a := s.do("GET", "!/fcd/v1/triggers/demo/resize/tick/next"+query, nil); a.status != 400 || !strings.Contains(a.message(), part) {
			t.Errorf("%q: %d %s", query, a.status, a.body)
		}
	}
	if a := s.do("GET", "!/fcd/v1/triggers/demo/resize/uploads/next", nil); a.status != 400 || !strings.Contains(a.message(), "by the clock") {
		t.Errorf("an oss trigger: %d %s", a.status, a.body)
	}
	if a := s.do("GET", "!/fcd/v1/triggers/demo/resize/nobody/next", nil); a.status != 404 || a.code() != "TriggerNotFound" {
		t.Errorf("an unknown trigger: %d %s", a.status, a.body)
	}
	if a := s.do("GET", "!/fcd/v1/triggers/demo/resize/tick/next", nil, user); a.status != 403 || !strings.Contains(a.message(), "fc:GetTrigger") {
		t.Errorf("a user without the right: %d %s", a.status, a.body)
	}
	if a := s.do("GET", "!/fcd/v1/triggers/demo/resize/tick/next", nil, unsigned); a.status != 403 {
		t.Errorf("unsigned: %d %s", a.status, a.body)
	}
}
