package sls

import (
	"maps"
	"slices"
	"strconv"
	"time"
)

// groupDoc is a consumer group as stored.
type groupDoc struct {
	TimeoutSeconds int  `json:"timeout"`
	InOrder        bool `json:"order"`
}

// checkpointDoc is how far a group has come in a shard.
type checkpointDoc struct {
	Checkpoint string `json:"checkpoint"`
	UpdateTime int64  `json:"updateTime"` // Unix microseconds
	Consumer   string `json:"consumer"`
}

// consumerGroup is a group with its live consumers; its logstore's mutex guards it.
type consumerGroup struct {
	doc         groupDoc
	checkpoints map[int]checkpointDoc
	consumers   map[string]*consumer
	owner       map[int]string // of each shard: who shall read it
}

type consumer struct {
	seen time.Time
	held []int // shards it said it still reads, and those it was given since
}

func newConsumerGroup(doc groupDoc) *consumerGroup {
	return &consumerGroup{doc: doc, checkpoints: map[int]checkpointDoc{}, consumers: map[string]*consumer{}, owner: map[int]string{}}
}

// loadGroups reads consumer groups and checkpoints from the metadata.
func (s *Server) loadGroups() error {
	for name, d := range s.meta.all("group") {
		var doc groupDoc
		if err := d.decode(&doc); err != nil {
			return err
		}
		s.projects[name[0]].stores[name[1]].groups[name[2]] = newConsumerGroup(doc)
	}
	for name, d := range s.meta.all("checkpoint") {
		var doc checkpointDoc
		if err := d.decode(&doc); err != nil {
			return err
		}
		shard, err := strconv.Atoi(name[3])
		if err != nil {
			return err
		}
		s.projects[name[0]].stores[name[1]].groups[name[2]].checkpoints[shard] = doc
	}
	return nil
}

// groupBody is a consumer group as clients send it; fields they leave out keep their value.
type groupBody struct {
	Name    string `json:"consumerGroup"`
	Timeout *int   `json:"timeout"` // seconds without a heartbeat after which a consumer is gone
	InOrder *bool  `json:"order"`
}

func (b groupBody) over(doc groupDoc) (groupDoc, error) {
	if b.Timeout != nil {
		doc.TimeoutSeconds = *b.Timeout
	}
	if b.InOrder != nil {
		doc.InOrder = *b.InOrder
	}
	if doc.TimeoutSeconds < 1 || doc.TimeoutSeconds > 86400 {
		return doc, badRequest("ParameterInvalid", "timeout %d is not between 1 and 86400 seconds", doc.TimeoutSeconds)
	}
	return doc, nil
}

func (l *logstore) groupKey(kind, group string) string {
	return kind + "/" + l.project + "/" + l.name + "/" + group
}

func (c *call) createGroup() error {
	var body groupBody
	if err := c.readJSON(&body); err != nil {
		return err
	}
	if !logstoreName.MatchString(body.Name) {
		return badRequest("ParameterInvalid", "consumer group name %.100q must be 2 to 63 of letters, digits, - and _", body.Name)
	}
	doc, err := body.over(groupDoc{TimeoutSeconds: 60})
	if err != nil {
		return err
	}
	l, err := c.logstore()
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.groups[body.Name] != nil {
		return badRequest("ConsumerGroupAlreadyExist", "consumer group %s already exists", body.Name)
	}
	if err := c.s.meta.apply(c.r.Context(), change{l.groupKey("group", body.Name), doc}); err != nil {
		return err
	}
	l.groups[body.Name] = newConsumerGroup(doc)
	return c.ok()
}

func (c *call) listGroups() error {
	l, err := c.logstore()
	if err != nil {
		return err
	}
	type answer struct {
		Name    string `json:"name"`
		Timeout int    `json:"timeout"`
		InOrder bool   `json:"order"`
	}
	answers := []answer{}
	l.mu.Lock()
	for _, name := range slices.Sorted(maps.Keys(l.groups)) {
		g := l.groups[name]
		answers = append(answers, answer{name, g.doc.TimeoutSeconds, g.doc.InOrder})
	}
	l.mu.Unlock()
	return c.json(answers)
}

// withGroup calls f with the logstore and the group that the route names, under the logstore's mutex.
func (c *call) withGroup(f func(*logstore, *consumerGroup) error) error {
	l, err := c.logstore()
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.groups[c.parts["group"]]
	if g == nil {
		return notFound("ConsumerGroupNotExist", "consumer group %s does not exist", c.parts["group"])
	}
	return f(l, g)
}

func (c *call) updateGroup() error {
	var body groupBody
	if err := c.readJSON(&body); err != nil {
		return err
	}
	return c.withGroup(func(l *logstore, g *consumerGroup) error {
		doc, err := body.over(g.doc)
		if err != nil {
			return err
		}
		if err := c.s.meta.apply(c.r.Context(), change{l.groupKey("group", c.parts["group"]), doc}); err != nil {
			return err
		}
		g.doc = doc
		return c.ok()
	})
}

func (c *call) deleteGroup() error {
	return c.withGroup(func(l *logstore, g *consumerGroup) error {
		name := c.parts["group"]
		err := c.s.meta.apply(c.r.Context(), change{l.groupKey("group", name), nil}, change{l.groupKey("checkpoint", name), nil})
		if err != nil {
			return err
		}
		delete(l.groups, name)
		return c.ok()
	})
}

func (c *call) getCheckpoints() error {
	type answer struct {
		Shard int `json:"shard"`
		checkpointDoc
	}
	answers := []answer{}
	err := c.withGroup(func(_ *logstore, g *consumerGroup) error {
		for _, shard := range slices.Sorted(maps.Keys(g.checkpoints)) {
			answers = append(answers, answer{shard, g.checkpoints[shard]})
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.json(answers)
}

// updateCheckpoint keeps a checkpoint. Unless forced, only the shard's owner may set it.
func (c *call) updateCheckpoint() error {
	var body struct {
		Shard      int    `json:"shard"`
		Checkpoint string `json:"checkpoint"`
	}
	if err := c.readJSON(&body); err != nil {
		return err
	}
	if _, err := decodeCursor(body.Checkpoint); err != nil {
		return err
	}
	q := c.r.URL.Query()
	return c.withGroup(func(l *logstore, g *consumerGroup) error {
		if _, err := l.shardByID(itoa(int64(body.Shard))); err != nil {
			return err
		}
		who := q.Get("consumer")
		if owner := g.owner[body.Shard]; q.Get("forceSuccess") != "true" && who != "" && owner != "" && owner != who {
			return badRequest("ConsumerNotMatch", "shard %d belongs to consumer %s, not %.100s", body.Shard, owner, who)
		}
		doc := checkpointDoc{Checkpoint: body.Checkpoint, UpdateTime: c.s.opts.Clock().UnixMicro(), Consumer: who}
		key := l.groupKey("checkpoint", c.parts["group"]) + "/" + strconv.Itoa(body.Shard)
		if err := c.s.meta.apply(c.r.Context(), change{key, doc}); err != nil {
			return err
		}
		g.checkpoints[body.Shard] = doc
		return c.ok()
	})
}

// heartbeat keeps a consumer alive and tells it which shards to read.
func (c *call) heartbeat() error {
	var held []int
	if err := c.readJSON(&held); err != nil {
		return err
	}
	who := c.r.URL.Query().Get("consumer")
	if who == "" {
		return badRequest("ParameterInvalid", "parameter consumer is missing")
	}
	var shards []int
	err := c.withGroup(func(l *logstore, g *consumerGroup) error {
		shards = g.beat(who, held, g.readable(l.all()), c.s.opts.Clock())
		return nil
	})
	if err != nil {
		return err
	}
	return c.json(shards)
}

// readable are the shards that the group still has to read: not those that take no writes and were read to their end,
// and, for a group that reads in order, none before those that it was split or merged from.
func (g *consumerGroup) readable(shards []partition) []int {
	open := map[int]bool{}
	for _, sh := range shards {
		_, end := sh.bounds()
		if !sh.ReadOnly || g.checkpoints[sh.ID].Checkpoint != encodeCursor(end) {
			open[sh.ID] = true
		}
	}
	var ids []int
	for _, sh := range shards {
		waits := g.doc.InOrder && slices.ContainsFunc(sh.Parents, func(id int) bool { return open[id] })
		if open[sh.ID] && !waits {
			ids = append(ids, sh.ID)
		}
	}
	return ids
}

// beat notes a heartbeat and shares the shards out among the live consumers. A shard changes hands only
// after its last reader has let go of it, so that no two read it at a time.
func (g *consumerGroup) beat(who string, held, shards []int, now time.Time) []int {
	g.consumers[who] = &consumer{seen: now, held: held}
	for name, co := range g.consumers {
		if now.Sub(co.seen) > time.Duration(g.doc.TimeoutSeconds)*time.Second {
			delete(g.consumers, name)
		}
	}
	g.share(shards)
	mine := []int{}
	for _, shard := range shards {
		if g.owner[shard] == who && !g.heldByOther(shard, who) {
			mine = append(mine, shard)
		}
	}
	g.consumers[who].held = append(slices.Clone(held), mine...) // from now on it may read these
	return mine
}

// share gives every shard an owner: who has it keeps it, as far as no two consumers differ by more than one shard.
func (g *consumerGroup) share(shards []int) {
	names := slices.Sorted(maps.Keys(g.consumers))
	owned := map[string][]int{}
	var free []int
	for _, shard := range shards {
		if owner := g.owner[shard]; g.consumers[owner] != nil {
			owned[owner] = append(owned[owner], shard)
		} else {
			free = append(free, shard)
		}
	}
	fewest := func(a, b string) int { return len(owned[a]) - len(owned[b]) }
	give := func(shard int) {
		to := slices.MinFunc(names, fewest)
		g.owner[shard] = to
		owned[to] = append(owned[to], shard)
	}
	for _, shard := range free {
		give(shard)
	}
	for {
		from, to := slices.MaxFunc(names, fewest), slices.MinFunc(names, fewest)
		n := len(owned[from])
		if n-len(owned[to]) <= 1 {
			return
		}
		shard := owned[from][n-1]
		owned[from] = owned[from][:n-1]
		give(shard)
	}
}

func (g *consumerGroup) heldByOther(shard int, who string) bool {
	for name, co := range g.consumers {
		if name != who && slices.Contains(co.held, shard) {
			return true
		}
	}
	return false
}
