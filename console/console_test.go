package console

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestConsole(t *testing.T) {
	reg := prometheus.NewRegistry()
	reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "fcd_test_things"}, func() float64 { return 3 }))
	well := Check{"store", func(context.Context) error { return nil }}
	ill := Check{"sandbox", func(context.Context) error { return errors.New("user namespaces are forbidden") }}
	cases := []struct {
		name, path string
		checks     []Check
		status     int
		body       string
	}{
		{"alive", "/healthz", nil, 200, "ok"},
		{"ready without checks", "/readyz", nil, 200, `"ready":true`},
		{"ready when all checks pass", "/readyz", []Check{well}, 200, `"store":"ok"`},
		{"not ready with a reason", "/readyz", []Check{well, ill}, 503, `"sandbox":"user namespaces are forbidden"`},
		{"metrics", "/metrics", nil, 200, "fcd_test_things 3"},
		{"profiles", "/debug/pprof/", nil, 200, "goroutine"},
		{"nothing else", "/etc/passwd", nil, 404, "not found"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			rec := httptest.NewRecorder()
			New(Options{Gatherer: reg, Checks: c.checks}).ServeHTTP(rec, httptest.NewRequest("GET", c.path, nil))
			if rec.Code != c.status || !strings.Contains(rec.Body.String(), c.body) {
				t.Errorf("%d %q, want %d with %q", rec.Code, rec.Body, c.status, c.body)
			}
		})
	}
}
