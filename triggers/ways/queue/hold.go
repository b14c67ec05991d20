package queue

import (
	"context"
	"time"

	"go.uber.org/zap"
)

// held keeps a message hidden while it is being delivered.
type held struct {
	stop    context.CancelFunc
	ended   chan struct{}
	receipt string // read when ended
}

// hold hides m anew each time it is about to be visible, until release.
func (p *Puller) hold(ctx context.Context, m message) *held {
	ctx, stop := context.WithCancel(ctx)
	h := &held{stop: stop, ended: make(chan struct{}), receipt: m.Receipt}
	left := hideFor
	if m.VisibleM > 0 {
		left = time.UnixMilli(m.VisibleM).Sub(p.o.Clock())
	}
	go func() {
		defer close(h.ended)
		for {
			wait := max(left-hideAhead, left/2, time.Second)
			pause(ctx, wait)
			if ctx.Err() != nil {
				return
			}
			next, err := p.client.hide(ctx, h.receipt, hideFor)
			if err != nil {
				if ctx.Err() == nil {
					p.o.Log.Warn("message under way was not hidden; it may come again and be recognised", zap.String("message", m.ID), zap.Error(err))
				}
				return
			}
			h.receipt, left = next, hideFor
		}
	}()
	return h
}

// release ends the hold and returns the receipt that the message has by now. A change of its visibility under way is
// waited for only as long as it takes to give up.
func (h *held) release() string {
	h.stop()
	<-h.ended
	return h.receipt
}
