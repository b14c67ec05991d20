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

	claims        prometheus.Histogram
	claimFailures prometheus.Counter
	freshStarts   *prometheus.CounterVec
}

// Why an instance was started from the beginning.
const (
	freshNeeds  = "needs"  // nothing generic can serve the function, or there is none by configuration
	freshEmpty  = "empty"  // nothing generic was there
	freshFailed = "failed" // the claim failed
)

// Outcomes besides the error classes of package frame.
const (
	outcomeOK        = "ok"
	outcomeThrottled = "throttled" // 429 and 503
	outcomeRefused   = "refused"   // no such function, event too large, ...
	outcomeInternal  = "internal"
	outcomeOther     = "other"
)

func newMetrics(reg prometheus.Registerer, v *Invoker) (*metrics, error) {
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
		claims: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "fcd_invoker_claim_seconds",
			Help:    "Time that claims of generic instances took, without the load of the function's code.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2, 12)}),
		claimFailures: prometheus.NewCounter(prometheus.CounterOpts{Name: "fcd_invoker_claim_failures_total",
			Help: "Generic instances that were killed since their claim failed."}),
		freshStarts: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "fcd_invoker_fresh_starts_total",
			Help: "Instances started from the beginning, by why none was claimed: empty, needs of the function, failed claim."}, []string{"reason"}),
	}
	for _, o := range []string{outcomeOK, outcomeThrottled, outcomeRefused, outcomeInternal, outcomeOther,
		frame.ClassHandled, frame.ClassUnhandled, frame.ClassTimeout, frame.ClassOOM, frame.ClassImport,
		frame.ClassNoHandler, frame.ClassSyntax} {
		m.outcomes[o] = total.WithLabelValues(o)
	}
	for _, reason := range []string{freshNeeds, freshEmpty, freshFailed} {
		m.freshStarts.WithLabelValues(reason)
	}
	waiting := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "fcd_invoker_waiting_calls",
		Help: "Calls that wait for an instance."}, func() float64 { return float64(v.waiting.Load()) })
	instances := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "fcd_invoker_instances",
		Help: "Instances that start, run, are idle or are being killed."}, func() float64 { return float64(v.budget.used()) })
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{total, m.duration, m.cold, m.failed, m.claims, m.claimFailures, m.freshStarts,
		waiting, instances, poolCollector{v.stock}} {
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

func (m *metrics) fresh(reason string) { m.freshStarts.WithLabelValues(reason).Inc() }

// poolCollector counts the generic instances when it is asked.
type poolCollector struct{ stock *stock }

var poolDesc = prometheus.NewDesc("fcd_invoker_pool_instances", "Generic instances that wait to be claimed, by runtime.", []string{"runtime"}, nil)

func (c poolCollector) Describe(to chan<- *prometheus.Desc) { to <- poolDesc }

func (c poolCollector) Collect(to chan<- prometheus.Metric) {
	for runtime, n := range c.stock.waiting() {
		to <- prometheus.MustNewConstMetric(poolDesc, prometheus.GaugeValue, float64(n), runtime)
	}
}
