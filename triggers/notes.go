package triggers

import (
	"cmp"
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"fcd/store"
)

// Notes wait at most noteLinger for others to share their commit, and are dropped when noteBuffer of them wait. Their
// payloads are dropped first.
const (
	notePayloads = 16 << 20 // bytes of all that wait
	noteBytes    = 4 << 20  // of one commit
	noteBuffer   = 4096
	noteBatch    = 500
	noteLinger   = 200 * time.Millisecond
)

// Note records the fate of an event that leads to no invocation in the queue. It never waits; beyond a few thousand
// waiting notes, and in a crash, notes are lost and counted. What the note leaves out is filled in from its trigger.
func (b *Bridge) Note(f store.Fate) {
	if f.At.IsZero() {
		f.At = b.o.Clock()
	}
	if t, ok := b.o.Triggers.Trigger(f.Trigger); ok && f.Function == "" {
		f.Type, f.Function, f.Name, f.Source = t.Type, t.ServiceName+"/"+t.FunctionName, t.Name, cmp.Or(f.Source, t.SourceARN)
	}
	if size := int64(len(f.Payload)); b.held.Add(size) > notePayloads || size > b.o.MaxPayloadBytes {
		b.held.Add(-size)
		f.Payload = nil // the record is worth more than the event
	}
	select {
	case b.notes <- f:
		b.m.count(f.Type, f.State)
	default:
		b.held.Add(-int64(len(f.Payload)))
		b.m.lostNotes.Inc()
	}
}

// Run writes the notes until ctx ends, then those that wait.
func (b *Bridge) Run(ctx context.Context) error {
	for {
		select {
		case f := <-b.notes:
			b.write(b.gather(ctx, f))
		case <-ctx.Done():
			for len(b.notes) > 0 {
				b.write(b.gather(ctx, <-b.notes))
			}
			return nil
		}
	}
}

// gather collects notes for one commit.
func (b *Bridge) gather(ctx context.Context, first store.Fate) []store.Fate {
	fates, size := []store.Fate{first}, len(first.Payload)
	take := func(f store.Fate) { fates, size = append(fates, f), size+len(f.Payload) }
	linger := time.NewTimer(noteLinger)
	defer linger.Stop()
	done := ctx.Done()
	for len(fates) < noteBatch && size < noteBytes {
		select {
		case f := <-b.notes:
			take(f)
			continue
		default:
		}
		if ctx.Err() != nil {
			return fates
		}
		select {
		case f := <-b.notes:
			take(f)
		case <-linger.C:
			return fates
		case <-done:
		}
	}
	return fates
}

func (b *Bridge) write(fates []store.Fate) {
	for i := range fates {
		b.held.Add(-int64(len(fates[i].Payload)))
	}
	if _, err := b.o.Store.Apply(context.Background(), store.Batch{Fates: fates}); err != nil {
		b.m.lostNotes.Add(float64(len(fates)))
		b.o.Log.Warn("fates of events were not written", zap.Int("count", len(fates)), zap.Error(err))
	}
}

type bridgeMetrics struct {
	events, denied *prometheus.CounterVec
	lostNotes      prometheus.Counter
}

func newBridgeMetrics(r prometheus.Registerer) (bridgeMetrics, error) {
	m := bridgeMetrics{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fcd_trigger_events_total", Help: "What became of events, by type of trigger and state: queued, unmatched, denied, duplicate, dead-lettered, expired, and of synchronous triggers attempt, succeeded and failed.",
		}, []string{"type", "state"}),
		denied: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fcd_trigger_denied_total", Help: "Events that a check refused, by type of trigger and reason.",
		}, []string{"type", "reason"}),
		lostNotes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "fcd_trigger_notes_lost_total", Help: "Records of what became of an event that were dropped. The events themselves were not.",
		}),
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.events, m.denied, m.lostNotes} {
		if err := r.Register(c); err != nil {
			return m, err
		}
	}
	return m, nil
}

func (m bridgeMetrics) count(triggerType, state string) {
	m.events.WithLabelValues(triggerType, state).Inc()
}
