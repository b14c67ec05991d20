package logs

import (
	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	attempts, ranges *prometheus.CounterVec
	lostRecords      prometheus.Counter
}

func newMetrics(r prometheus.Registerer, s *Source) (metrics, error) {
	m := metrics{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fcd_trigger_log_attempts_total", Help: "Calls of log triggers, by outcome.",
		}, []string{"outcome"}),
		ranges: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fcd_trigger_log_ranges_total", Help: "Ranges of logs that were taken, stalled, were given up or expired.",
		}, []string{"state"}),
		lostRecords: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "fcd_trigger_log_records_lost_total", Help: "Records of attempts that could not be written to the triggers' logstores.",
		}),
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.attempts, m.ranges, m.lostRecords,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "fcd_trigger_log_stalled_shards", Help: "Shards whose range is tried on beyond its retries.",
		}, func() float64 { stalled, _ := s.state(); return float64(stalled) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "fcd_trigger_log_lag_seconds", Help: "For how long logs have waited in the shard that is furthest behind.",
		}, func() float64 { _, lag := s.state(); return lag }),
	} {
		if err := r.Register(c); err != nil {
			return m, err
		}
	}
	return m, nil
}

// state counts the stalled shards and tells the longest wait, in seconds.
func (s *Source) state() (stalled int, lag float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.jobs {
		for _, sh := range j.shards {
			if sh.stalled.Load() {
				stalled++
			}
			if since := sh.behind.Load(); since > 0 {
				lag = max(lag, float64(s.now().Unix()-since))
			}
		}
	}
	return stalled, lag
}
