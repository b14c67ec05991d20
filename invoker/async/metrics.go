package async

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	attempts *prometheus.CounterVec
	lag      prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer, running func() int) (*metrics, error) {
	m := &metrics{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "fcd_async_attempts_total",
			Help: "Attempts of asynchronous invocations by how they ended: succeeded, retry, throttled, cut, dead, stopped."}, []string{"outcome"}),
		lag: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "fcd_async_lag_seconds",
			Help: "Time between the instant a message was due and the start of its attempt.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 12)}),
	}
	for _, label := range []string{labelSucceeded, labelRetry, labelThrottled, labelCut, labelDead, labelStopped} {
		m.attempts.WithLabelValues(label)
	}
	if reg == nil {
		return m, nil
	}
	gauge := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "fcd_async_running_attempts",
		Help: "Attempts that run now."}, func() float64 { return float64(running()) })
	for _, c := range []prometheus.Collector{m.attempts, m.lag, gauge} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) attempt(label string) { m.attempts.WithLabelValues(label).Inc() }
