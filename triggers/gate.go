package triggers

import "sync"

// Gate stands between a Source's decision to fire a trigger and the dispatch. Once Close has returned nobody is inside
// and nobody gets in, which is what Remove owes its caller. The zero Gate is open.
type Gate struct {
	mu     sync.Mutex
	inside int
	closed bool
	empty  chan struct{} // closed when the last one leaves a closed gate; nil if nobody waits for it
}

// Enter tells whether the trigger may fire; if so, Leave must follow when the dispatch has returned.
func (g *Gate) Enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.inside++
	return true
}

// Leave ends what Enter allowed.
func (g *Gate) Leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	if g.inside == 0 && g.empty != nil {
		close(g.empty)
		g.empty = nil
	}
}

// Close lets nobody in any more and waits for those inside.
func (g *Gate) Close() {
	g.mu.Lock()
	g.closed = true
	if g.inside > 0 && g.empty == nil {
		g.empty = make(chan struct{})
	}
	empty := g.empty
	g.mu.Unlock()
	if empty != nil {
		<-empty
	}
}
