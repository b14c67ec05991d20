package sqlite

import (
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"fcd/store"
)

// Options say where the store lives and how much it keeps. Only Dir is required; every other zero value means the
// default stated with it.
type Options struct {
	// Dir is the data directory. It is made with mode 0700 if it does not exist, and belongs to one process at a time.
	Dir string
	// AllowNetworkFS opens a store on NFS, SMB or FUSE, whose locks and flushes SQLite cannot rely on.
	AllowNetworkFS bool
	// CheckOnOpen runs the integrity check before the store is used. It reads the whole database.
	CheckOnOpen bool

	MaxMessages  int64 // messages in the queue before Enqueue is store.ErrFull; 5,000,000
	MaxBytes     int64 // their payloads' bytes; 20 GiB
	MinFreeBytes int64 // free disk below which Enqueue is store.ErrNoSpace; 1 GiB, negative = not looked at

	DedupFor      time.Duration // how long a DedupKey is remembered; 24 h
	OutcomesFor   time.Duration // how long ended invocations are kept, dead letters apart; 7 days
	DeadFor       time.Duration // how long dead letters are kept; 30 days
	EventsFor     time.Duration // how long it is known what became of an event, and its payload kept; 24 h
	TombstonesFor time.Duration // how long deletions stay in the change feed; 24 h
	MaxDead       int64         // dead letters kept, the oldest dropped first; 1,000,000
	MaxDeadBytes  int64         // of their payloads; 1 GiB
	MaxOutcomes   int64         // ended invocations kept, dead letters apart; 1,000,000
	MaxEvents     int64         // events of which that is known; 1,000,000
	MaxEventBytes int64         // their payloads' bytes; 256 MiB
	SweepEvery    time.Duration // pause between sweeps; 1 min

	// Now is the store's clock; store.SteadyClock. It must not go back while the store is open.
	Now func() time.Time
	// Log receives what an operator should know; nothing is logged if nil.
	Log *zap.Logger
	// flush stands in for the flush before the answers in tests; fdatasync.
	flush func(*os.File) error
	// foldFrom is how many messages must wait before the next ones are folded into bursts; 1,000. Negative: none.
	foldFrom int64
	// passBytes is how long the burst log must be to begin again once it is unfolded, since that takes a flush; 4 MiB.
	passBytes int64
	// restAfter is how long no message must have come before bursts are unfolded that nobody asks about; 100 ms.
	restAfter time.Duration
	// Registerer receives the store's metrics; none if nil.
	Registerer prometheus.Registerer
}

const day = 24 * time.Hour

func (o Options) withDefaults() Options {
	setDefault(&o.MaxMessages, 5_000_000)
	setDefault(&o.MaxBytes, 20<<30)
	setDefault(&o.MinFreeBytes, 1<<30)
	setDefault(&o.DedupFor, day)
	setDefault(&o.OutcomesFor, 7*day)
	setDefault(&o.DeadFor, 30*day)
	setDefault(&o.EventsFor, day)
	setDefault(&o.TombstonesFor, day)
	setDefault(&o.MaxDead, 1_000_000)
	setDefault(&o.MaxDeadBytes, 1<<30)
	setDefault(&o.MaxOutcomes, 1_000_000)
	setDefault(&o.MaxEvents, 1_000_000)
	setDefault(&o.MaxEventBytes, 256<<20)
	setDefault(&o.SweepEvery, time.Minute)
	setDefault(&o.foldFrom, 1000)
	setDefault(&o.passBytes, 4<<20)
	setDefault(&o.restAfter, 100*time.Millisecond)
	if o.Now == nil {
		o.Now = store.SteadyClock()
	}
	if o.flush == nil {
		o.flush = datasync
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	return o
}

func setDefault[T int64 | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}
