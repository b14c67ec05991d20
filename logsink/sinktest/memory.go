// Package sinktest holds the promises of a logsink.Sink as tests (Run) and a Sink in memory (Memory) for tests of those
// who use one.
//
//	func TestSink(t *testing.T) {
//		sinktest.Run(t, func(t *testing.T) sinktest.Subject { ... })
//	}
package sinktest

import (
	"context"
	"sync"

	"fcd/fc"
	"fcd/logsink"
)

// Memory is a Sink that keeps what it takes. Fail, if set, is asked first. A pack id that was taken before is taken again
// and dropped, as the embedded Log Service does. The zero value works; its methods may be called from several goroutines.
type Memory struct {
	Fail func(logsink.Batch) error

	mu      sync.Mutex // guards the fields below
	batches []logsink.Batch
	packs   map[[3]string]bool
	changed chan struct{}
}

// Send takes a batch.
func (m *Memory) Send(ctx context.Context, b logsink.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if m.Fail != nil {
		if err := m.Fail(b); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	id := [3]string{b.Project, b.Logstore, b.PackID}
	if m.packs[id] {
		return nil
	}
	if m.packs == nil {
		m.packs = map[[3]string]bool{}
	}
	m.packs[id] = true
	m.batches = append(m.batches, b)
	if m.changed != nil {
		close(m.changed)
		m.changed = nil
	}
	return nil
}

// Batches are the batches taken so far, in order.
func (m *Memory) Batches() []logsink.Batch {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]logsink.Batch(nil), m.batches...)
}

// Records are the lines of a logstore taken so far, in order.
func (m *Memory) Records(project, logstore string) []fc.LogRecord {
	var recs []fc.LogRecord
	for _, b := range m.Batches() {
		if b.Project == project && b.Logstore == logstore {
			recs = append(recs, b.Records...)
		}
	}
	return recs
}

// Await waits until n lines of a logstore were taken, and returns them, or what there is when ctx ends.
func (m *Memory) Await(ctx context.Context, project, logstore string, n int) []fc.LogRecord {
	for {
		m.mu.Lock()
		if m.changed == nil {
			m.changed = make(chan struct{})
		}
		changed := m.changed
		m.mu.Unlock()
		recs := m.Records(project, logstore)
		if len(recs) >= n {
			return recs
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return recs
		}
	}
}
