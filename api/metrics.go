package api

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts requests. Labels are bounded: the operations of the table and the statuses of the error table.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec

	operations sync.Map // name of the operation -> *operationMetrics
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
	ok       func() prometheus.Counter // status 200; made with the first
	duration prometheus.Observer
}

func (m *metrics) of(operation string) *operationMetrics {
	if o, found := m.operations.Load(operation); found {
		return o.(*operationMetrics)
	}
	o, _ := m.operations.LoadOrStore(operation, &operationMetrics{
		ok:       sync.OnceValue(func() prometheus.Counter { return m.requests.WithLabelValues(operation, "200") }),
		duration: m.duration.WithLabelValues(operation)})
	return o.(*operationMetrics)
}

func (m *metrics) observe(operation string, status int, took time.Duration) {
	o := m.of(operation)
	o.duration.Observe(took.Seconds())
	if status == http.StatusOK {
		o.ok().Inc()
		return
	}
	m.requests.WithLabelValues(operation, strconv.Itoa(status)).Inc()
}
