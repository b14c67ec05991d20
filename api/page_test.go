package api_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// names follows nextToken from the first page to the last; calls is how many pages there were.
func (s *server) names(path, query, items, field string) (names []string, calls int) {
	s.t.Helper()
	token := ""
	for {
		page := s.must("GET", path+"?"+query+token, nil).object(s.t)
		calls++
		for _, v := range page[items].([]any) {
			names = append(names, v.(m)[field].(string))
		}
		next, more := page["nextToken"]
		if !more {
			return names, calls
		}
		if next == "" {
			s.t.Fatal("nextToken is empty")
		}
		token = "&nextToken=" + next.(string)
	}
}

func TestPages(t *testing.T) {
	s := start(t)
	all := []string{"A", "Z", "_", "a", "a-", "a0", "a_", "aa", "ab", "b"}
	for _, i := range []int{3, 9, 0, 5, 1, 8, 2, 7, 4, 6} {
		s.must("POST", "/services", m{"serviceName": all[i]})
	}
	tests := []struct {
		name, query string
		want        []string
		calls       int
	}{
		{"everything in byte order", "", all, 1},
		{"empty values are absent ones", "limit=100&nextToken=&prefix=&startKey=", all, 1},
		{"10 items at limit 3", "limit=3", all, 4},
		{"10 items at limit 5 give no empty page", "limit=5", all, 2},
		{"10 items at limit 10", "limit=10", all, 1},
		{"10 items at limit 1", "limit=1", all, 10},
		{"a prefix", "prefix=a", []string{"a", "a-", "a0", "a_", "aa", "ab"}, 1},
		{"a prefix in pages", "prefix=a&limit=2", []string{"a", "a-", "a0", "a_", "aa", "ab"}, 3},
		{"a prefix of nothing", "prefix=x", nil, 1},
		{"a prefix that no name can have", "prefix=a.b", nil, 1},
		{"a start that exists is part of the page", "startKey=a_", []string{"a_", "aa", "ab", "b"}, 1},
		{"a start that does not exist", "startKey=a1", []string{"a_", "aa", "ab", "b"}, 1},
		{"a start with a hyphen at its end", "startKey=a-", []string{"a-", "a0", "a_", "aa", "ab", "b"}, 1},
		{"a start with a digit at its end", "startKey=a0", []string{"a0", "a_", "aa", "ab", "b"}, 1},
		{"the first name as start", "startKey=A", all, 1},
		{"a start behind everything", "startKey=zz", nil, 1},
		{"a start that no name can have", "startKey=a%7E", []string{"b"}, 1},
		{"a start of a control character", "startKey=%01", all, 1},
		{"prefix and start together", "prefix=a&startKey=a_", []string{"a_", "aa", "ab"}, 1},
		{"prefix and start in pages", "prefix=a&startKey=a0&limit=2", []string{"a0", "a_", "aa", "ab"}, 2},
		{"a start before the prefix", "prefix=b&startKey=a", []string{"b"}, 1},
		{"a token outdoes the start", "startKey=b&nextToken=aa", []string{"aa", "ab", "b"}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, calls := s.names("/services", tt.query, "services", "serviceName")
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
			if calls != tt.calls {
				t.Errorf("%d calls, want %d", calls, tt.calls)
			}
		})
	}
	for _, query := range []string{"limit=0", "limit=101", "limit=-1", "limit=x", "limit=1.5", "prefix=%FF", "nextToken=%C3"} {
		wantError(t, s.do("GET", "/services?"+query, nil), 400, "InvalidArgument")
	}
}

func TestPagesOfFunctionsAndTriggersStayInTheirParent(t *testing.T) {
	s := start(t)
	var functions, triggers []string
	for _, svc := range []string{"a", "a-b", "aa"} {
		s.must("POST", "/services", m{"serviceName": svc})
		for i := range 5 {
			f := fmt.Sprintf("%s-f%d", svc, i)
			s.must("POST", "/services/"+svc+"/functions", functionOf(t, f))
			for j := range 2 {
				trg := fmt.Sprintf("t%d", j)
				s.must("POST", "/services/"+svc+"/functions/"+f+"/triggers", m{"triggerName": trg, "triggerType": "timer",
					"triggerConfig": m{"cronExpression": "@every 1m"}})
				if f == "a-f0" {
					triggers = append(triggers, trg)
				}
			}
			if svc == "a" {
				functions = append(functions, f)
			}
		}
	}
	got, calls := s.names("/services/a/functions", "limit=2", "functions", "functionName")
	if !slices.Equal(got, functions) || calls != 3 {
		t.Errorf("functions %v in %d calls", got, calls)
	}
	got, calls = s.names("/services/a/functions/a-f0/triggers", "limit=1", "triggers", "triggerName")
	if !slices.Equal(got, triggers) || calls != 2 {
		t.Errorf("triggers %v in %d calls", got, calls)
	}
}

func TestTheDefaultPageHas20Items(t *testing.T) {
	s := start(t)
	for i := range 21 {
		s.must("POST", "/services", m{"serviceName": fmt.Sprintf("s%02d", i)})
	}
	first := s.must("GET", "/services", nil)
	if n := strings.Count(first.body, `"serviceName"`); n != 20 || first.object(t)["nextToken"] != "s20" {
		t.Errorf("%d items, next %v", n, first.object(t)["nextToken"])
	}
	if a := s.must("GET", "/services?prefix=none", nil); a.body != `{"services":[]}` {
		t.Errorf("an empty list is %s", a.body)
	}
}
