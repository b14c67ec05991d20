package triggers

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"fcd/store"
)

// Notes wait at most noteLinger for others to share their commit, and are dropped when noteBuffer of them wait.
const (
	noteBuffer = 4096
	noteBatch  = 500
	noteLinger = 200 * time.Millisecond
)

// Note records the fate of an event that leads to no invocation. It never waits; beyond a few thousand waiting notes, and
// in a crash, notes are lost and counted.
func (b *Bridge) Note(f store.Fate) {
	if f.At.IsZero() {
		f.At = b.o.Clock()
	}
	select {
	case b.notes <- f:
	default:
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
	fates := []store.Fate{first}
	linger := time.NewTimer(noteLinger)
	defer linger.Stop()
	done := ctx.Done()
	for len(fates) < noteBatch {
		select {
		case f := <-b.notes:
			fates = append(fates, f)
			continue
		default:
		}
		if ctx.Err() != nil {
			return fates
		}
		select {
		case f := <-b.notes:
			fates = append(fates, f)
		case <-linger.C:
			return fates
		case <-done:
		}
	}
	return fates
}

func (b *Bridge) write(fates []store.Fate) {
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
			Name: "fcd_trigger_events_total", Help: "Events that were queued or found to be duplicates, by type of trigger.",
		}, []string{"type", "outcome"}),
		denied: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fcd_trigger_denied_total", Help: "Events that a check refused, by type of trigger and reason.",
		}, []string{"type", "reason"}),
		lostNotes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "fcd_trigger_notes_lost_total", Help: "Records of what became of an event that were dropped.",
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
