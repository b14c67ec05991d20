package sqlite_test

import (
	"testing"
	"time"

	"fcd/store"
	"fcd/store/sqlite"
)

// TestWhatAClockOfTheFutureQueuedIsDueAfterIt was set back and the store was opened again; a backoff stays one.
func TestWhatAClockOfTheFutureQueuedIsDueAfterIt(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	open := func(at time.Time) *sqlite.Store {
		t.Helper()
		s, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir, MinFreeBytes: -1, Now: func() time.Time { return at }})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open(now.Add(2 * time.Hour))
	if _, err := s.Apply(t.Context(), store.Batch{Enqueue: []store.Msg{{RequestID: "future", Fn: "s//f"},
		{RequestID: "waits", Fn: "s//g", Due: now.Add(time.Minute)}}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(now)
	defer s.Close()
	got, err := s.Claim(t.Context(), "me", map[string]int{"s//f": 9, "s//g": 9}, time.Minute)
	if err != nil || len(got) != 1 || got[0].RequestID != "future" {
		t.Errorf("%+v, %v", got, err)
	}
}
