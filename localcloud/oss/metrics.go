package oss

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"fcd/localcloud/oss/disk"
)

// metrics count what the server does. The labels are bounded: operations are those of the table and status classes.
type metrics struct {
	requests       *prometheus.CounterVec
	received, sent prometheus.Counter
	registerer     prometheus.Registerer
	registered     []prometheus.Collector
}

func newMetrics(reg prometheus.Registerer, d *disk.Disk) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	gauge := func(name, help string, value func() int64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(value()) })
	}
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fcd_oss_requests_total", Help: "Requests to the embedded object storage by operation and status class.",
		}, []string{"operation", "status"}),
		received:   counter("fcd_oss_received_bytes_total", "Bytes of request bodies read by the embedded object storage."),
		sent:       counter("fcd_oss_sent_bytes_total", "Bytes of response bodies sent by the embedded object storage."),
		registerer: reg,
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{
		m.requests, m.received, m.sent,
		gauge("fcd_oss_outbox_events", "Object events that wait to be taken over.", d.Pending),
		gauge("fcd_oss_stored_bytes", "Bytes of all objects and parts of the embedded object storage.", d.Total),
	} {
		if err := reg.Register(c); err != nil {
			m.unregister()
			return nil, err
		}
		m.registered = append(m.registered, c)
	}
	return m, nil
}

func (m *metrics) unregister() {
	for _, c := range m.registered {
		m.registerer.Unregister(c)
	}
}

func (m *metrics) observe(c *call) {
	m.requests.WithLabelValues(c.op.name, statusClass(c.w.status)).Inc()
	m.received.Add(float64(c.body.n))
	m.sent.Add(float64(c.w.sent))
}

func statusClass(status int) string {
	if status < 100 || status > 599 {
		return "none"
	}
	return strconv.Itoa(status/100) + "xx"
}
