// Package listing finds out what happened in a bucket by listing it now and then, where nothing can tell: no queue, no
// push, no rights to set one up. It is for small prefixes.
//
// Each round lists the prefix and compares it with what the round before saw:
//
//	new, or another ETag, size or time   ObjectCreated:PutObject, CompleteMultipartUpload, AppendObject or PutSymlink,
//	                                     by the object's type
//	no longer there                      ObjectRemoved:DeleteObject
//
// The first round is the baseline: it makes no events. What was seen is kept as checkpoints, in chunks, each written after
// the events of its changes are on disk: a crash in between finds the same changes again, which are recognised. A round
// that was cut off begins again, and finds no changes where it had come.
//
// With Growing, for prefixes whose keys only grow (a date or a counter in them), a round lists behind the last key that
// was seen and keeps that key alone: changes and removals of older objects go unnoticed.
//
// A listing is blind: to who did it, from where and with which request; to whether a put, a post or a copy made an object;
// to objects that came and went between two rounds.
package listing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"fcd/fc"
	"fcd/store"
	"fcd/triggers/ways"
)

// MinInterval is the shortest time between two rounds, MaxKeys the most keys that a round may see.
const (
	MinInterval = 30 * time.Second
	MaxKeys     = 100_000
)

// way is the name of the way for metrics.
const way = "listing"

// Object is an entry of a listing.
type Object struct {
	Key      string
	ETag     string // without quotes
	Size     int64
	Modified time.Time
	Type     string // Normal, Multipart, Appendable or Symlink
}

// Page is a part of a listing, in the order of keys. Next continues it; "" for the last part.
type Page struct {
	Objects []Object
	Next    string
}

// Bucket lists objects; the real client's adapter is SDK.
type Bucket interface {
	// List returns objects whose key begins with prefix and is greater than after, from where a page before ended (next).
	List(ctx context.Context, prefix, after, next string) (Page, error)
}

// Sink takes the events; the source of oss triggers does. On nil they are durably queued or settled.
type Sink interface {
	ObjectEvent(ctx context.Context, ev fc.ObjectEvent) error
}

// Checkpoints keep what was seen; a store.Store does.
type Checkpoints interface {
	Apply(ctx context.Context, b store.Batch) (store.Applied, error)
	Checkpoint(ctx context.Context, key string) ([]byte, error) // store.ErrNotFound if there is none
}

// Options of a Lister. Those without a default must be set.
type Options struct {
	Name     string // in the configuration; what was seen is kept under it
	Bucket   string
	Prefix   string
	Growing  bool
	Interval time.Duration // at least MinInterval
	MaxKeys  int           // default MaxKeys
	List     Bucket
	Sink     Sink
	Store    Checkpoints

	Metrics *ways.Metrics // optional
	Log     *zap.Logger   // optional
}

// Lister watches one prefix of a bucket.
type Lister struct {
	o    Options
	seen *snapshot // nil until it was read
}

// ErrTooMany means that the prefix holds more keys than a lister may watch.
var ErrTooMany = errors.New("too many keys")

// New checks the options.
func New(o Options) (*Lister, error) {
	if o.Name == "" || o.Bucket == "" || o.List == nil || o.Sink == nil || o.Store == nil {
		return nil, errors.New("triggers/ways/listing: a lister needs Name, Bucket, List, Sink and Store")
	}
	if o.Interval < MinInterval {
		return nil, fmt.Errorf("listing %s: an interval of %v is below %v", o.Name, o.Interval, MinInterval)
	}
	if o.MaxKeys == 0 {
		o.MaxKeys = MaxKeys
	}
	if o.MaxKeys < 0 || o.MaxKeys > MaxKeys {
		return nil, fmt.Errorf("listing %s: %d keys are not 1 to %d", o.Name, o.MaxKeys, MaxKeys)
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	o.Log = o.Log.With(zap.String("listing", o.Name), zap.String("bucket", o.Bucket))
	return &Lister{o: o}, nil
}

// Run makes rounds until ctx ends.
func (l *Lister) Run(ctx context.Context) error {
	tick := time.NewTicker(l.o.Interval)
	defer tick.Stop()
	failing := false
	for {
		err := l.Round(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !failing:
			l.o.Log.Warn("the bucket could not be listed to its end; it is tried again", zap.Error(err))
		case err == nil && failing:
			l.o.Log.Info("the bucket can be listed again")
		}
		failing = err != nil
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// Round lists the prefix once. An error leaves the rest to the next round.
func (l *Lister) Round(ctx context.Context) error {
	if l.seen == nil {
		seen, err := l.load(ctx)
		if err != nil {
			return err
		}
		l.seen = seen
	}
	outcome := ways.Accepted
	err := l.round(ctx)
	if err != nil {
		outcome = ways.Failed
	}
	l.o.Metrics.Count(way, l.o.Name, outcome)
	return err
}

func (l *Lister) round(ctx context.Context) error {
	r := &round{Lister: l, after: ""}
	if l.o.Growing {
		r.after = l.seen.meta.Last
	}
	next, count := "", 0
	for {
		page, err := l.o.List.List(ctx, l.o.Prefix, r.after, next)
		if err != nil {
			return err
		}
		count += len(page.Objects)
		if count > l.o.MaxKeys && !l.o.Growing {
			return fmt.Errorf("%w: prefix '%s' holds more than %d", ErrTooMany, l.o.Prefix, l.o.MaxKeys)
		}
		if err := r.page(ctx, page); err != nil {
			return err
		}
		if page.Next == "" {
			return r.end(ctx)
		}
		next = page.Next
	}
}
