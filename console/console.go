// Package console is the admin listener: liveness, readiness with reasons, Prometheus metrics and profiling. It has no
// authentication; it belongs on loopback or on a private network.
//
//	GET /healthz       200 while the process serves
//	GET /readyz        200 when every check passes, else 503; JSON with one entry a check
//	GET /metrics       Prometheus text format
//	GET /debug/pprof/  Go profiles
//
// A Check must be quick and safe to call concurrently: /readyz calls all of them at each request.
package console

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/pprof"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Check is one condition of readiness.
type Check struct {
	Name string
	// Run returns nil if all is well. Its error's text is shown to whoever can reach the listener: no secrets.
	Run func(context.Context) error
}

// Options of New. The zero value is a console that is always ready and has no metrics.
type Options struct {
	Gatherer prometheus.Gatherer
	Checks   []Check
}

// New makes the handler.
func New(o Options) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) { ready(w, r, o.Checks) })
	if o.Gatherer != nil {
		mux.Handle("GET /metrics", promhttp.HandlerFor(o.Gatherer, promhttp.HandlerOpts{}))
	}
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}

// Readiness is the body of /readyz.
type Readiness struct {
	Ready  bool              `json:"ready"`
	Checks map[string]string `json:"checks"` // "ok" or what is wrong
}

func ready(w http.ResponseWriter, r *http.Request, checks []Check) {
	got := Readiness{Ready: true, Checks: map[string]string{}}
	for _, c := range checks {
		got.Checks[c.Name] = "ok"
		if err := c.Run(r.Context()); err != nil {
			got.Ready, got.Checks[c.Name] = false, err.Error()
		}
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if !got.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	json.NewEncoder(w).Encode(got)
}
