package api_test

import (
	"fmt"
	"sync"
	"testing"

	"fcd/fc"
)

// together runs f n times at once and counts the outcomes by "status code".
func together(n int, f func(i int) answer) map[string]int {
	var mu sync.Mutex
	var wg sync.WaitGroup
	begin := make(chan struct{})
	got := map[string]int{}
	for i := range n {
		wg.Go(func() {
			<-begin
			a := f(i)
			mu.Lock()
			defer mu.Unlock()
			got[fmt.Sprint(a.status, a.code())]++
		})
	}
	close(begin)
	wg.Wait()
	return got
}

func want(t *testing.T, got map[string]int, outcome string, n int) {
	t.Helper()
	if got[outcome] != n {
		t.Errorf("%d of %q, want %d: %v", got[outcome], outcome, n, got)
	}
}

const crowd = 8

func TestOfUpdatesWithTheSameETagOneWins(t *testing.T) {
	s := start(t)
	s.demo()
	for _, path := range []string{"/services/demo", "/services/demo/functions/resize", "/services/demo/functions/resize/triggers/uploads"} {
		etag := s.must("GET", path, nil).header.Get("ETag")
		got := together(crowd, func(i int) answer {
			return s.do("PUT", path, m{"description": fmt.Sprint(i)}, header("If-Match", etag))
		})
		want(t, got, "200", 1)
		want(t, got, "412PreconditionFailed", crowd-1)
	}
}

func TestUpdatesWithoutAnETagAllHappen(t *testing.T) {
	s := start(t)
	s.demo()
	fields := []m{{"description": "x"}, {"timeout": 7}, {"memorySize": 256}, {"environmentVariables": m{"A": "1"}}}
	got := together(len(fields), func(i int) answer { return s.do("PUT", "/services/demo/functions/resize", fields[i]) })
	want(t, got, "200", len(fields))
	f := s.must("GET", "/services/demo/functions/resize", nil).object(t)
	if f["description"] != "x" || f["timeout"] != 7.0 || f["memorySize"] != 256.0 || len(f["environmentVariables"].(m)) != 1 {
		t.Errorf("an update was lost: %v", f)
	}
}

func TestOfCreatesWithTheSameNameOneWins(t *testing.T) {
	s := start(t)
	got := together(crowd, func(int) answer { return s.do("POST", "/services", m{"serviceName": "demo"}) })
	want(t, got, "200", 1)
	want(t, got, "409ServiceAlreadyExists", crowd-1)
	body := functionOf(t, "resize")
	got = together(crowd, func(int) answer { return s.do("POST", "/services/demo/functions", body) })
	want(t, got, "200", 1)
	want(t, got, "409FunctionAlreadyExists", crowd-1)
	got = together(crowd, func(int) answer {
		return s.do("POST", "/services/demo/functions/resize/triggers", ossTrigger("uploads", "src/"))
	})
	want(t, got, "200", 1)
	want(t, got, "409TriggerAlreadyExists", crowd-1)
}

func TestOfOverlappingTriggersOneWins(t *testing.T) {
	s := start(t)
	s.must("POST", "/services", m{"serviceName": "demo"})
	for i := range crowd {
		s.must("POST", "/services/demo/functions", functionOf(t, fmt.Sprint("f", i)))
	}
	got := together(crowd, func(i int) answer {
		return s.do("POST", fmt.Sprintf("/services/demo/functions/f%d/triggers", i), ossTrigger("uploads", "src/"))
	})
	want(t, got, "200", 1)
	want(t, got, "400InvalidArgument", crowd-1)
}

func TestNothingIsCreatedInWhatIsBeingDeleted(t *testing.T) {
	s := start(t)
	body := functionOf(t, "resize")
	for range 20 {
		s.must("POST", "/services", m{"serviceName": "demo"})
		got := together(2, func(i int) answer {
			if i == 0 {
				return s.do("DELETE", "/services/demo", nil)
			}
			return s.do("POST", "/services/demo/functions", body)
		})
		switch {
		case got["204"] == 1 && got["404"+string(fc.ServiceNotFound)] == 1:
		case got["409"+string(fc.ServiceNotEmpty)] == 1 && got["200"] == 1:
			s.must("DELETE", "/services/demo/functions/resize", nil)
			s.must("DELETE", "/services/demo", nil)
		default:
			t.Fatalf("got %v", got)
		}
	}
}
