package sls

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
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
	Body       map[string]json.RawMessage `json:"body"`
	TTLDays    int                        `json:"ttl"`
	Shards     int                        `json:"shards"`
	CreateTime int64                      `json:"createTime"` // Unix seconds
	ModifyTime int64                      `json:"modifyTime"`
}

// logstore is a logstore with its shards.
type logstore struct {
	project, name string
	dir           string
	shards        []*shard
	next          atomic.Uint32 // for rotation over shards
	packs         func() *packSet

	mu     sync.Mutex // guards the fields below
	doc    logstoreDoc
	index  json.RawMessage // nil if there is none
	groups map[string]*consumerGroup
}

// openLogstore opens the shards on disk.
func openLogstore(dir, project, name string, doc logstoreDoc, limits shardLimits) (*logstore, error) {
	l := &logstore{project: project, name: name, dir: dir, doc: doc, groups: map[string]*consumerGroup{}}
	for id := range doc.Shards {
		sh, err := openShard(shardDir(dir, id), limits)
		if err != nil {
			return nil, fmt.Errorf("logstore %s/%s: %w", project, name, errors.Join(err, l.close()))
		}
		l.shards = append(l.shards, sh)
	}
	l.packs = sync.OnceValue(func() *packSet { return loadPacks(l.shards) })
	return l, nil
}

func (l *logstore) close() error {
	var err error
	for _, sh := range l.shards {
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

// write appends a decoded group. A group whose pack id is known counts as written.
func (l *logstore) write(body []byte, g *logGroup, sh *shard, now time.Time) (err error) {
	earliest, latest := g.span()
	id := g.packID()
	if id == "" {
		return sh.append(body, earliest, latest, now)
	}
	packs := l.packs()
	if !packs.begin(id) {
		return nil
	}
	defer func() { packs.end(id, err == nil) }()
	return sh.append(body, earliest, latest, now)
}

// rotate picks the shard for a group without a hash key.
func (l *logstore) rotate() *shard {
	return l.shards[int(l.next.Add(1)-1)%len(l.shards)]
}

// route picks the shard whose key range holds a hash key of 32 hex digits.
func (l *logstore) route(key string) (*shard, error) {
	b, err := hex.DecodeString(key)
	if err != nil || len(b) != 16 {
		return nil, badRequest("ParameterInvalid", "hash key %.40q is not 32 hex digits", key)
	}
	for id := len(l.shards) - 1; id > 0; id-- {
		if string(b) >= string(keyBorder(id, len(l.shards))) {
			return l.shards[id], nil
		}
	}
	return l.shards[0], nil
}

// keyBorder is the first key of a shard: id/n of the 128-bit key space. For id = n it is the end of the space, 2^128-1.
func keyBorder(id, n int) []byte {
	v := new(big.Int).Lsh(big.NewInt(int64(id)), 128)
	v.Div(v, big.NewInt(int64(n)))
	if id == n {
		v.Sub(v, big.NewInt(1))
	}
	return v.FillBytes(make([]byte, 16))
}

// shardByID finds a shard by the text of its number.
func (l *logstore) shardByID(id string) (*shard, error) {
	for i, sh := range l.shards {
		if itoa(int64(i)) == id {
			return sh, nil
		}
	}
	return nil, notFound("ShardNotExist", "shard %.20q does not exist in logstore %s", id, l.name)
}

// bytes is what the logstore's frames take on disk.
func (l *logstore) bytes() (n int64) {
	for _, sh := range l.shards {
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

// created is when the logstore was made, Unix seconds.
func (l *logstore) created() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.doc.CreateTime
}
