package sls

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// logstoreBody are the fields of a logstore that mean something here.
type logstoreBody struct {
	Name       string `json:"logstoreName"`
	TTLDays    int    `json:"ttl"`
	ShardCount int    `json:"shardCount"`
}

// readLogstore decodes a logstore's settings, the unknown fields with them.
func (c *call) readLogstore() (logstoreBody, map[string]json.RawMessage, error) {
	var known logstoreBody
	var all map[string]json.RawMessage
	if err := c.readJSON(&known); err != nil {
		return known, nil, err
	}
	if err := c.readJSON(&all); err != nil {
		return known, nil, err
	}
	if known.TTLDays < 0 || known.TTLDays > maxTTLDays {
		return known, nil, badRequest("LogStoreInfoInvalid", "ttl %d is not between 1 and %d days", known.TTLDays, maxTTLDays)
	}
	if known.ShardCount < 0 || known.ShardCount > maxShards {
		return known, nil, badRequest("LogStoreInfoInvalid", "shardCount %d is not between 1 and %d", known.ShardCount, maxShards)
	}
	return known, all, nil
}

func (c *call) createLogstore() error {
	body, all, err := c.readLogstore()
	if err != nil {
		return err
	}
	doc := logstoreDoc{Body: all, TTLDays: orDefault(body.TTLDays, defaultTTL), Shards: orDefault(body.ShardCount, defaultShards)}
	c.s.changing.Lock()
	defer c.s.changing.Unlock()
	if _, ok := c.s.project(c.project); !ok {
		return projectNotExist(c.project)
	}
	if _, err := c.s.logstore(c.project, body.Name); err == nil {
		return badRequest("LogStoreAlreadyExist", "logstore %s already exists", body.Name)
	}
	if err := c.s.addLogstore(c.r.Context(), c.project, body.Name, doc); err != nil {
		return err
	}
	return c.ok()
}

// addLogstore makes a logstore in an existing project; the caller holds changing.
func (s *Server) addLogstore(ctx context.Context, projectName, name string, doc logstoreDoc) error {
	if !logstoreName.MatchString(name) {
		return badRequest("LogStoreInfoInvalid", "logstore name %.100q must be 2 to 63 of letters, digits, - and _, not beginning or ending with - or _", name)
	}
	doc.CreateTime = s.opts.Clock().Unix()
	doc.ModifyTime = doc.CreateTime
	dir := filepath.Join(s.opts.Dir, projectName, name)
	if _, err := os.Stat(dir); err == nil { // of a logstore whose deletion a crash cut short
		if err := discard(dir, s.trash()); err != nil {
			return err
		}
	}
	l, err := openLogstore(dir, projectName, name, doc, s.limits())
	if err != nil {
		return err
	}
	if err := s.meta.apply(ctx, change{"logstore/" + projectName + "/" + name, doc}); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.projects[projectName].stores[name] = l
	return nil
}

func (c *call) getLogstore() error {
	l, err := c.logstore()
	if err != nil {
		return err
	}
	l.mu.Lock()
	doc := l.doc
	l.mu.Unlock()
	answer := map[string]any{"enable_tracking": false, "autoSplit": false, "maxSplitShard": 0, "appendMeta": false,
		"telemetryType": "", "mode": "standard"}
	for k, v := range doc.Body {
		answer[k] = v
	}
	maps.Copy(answer, map[string]any{"logstoreName": l.name, "ttl": doc.TTLDays, "shardCount": doc.Shards,
		"createTime": doc.CreateTime, "lastModifyTime": doc.ModifyTime})
	return c.json(answer)
}

// updateLogstore changes all but the number of shards, which is fixed.
func (c *call) updateLogstore() error {
	body, all, err := c.readLogstore()
	if err != nil {
		return err
	}
	c.s.changing.Lock()
	defer c.s.changing.Unlock()
	l, err := c.logstore()
	if err != nil {
		return err
	}
	l.mu.Lock()
	doc := l.doc
	l.mu.Unlock()
	doc.Body = maps.Clone(doc.Body)
	if doc.Body == nil {
		doc.Body = map[string]json.RawMessage{}
	}
	maps.Copy(doc.Body, all)
	doc.TTLDays = orDefault(body.TTLDays, doc.TTLDays)
	doc.ModifyTime = c.s.opts.Clock().Unix()
	if err := c.s.meta.apply(c.r.Context(), change{"logstore/" + l.project + "/" + l.name, doc}); err != nil {
		return err
	}
	l.mu.Lock()
	l.doc = doc
	l.mu.Unlock()
	return c.ok()
}

func (c *call) deleteLogstore() error {
	s := c.s
	s.changing.Lock()
	defer s.changing.Unlock()
	l, err := c.logstore()
	if err != nil {
		return err
	}
	var gone []change
	for _, kind := range []string{"logstore/", "index/", "group/", "checkpoint/"} {
		gone = append(gone, change{kind + l.project + "/" + l.name, nil})
	}
	if err := s.meta.apply(c.r.Context(), gone...); err != nil {
		return err
	}
	s.mu.Lock()
	delete(s.projects[l.project].stores, l.name)
	s.mu.Unlock()
	if err := l.remove(s.trash()); err != nil {
		return err
	}
	return c.ok()
}

func (c *call) listLogstores() error {
	c.s.mu.RLock()
	p, ok := c.s.projects[c.project]
	if !ok {
		c.s.mu.RUnlock()
		return projectNotExist(c.project)
	}
	all := slices.Sorted(maps.Keys(p.stores))
	c.s.mu.RUnlock()
	wanted := c.r.URL.Query().Get("logstoreName")
	all = slices.DeleteFunc(all, func(name string) bool { return !strings.Contains(name, wanted) })
	page, err := c.page(all, 500)
	if err != nil {
		return err
	}
	if page == nil {
		page = []string{}
	}
	return c.json(map[string]any{"count": len(page), "total": len(all), "logstores": page})
}

func (c *call) createIndex() error { return c.setIndex(false) }
func (c *call) updateIndex() error { return c.setIndex(true) }

// setIndex keeps index settings; exists tells whether there must be some already or must be none.
func (c *call) setIndex(exists bool) error {
	var body map[string]json.RawMessage
	if err := c.readJSON(&body); err != nil {
		return err
	}
	c.s.changing.Lock()
	defer c.s.changing.Unlock()
	l, err := c.logstore()
	if err != nil {
		return err
	}
	old := l.indexBody()
	if exists && old == nil {
		return indexNotExist(l)
	}
	if !exists && old != nil {
		return badRequest("IndexAlreadyExist", "logstore %s already has an index", l.name)
	}
	if _, ok := body["index_mode"]; !ok {
		body["index_mode"] = json.RawMessage(`"v2"`)
	}
	body["lastModifyTime"] = json.RawMessage(strconv.FormatInt(c.s.opts.Clock().Unix(), 10))
	index, err := json.Marshal(body)
	if err != nil {
		return err
	}
	if err := c.s.meta.apply(c.r.Context(), change{"index/" + l.project + "/" + l.name, json.RawMessage(index)}); err != nil {
		return err
	}
	l.mu.Lock()
	l.index = index
	l.mu.Unlock()
	return c.ok()
}

func indexNotExist(l *logstore) error {
	return notFound("IndexConfigNotExist", "index config of logstore %s doesn't exist", l.name)
}

func (l *logstore) indexBody() json.RawMessage {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.index
}

func (c *call) getIndex() error {
	l, err := c.logstore()
	if err != nil {
		return err
	}
	index := l.indexBody()
	if index == nil {
		return indexNotExist(l)
	}
	return c.bytes("application/json", index)
}

func (c *call) deleteIndex() error {
	c.s.changing.Lock()
	defer c.s.changing.Unlock()
	l, err := c.logstore()
	if err != nil {
		return err
	}
	if l.indexBody() == nil {
		return indexNotExist(l)
	}
	if err := c.s.meta.apply(c.r.Context(), change{"index/" + l.project + "/" + l.name, nil}); err != nil {
		return err
	}
	l.mu.Lock()
	l.index = nil
	l.mu.Unlock()
	return c.ok()
}

// intParam reads a whole number from the query string.
func (c *call) intParam(name string, def int64) (int64, error) {
	text := c.r.URL.Query().Get(name)
	if text == "" {
		return def, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, badRequest("ParameterInvalid", "parameter %s is %.40q, not a whole number", name, text)
	}
	return n, nil
}
