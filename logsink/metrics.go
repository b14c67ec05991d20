package logsink

import (
	"github.com/prometheus/client_golang/prometheus"

	"fcd/logsink/spool"
)

type metrics struct {
	lines    *prometheus.CounterVec // by result: appended, sent, dropped, rejected
	appended prometheus.Counter     // lines
	batches  *prometheus.CounterVec // by result: sent, failed, halved
	seconds  prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer, sp *spool.Spool) *metrics {
	m := &metrics{
		lines: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fcd_logsink_lines_total", Help: "Log lines by what became of them."}, []string{"result"}),
		batches: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fcd_logsink_batches_total", Help: "Batches by result of one attempt."}, []string{"result"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "fcd_logsink_send_seconds", Help: "Time of one attempt to send a batch.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 8)}),
	}
	m.appended = m.lines.WithLabelValues("appended")
	if reg != nil {
		reg.MustRegister(m.lines, m.batches, m.seconds, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "fcd_logsink_spool_bytes", Help: "Bytes of log lines on disk that are not delivered yet.",
		}, func() float64 { return float64(sp.Bytes()) }))
	}
	return m
}
