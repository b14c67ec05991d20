package sls

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of a logstore's settings.
const (
	maxShards     = 64
	maxTTLDays    = 3650 // and this one means for ever
	defaultTTL    = 30
	defaultShards = 1
)

// logstoreDoc is a logstore as stored. Body is what the client sent last, with fields that mean nothing here.
type logstoreDoc struct {
	Body    map[string]json.RawMessage `json:"body"`
	TTLDays int                        `json:"ttl"`
	Shards  int                        `json:"shards"` // that take writes
	// Table are all shards by id, once one was split or merged; until then they share the key space evenly.
	Table      []shardDoc `json:"table,omitempty"`
	CreateTime int64      `json:"createTime"` // Unix seconds
	ModifyTime int64      `json:"modifyTime"`
}

// logstore is a logstore with its shards.
type logstore struct {
	project, name string
	dir           string
	next          atomic.Uint32 // for rotation over shards
	packs         func() *packSet

	layout sync.RWMutex // guards shards; held for reading over a write, so that no write meets a shard that is closed
	shards []partition  // by id; the slice is replaced, never changed

	mu     sync.Mutex // guards the fields below
	doc    logstoreDoc
	index  json.RawMessage // nil if there is none
	groups map[string]*consumerGroup
}

// openLogstore opens the shards on disk.
func openLogstore(dir, project, name string, doc logstoreDoc, limits shardLimits) (*logstore, error) {
	l := &logstore{project: project, name: name, dir: dir, doc: doc, groups: map[string]*consumerGroup{}}
	for _, d := range doc.table() {
		sh, err := openShard(shardDir(dir, d.ID), d.CreateTime, limits)
		if err != nil {
			return nil, fmt.Errorf("logstore %s/%s: %w", project, name, errors.Join(err, l.close()))
		}
		l.shards = append(l.shards, partition{sh, d})
	}
	l.packs = sync.OnceValue(func() *packSet { return loadPacks(l.all()) })
	return l, nil
}

// all are the shards of the moment, those that take no writes any more included. The caller changes nothing in it.
func (l *logstore) all() []partition {
	l.layout.RLock()
	defer l.layout.RUnlock()
	return l.shards
}

func (l *logstore) close() error {
	var err error
	for _, sh := range l.all() {
		err = errors.Join(err, sh.close())
	}
	return err
}

// remove closes the logstore and deletes its files. They are first moved aside, so that a new logstore of the same name
// never finds them.
func (l *logstore) remove(trash string) error {
	err := l.close()
	return errors.Join(err, discard(l.dir, trash))
}

// discard moves a folder aside and deletes it; a crash between the two leaves it for the next start to delete.
func discard(dir, trash string) error {
	if err := os.MkdirAll(trash, 0o700); err != nil {
		return err
	}
	aside, err := os.MkdirTemp(trash, "")
	if err != nil {
		return err
	}
	if err := os.Rename(dir, filepath.Join(aside, "x")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.RemoveAll(aside)
}

// write appends a decoded group to the shard of its hash key, or to the next one for "". A group whose pack id is known
// counts as written.
func (l *logstore) write(body []byte, g *logGroup, key string, now time.Time) (err error) {
	id, packs := g.packID(), l.packs()
	l.layout.RLock()
	defer l.layout.RUnlock()
	sh, err := l.pickLocked(key)
	if err != nil {
		return err
	}
	earliest, latest := g.span()
	if id == "" {
		return sh.append(body, earliest, latest, now)
	}
	if !packs.begin(id) {
		return nil
	}
	defer func() { packs.end(id, err == nil) }()
	return sh.append(body, earliest, latest, now)
}

// shardByID finds a shard by the text of its number.
func (l *logstore) shardByID(id string) (partition, error) {
	for _, sh := range l.all() {
		if itoa(int64(sh.ID)) == id {
			return sh, nil
		}
	}
	return partition{}, shardNotExist(l, id)
}

func shardNotExist(l *logstore, id string) error {
	return notFound("ShardNotExist", "shard %.20q does not exist in logstore %s", id, l.name)
}

// bytes is what the logstore's frames take on disk.
func (l *logstore) bytes() (n int64) {
	for _, sh := range l.all() {
		for _, seg := range sh.view() {
			n += seg.Size
		}
	}
	return n
}

// ttl is how long logs are kept; false means for ever.
func (l *logstore) ttl() (time.Duration, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Duration(l.doc.TTLDays) * 24 * time.Hour, l.doc.TTLDays < maxTTLDays
}
