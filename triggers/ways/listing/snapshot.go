package listing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"fcd/store"
)

// chunks is how many checkpoints a snapshot is cut into, so that a change rewrites a small part of it. A chunk of 100,000
// keys of the greatest length has some 400 KiB.
const chunks = 256

// snapshot is what the rounds so far have seen.
type snapshot struct {
	meta    meta
	objects map[string]Object
	byChunk [chunks]map[string]struct{}
}

// meta is the checkpoint beside the chunks.
type meta struct {
	Version  int    `json:"version"`
	Bucket   string `json:"bucket"`
	Prefix   string `json:"prefix"`
	Growing  bool   `json:"growing"`
	Baseline bool   `json:"baseline"`       // the first round has come to its end
	Last     string `json:"last,omitempty"` // Growing: the last key seen
}

// entry is an object in a chunk.
type entry struct {
	Key      string `json:"k"`
	ETag     string `json:"e"`
	Size     int64  `json:"s"`
	Modified int64  `json:"m"` // Unix milliseconds
}

func (o Object) same(p Object) bool {
	return o.ETag == p.ETag && o.Size == p.Size && o.Modified.Equal(p.Modified)
}

func chunkOf(key string) int { return int(crc32.ChecksumIEEE([]byte(key)) % chunks) }

func (l *Lister) key(part string) string { return "way/listing/" + l.o.Name + "/" + part }

// load reads what an earlier life saw. What was seen of another bucket or prefix under the same name is forgotten.
func (l *Lister) load(ctx context.Context) (*snapshot, error) {
	s := &snapshot{objects: map[string]Object{}}
	for i := range s.byChunk {
		s.byChunk[i] = map[string]struct{}{}
	}
	want := meta{Version: 1, Bucket: l.o.Bucket, Prefix: l.o.Prefix, Growing: l.o.Growing}
	s.meta = want
	var have meta
	if err := l.read(ctx, "meta", &have); err != nil {
		return nil, err
	}
	base := have
	base.Baseline, base.Last = false, ""
	if base != want || !have.Baseline {
		return s, l.forget(ctx)
	}
	s.meta = have
	for i := range chunks {
		var entries []entry
		if err := l.read(ctx, strconv.Itoa(i), &entries); err != nil {
			return nil, err
		}
		for _, e := range entries {
			s.put(Object{Key: e.Key, ETag: e.ETag, Size: e.Size, Modified: time.UnixMilli(e.Modified)})
		}
	}
	return s, nil
}

func (l *Lister) read(ctx context.Context, part string, v any) error {
	b, err := l.o.Store.Checkpoint(ctx, l.key(part))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("checkpoint %s: %w", l.key(part), err)
	}
	return nil
}

// forget removes all that was kept under the name.
func (l *Lister) forget(ctx context.Context) error {
	all := []store.Checkpoint{{Key: l.key("meta")}}
	for i := range chunks {
		all = append(all, store.Checkpoint{Key: l.key(strconv.Itoa(i))})
	}
	_, err := l.o.Store.Apply(ctx, store.Batch{Checkpoints: all})
	return err
}

func (s *snapshot) put(o Object) {
	s.objects[o.Key] = o
	s.byChunk[chunkOf(o.Key)][o.Key] = struct{}{}
}

func (s *snapshot) drop(key string) {
	delete(s.objects, key)
	delete(s.byChunk[chunkOf(key)], key)
}

// save keeps changes whose events are safe; a nil object is gone. Chunks are written as they are now.
func (l *Lister) save(ctx context.Context, changes map[string]*Object) error {
	dirty := map[int]bool{}
	for key, o := range changes {
		dirty[chunkOf(key)] = true
		if o == nil {
			l.seen.drop(key)
		} else {
			l.seen.put(*o)
		}
	}
	var batch store.Batch
	size := 0
	for _, n := range slices.Sorted(maps.Keys(dirty)) {
		c := store.Checkpoint{Key: l.key(strconv.Itoa(n)), Value: l.seen.chunk(n)}
		if size += len(c.Value); size > maxBatchBytes && len(batch.Checkpoints) > 0 {
			if err := l.apply(ctx, batch); err != nil {
				return err
			}
			batch, size = store.Batch{}, len(c.Value)
		}
		batch.Checkpoints = append(batch.Checkpoints, c)
	}
	return l.apply(ctx, batch)
}

// maxBatchBytes keeps a commit below what the store takes.
const maxBatchBytes = 4 << 20

// apply writes checkpoints. When it fails, what is in memory is ahead of the disk: it is read again for the next round.
func (l *Lister) apply(ctx context.Context, b store.Batch) error {
	if len(b.Checkpoints) == 0 {
		return nil
	}
	if _, err := l.o.Store.Apply(ctx, b); err != nil {
		l.seen = nil
		return err
	}
	return nil
}

// chunk renders the objects of a chunk, nil for none.
func (s *snapshot) chunk(n int) []byte {
	if len(s.byChunk[n]) == 0 {
		return nil
	}
	entries := make([]entry, 0, len(s.byChunk[n]))
	for key := range s.byChunk[n] {
		o := s.objects[key]
		entries = append(entries, entry{Key: key, ETag: o.ETag, Size: o.Size, Modified: o.Modified.UnixMilli()})
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.Key, b.Key) })
	b, err := json.Marshal(entries)
	if err != nil {
		panic(err) // strings and numbers
	}
	return b
}

func (l *Lister) saveBaseline(ctx context.Context) error {
	m := l.seen.meta
	m.Baseline = true
	return l.saveMeta(ctx, m)
}

func (l *Lister) saveLast(ctx context.Context, key string) error {
	m := l.seen.meta
	m.Last = key
	if !m.Baseline {
		l.seen.meta = m // the baseline's end writes it
		return nil
	}
	return l.saveMeta(ctx, m)
}

func (l *Lister) saveMeta(ctx context.Context, m meta) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if err := l.apply(ctx, store.Batch{Checkpoints: []store.Checkpoint{{Key: l.key("meta"), Value: b}}}); err != nil {
		return err
	}
	l.seen.meta = m
	return nil
}
