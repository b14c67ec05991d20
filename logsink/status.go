package logsink

import (
	"context"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
)

// States of a logstore's delivery.
const (
	StateOK       = "ok"       // the last batch was taken over, or none was sent yet
	StateRetrying = "retrying" // failing for a passing reason
	StateBlocked  = "blocked"  // failing until someone acts: see Error
)

// Status tells how the delivery to one logstore goes. The counts are since the start of the process.
type Status struct {
	Project  string    `json:"project"`
	Logstore string    `json:"logstore"`
	State    string    `json:"state"`
	Error    string    `json:"error,omitempty"` // of the last failed batch, while State is not ok
	Since    time.Time `json:"since"`           // when State began; zero if it never changed
	Pending  uint64    `json:"pending"`         // lines in the spool
	Bytes    int64     `json:"bytes"`           // what they take on disk
	Sent     uint64    `json:"sent"`
	Dropped  uint64    `json:"dropped"`  // the spool was full
	Rejected uint64    `json:"rejected"` // refused for their content
	Lost     uint64    `json:"lost"`     // the disk refused or damaged them
}

// Status is a snapshot of all logstores, sorted by project and logstore.
func (s *Shipper) Status() []Status {
	s.mu.Lock()
	all := make([]Status, 0, len(s.lanes))
	for _, l := range s.lanes {
		all = append(all, l.snapshot())
	}
	s.mu.Unlock()
	slices.SortFunc(all, func(a, b Status) int {
		if c := strings.Compare(a.Project, b.Project); c != 0 {
			return c
		}
		return strings.Compare(a.Logstore, b.Logstore)
	})
	return all
}

func (l *lane) snapshot() Status {
	q := l.q.State()
	l.mu.Lock()
	defer l.mu.Unlock()
	st := l.status
	st.Pending, st.Bytes, st.Lost = q.Records, q.Bytes, q.Lost
	return st
}

func (l *lane) fields(more ...zap.Field) []zap.Field {
	return append([]zap.Field{zap.String("project", l.q.Project), zap.String("logstore", l.q.Logstore)}, more...)
}

func (l *lane) succeeded(lines int) {
	l.s.metrics.batches.WithLabelValues("sent").Inc()
	l.s.metrics.lines.WithLabelValues("sent").Add(float64(lines))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.attempts = 0
	l.status.Sent += uint64(lines)
	if l.status.State != StateOK {
		l.status.State, l.status.Error, l.status.Since = StateOK, "", time.Now()
		l.s.log.Info("log delivery works again", l.fields()...)
	}
}

// failed notes a failure; it is logged once per change of state.
func (l *lane) failed(err error) {
	l.s.metrics.batches.WithLabelValues("failed").Inc()
	state := StateRetrying
	if ClassOf(err) == Slow {
		state = StateBlocked
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.Error = err.Error()
	if l.status.State == state {
		return
	}
	l.status.State, l.status.Since = state, time.Now()
	l.attempts = 0
	l.s.log.Warn("log delivery fails", l.fields(zap.String("state", state), zap.Error(err))...)
}

// checkEmpty wakes Flush if nothing is left.
func (l *lane) checkEmpty() {
	if l.q.State().Records > 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.emptied)
	l.emptied = make(chan struct{})
}

func (l *lane) waitEmpty(ctx context.Context) error {
	for {
		l.mu.Lock()
		emptied := l.emptied
		l.mu.Unlock()
		if l.q.State().Records == 0 {
			return nil
		}
		select {
		case <-emptied:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
