package sqlite_test

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"fcd/store"
	"fcd/store/sqlite"
)

// verify opens the store that a child left and compares it with what was acknowledged.
func verify(t *testing.T, dir string, acked map[string]bool) {
	t.Helper()
	s := open(t, sqlite.Options{Dir: dir, CheckOnOpen: true})
	defer closeStore(t, s)
	ctx := t.Context()
	ms, err := s.Claim(ctx, "w", map[string]int{"f": 10_000_000}, 1e12)
	if err != nil {
		t.Fatal(err)
	}
	messages := map[string]int{}
	for _, m := range ms {
		messages[m.DedupKey]++
	}
	pairs := map[string]int{}
	ready, err := s.Ready(ctx, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]int{}
	for _, fn := range ready {
		all[fn.Fn] = 10_000_000
	}
	if ms, err = s.Claim(ctx, "w", all, 1e12); err != nil {
		t.Fatal(err)
	}
	for _, m := range ms {
		pairs[m.RequestID[len("one/"):]] += map[bool]int{true: 1, false: 100}[strings.HasPrefix(m.RequestID, "one/")]
	}
	for id, n := range pairs {
		if n != 101 {
			t.Errorf("of the pair %s there are %d", id, n)
		}
	}
	records := map[string]bool{}
	for after := ""; ; {
		page, err := s.List(ctx, "p/", after, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, r := range page {
			records[strings.TrimPrefix(r.Key, "p/")] = true
		}
		after = page[len(page)-1].Key
	}
	letters := map[string]bool{}
	for after := ""; ; {
		page, err := s.Outcomes(ctx, store.InvocationFilter{State: store.StateDead}, after, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, l := range page {
			letters[strings.TrimSuffix(l.RequestID, "/dead")] = true
		}
		after = page[len(page)-1].RequestID
	}
	events := map[string]bool{}
	for before := int64(0); ; {
		page, err := s.Events(ctx, store.EventFilter{}, before, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			events[e.EventID] = true
		}
		before = page[len(page)-1].ID
	}
	if !maps.Equal(records, letters) || !maps.Equal(records, events) {
		t.Errorf("half a batch: %d records, %d dead letters, %d events", len(records), len(letters), len(events))
	}
	for id := range acked {
		if messages[id] != 1 || !records[id] {
			t.Errorf("%s was acknowledged and has %d messages, a record: %v", id, messages[id], records[id])
		}
		if len(pairs) > 0 && pairs[id] == 0 {
			t.Errorf("%s was acknowledged behind a pair that is gone", id)
		}
	}
	if len(messages) != len(records) {
		t.Errorf("half a batch: %d messages, %d records", len(messages), len(records))
	}
	for id, n := range messages {
		if n != 1 || !records[id] {
			t.Errorf("%s has %d messages, a record: %v", id, n, records[id])
		}
	}
	last := 0
	for w := range crashProducers {
		if v, err := s.Checkpoint(ctx, fmt.Sprintf("cur/%d", w)); err == nil {
			n, err := strconv.Atoi(string(v))
			if err != nil {
				t.Fatal(err)
			}
			last += n
		}
	}
	if last != len(records) {
		t.Errorf("checkpoints stand at %d, there are %d records", last, len(records))
	}
}

// missing counts the acknowledged records that a store lacks.
func missing(t *testing.T, dir string, acked map[string]bool) (lost int) {
	t.Helper()
	s := open(t, sqlite.Options{Dir: dir})
	defer closeStore(t, s)
	for id := range acked {
		if _, err := s.Get(t.Context(), "p/"+id); errors.Is(err, store.ErrNotFound) {
			lost++
		}
	}
	return lost
}
