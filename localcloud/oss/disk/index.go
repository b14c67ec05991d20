package disk

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"sync"

	"go.uber.org/zap"
	_ "modernc.org/sqlite" // the database/sql driver "sqlite"
)

// schemaVersion is kept in user_version; a file with a higher one is refused.
const schemaVersion = 1

const schema = `
CREATE TABLE bucket (name TEXT PRIMARY KEY, created INTEGER NOT NULL, acl TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE object (
	bucket TEXT NOT NULL, key BLOB NOT NULL, size INTEGER NOT NULL, modified INTEGER NOT NULL, etag TEXT NOT NULL,
	crc INTEGER NOT NULL, type TEXT NOT NULL, blob TEXT NOT NULL, chunks INTEGER NOT NULL, attrs TEXT NOT NULL, state BLOB,
	PRIMARY KEY (bucket, key)) WITHOUT ROWID;
CREATE TABLE chunk (blob TEXT NOT NULL, n INTEGER NOT NULL, file TEXT NOT NULL, size INTEGER NOT NULL,
	PRIMARY KEY (blob, n)) WITHOUT ROWID;
CREATE TABLE upload (bucket TEXT NOT NULL, key BLOB NOT NULL, id TEXT NOT NULL UNIQUE, started INTEGER NOT NULL,
	attrs TEXT NOT NULL, PRIMARY KEY (bucket, key, id)) WITHOUT ROWID;
CREATE TABLE part (upload TEXT NOT NULL, n INTEGER NOT NULL, file TEXT NOT NULL, size INTEGER NOT NULL,
	etag TEXT NOT NULL, crc INTEGER NOT NULL, modified INTEGER NOT NULL, PRIMARY KEY (upload, n)) WITHOUT ROWID;
CREATE TABLE outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, bucket TEXT NOT NULL, event TEXT NOT NULL);
CREATE INDEX outbox_bucket ON outbox (bucket, seq);
`

// index is the SQLite file: a pool of readers and one goroutine that writes.
type index struct {
	readers *sql.DB
	writers *sql.DB   // one connection
	conn    *sql.Conn // that connection; the writer goroutine's own
	stmts   map[string]*sql.Stmt
	ops     chan *op
	flush   chan struct{} // asks the writer to forget acknowledged events though nobody writes
	outbox  *outbox
	failed  func(error)
	log     *zap.Logger

	mu     sync.Mutex
	broken error // the first error of a commit; guarded by mu
	closed bool  // no more ops are taken; guarded by mu

	sending sync.WaitGroup // calls of apply between their check of closed and the op's answer
	done    chan struct{}  // closed when the writer has ended
}

// op is one change. do looks first and writes then: when it returns an error it has written nothing, unless the error
// is SQLite's own.
type op struct {
	do    func(*txn) error
	after []func() // run by the writer after the commit, before the answer
	err   error
	done  chan struct{}
}

func openIndex(path string, failed func(error), log *zap.Logger) (*index, error) {
	writers, err := sql.Open("sqlite", dsn(path, -16384, false))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	writers.SetMaxOpenConns(1)
	readers, err := sql.Open("sqlite", dsn(path, -4096, true))
	if err != nil {
		writers.Close()
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	readers.SetMaxOpenConns(4)
	readers.SetMaxIdleConns(4)
	ix := &index{
		readers: readers, writers: writers, stmts: map[string]*sql.Stmt{}, ops: make(chan *op, 4096),
		flush: make(chan struct{}, 1), failed: failed, log: log, done: make(chan struct{}),
	}
	if err := ix.prepare(context.Background()); err != nil {
		readers.Close()
		writers.Close()
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return ix, nil
}

// dsn names the file with the settings that every connection has.
func dsn(path string, cache int, readOnly bool) string {
	q := url.Values{"_txlock": {"immediate"}}
	for _, p := range []string{
		"busy_timeout(5000)", "auto_vacuum(INCREMENTAL)", "journal_mode(WAL)", "synchronous(FULL)",
		"cache_size(" + strconv.Itoa(cache) + ")", "wal_autocheckpoint(1000)", "journal_size_limit(67108864)",
		"foreign_keys(ON)", "temp_store(MEMORY)",
	} {
		q.Add("_pragma", p)
	}
	if readOnly {
		q.Add("_pragma", "query_only(1)")
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}

// prepare takes the writing connection, checks its settings and brings the schema up to date.
func (ix *index) prepare(ctx context.Context) error {
	conn, err := ix.writers.Conn(ctx)
	if err != nil {
		return err
	}
	ix.conn = conn
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2"} {
		var got string
		if err := conn.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(&got); err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("%s is %q, needs %q", pragma, got, want)
		}
	}
	var version int
	if err := conn.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version > schemaVersion {
		return fmt.Errorf("schema version %d is newer than this program's %d", version, schemaVersion)
	}
	if version == 0 {
		_, err = conn.ExecContext(ctx, "BEGIN;"+schema+"PRAGMA user_version = 1; COMMIT;")
	}
	return err
}

func (ix *index) start(o *outbox) {
	ix.outbox = o
	go ix.write()
}

// close takes no more operations, waits for those it has and closes the file.
func (ix *index) close() error {
	ix.mu.Lock()
	ix.closed = true
	ix.mu.Unlock()
	if ix.outbox != nil {
		ix.sending.Wait()
		close(ix.ops)
		<-ix.done
	}
	for _, s := range ix.stmts {
		s.Close()
	}
	return errors.Join(ix.readers.Close(), ix.conn.Close(), ix.writers.Close())
}

// apply runs do in the writer's next transaction and returns when that is durable, with do's own error if it refused.
// ctx governs the wait for a place in the queue only: what has been queued is answered.
func (ix *index) apply(ctx context.Context, do func(*txn) error) error {
	ix.mu.Lock()
	if ix.closed {
		ix.mu.Unlock()
		return ErrClosed
	}
	if ix.broken != nil {
		ix.mu.Unlock()
		return ErrBroken
	}
	ix.sending.Add(1)
	ix.mu.Unlock()
	defer ix.sending.Done()
	o := &op{do: do, done: make(chan struct{})}
	select {
	case ix.ops <- o:
	case <-ctx.Done():
		return ctx.Err()
	}
	<-o.done
	return o.err
}
