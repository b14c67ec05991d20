package catalog

import (
	"hash/maphash"
	"iter"
	"maps"
	"sync/atomic"
)

const shardCount = 4096

// table is a map that is read without a lock and has one writer at a time. A write copies one shard of it, so that
// adding one entry to 100,000 costs about twenty-five.
type table[K comparable, V any] struct {
	seed   maphash.Seed
	shards [shardCount]atomic.Pointer[map[K]V]
}

func newTable[K comparable, V any]() *table[K, V] { return &table[K, V]{seed: maphash.MakeSeed()} }

func (t *table[K, V]) shard(k K) *atomic.Pointer[map[K]V] {
	return &t.shards[maphash.Comparable(t.seed, k)%shardCount]
}

func (t *table[K, V]) get(k K) (v V, ok bool) {
	if m := t.shard(k).Load(); m != nil {
		v, ok = (*m)[k]
	}
	return v, ok
}

func (t *table[K, V]) change(k K, change func(map[K]V)) {
	shard := t.shard(k)
	next := map[K]V{}
	if m := shard.Load(); m != nil {
		next = maps.Clone(*m)
	}
	change(next)
	shard.Store(&next)
}

func (t *table[K, V]) set(k K, v V) { t.change(k, func(m map[K]V) { m[k] = v }) }

func (t *table[K, V]) remove(k K) { t.change(k, func(m map[K]V) { delete(m, k) }) }

// keys walks what was there when each shard was reached.
func (t *table[K, V]) keys() iter.Seq[K] {
	return func(yield func(K) bool) {
		for i := range t.shards {
			m := t.shards[i].Load()
			if m == nil {
				continue
			}
			for k := range *m {
				if !yield(k) {
					return
				}
			}
		}
	}
}
