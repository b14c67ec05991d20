package sqlite

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"fcd/store"
)

// TestAnOlderSchemaIsBroughtUpToDate checks and opens a database of each schema there was, with an invocation waiting and a
// dead one in it, and with a burst where that was a row of a table.
func TestAnOlderSchemaIsBroughtUpToDate(t *testing.T) {
	for version := 1; version < schemaVersion; version++ {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			dir := t.TempDir()
			old(t, dir, version)
			sound(t, dir)
			s, err := Open(t.Context(), Options{Dir: dir, CheckOnOpen: true})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			ctx := t.Context()
			if inv, err := s.Find(ctx, "waiting"); err != nil || inv.State != store.StateQueued || string(inv.Payload) != "event" {
				t.Errorf("the waiting one: %+v, %v", inv, err)
			}
			if version == 4 {
				for _, id := range []string{"folded/0", "folded/1"} {
					if inv, err := s.Find(ctx, id); err != nil || inv.State != store.StateQueued || string(inv.Payload) != "event of "+id {
						t.Errorf("one of a burst: %+v, %v", inv, err)
					}
				}
			}
			if inv, err := s.Find(ctx, "dead"); err != nil || inv.State != store.StateDead || string(inv.Payload) != "letter" {
				t.Errorf("the dead one: %+v, %v", inv, err)
			}
			if size, err := s.DeadSize(ctx); err != nil || size != (store.DeadSize{Letters: 1, Bytes: 6}) {
				t.Errorf("dead letters: %+v, %v", size, err)
			}
			if _, err := s.Apply(ctx, store.Batch{Enqueue: []store.Msg{{RequestID: "new", Fn: "s//f", InvocationID: "x"}}}); err != nil {
				t.Error(err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			sound(t, dir)
		})
	}
}

// old makes a database as a binary of that schema left it.
func old(t *testing.T, dir string, version int) {
	t.Helper()
	c, err := connect(t.Context(), "file:"+uriPath(filepath.Join(dir, fileName)))
	if err != nil {
		t.Fatal(err)
	}
	script := "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;" + sqlMetaTable + ";" +
		strings.Join(migrations[:version], "") + fmt.Sprintf(`
		INSERT INTO meta(k, v) VALUES ('schema', '%d');
		UPDATE meta SET v = '0 1 1 5' WHERE k = 'counters';
		INSERT INTO q(id, rid, fn, trg, dedup, enqueued, due, not_after, attempt, payload)
			VALUES (1, 'waiting', 's//f', '', '', 1, 1, 0, 2, CAST('event' AS BLOB));
		INSERT INTO inv(rid, fn, trg, state, enqueued, ended, attempts, cause, payload)
			VALUES ('dead', 's//f', '', 'dead', 1, %d, 4, 'why', CAST('letter' AS BLOB));`, version, int64(1)<<52)
	if err := c.script(script); err != nil {
		t.Fatal(err)
	}
	if version == 4 {
		ms := messages("folded", 2)
		ms[0].ID, ms[1].ID = 2, 3
		head, payloads := encoded(ms...)
		if _, err := c.exec("INSERT INTO burst(id, n, bytes, head, payloads) VALUES (2, 2, ?, ?, ?)", int64(len(payloads)), head, payloads); err != nil {
			t.Fatal(err)
		}
		if _, err := c.exec(sqlMetaSet, "counters", fmt.Sprint("0 3 3 ", 5+len(payloads))); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
}

// TestDeadLettersAreBounded: the oldest go first, and are counted.
func TestDeadLettersAreBounded(t *testing.T) {
	s, err := Open(t.Context(), Options{Dir: t.TempDir(), MaxDead: 3, MaxDeadBytes: 25})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range 6 {
		a, err := s.Apply(t.Context(), store.Batch{Enqueue: []store.Msg{{RequestID: fmt.Sprint(i), Fn: "f", Payload: make([]byte, 10)}}})
		if err == nil {
			_, err = s.Apply(t.Context(), store.Batch{Done: []store.Outcome{{ID: a.IDs[0], State: store.StateDead, Keep: true}}})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	left, err := s.Outcomes(t.Context(), store.InvocationFilter{State: store.StateDead}, "", 0)
	if err != nil || len(left) != 2 || left[0].RequestID != "4" || left[1].RequestID != "5" {
		t.Errorf("left: %+v, %v", left, err)
	}
}
