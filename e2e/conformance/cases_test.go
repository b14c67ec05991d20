package conformance

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"fcd/fc"
)

// TestVariablesThatAreRefused are those that a function may not set.
func TestVariablesThatAreRefused(t *testing.T) {
	h := shared.get(t)
	for name, env := range map[string]map[string]string{
		"FC_ANYTHING":     {"FC_ANYTHING": "x"},
		"accessKeyID":     {"accessKeyID": "x"},
		"accessKeySecret": {"accessKeySecret": "x"},
		"securityToken":   {"securityToken": "x"},
		"topic":           {"topic": "x"},
		"1A":              {"1A": "x"},
		"_A":              {"_A": "x"},
		"value of A":      {"A": "h\u00e9llo"},
		"bytes together":  {"A": strings.Repeat("x", 4096)},
	} {
		err := h.tryDeploy(function{service: plain, name: "refused", runtime: "python3", handler: "index.handler",
			code: zipFiles(t, map[string]string{"index.py": "x = 1\n"}), env: env})
		var e *fc.Error
		if !errors.As(err, &e) || e.Code != fc.InvalidArgument || !strings.Contains(e.Message, "EnvironmentVariables") || !strings.Contains(e.Message, name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestARuntimeThatIsNotInstalled is accepted and says so when it is called.
func TestARuntimeThatIsNotInstalled(t *testing.T) {
	h := shared.get(t)
	for _, name := range fc.Runtimes() {
		if s, ok := h.status[name]; !ok || s.Ready {
			continue
		}
		f := function{service: plain, name: "absent", runtime: name, handler: "index.handler", code: zipFiles(t, map[string]string{"index.js": "x = 1\n"})}
		h.deploy(t, f)
		_, err := h.invoke(plain, f.name, nil, false)
		var e *fc.Error
		if want := "runtime " + name + " is not installed on this host; "; !errors.As(err, &e) ||
			e.Code != fc.InternalServerError || !strings.HasPrefix(e.Message, want) {
			t.Errorf("%s: %v", name, err)
		}
		h.remove(t, f)
	}
}

// TestClassesOfErrors makes each row's last call count in the metrics as the class that the row names.
func TestClassesOfErrors(t *testing.T) {
	h := shared.get(t)
	seen := map[string]bool{}
	for _, r := range table(t) {
		r.each(func(language, runtime string) {
			class := r.Class.of(language, "")
			if class == "" || seen[class+language] || len(r.Events) > 1 || !h.status[runtime].Ready {
				return
			}
			seen[class+language] = true
			t.Run(r.Case+" "+runtime, func(t *testing.T) {
				f := h.function(t, r, language, runtime)
				h.deploy(t, f)
				before := outcomes(t, h.metrics)
				if _, err := h.invoke(f.service, f.name, nil, false); err != nil {
					t.Fatal(err)
				}
				after := outcomes(t, h.metrics)
				if after[class] != before[class]+1 {
					t.Errorf("%s: %v before, %v after", class, before, after)
				}
				h.remove(t, f)
			})
		})
	}
	if want := []string{"FunctionHandledError", "FunctionUnhandledError", "FunctionTimeoutError", "FunctionOOMError",
		"ImportModuleError", "HandlerNotFound", "UserCodeSyntaxError"}; slices.ContainsFunc(want, func(c string) bool { return !seen[c+"nodejs"] }) {
		t.Errorf("seen %v, want all of %v", seen, want)
	}
}

// outcomes are the invocations by how they ended.
func outcomes(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range families {
		if f.GetName() != "fcd_invoker_invocations_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			all[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
		}
	}
	return all
}
