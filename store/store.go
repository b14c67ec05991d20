// Package store is the one place for state that must survive: resource records, the asynchronous queue and its
// outcomes, checkpoints, leases, event fates and deduplication keys. It declares the interface; store/sqlite is the
// embedded driver, storetest the suite that every driver passes.
//
// The heart is Apply: one Batch, one transaction, durable on return. A trigger that fires is a checkpoint, a queue row,
// a fate and a fence in one Batch; an invocation that ends is an outcome and a message to its destination in one Batch.
// So a crash neither loses nor doubles a hand-over.
//
//	_, err := s.Apply(ctx, store.Batch{
//		Enqueue:     []store.Msg{{RequestID: id, Fn: ref.String(), DedupKey: key, Payload: event}},
//		Checkpoints: []store.Checkpoint{{Key: "cur/" + trigger, Value: instant}},
//	})
//
// Times are stored in microseconds since 1970, UTC. All methods may be called concurrently.
package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Errors of a store. Compare with errors.Is.
var (
	ErrNotFound    = errors.New("no such record")
	ErrConflict    = errors.New("the record has changed or exists already") // nothing of that Batch happened
	ErrFenced      = errors.New("the lease or the claim was lost")          // nothing of that Batch happened
	ErrTooLarge    = errors.New("too large for the store")
	ErrFull        = errors.New("the queue is full")                   // bounds of the queue or of the disk; nothing happened
	ErrNoSpace     = fmt.Errorf("%w: the disk has no room", ErrFull)   // an ErrFull that only room on the disk mends
	ErrUnavailable = errors.New("the store did not answer in time")    // may have happened
	ErrFatal       = errors.New("the store failed and must be closed") // the daemon must stop
	ErrResync      = errors.New("changes since that revision are no longer kept")
	ErrClosed      = errors.New("the store is closed") // nothing happened
)

// Rev numbers record writes; it grows with every one.
type Rev int64

// Special values for Put.If and Guard.If.
const (
	IfAbsent Rev = 0  // there must be no such record
	IfAny    Rev = -1 // no condition
	IfExists Rev = -2 // there must be one, whatever its revision
)

// Record is a stored value. Value is nil for a deletion (in a Feed only) and is shared: nobody changes its bytes.
type Record struct {
	Key   string
	Value []byte
	Rev   Rev
}

// Put writes or deletes a record if the condition holds. Keys are 1-512 bytes without NUL, values at most 1 MiB. The
// Puts of a Batch take effect in order, each seeing the ones before it. Deleting what is not there, where the condition
// allows it, changes nothing and has revision 0.
type Put struct {
	Key    string
	Value  []byte
	If     Rev
	Delete bool
}

// Guard is a condition without a write, looked at before the Puts of its Batch. With Prefix set, If must be IfAbsent: no
// record's key may begin with Key.
type Guard struct {
	Key    string
	If     Rev
	Prefix bool
}

// Checkpoint is a small value outside the record space: no revision, no change feed. A nil Value deletes it. IfToken
// fences by a partition's own token: one smaller than the token last written is ErrConflict; 0 means none.
type Checkpoint struct {
	Key     string
	Value   []byte
	IfToken int64
}

// Msg is an asynchronous invocation in the queue. In Enqueue, ID is 0 and the store gives one; RequestID is required and
// a second message with that of a queued one is ErrConflict.
type Msg struct {
	ID        int64
	RequestID string
	Fn        string // fc.FunctionRef.String()
	Trigger   string // id of the trigger that made it; "" for an API call
	EventID   string // of the event that made it, with Trigger; its attempts are steps of that Event
	DedupKey  string // "" = none; a key seen within its lifetime makes the Msg a duplicate, which is no error
	// InvocationID is the caller's own name for the invocation, "" if it gave none. While an invocation of the same Fn
	// and name is queued, running or kept as ended, a second one is a duplicate, which is no error.
	InvocationID string
	Enqueued     time.Time
	Due          time.Time // not before; zero = now
	NotAfter     time.Time // give up after; zero = never
	Attempt      int       // attempts that count, so far
	Payload      []byte
}

// Outcome ends a message. State is one of the State constants that are final. With an empty Batch.Owner the message must
// not be claimed by anybody; otherwise Owner must hold its claim.
type Outcome struct {
	ID       int64
	State    string
	Cause    string
	Keep     bool // keep the payload (dead letters)
	Attempts int
}

// Retry puts a claimed message back. Counted is false if the attempt was cut by shutdown or throttling.
type Retry struct {
	ID      int64
	Due     time.Time
	Counted bool
}

// Redrive puts a dead letter back into the queue under its request id, with its attempts forgotten, and is a step of the
// event that it came from. One that is no dead letter is ErrNotFound.
type Redrive struct {
	RequestID string
	NotAfter  time.Time // give up after; zero = never
}

// States of an asynchronous invocation.
const (
	StateQueued    = "queued"
	StateRunning   = "running"
	StateSucceeded = "succeeded" // final
	StateDead      = "dead"      // final: attempts or age used up
	StateStopped   = "stopped"   // final: by the caller
)

// CauseTooOld begins the cause of a dead letter that was not delivered in time; the time that it had follows.
const CauseTooOld = "not delivered within "

// Ended is an invocation that is over before it was ever queued, like an event that a check refused and that is kept as a
// dead letter. Its payload is kept. One whose DedupKey was seen within its lifetime is left out.
type Ended struct {
	Msg
	State string // final
	Cause string
}

// Batch is what Apply does in one transaction, or not at all.
type Batch struct {
	Puts        []Put
	Guards      []Guard
	Checkpoints []Checkpoint
	Enqueue     []Msg
	Done        []Outcome
	Retry       []Retry
	Redrive     []Redrive
	Purge       []string // request ids of dead letters to forget; others are left alone
	Ended       []Ended
	Fates       []Fate
	Fence       *Lease // checked in the same transaction
	Owner       string // the claimer, where Done or Retry are given
}

// Applied tells what Apply gave out, in the order of the Batch.
type Applied struct {
	Rev        Rev     // of the last record write; 0 if there was none
	Revs       []Rev   // one per Put
	IDs        []int64 // one per Enqueue; 0 for a duplicate
	Duplicates []int   // indexes into Enqueue
}

// Store keeps records. See the package comment for Apply.
type Store interface {
	Get(ctx context.Context, key string) (Record, error)
	// List returns records whose key begins with prefix and is greater than after, in byte order. A limit outside
	// 1-1000 is 1000.
	List(ctx context.Context, prefix, after string, limit int) ([]Record, error)
	Apply(ctx context.Context, b Batch) (Applied, error)
	// Checkpoint reads what a Batch wrote; ErrNotFound if nothing did.
	Checkpoint(ctx context.Context, key string) ([]byte, error)
	// Changes delivers every record write after since in Rev order, deletions included, and goes on with new ones until
	// ctx ends or Close. A write that a later one to the same key had replaced before it was read may be left out.
	// since 0 delivers what exists. ErrResync, here or from Next: start again from 0.
	Changes(ctx context.Context, since Rev) (Feed, error)
	// Rev is the revision of the latest record write, 0 before the first. Every feed comes to it.
	Rev(ctx context.Context) (Rev, error)
	Close() error
}

// Feed is a stream of changes.
type Feed interface {
	// Next blocks until there is at least one change. The slice is the caller's.
	Next(ctx context.Context) ([]Record, error)
	Close() error
}

// FnDue is a function with work in the queue.
type FnDue struct {
	Fn       string
	Earliest time.Time
}

// Depth counts a function's queue.
type Depth struct{ Ready, Waiting, Running int64 }

// Invocation is the queryable state of an asynchronous invocation.
type Invocation struct {
	Msg
	State string
	Cause string
	Ended time.Time // zero while it is queued or running
}

// InvocationFilter selects ended invocations; empty fields select all.
type InvocationFilter struct{ Fn, State string }

// InvocationQuery selects invocations of one function, whatever their state. Only Fn is required; zero values of the
// others select all.
type InvocationQuery struct {
	Fn       string
	State    string    // queued, running, or one that is final
	IDPrefix string    // of the invocation id, or of the request id where the caller gave none
	From, To time.Time // when it was accepted: From inclusive, To exclusive
	Newest   bool      // the latest first; else the earliest
	After    Place     // go on behind this one
	Limit    int       // outside 1-1000 it is 1000
}

// Place is where an invocation stands in the answer to an InvocationQuery.
type Place struct {
	Enqueued  time.Time
	RequestID string
}

// DeadSize is what dead letters take.
type DeadSize struct{ Letters, Bytes int64 }

// Ledger answers questions about invocations, for people and tools.
type Ledger interface {
	// FindByID is an invocation by the id that its caller gave, or by its request id; ErrNotFound if fn has no such.
	FindByID(ctx context.Context, fn, invocationID string) (Invocation, error)
	Invocations(ctx context.Context, q InvocationQuery) ([]Invocation, error)
	DeadSize(ctx context.Context) (DeadSize, error)
}

// Queue is the asynchronous side of a store.
type Queue interface {
	// Ready names every function with unclaimed messages and when the first of each is due, which may be after now.
	Ready(ctx context.Context, now time.Time) ([]FnDue, error)
	// Claim takes up to want[fn] due messages of each function for lease. Nobody else gets them meanwhile.
	Claim(ctx context.Context, owner string, want map[string]int, lease time.Duration) ([]Msg, error)
	Extend(ctx context.Context, owner string, ids []int64, lease time.Duration) (lost []int64, err error)
	Find(ctx context.Context, requestID string) (Invocation, error)
	// Outcomes lists ended invocations by request id, after exclusive.
	Outcomes(ctx context.Context, f InvocationFilter, after string, limit int) ([]Invocation, error)
	Depths(ctx context.Context) (map[string]Depth, error)
}

// Lease is an exclusive, expiring right to a name. Token grows with every take-over.
type Lease struct {
	Name, Owner string
	Token       int64
	Expires     time.Time
}

// Leases hands out leases; time is the store's, never the caller's. Acquire answers ErrConflict while another owner holds
// the name and gives its own holder a new token. Renew and Release answer ErrFenced once the lease has been taken over.
type Leases interface {
	Acquire(ctx context.Context, name, owner string, ttl time.Duration) (Lease, error)
	Renew(ctx context.Context, l Lease, ttl time.Duration) (Lease, error)
	Release(ctx context.Context, l Lease) error
}

// Waker is a store that can tell that the queue has new work: after messages were queued, put back or redriven, each time,
// there is a value. A poll each second is always the floor.
type Waker interface{ Wake() <-chan struct{} }
