package logsink_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"fcd/e2e/disk"
	"fcd/fc"
	"fcd/logsink"
	"fcd/logsink/sinktest"
	"fcd/logsink/spool"
)

// TestLinesBehindAPowerCutAreNotTakenForEarlierOnes cuts the power when a batch has been taken of which the spool has
// flushed nothing by itself. What is printed afterwards is no part of that batch.
func TestLinesBehindAPowerCutAreNotTakenForEarlierOnes(t *testing.T) {
	d, sink := disk.New(t, 64), &sinktest.Memory{}
	const batch = 5
	late := func(l *logsink.Options, s *spool.Options) { l.MaxBatchLines, s.SyncDelay = batch, 1<<62 }
	r := start(t, d.Dir+"/spool", sink, late)
	var recs []fc.LogRecord
	for i := range batch {
		recs = append(recs, record(i))
	}
	r.Append(recs...)
	sink.Await(t.Context(), "p", "l", batch)
	d.Cut()
	r.stop()
	d.Replug()
	r = start(t, d.Dir+"/spool", sink, late)
	defer r.stop()
	for i := range recs {
		recs[i] = record(batch + i)
	}
	r.Append(recs...)
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(lines(0, 2*batch), unique(messages(sink.Records("p", "l")))); diff != "" {
		t.Error(diff)
	}
}
