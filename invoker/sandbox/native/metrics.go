package native

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the driver's own; the invoker has those of pools and calls.
type metrics struct {
	starts    prometheus.Histogram
	instances prometheus.Gauge
	oomKills  prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) metrics {
	m := metrics{
		starts: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "fcd_native_start_seconds", Help: "Time from the request for an instance to its program running.",
			Buckets: []float64{.002, .005, .01, .02, .05, .1, .25, .5, 1, 5},
		}),
		instances: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "fcd_native_instances", Help: "Instances alive or not yet given back.",
		}),
		oomKills: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "fcd_native_oom_kills_total", Help: "Instances that ended by their memory limit.",
		}),
	}
	if reg != nil {
		reg.MustRegister(m.starts, m.instances, m.oomKills)
	}
	return m
}

func (metrics) begin() time.Time { return time.Now() }

func (m metrics) started(began time.Time) {
	m.starts.Observe(time.Since(began).Seconds())
	m.instances.Inc()
}
