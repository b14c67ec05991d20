package sqlite

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"fcd/store"
)

// measure counts a Batch's operations and bytes and refuses what can never be applied.
func measure(b *store.Batch) (ops, size int, err error) {
	ops = len(b.Puts) + len(b.Guards) + len(b.Checkpoints) + len(b.Enqueue) + len(b.Done) + len(b.Retry) +
		len(b.Redrive) + len(b.Purge) + len(b.Ended) + len(b.Fates)
	for i := range b.Puts {
		if err := checkKey(b.Puts[i].Key); err != nil {
			return 0, 0, err
		}
		if n := len(b.Puts[i].Value); n > maxValue {
			return 0, 0, fmt.Errorf("record %q has %d bytes, more than %d: %w", b.Puts[i].Key, n, maxValue, store.ErrTooLarge)
		}
		size += len(b.Puts[i].Key) + len(b.Puts[i].Value)
	}
	for i := range b.Checkpoints {
		if err := checkKey(b.Checkpoints[i].Key); err != nil {
			return 0, 0, err
		}
		size += len(b.Checkpoints[i].Key) + len(b.Checkpoints[i].Value)
	}
	for _, g := range b.Guards {
		if g.Prefix && g.If != store.IfAbsent {
			return 0, 0, fmt.Errorf("a guard on prefix %q can only be IfAbsent", g.Key)
		}
	}
	for i := range b.Enqueue {
		m := &b.Enqueue[i]
		if m.RequestID == "" || m.Fn == "" {
			return 0, 0, errors.New("a message needs a request id and a function")
		}
		size += len(m.Payload) + len(m.RequestID) + len(m.Fn) + len(m.DedupKey) + len(m.InvocationID)
	}
	for i := range b.Ended {
		m := &b.Ended[i]
		if m.RequestID == "" || m.Fn == "" || !final(m.State) {
			return 0, 0, fmt.Errorf("an ended invocation needs a request id, a function and a final state, not %q", m.State)
		}
		size += len(m.Payload) + len(m.RequestID) + len(m.Fn) + len(m.DedupKey)
	}
	for i := range b.Fates {
		size += len(b.Fates[i].Payload)
	}
	for i := range b.Done {
		if !final(b.Done[i].State) {
			return 0, 0, fmt.Errorf("%q is not a final state", b.Done[i].State)
		}
	}
	if ops > maxOps || size > maxBytes {
		return 0, 0, fmt.Errorf("a batch of %d operations and %d bytes, more than %d or %d: %w",
			ops, size, maxOps, maxBytes, store.ErrTooLarge)
	}
	return ops, size, nil
}

func checkKey(key string) error {
	switch {
	case key == "" || strings.IndexByte(key, 0) >= 0:
		return fmt.Errorf("key %q is empty or holds a NUL", key)
	case len(key) > maxKey:
		return fmt.Errorf("key %.40q… has %d bytes, more than %d: %w", key, len(key), maxKey, store.ErrTooLarge)
	}
	return nil
}

func final(state string) bool {
	return state == store.StateSucceeded || state == store.StateDead || state == store.StateStopped
}

// diskSpace remembers the free bytes for a second. Only the writer uses it.
type diskSpace struct {
	looked time.Time
	free   int64
}

// room is ErrFull if more messages or bytes do not fit the queue, ErrNoSpace if they do not fit the disk.
func (g *group) room(messages int, bytes int64) error {
	opt := &g.w.s.opt
	switch {
	case g.counters.messages+int64(messages) > opt.MaxMessages:
		return fmt.Errorf("%w: it holds %d messages of at most %d", store.ErrFull, g.counters.messages, opt.MaxMessages)
	case g.counters.bytes+bytes > opt.MaxBytes:
		return fmt.Errorf("%w: it holds %d bytes of at most %d", store.ErrFull, g.counters.bytes, opt.MaxBytes)
	}
	return g.space()
}

// space is ErrNoSpace if the disk has too little room left.
func (g *group) space() error {
	opt, d := &g.w.s.opt, &g.w.space
	if opt.MinFreeBytes < 0 {
		return nil
	}
	if now := time.Now(); now.Sub(d.looked) > time.Second {
		free, err := freeBytes(opt.Dir)
		if err != nil {
			return fmt.Errorf("%w: free space unknown: %w", store.ErrNoSpace, err)
		}
		d.looked, d.free = now, free
	}
	if d.free < opt.MinFreeBytes {
		return fmt.Errorf("%w: %s has %d bytes free, less than %d", store.ErrNoSpace, opt.Dir, d.free, opt.MinFreeBytes)
	}
	return nil
}
