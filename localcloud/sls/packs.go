package sls

import "sync"

// maxPacks is how many pack ids a logstore remembers.
const maxPacks = 100_000

// packSet remembers the pack ids written to a logstore. An id whose write is in progress makes a second write wait for it.
type packSet struct {
	mu    sync.Mutex // guards the fields below
	known map[string]chan struct{}
	order []string // of the finished ones, oldest first
}

var finished = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// begin reserves an id. fresh means that the caller writes it and calls end; otherwise it is on the disk already.
func (p *packSet) begin(id string) (fresh bool) {
	for {
		p.mu.Lock()
		state, ok := p.known[id]
		if !ok {
			p.known[id] = make(chan struct{})
			p.mu.Unlock()
			return true
		}
		p.mu.Unlock()
		if state == finished {
			return false
		}
		<-state
	}
}

// end tells what became of a reserved id.
func (p *packSet) end(id string, written bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.known[id])
	delete(p.known, id)
	if written {
		p.keep(id)
	}
}

// keep remembers an id, forgetting the oldest beyond maxPacks. Callers hold mu or are alone.
func (p *packSet) keep(id string) {
	p.known[id] = finished
	p.order = append(p.order, id)
	if len(p.order) > maxPacks {
		delete(p.known, p.order[0])
		p.order = p.order[1:]
	}
}

// loadPacks collects the pack ids of a logstore's newest segments, oldest first.
func loadPacks(shards []partition) *packSet {
	var found [][]string // newest segment first
	total := 0
	for _, sh := range shards {
		segs := sh.view()
		for i := len(segs) - 1; i >= 0 && total < maxPacks; i-- {
			ids := segmentPacks(segs[i])
			found = append(found, ids)
			total += len(ids)
		}
	}
	p := &packSet{known: map[string]chan struct{}{}}
	for i := len(found) - 1; i >= 0; i-- {
		for _, id := range found[i] {
			if p.known[id] == nil {
				p.keep(id)
			}
		}
	}
	return p
}

// segmentPacks are the pack ids in one segment. Damage ends the list: what stands behind it cannot be read either.
func segmentPacks(s segment) (ids []string) {
	var g logGroup
	_, _ = s.each(0, nil, func(_ frameHead, b []byte) (bool, error) {
		if g.decode(b) == nil && g.packID() != "" {
			ids = append(ids, g.packID())
		}
		return true, nil
	})
	return ids
}
