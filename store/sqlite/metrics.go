package sqlite

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the store's numbers; all methods work without a registry.
type metrics struct {
	batches  prometheus.Histogram
	commits  prometheus.Histogram
	gauges   []prometheus.Collector
	messages atomic.Int64
	bytes    atomic.Int64
}

func newMetrics(reg prometheus.Registerer, w *writer) (*metrics, error) {
	m := &metrics{
		batches: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "fcd_sqlite_group_batches", Help: "Batches that shared one commit.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 11),
		}),
		commits: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "fcd_sqlite_commit_seconds", Help: "Time to check, write and flush a group.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2, 16),
		}),
	}
	m.queue(w.counters)
	m.gauges = []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "fcd_sqlite_queue_messages", Help: "Messages in the queue, running ones included.",
		}, func() float64 { return float64(m.messages.Load()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "fcd_sqlite_queue_bytes", Help: "Bytes of their payloads.",
		}, func() float64 { return float64(m.bytes.Load()) }),
	}
	if reg == nil {
		return m, nil
	}
	for i, c := range m.all() {
		if err := reg.Register(c); err != nil {
			for _, done := range m.all()[:i] {
				reg.Unregister(done)
			}
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) all() []prometheus.Collector {
	return append([]prometheus.Collector{m.batches, m.commits}, m.gauges...)
}

func (m *metrics) unregister(reg prometheus.Registerer) {
	if reg == nil {
		return
	}
	for _, c := range m.all() {
		reg.Unregister(c)
	}
}

func (m *metrics) group(batches int, took time.Duration) {
	m.batches.Observe(float64(batches))
	m.commits.Observe(took.Seconds())
}

func (m *metrics) queue(n counters) {
	m.messages.Store(n.messages)
	m.bytes.Store(n.bytes)
}
