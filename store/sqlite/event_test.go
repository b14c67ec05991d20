package sqlite_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"fcd/store"
	"fcd/store/sqlite"
)

// TestPayloadsOfEventsAreBounded keeps the newest payloads up to so many bytes, and of the events the newest thousand.
func TestPayloadsOfEventsAreBounded(t *testing.T) {
	const size, kept = 1000, 40
	s := open(t, sqlite.Options{Dir: t.TempDir(), MaxEventBytes: size * kept, MaxEvents: 1000})
	defer closeStore(t, s)
	ctx := t.Context()
	for round := range 15 {
		var b store.Batch
		for i := range 100 {
			b.Fates = append(b.Fates, store.Fate{EventID: fmt.Sprint(100*round + i), Trigger: "t", State: store.FateDenied,
				Payload: bytes.Repeat([]byte{byte(i)}, size)})
		}
		if _, err := s.Apply(ctx, b); err != nil {
			t.Fatal(err)
		}
		if err := s.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
	}
	all, err := s.Events(ctx, store.EventFilter{}, 0, 0)
	if err != nil || len(all) != 1000 || all[0].EventID != "1499" || all[999].EventID != "500" {
		t.Fatalf("%d events, %v", len(all), err)
	}
	for i, e := range all {
		b, err := s.EventPayload(ctx, e.ID)
		if i < kept && (err != nil || len(b) != size || b[0] != byte(99-i)) || i >= kept && !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the payload of event %s: %d bytes, %v", e.EventID, len(b), err)
		}
	}
}
