package sls

import (
	"encoding/hex"
	"math/big"
	"strings"
)

// shardDoc is a shard's place in its logstore, as stored. Keys are 32 hex digits in lower case.
type shardDoc struct {
	ID         int    `json:"id"` // never given again within the logstore
	ReadOnly   bool   `json:"readOnly,omitempty"`
	BeginKey   string `json:"begin"` // the first hash key of its range
	EndKey     string `json:"end"`   // the first one beyond, or the last key there is
	CreateTime int64  `json:"createTime"`
	// CloseTime is when it was split or merged and took no more writes, Unix seconds; 0 while it does.
	CloseTime int64 `json:"closeTime,omitempty"`
	Parents   []int `json:"parents,omitempty"` // what it was split or merged from
}

// partition is a shard in its place. It is a value: a snapshot.
type partition struct {
	*shard
	shardDoc
}

// maxKey is the end of the key space, 2^128-1, which belongs to the last shard.
const maxKey = "ffffffffffffffffffffffffffffffff"

// table are all shards of the logstore, by id.
func (d *logstoreDoc) table() []shardDoc {
	if d.Table != nil {
		return d.Table
	}
	all := make([]shardDoc, d.Shards)
	for i, border := range cutKeys(strings.Repeat("0", 32), maxKey, d.Shards) {
		all[i] = shardDoc{ID: i, BeginKey: border[0], EndKey: border[1], CreateTime: d.CreateTime}
	}
	return all
}

// cutKeys cuts the range of keys from begin to end into n even parts.
func cutKeys(begin, end string, n int) [][2]string {
	low, high := keyNumber(begin), keyNumber(end)
	if end == maxKey {
		high.Add(high, big.NewInt(1)) // so that the parts of the whole space have round borders
	}
	size := new(big.Int).Sub(high, low)
	parts := make([][2]string, n)
	at := begin
	for i := range parts {
		next := end
		if i < n-1 {
			v := new(big.Int).Mul(size, big.NewInt(int64(i+1)))
			next = keyText(v.Add(v.Div(v, big.NewInt(int64(n))), low))
		}
		parts[i] = [2]string{at, next}
		at = next
	}
	return parts
}

func keyNumber(key string) *big.Int {
	v, ok := new(big.Int).SetString(key, 16)
	if !ok {
		return new(big.Int) // stored keys are hex
	}
	return v
}

func keyText(v *big.Int) string { return hex.EncodeToString(v.FillBytes(make([]byte, 16))) }

// parseKey reads a hash key that a client sent.
func parseKey(key string) (string, error) {
	b, err := hex.DecodeString(key)
	if err != nil || len(b) != 16 {
		return "", badHashKey(key)
	}
	return strings.ToLower(key), nil
}

func badHashKey(key string) error {
	return badRequest("ParameterInvalid", "hash key %.40q is not 32 hex digits", key)
}

// holds tells whether the shard takes groups of the key.
func (d shardDoc) holds(key string) bool {
	return !d.ReadOnly && d.BeginKey <= key && (key < d.EndKey || d.EndKey == maxKey)
}

// pickLocked is the shard that takes a group with the hash key, or the next one in turn for "". The caller holds layout.
func (l *logstore) pickLocked(key string) (*shard, error) {
	if key != "" {
		k, err := parseKey(key)
		if err != nil {
			return nil, err
		}
		for _, sh := range l.shards {
			if sh.holds(k) {
				return sh.shard, nil
			}
		}
	}
	for range l.shards {
		if sh := l.shards[int(l.next.Add(1)-1)%len(l.shards)]; !sh.ReadOnly {
			return sh.shard, nil
		}
	}
	return nil, refuse(503, "ServerBusy", "logstore %s has no shard to write to", l.name)
}

// shardAnswer is a shard as answered.
type shardAnswer struct {
	ID         int    `json:"shardID"`
	Status     string `json:"status"`
	BeginKey   string `json:"inclusiveBeginKey"`
	EndKey     string `json:"exclusiveEndKey"`
	CreateTime int64  `json:"createTime"`
}

func answerShards(shards []partition) []shardAnswer {
	answers := make([]shardAnswer, len(shards))
	for i, sh := range shards {
		answers[i] = shardAnswer{sh.ID, "readwrite", sh.BeginKey, sh.EndKey, sh.CreateTime}
		if sh.ReadOnly {
			answers[i].Status = "readonly"
		}
	}
	return answers
}
