package sqlite_test

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"fcd/store"
	"fcd/store/sqlite"
)

func put(tb testing.TB, s *sqlite.Store, key string) {
	tb.Helper()
	b := store.Batch{Puts: []store.Put{{Key: key, Value: []byte("v"), If: store.IfAbsent}}}
	if _, err := s.Apply(context.Background(), b); err != nil {
		tb.Fatal(err)
	}
}

func keys(tb testing.TB, s *sqlite.Store) (all []string) {
	tb.Helper()
	recs, err := s.List(context.Background(), "", "", 0)
	if err != nil {
		tb.Fatal(err)
	}
	for _, r := range recs {
		all = append(all, r.Key)
	}
	return all
}

func closeStore(tb testing.TB, s *sqlite.Store) {
	tb.Helper()
	if err := s.Close(); err != nil {
		tb.Fatal(err)
	}
}

// A child that has not become another program yet when its parent is killed keeps the parent's lock until then.
func TestALockThatOutlivesItsProcessForAMomentIsWaitedFor(t *testing.T) {
	dir := t.TempDir()
	lock, err := os.Create(filepath.Join(dir, "LOCK"))
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		t.Fatal(err)
	}
	free := time.AfterFunc(200*time.Millisecond, func() { lock.Close() }) // either side of Open's first try is well
	defer free.Stop()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
}

func TestASecondStoreIsRefusedAndNamesTheHolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data?x=1") // a name that is no URI
	s := open(t, sqlite.Options{Dir: dir})
	_, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
	want := fmt.Sprintf("data directory %s is in use by process %d", dir, os.Getpid())
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	put(t, s, "a")
	closeStore(t, s)
	s = open(t, sqlite.Options{Dir: dir})
	defer s.Close()
	if diff := cmp.Diff([]string{"a"}, keys(t, s)); diff != "" {
		t.Error(diff)
	}
	for name, mode := range map[string]fs.FileMode{"": 0o700, "store.db": 0o600, "store.db-wal": 0o600, "LOCK": 0o600} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%q is %v, %v", name, info.Mode(), err)
		}
	}
}

func TestANewerSchemaIsRefused(t *testing.T) {
	dir := t.TempDir()
	closeStore(t, open(t, sqlite.Options{Dir: dir}))
	db, err := sql.Open("sqlite", filepath.Join(dir, "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("UPDATE meta SET v = '99' WHERE k = 'schema'"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the refusal lets go of the directory
		_, err = sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
		if err == nil || !strings.Contains(err.Error(), "schema 99") {
			t.Errorf("got %v", err)
		}
	}
}

func TestOpenNeedsADirectoryAndADatabase(t *testing.T) {
	if _, err := sqlite.Open(t.Context(), sqlite.Options{}); err == nil {
		t.Error("opened without a directory")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "store.db"), []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir}); err == nil {
		t.Error("opened a text file")
	}
}

func TestBackupOpensAsAStore(t *testing.T) {
	s := open(t, sqlite.Options{Dir: t.TempDir()})
	defer s.Close()
	put(t, s, "before")
	dir := t.TempDir()
	file := filepath.Join(dir, "store.db")
	if err := s.Backup(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	put(t, s, "after")
	if err := s.Backup(t.Context(), file); err == nil {
		t.Error("a backup was overwritten")
	}
	copied := open(t, sqlite.Options{Dir: dir, CheckOnOpen: true})
	defer copied.Close()
	if diff := cmp.Diff([]string{"before"}, keys(t, copied)); diff != "" {
		t.Error(diff)
	}
	put(t, copied, "goes on")
}

func TestCheckFindsDamage(t *testing.T) {
	dir := t.TempDir()
	s := open(t, sqlite.Options{Dir: dir})
	var b store.Batch
	for i := range 1000 {
		b.Puts = append(b.Puts, store.Put{Key: fmt.Sprintf("some/long/key/%0100d", i), Value: make([]byte, 100)})
	}
	if _, err := s.Apply(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	f, err := os.OpenFile(filepath.Join(dir, "store.db"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte(strings.Repeat("damage", 2000)), info.Size()/2); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir, CheckOnOpen: true}); err == nil || !strings.Contains(err.Error(), "check the store") {
		t.Errorf("got %v", err)
	}
}

// TestATornTailOfTheLogOpens copies the files of a running store and adds what a cut-off write would have left.
func TestATornTailOfTheLogOpens(t *testing.T) {
	from := t.TempDir()
	s := open(t, sqlite.Options{Dir: from})
	defer s.Close()
	for i := range 50 {
		put(t, s, fmt.Sprintf("k%02d", i))
	}
	wal, err := os.ReadFile(filepath.Join(from, "store.db-wal"))
	if err != nil {
		t.Fatal(err)
	}
	db, err := os.ReadFile(filepath.Join(from, "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	frame := wal[len(wal)-4096-24:]
	for name, tail := range map[string][]byte{
		"half a frame":     frame[:2000],
		"an old frame":     frame,
		"zeros":            make([]byte, 8192),
		"a flipped frame":  append([]byte{frame[0] ^ 1}, frame[1:]...),
		"nothing":          nil,
		"less than a head": frame[:7],
	} {
		to := t.TempDir()
		for file, b := range map[string][]byte{"store.db": db, "store.db-wal": append(append([]byte(nil), wal...), tail...)} {
			if err := os.WriteFile(filepath.Join(to, file), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		torn := open(t, sqlite.Options{Dir: to, CheckOnOpen: true})
		if got := keys(t, torn); len(got) != 50 {
			t.Errorf("%s: %d of 50 records", name, len(got))
		}
		closeStore(t, torn)
	}
}

func TestMetricsGoWithTheStore(t *testing.T) {
	reg := prometheus.NewRegistry()
	s := open(t, sqlite.Options{Dir: t.TempDir(), Registerer: reg})
	b := store.Batch{Enqueue: []store.Msg{{RequestID: "r", Fn: "f", Payload: []byte("12345")}}}
	if _, err := s.Apply(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		got[f.GetName()] = f.GetMetric()[0].GetGauge().GetValue()
	}
	want := map[string]float64{"fcd_sqlite_queue_messages": 1, "fcd_sqlite_queue_bytes": 5, "fcd_sqlite_folded_messages": 0, "fcd_sqlite_group_batches": 0, "fcd_sqlite_commit_seconds": 0,
		"fcd_sqlite_dead_letters": 0, "fcd_sqlite_dead_letter_bytes": 0, "fcd_sqlite_dead_letters_dropped_total": 0}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	closeStore(t, s)
	if families, err := reg.Gather(); err != nil || len(families) != 0 {
		t.Errorf("left in the registry: %v, %v", families, err)
	}
}

func TestWakeTellsOfNewMessages(t *testing.T) {
	s := open(t, sqlite.Options{Dir: t.TempDir()})
	defer s.Close()
	put(t, s, "a record wakes nobody")
	select {
	case <-s.Wake():
		t.Error("woken by a record")
	default:
	}
	if _, err := s.Apply(t.Context(), store.Batch{Enqueue: []store.Msg{{RequestID: "r", Fn: "f"}}}); err != nil {
		t.Fatal(err)
	}
	<-s.Wake()
}

func TestEnqueueStopsWhenTheDiskIsNearlyFull(t *testing.T) {
	s := open(t, sqlite.Options{Dir: t.TempDir(), MinFreeBytes: 1 << 60})
	defer s.Close()
	_, err := s.Apply(t.Context(), store.Batch{Enqueue: []store.Msg{{RequestID: "r", Fn: "f"}}})
	if err == nil || !strings.Contains(err.Error(), "bytes free") {
		t.Errorf("got %v", err)
	}
	put(t, s, "records go on")
}
