package api

import (
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts requests. Labels are bounded: the operations of the table and the statuses of the error table.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec

	operations sync.Map // *operation -> *operationMetrics
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fcd_api_requests_total",
			Help: "Requests to the REST API by operation and HTTP status.",
		}, []string{"operation", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "fcd_api_request_duration_seconds",
			Help:    "Time from the arrival of a request to its answer by operation.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300},
		}, []string{"operation"}),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.requests, m.duration} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("api: metrics: %w", err)
		}
	}
	return m, nil
}

// An operationMetrics are the series of one operation, looked up once.
type operationMetrics struct {
	requests sync.Map // status -> prometheus.Counter
	duration prometheus.Observer
}

func (m *metrics) of(op *operation) *operationMetrics {
	if o, found := m.operations.Load(op); found {
		return o.(*operationMetrics)
	}
	o, _ := m.operations.LoadOrStore(op, &operationMetrics{duration: m.duration.WithLabelValues(op.name)})
	return o.(*operationMetrics)
}

func (m *metrics) observe(op *operation, status int, took time.Duration) {
	o := m.of(op)
	o.duration.Observe(took.Seconds())
	requests, found := o.requests.Load(status)
	if !found {
		requests, _ = o.requests.LoadOrStore(status, m.requests.WithLabelValues(op.name, strconv.Itoa(status)))
	}
	requests.(prometheus.Counter).Inc()
}
