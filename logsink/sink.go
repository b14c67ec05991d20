package logsink

import (
	"context"
	"errors"
	"fmt"

	"fcd/fc"
)

// Batch is lines of one logstore and topic, in order. A Sink does not change it and keeps nothing of it after Send.
type Batch struct {
	Project, Logstore string
	Topic             string
	// PackID is "<16 hex>-<hex>", the same whenever the same lines are sent again and different for any others.
	PackID  string
	Records []fc.LogRecord
}

// Sink takes batches over. Send returns nil when the batch is durable at the receiver; it is called from several
// goroutines, but never twice at a time for one logstore. An error that holds no *Error counts as Temporary.
type Sink interface {
	Send(ctx context.Context, b Batch) error
}

// Class tells what to do after a failed Send.
type Class int

// The classes of Send errors.
const (
	// Temporary: the network, an overloaded or broken service, a quota. Again after 100 ms, doubling to 30 s.
	Temporary Class = iota
	// Slow: someone must act first (keys, policies, a missing project or logstore, a clock). Again after 5 s to 60 s.
	Slow
	// Content: this batch will never be taken as it is. Halved; a single line is put aside.
	Content
)

func (c Class) String() string {
	switch c {
	case Temporary:
		return "temporary"
	case Slow:
		return "slow"
	case Content:
		return "content"
	}
	return fmt.Sprintf("class %d", int(c))
}

// Error is a failed Send with its class. Code is the receiver's name for it, like "LogStoreNotExist", or "".
type Error struct {
	Class Class
	Code  string
	Err   error
}

func (e *Error) Error() string { return e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

// ClassOf is the class of an error of Send.
func ClassOf(err error) Class {
	var e *Error
	if errors.As(err, &e) {
		return e.Class
	}
	return Temporary
}
