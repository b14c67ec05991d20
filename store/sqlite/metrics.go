package sqlite

import (
	"context"
	"math"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"fcd/store"
)

// metrics are the store's numbers; all methods work without a registry.
type metrics struct {
	batches  prometheus.Histogram
	commits  prometheus.Histogram
	dropped  *prometheus.CounterVec
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
	m.dropped = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "fcd_sqlite_dead_letters_dropped_total", Help: "Dead letters dropped for their age or for the room they take: age, size.",
	}, []string{"reason"})
	for _, reason := range []string{droppedForAge, droppedForSize} {
		m.dropped.WithLabelValues(reason)
	}
	m.queue(w.counters)
	m.gauges = []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "fcd_sqlite_queue_messages", Help: "Messages in the queue, running ones included.",
		}, func() float64 { return float64(m.messages.Load()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "fcd_sqlite_queue_bytes", Help: "Bytes of their payloads.",
		}, func() float64 { return float64(m.bytes.Load()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "fcd_sqlite_folded_messages", Help: "Messages of the queue that stand in the burst log, as they came.",
		}, func() float64 { return float64(w.s.bursts.held()) }),
		deadGauge(w.s, "fcd_sqlite_dead_letters", "Dead letters kept.", func(d store.DeadSize) int64 { return d.Letters }),
		deadGauge(w.s, "fcd_sqlite_dead_letter_bytes", "Bytes of their payloads.", func(d store.DeadSize) int64 { return d.Bytes }),
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

// deadGauge asks the database when it is read.
func deadGauge(s *Store, name, help string, of func(store.DeadSize) int64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
		size, err := s.DeadSize(context.Background())
		if err != nil {
			return math.NaN()
		}
		return float64(of(size))
	})
}

func (m *metrics) all() []prometheus.Collector {
	return append([]prometheus.Collector{m.batches, m.commits, m.dropped}, m.gauges...)
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
