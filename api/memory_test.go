package api_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/crc64"
	"io"
	"sort"
	"strconv"
	"strings"
	"sync"

	"fcd/fc"
	"fcd/store"
	"fcd/store/catalog"
	"fcd/store/packages"
)

type memory struct {
	store.Store
	mu    sync.Mutex
	rev   store.Rev
	recs  map[string]store.Record
	queue []store.Msg
}

func (m *memory) Get(_ context.Context, key string) (store.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.recs[key]
	if !ok {
		return r, store.ErrNotFound
	}
	return r, nil
}

func (m *memory) List(_ context.Context, prefix, after string, limit int) (out []store.Record, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var keys []string
	for k := range m.recs {
		if strings.HasPrefix(k, prefix) && k > after {
			keys = append(keys, k)
		}
	}
	sort.Strings(keys)
	for _, k := range keys[:min(limit, len(keys))] {
		out = append(out, m.recs[k])
	}
	return out, nil
}

func (m *memory) holds(key string, want store.Rev) bool {
	r, ok := m.recs[key]
	return want == store.IfAny || want == store.IfExists && ok || want == store.IfAbsent && !ok || want > 0 && ok && r.Rev == want
}

func (m *memory) Apply(_ context.Context, b store.Batch) (store.Applied, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, g := range b.Guards {
		if g.Prefix {
			for k := range m.recs {
				if strings.HasPrefix(k, g.Key) {
					return store.Applied{}, store.ErrConflict
				}
			}
		} else if !m.holds(g.Key, g.If) {
			return store.Applied{}, store.ErrConflict
		}
	}
	for _, p := range b.Puts {
		if !m.holds(p.Key, p.If) {
			return store.Applied{}, store.ErrConflict
		}
	}
	var done store.Applied
	for _, p := range b.Puts {
		m.rev++
		if p.Delete {
			delete(m.recs, p.Key)
		} else {
			m.recs[p.Key] = store.Record{Key: p.Key, Value: p.Value, Rev: m.rev}
		}
		done.Revs = append(done.Revs, m.rev)
	}
	done.Rev = m.rev
	m.queue = append(m.queue, b.Enqueue...)
	return done, nil
}

func (m *memory) Wait(context.Context, store.Rev) error { return nil }

func (m *memory) Target(ref fc.FunctionRef) (*fc.Target, error) {
	rec, err := m.Get(nil, catalog.FunctionKey(ref.Service, ref.Function))
	if err != nil {
		if _, err := m.Get(nil, catalog.ServiceKey(ref.Service)); err != nil {
			return nil, fc.Errorf(fc.ServiceNotFound, "service '%s' does not exist", ref.Service)
		}
		return nil, fc.Errorf(fc.FunctionNotFound, "function '%s' does not exist in service '%s'", ref.Function, ref.Service)
	}
	f, err := catalog.DecodeFunction(rec)
	return &fc.Target{Ref: ref, Function: f}, err
}

func (m *memory) TriggersBySource(arn string) (out []*fc.Trigger) {
	recs, _ := m.List(nil, "trg/", "", 1000)
	for _, r := range recs {
		if t, _ := catalog.DecodeTrigger(r); t.SourceARN == arn {
			out = append(out, t)
		}
	}
	return out
}

type memPackages struct {
	mu sync.Mutex
	m  map[string][]byte
}

func (p *memPackages) Put(_ context.Context, r io.Reader) (packages.Package, error) {
	b, err := io.ReadAll(r)
	if err != nil || !bytes.HasPrefix(b, []byte("PK")) {
		return packages.Package{}, fc.Errorf(fc.InvalidArgument, "the code package is not a zip archive")
	}
	s := sha256.Sum256(b)
	p.mu.Lock()
	defer p.mu.Unlock()
	key := hex.EncodeToString(s[:])
	p.m[key] = b
	return packages.Package{SHA256: key, Size: int64(len(b)),
		CRC64: strconv.FormatUint(crc64.Checksum(b, crc64.MakeTable(crc64.ECMA)), 10)}, nil
}

type nopSeekCloser struct{ *bytes.Reader }

func (nopSeekCloser) Close() error { return nil }

func (p *memPackages) Open(key string) (io.ReadSeekCloser, int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b, ok := p.m[key]
	if !ok {
		return nil, 0, fmt.Errorf("no package %s", key)
	}
	return nopSeekCloser{bytes.NewReader(b)}, int64(len(b)), nil
}
