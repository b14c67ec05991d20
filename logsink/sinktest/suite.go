package sinktest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fcd/fc"
	"fcd/logsink"
)

// Subject is a Sink under test and a way to see what arrived.
type Subject struct {
	Sink              logsink.Sink
	Project, Logstore string // exist
	// Read gives the lines of the logstore in order of arrival, with Project and Logstore set.
	Read func(t *testing.T) []fc.LogRecord
	// Topics gives the topic of each of these lines.
	Topics func(t *testing.T) []string
	// KnowsPackIDs is true if a batch sent twice arrives once.
	KnowsPackIDs bool
}

// Run checks the promises of a Sink. open makes a fresh, empty Subject.
func Run(t *testing.T, open func(t *testing.T) Subject) {
	t.Run("a batch arrives whole and in order", func(t *testing.T) {
		s := open(t)
		b := s.batch("svc", "0000000000000001-1", 3, "line")
		send(t, s, b)
		diff(t, b.Records, s.Read(t))
		if got := s.Topics(t); len(got) != 3 || got[0] != "svc" || got[2] != "svc" {
			t.Errorf("topics are %q, want three times %q", got, "svc")
		}
	})
	t.Run("batches arrive in the order sent", func(t *testing.T) {
		s := open(t)
		var want []fc.LogRecord
		for i := range 5 {
			b := s.batch("svc", fmt.Sprintf("0000000000000001-%x", i), 2, fmt.Sprintf("batch %d", i))
			send(t, s, b)
			want = append(want, b.Records...)
		}
		diff(t, want, s.Read(t))
	})
	t.Run("a batch with a known pack id arrives once", func(t *testing.T) {
		s := open(t)
		if !s.KnowsPackIDs {
			t.Skip("this sink does not promise it")
		}
		b := s.batch("svc", "0000000000000001-1", 3, "line")
		send(t, s, b)
		send(t, s, b)
		diff(t, b.Records, s.Read(t))
	})
	t.Run("odd text arrives as it is", func(t *testing.T) {
		s := open(t)
		b := s.batch("svc", "0000000000000001-1", 4, "")
		for i, msg := range []string{"", "tab\tand \"quotes\" and \r", "日本語 ✓", strings.Repeat("x", 256<<10)} {
			b.Records[i].Message = msg
		}
		send(t, s, b)
		diff(t, b.Records, s.Read(t))
	})
	t.Run("a missing logstore is a slow error", func(t *testing.T) {
		s := open(t)
		b := s.batch("svc", "0000000000000001-1", 1, "line")
		b.Logstore = "not-there"
		if err := s.Sink.Send(t.Context(), b); err == nil || logsink.ClassOf(err) != logsink.Slow {
			t.Errorf("error is %v (%v), want a slow one", err, logsink.ClassOf(err))
		}
	})
}

func (s Subject) batch(topic, pack string, n int, text string) logsink.Batch {
	b := logsink.Batch{Project: s.Project, Logstore: s.Logstore, Topic: topic, PackID: pack}
	at := time.Now().UTC().Truncate(time.Second)
	for i := range n {
		b.Records = append(b.Records, fc.LogRecord{
			Time: at.Add(time.Duration(i) * time.Microsecond), Project: s.Project, Logstore: s.Logstore,
			Service: "svc", Function: "fn", Qualifier: "prod", VersionID: "3", InstanceID: "i-1",
			RequestID: "r-1", Message: fmt.Sprintf("%s %d", text, i), Late: i == 1,
		})
	}
	return b
}

func send(t *testing.T, s Subject, b logsink.Batch) {
	t.Helper()
	if err := s.Sink.Send(t.Context(), b); err != nil {
		t.Fatalf("send: %v", err)
	}
}

func diff(t *testing.T, want, got []fc.LogRecord) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("lines differ (-sent +arrived):\n%s", d)
	}
}
