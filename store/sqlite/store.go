package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"
	msqlite "modernc.org/sqlite"

	"fcd/store"
)

const (
	fileName   = "store.db"
	maxReaders = 4
)

// Store is an open store. It implements store.Store, store.Queue, store.Leases, store.Events and store.Waker.
type Store struct {
	opt  Options
	log  *zap.Logger
	met  *metrics
	lock *os.File
	read *sql.DB

	looker *looker

	jobs    chan *job
	free    sync.Pool // of jobs
	wake    chan struct{}
	closing chan struct{} // closed by Close
	done    chan struct{} // closed when the writer has ended
	feed    *changeLog
	claims  *claims
	bursts  *bursts
	leases  *leases

	burstLog *burstLog

	sweeps sync.WaitGroup
	cancel context.CancelFunc // ends the sweeper and the checkpointer

	closeOnce sync.Once
	closeErr  error

	failOnce sync.Once
	failed   chan struct{}
	cause    error // set before failed is closed
}

var (
	_ store.Store  = (*Store)(nil)
	_ store.Queue  = (*Store)(nil)
	_ store.Leases = (*Store)(nil)
	_ store.Events = (*Store)(nil)
	_ store.Waker  = (*Store)(nil)
	_ store.Ledger = (*Store)(nil)
)

// Open takes the data directory, brings the schema up to date and starts the writer. It refuses a directory that
// another process holds (the error names it), a database written by a newer binary, and network file systems.
func Open(ctx context.Context, opt Options) (*Store, error) {
	if opt.Dir == "" {
		return nil, errors.New("the store needs a data directory")
	}
	s := &Store{
		opt:     opt.withDefaults(),
		jobs:    make(chan *job, 4096),
		wake:    make(chan struct{}, 1),
		closing: make(chan struct{}),
		done:    make(chan struct{}),
		failed:  make(chan struct{}),
		claims:  newClaims(),
		bursts:  newBursts(),
		leases:  newLeases(),
	}
	s.log = s.opt.Log
	if err := s.open(ctx); err != nil {
		return nil, fmt.Errorf("open store in %s: %w", opt.Dir, err)
	}
	return s, nil
}

func (s *Store) open(ctx context.Context) (err error) {
	if err := os.MkdirAll(s.opt.Dir, 0o700); err != nil {
		return err
	}
	if !s.opt.AllowNetworkFS {
		if err := refuseNetworkFS(s.opt.Dir); err != nil {
			return err
		}
	}
	if s.lock, err = lockDir(s.opt.Dir); err != nil {
		return err
	}
	w, err := s.openDatabase(ctx)
	if err != nil {
		return errors.Join(err, s.lock.Close())
	}
	if s.met, err = newMetrics(s.opt.Registerer, w); err != nil {
		return errors.Join(err, s.looker.close(), s.read.Close(), w.checkpoints.c.close(), w.flushes.log.Close(), s.burstLog.f.Close(), w.c.close(), s.lock.Close())
	}
	sweepCtx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	go w.run()
	s.sweeps.Go(func() { s.sweepLoop(sweepCtx) })
	s.sweeps.Go(func() { w.checkpoints.run(sweepCtx) })
	return nil
}

// openDatabase makes the writer and the readers; on error neither is left open.
func (s *Store) openDatabase(ctx context.Context) (_ *writer, err error) {
	c, err := s.openWriter(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	defer func() {
		if err != nil && s.burstLog != nil {
			err = errors.Join(err, s.burstLog.f.Close())
		}
	}()
	w := &writer{s: s, c: c}
	if err := s.load(w); err != nil {
		return nil, err
	}
	if s.read, err = openReaders(ctx, s.file()); err != nil {
		return nil, err
	}
	if s.opt.CheckOnOpen {
		if err := s.Check(ctx); err != nil {
			return nil, errors.Join(err, s.read.Close())
		}
	}
	if w.flushes, err = newFlusher(s); err != nil {
		return nil, errors.Join(err, s.read.Close())
	}
	if w.checkpoints, err = newCheckpointer(ctx, s); err != nil {
		return nil, errors.Join(err, s.read.Close(), w.flushes.log.Close())
	}
	if s.looker, err = newLooker(ctx, s); err != nil {
		return nil, errors.Join(err, s.read.Close(), w.flushes.log.Close(), w.checkpoints.c.close())
	}
	return w, nil
}

func (s *Store) file() string { return filepath.Join(s.opt.Dir, fileName) }

func (s *Store) openWriter(ctx context.Context) (*conn, error) {
	// The file's mode is what its WAL gets as well; SQLite would take 0644.
	f, err := os.OpenFile(s.file(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	if err := syncDir(s.opt.Dir); err != nil {
		return nil, err
	}
	c, err := connect(ctx, "file:"+uriPath(s.file()))
	if err != nil {
		return nil, err
	}
	if err := setUp(c); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// setUp brings a fresh connection of the writer to its settings and the file to this binary's schema.
func setUp(c *conn) error {
	for _, p := range []string{
		"busy_timeout = 5000", "auto_vacuum = INCREMENTAL", "journal_mode = WAL", "synchronous = NORMAL",
		"cache_size = -16384", "journal_size_limit = 67108864",
		fmt.Sprintf("wal_autocheckpoint = %d", 2*restartPages), // should the checkpointer's estimate be wrong
		"foreign_keys = ON", "temp_store = MEMORY",
	} {
		if err := c.script("PRAGMA " + p); err != nil {
			return fmt.Errorf("pragma %s: %w", p, err)
		}
	}
	// With FULL every commit would flush before it returns; the flusher does that behind it.
	if err := durable(func(pragma string) (got string, err error) {
		got, _, err = c.text("PRAGMA " + pragma)
		return got, err
	}, "1"); err != nil {
		return err
	}
	return migrate(c)
}

// durable checks a connection's settings without which an acknowledged write could be lost.
func durable(setting func(pragma string) (string, error), synchronous string) error {
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": synchronous} {
		if got, err := setting(pragma); err != nil || got != want {
			return errors.Join(fmt.Errorf("pragma %s is %q, not %q", pragma, got, want), err)
		}
	}
	return nil
}

// load reads what the writer keeps in memory.
func (s *Store) load(w *writer) error {
	counters, _, err := w.c.text(sqlMetaGet, "counters")
	if err != nil {
		return err
	}
	n := &w.counters
	if *n, err = parseCounters(counters); err != nil {
		return err
	}
	w.standing = *n
	resync, _, err := w.c.text(sqlMetaGet, "resync")
	if err != nil {
		return err
	}
	floor, err := strconv.ParseInt(resync, 10, 64)
	if err != nil {
		return fmt.Errorf("resync revision %q: %w", resync, err)
	}
	if w.bodies, _, err = w.c.number(sqlBodyTotal); err != nil {
		return err
	}
	s.feed = newChangeLog(n.rev, store.Rev(floor))
	if w.highest, _, err = w.c.text(sqlQueueHighest); err != nil {
		return err
	}
	if err := w.loadBursts(); err != nil {
		return err
	}
	s.claims.last = n.id
	if err := s.fetchAhead(w.c); err != nil {
		return err
	}
	return s.leases.load(w.c)
}

// readerFile is the database as connections open it that only read.
func readerFile(file string) string {
	return "file:" + uriPath(file) + "?_pragma=busy_timeout(5000)&_pragma=synchronous(2)" +
		"&_pragma=cache_size(-4096)&_pragma=temp_store(2)&_pragma=query_only(1)"
}

func openReaders(ctx context.Context, file string) (*sql.DB, error) {
	connector, err := msqlite.NewConnector(readerFile(file))
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(maxReaders)
	db.SetMaxIdleConns(maxReaders)
	if err := durable(func(pragma string) (got string, err error) {
		err = db.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(&got)
		return got, err
	}, "2"); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// Close answers what still waits, then lets go of the data directory. Calls after it are store.ErrClosed.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		close(s.closing)
		s.cancel()
		<-s.done
		s.sweeps.Wait()
		s.feed.close()
		s.met.unregister(s.opt.Registerer)
		s.closeErr = errors.Join(s.looker.close(), s.read.Close(), s.burstLog.f.Close(), s.lock.Close())
	})
	return s.closeErr
}

// Wake has a value after messages were queued or put back. One receiver gets it.
func (s *Store) Wake() <-chan struct{} { return s.wake }

func (s *Store) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// micros is how times stand in the database; the zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}
