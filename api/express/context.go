package express

import (
	"context"
	"sync"
	"time"
)

// A requestContext ends with its request, or when the client hangs up. The channel that tells of it, and what contexts
// derived from it are told by, are made when somebody asks: most requests are over before.
type requestContext struct {
	mu      sync.Mutex
	done    chan struct{} // nil until somebody asks
	derived context.Context
	tell    context.CancelFunc // ends derived
	ended   bool
}

// end ends the context. Further calls do nothing.
func (c *requestContext) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	c.ended = true
	if c.done != nil {
		close(c.done)
	}
	if c.tell != nil {
		c.tell()
	}
}

func (c *requestContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.ended {
			close(c.done)
		}
	}
	return c.done
}

func (c *requestContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return context.Canceled
	}
	return nil
}

// AfterFunc is what package context asks for, so that no goroutine waits for the end on behalf of a derived context.
func (c *requestContext) AfterFunc(f func()) (stop func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.derived == nil {
		c.derived, c.tell = context.WithCancel(context.Background())
		if c.ended {
			c.tell()
		}
	}
	return context.AfterFunc(c.derived, f)
}

func (*requestContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (*requestContext) Value(any) any               { return nil }
