package invoker

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"fcd/fc"
	"fcd/invoker/runtimes/frame"
)

// metrics count calls by outcome; no label names a function, so their number is bounded.
type metrics struct {
	outcomes map[string]prometheus.Counter
	duration prometheus.Histogram
	cold     prometheus.Counter
	failed   prometheus.Counter
	waiting  prometheus.Gauge
}

// Outcomes besides the error classes of package frame.
const (
	outcomeOK        = "ok"
	outcomeThrottled = "throttled" // 429 and 503
	outcomeRefused   = "refused"   // no such function, event too large, ...
	outcomeInternal  = "internal"
	outcomeOther     = "other"
)

func newMetrics(reg prometheus.Registerer, b *budget) (*metrics, error) {
	total := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "fcd_invoker_invocations_total",
		Help: "Calls by how they ended: ok, the class of the function's error, or why there was no invocation."}, []string{"outcome"})
	m := &metrics{
		outcomes: make(map[string]prometheus.Counter),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "fcd_invoker_duration_seconds",
			Help: "Time that functions ran.", Buckets: prometheus.ExponentialBuckets(0.0001, 4, 12)}),
		cold: prometheus.NewCounter(prometheus.CounterOpts{Name: "fcd_invoker_cold_starts_total",
			Help: "Instances started."}),
		failed: prometheus.NewCounter(prometheus.CounterOpts{Name: "fcd_invoker_start_failures_total",
			Help: "Instances that could not be started."}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{Name: "fcd_invoker_waiting_calls",
			Help: "Calls that wait for an instance."}),
	}
	for _, o := range []string{outcomeOK, outcomeThrottled, outcomeRefused, outcomeInternal, outcomeOther,
		frame.ClassHandled, frame.ClassUnhandled, frame.ClassTimeout, frame.ClassOOM, frame.ClassImport,
		frame.ClassNoHandler, frame.ClassSyntax} {
		m.outcomes[o] = total.WithLabelValues(o)
	}
	instances := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "fcd_invoker_instances",
		Help: "Instances that start, run, are idle or are being killed."}, func() float64 { return float64(b.used()) })
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{total, m.duration, m.cold, m.failed, m.waiting, instances} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) count(outcome string) {
	c, ok := m.outcomes[outcome]
	if !ok {
		c = m.outcomes[outcomeOther]
	}
	c.Inc()
}

func (m *metrics) ran(class string, took time.Duration) {
	if class == "" {
		class = outcomeOK
	}
	m.count(class)
	m.duration.Observe(took.Seconds())
}

func (m *metrics) refused(err error) {
	switch fc.CodeOf(err) {
	case fc.ResourceExhausted, fc.ResourceThrottled:
		m.count(outcomeThrottled)
	case fc.InternalServerError:
		m.count(outcomeInternal)
	default:
		m.count(outcomeRefused)
	}
}
