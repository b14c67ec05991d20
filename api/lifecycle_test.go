package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUpdatesOfTheHooksOfAFunction(t *testing.T) {
	s := start(t)
	s.must("POST", "/services", `{"serviceName":"demo"}`)
	f := functionOf(t, "hooked")
	// As fun sends it.
	f["InstanceLifecycleConfig"] = m{"PreFreeze": m{"Handler": "index.freeze", "Timeout": 5}, "PreStop": m{"Handler": "index.stop"}}
	s.must("POST", "/services/demo/functions", f)
	const fn = "/services/demo/functions/hooked"
	both := m{"preFreeze": m{"handler": "index.freeze", "timeout": 5.0}, "preStop": m{"handler": "index.stop", "timeout": 3.0}}
	if d := cmp.Diff(any(both), s.must("GET", fn, nil).object(t)["instanceLifecycleConfig"]); d != "" {
		t.Fatalf("as created, -want +got:\n%s", d)
	}
	for _, tt := range []struct {
		body string
		want any
	}{
		{`{"timeout":9}`, both},
		{`{"instanceLifecycleConfig":null}`, both},
		{`{"instanceLifecycleConfig":{"preFreeze":null,"preStop":null}}`, both},
		{`{"instanceLifecycleConfig":{"preFreeze":{"handler":null,"timeout":null}}}`, both},
		{`{"INSTANCELIFECYCLECONFIG":{"PRESTOP":{"HANDLER":"index.other","TIMEOUT":90}}}`, m{"preStop": m{"handler": "index.other", "timeout": 90.0}}},
		{`{"instanceLifecycleConfig":{"preFreeze":{"handler":"index.freeze"},"preStop":{"handler":""}}}`, m{"preFreeze": m{"handler": "index.freeze", "timeout": 3.0}}},
		{`{"instanceLifecycleConfig":{"PreFreeze":{"Handler":"","Timeout":3},"PreStop":{"Handler":""}}}`, nil},
		{`{"instanceLifecycleConfig":{"preStop":{"handler":"index.stop"}}}`, m{"preStop": m{"handler": "index.stop", "timeout": 3.0}}},
		{`{"instanceLifecycleConfig":{}}`, nil},
	} {
		s.must("PUT", fn, tt.body)
		if d := cmp.Diff(tt.want, s.must("GET", fn, nil).object(t)["instanceLifecycleConfig"]); d != "" {
			t.Errorf("%s, -want +got:\n%s", tt.body, d)
		}
	}
	for body, want := range map[string]string{
		`{"instanceLifecycleConfig":"x"}`:                                                          "InstanceLifecycleConfig is set to an invalid value (allowed: an object",
		`{"instanceLifecycleConfig":{"preStop":"x"}}`:                                              "InstanceLifecycleConfig.PreStop is set to an invalid value (allowed: an object",
		`{"instanceLifecycleConfig":{"preStop":{"handler":1}}}`:                                    "InstanceLifecycleConfig.PreStop is set to an invalid value (allowed: a handler, ",
		`{"instanceLifecycleConfig":{"preStop":{"handler":"a.b","timeout":0}}}`:                    "InstanceLifecycleConfig.PreStop.Timeout is set to an invalid value (allowed: 1 to 90, actual: '0')",
		`{"instanceLifecycleConfig":{"preFreeze":{"handler":"` + strings.Repeat("h", 129) + `"}}}`: "InstanceLifecycleConfig.PreFreeze.Handler is set to an invalid value (allowed: at most 128 characters",
	} {
		if a := s.do("PUT", fn, body); a.status != http.StatusBadRequest || !strings.Contains(a.body, want) {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
}
