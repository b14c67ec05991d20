package sls

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	requests *prometheus.CounterVec // by action and status
	lines    prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, bytes func() int64) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fcd_localcloud_sls_requests_total", Help: "Requests to the embedded Log Service."}, []string{"action", "status"}),
		lines: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "fcd_localcloud_sls_lines_total", Help: "Log lines written to the embedded Log Service."}),
	}
	if reg != nil {
		reg.MustRegister(m.requests, m.lines, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "fcd_localcloud_sls_bytes", Help: "Bytes of logs that the embedded Log Service keeps.",
		}, func() float64 { return float64(bytes()) }))
	}
	return m
}
