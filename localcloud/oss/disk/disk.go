package disk

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"fcd/fc"
	"fcd/fc/flock"
)

// Limits of the protocol, in bytes.
const (
	MaxObject  = 5 << 30   // largest body of one put, append or part
	MinPart    = 100 << 10 // smallest part that is not the last
	MaxParts   = 10000
	maxInFlush = 512 // operations that share one commit
)

// Options of a Disk. Only Dir is required.
type Options struct {
	// Dir is made if missing, mode 0700.
	Dir string
	// Deliver takes over an event durably and returns nil, or an error to be asked again later. It is called in order
	// for one bucket and concurrently for several. Nil means that no events are recorded.
	Deliver func(context.Context, fc.ObjectEvent) error
	// EventMeta puts the object's media type and x-oss-meta- headers into its events.
	EventMeta bool
	// EventsTogether is how many events of one Delete go into one (see fc.ObjectEvent.Also); default 1.
	EventsTogether int
	// MaxTotal bounds the bytes of all objects and parts; 0 means no bound.
	MaxTotal int64
	// UploadTTL is the age at which an unfinished multipart upload is aborted; default 7 days.
	UploadTTL time.Duration
	// Failed is called once when the index can no longer be written, for example after a failed flush. Every later
	// write answers ErrBroken; only a restart helps. It must not block. Nil means it is logged only.
	Failed func(error)
	Log    *zap.Logger
	Now    func() time.Time // default time.Now
}

// Disk is an open directory.
type Disk struct {
	opts   Options
	lock   *os.File
	index  *index
	files  *files
	outbox *outbox
	keys   keyLocks
	total  atomic.Int64 // committed and staged bytes

	mu      sync.RWMutex
	buckets map[string]Bucket // the index's bucket table; guarded by mu

	stop context.CancelFunc
	work sync.WaitGroup
}

// Open opens or makes the directory, reads its buckets and starts the background work: the index writer, the delivery
// of events left in the outbox, the removal of orphans and of expired uploads.
func Open(opts Options) (*Disk, error) {
	opts = withDefaults(opts)
	if opts.Dir == "" {
		return nil, fmt.Errorf("object storage needs a directory")
	}
	files, err := openFiles(filepath.Join(opts.Dir, "data"))
	if err != nil {
		return nil, err
	}
	lock, err := lockDir(opts.Dir)
	if err != nil {
		return nil, err
	}
	ix, err := openIndex(filepath.Join(opts.Dir, "index.db"), opts.Failed, opts.Log)
	if err != nil {
		lock.Close()
		return nil, err
	}
	d := &Disk{opts: opts, lock: lock, index: ix, files: files, buckets: map[string]Bucket{}}
	d.outbox = newOutbox(ix, opts.Deliver, opts.Log)
	if err := d.load(); err != nil {
		ix.close()
		lock.Close()
		return nil, err
	}
	d.start()
	return d, nil
}

func withDefaults(opts Options) Options {
	if opts.Log == nil {
		opts.Log = zap.NewNop()
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.UploadTTL == 0 {
		opts.UploadTTL = 7 * 24 * time.Hour
	}
	return opts
}

func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "LOCK"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("object storage directory %s: %w", dir, err)
	}
	if err := flock.Take(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("object storage directory %s is in use by another process: %w", dir, err)
	}
	return f, nil
}

// load fills what is kept in memory: the buckets, the byte total, the outbox's depth.
func (d *Disk) load() error {
	ctx := context.Background()
	buckets, err := d.index.readBuckets(ctx)
	if err != nil {
		return err
	}
	for _, b := range buckets {
		d.buckets[b.Name] = b
	}
	total, err := d.index.readTotal(ctx)
	if err != nil {
		return err
	}
	d.total.Store(total)
	return d.outbox.load(ctx)
}

func (d *Disk) start() {
	ctx, cancel := context.WithCancel(context.Background())
	d.stop = cancel
	d.index.start(d.outbox)
	d.outbox.start(ctx)
	d.work.Go(func() { d.sweep(ctx) })
	d.work.Go(func() { d.expireUploads(ctx) })
}

// Close stops the background work, finishes the writes that were accepted and closes the index. Events not yet
// delivered stay in the outbox. No other method may be called after it or at the same time.
func (d *Disk) Close() error {
	d.stop()
	d.work.Wait()
	d.outbox.wait()
	err := d.index.close()
	d.lock.Close()
	return err
}

// Pending is the number of events that wait in the outbox.
func (d *Disk) Pending() int64 { return d.outbox.depth.Load() }

// Total is the number of bytes held by objects, parts and uploads under way.
func (d *Disk) Total() int64 { return d.total.Load() }

// reserve counts n more bytes, or refuses them with ErrFull.
func (d *Disk) reserve(n int64) error {
	if now := d.total.Add(n); d.opts.MaxTotal > 0 && now > d.opts.MaxTotal {
		d.total.Add(-n)
		return ErrFull
	}
	return nil
}

func (d *Disk) release(n int64) { d.total.Add(-n) }

// now is the current time as the index keeps it: UTC, whole milliseconds.
func (d *Disk) now() time.Time { return d.opts.Now().UTC().Truncate(time.Millisecond) }
