package spool

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// ErrFull is returned by Append when a bound of Options is reached.
var ErrFull = errors.New("log spool is full")

// ErrClosed is returned after Close.
var ErrClosed = errors.New("log spool is closed")

// Options of a Spool. Only Dir is required.
type Options struct {
	Dir              string        // made if missing; no other process may use it at the same time
	MaxBytes         int64         // bound of undelivered bytes in all queues; default 1 GiB
	MaxBytesPerQueue int64         // bound of undelivered bytes in one queue; default 256 MiB
	SegmentBytes     int64         // a segment is closed when it has reached this size; default 8 MiB
	SyncDelay        time.Duration // longest time between an Append and its flush to the disk; default 10 ms
	MaxRejectedBytes int64         // bound of the rejected folder, oldest files go first; default 64 MiB
	BufferBytes      int           // bytes that may wait in memory while another Append writes; default 1 MiB per queue
}

func (o *Options) defaults() {
	o.MaxBytes = orDefault(o.MaxBytes, 1<<30)
	o.MaxBytesPerQueue = orDefault(o.MaxBytesPerQueue, 256<<20)
	o.SegmentBytes = orDefault(o.SegmentBytes, 8<<20)
	o.SyncDelay = orDefault(o.SyncDelay, 10*time.Millisecond)
	o.MaxRejectedBytes = orDefault(o.MaxRejectedBytes, 64<<20)
	o.BufferBytes = orDefault(o.BufferBytes, 1<<20)
}

func orDefault[T ~int | ~int64](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

// Spool is a set of queues below one directory. Its methods may be called from several goroutines.
type Spool struct {
	opts    Options
	id      string
	bytes   atomic.Int64 // undelivered, in all queues
	rejects rejects
	syncer  *syncer

	mu     sync.Mutex // guards the fields below
	queues map[string]*Queue
	closed bool
}

// Open opens or makes the spool and every queue found in it, cutting torn ends.
func Open(opts Options) (*Spool, error) {
	opts.defaults()
	if opts.Dir == "" {
		return nil, errors.New("log spool: no directory given")
	}
	if err := os.MkdirAll(opts.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("log spool: %w", err)
	}
	id, err := spoolID(opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("log spool %s: %w", opts.Dir, err)
	}
	s := &Spool{opts: opts, id: id, queues: map[string]*Queue{}}
	s.rejects = rejects{dir: filepath.Join(opts.Dir, "rejected"), maxBytes: opts.MaxRejectedBytes}
	s.syncer = newSyncer(opts.SyncDelay)
	if err := s.openAll(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// spoolID reads the spool's name or makes one.
func spoolID(dir string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, "id"))
	if err == nil && len(b) == 16 {
		return string(b), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	var raw [8]byte
	_, _ = rand.Read(raw[:]) // never fails: crypto/rand ends the process instead
	id := hex.EncodeToString(raw[:])
	return id, replaceFile(dir, "id", []byte(id))
}

func (s *Spool) openAll() error {
	entries, err := os.ReadDir(s.opts.Dir)
	if err != nil {
		return fmt.Errorf("log spool: %w", err)
	}
	for _, e := range entries {
		project, logstore, ok := parseQueueName(e.Name())
		if !ok || !e.IsDir() {
			continue
		}
		if _, err := s.Queue(project, logstore); err != nil {
			return err
		}
	}
	return nil
}

// queueName is the folder of a queue. PathEscape leaves no comma and no slash in either half.
func queueName(project, logstore string) string {
	return url.PathEscape(project) + "," + url.PathEscape(logstore)
}

func parseQueueName(name string) (project, logstore string, ok bool) {
	p, l, found := strings.Cut(name, ",")
	project, perr := url.PathUnescape(p)
	logstore, lerr := url.PathUnescape(l)
	return project, logstore, found && perr == nil && lerr == nil && name == queueName(project, logstore)
}

// ID is the spool's name, 16 hex digits, the same for the life of its directory.
func (s *Spool) ID() string { return s.id }

// Bytes is how many undelivered bytes all queues hold.
func (s *Spool) Bytes() int64 { return s.bytes.Load() }

// Queue opens the queue of a logstore, making it if needed. The same names give the same Queue.
func (s *Spool) Queue(project, logstore string) (*Queue, error) {
	name := queueName(project, logstore)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	if q, ok := s.queues[name]; ok {
		return q, nil
	}
	q, err := openQueue(s, filepath.Join(s.opts.Dir, name), project, logstore)
	if err != nil {
		return nil, fmt.Errorf("log spool of %s/%s: %w", project, logstore, err)
	}
	s.queues[name] = q
	return q, nil
}

// Queues are all queues, in no order.
func (s *Spool) Queues() []*Queue {
	s.mu.Lock()
	defer s.mu.Unlock()
	qs := make([]*Queue, 0, len(s.queues))
	for _, q := range s.queues {
		qs = append(qs, q)
	}
	return qs
}

// wakeAppends lets appends that wait for room look again; room in one queue is room in all.
func (s *Spool) wakeAppends() {
	for _, q := range s.Queues() {
		q.mu.Lock()
		q.room.Broadcast()
		q.mu.Unlock()
	}
}

// Failed is closed when a flush has failed. On Linux it cannot be tried again: every Sync fails from then on, and only a
// new Open finds out what the disk holds.
func (s *Spool) Failed() <-chan struct{} { return s.syncer.broken }

// Sync returns when everything appended before the call is on the disk, or with ctx's error, or with that of the first
// flush that failed, which is final.
func (s *Spool) Sync(ctx context.Context) error {
	for _, q := range s.Queues() {
		q.settle()
	}
	return s.syncer.sync(ctx)
}

// Close flushes and closes all queues. Appends fail with ErrClosed from then on. It may be called twice.
func (s *Spool) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	for _, q := range s.Queues() {
		q.shut()
	}
	err := s.syncer.close()
	for _, q := range s.Queues() {
		err = errors.Join(err, q.closeFiles())
	}
	return err
}
