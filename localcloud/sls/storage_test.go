package sls

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"

	"fcd/ram"
)

var limits = shardLimits{segmentBytes: 1 << 20, segmentAge: time.Hour}

// start is the time of the first receipt in these tests.
var start = time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)

func open(t testing.TB, dir string, l shardLimits) *shard {
	t.Helper()
	s, err := openShard(dir, 0, l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.close() })
	return s
}

// add appends groups received a second apart.
func add(t testing.TB, s *shard, from int, groups ...string) {
	t.Helper()
	for i, g := range groups {
		if err := s.append([]byte(g), uint32(from+i), uint32(from+i), start.Add(time.Duration(from+i)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
}

func content(t testing.TB, s *shard) string {
	t.Helper()
	var all []string
	last := uint64(0)
	for _, seg := range s.view() {
		_, err := seg.each(0, nil, func(h frameHead, b []byte) (bool, error) {
			if h.sequence <= last {
				t.Errorf("sequence %d follows %d", h.sequence, last)
			}
			last = h.sequence
			all = append(all, string(b))
			return true, nil
		})
		if err != nil && !errors.Is(err, errTorn) {
			t.Fatal(err)
		}
	}
	return strings.Join(all, " ")
}

func files(t testing.TB, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestShardReopen(t *testing.T) {
	cases := []struct {
		name  string
		limit shardLimits
		harm  func(b []byte) []byte // to the last file
		want  string
	}{
		{"keeps everything", limits, nil, "a b c d"},
		{"keeps everything over several segments", shardLimits{60, time.Hour}, nil, "a b c d"},
		{"closes segments by age", shardLimits{1 << 20, time.Second}, nil, "a b c d"},
		{"cuts a torn head", limits, func(b []byte) []byte { return append(b, 1, 2, 3) }, "a b c d"},
		{"cuts zeros", limits, func(b []byte) []byte { return append(b, make([]byte, 1000)...) }, "a b c d"},
		{"cuts a frame that ends early", limits, func(b []byte) []byte { return b[:len(b)-1] }, "a b c"},
		{"cuts a frame with a wrong sum", limits, func(b []byte) []byte { b[len(b)-1] ^= 1; return b }, "a b c"},
		{"cuts a frame of impossible length", limits, func(b []byte) []byte { b[len(b)-frameHeadBytes] ^= 1; return b }, "a b c"},
		{"cuts a repeated frame", limits, func(b []byte) []byte { return append(b, b[len(b)-frameHeadBytes-1:]...) }, "a b c d"},
		{"starts again after everything is gone", limits, func([]byte) []byte { return nil }, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir, c.limit)
			add(t, s, 0, "a", "b", "c", "d")
			s.close()
			if c.harm != nil {
				names := files(t, dir)
				b, err := os.ReadFile(names[len(names)-1])
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(names[len(names)-1], c.harm(b), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s = open(t, dir, c.limit)
			if got := content(t, s); got != c.want {
				t.Errorf("holds %q, want %q", got, c.want)
			}
			add(t, s, 4, "e")
			s.close()
			if got := content(t, open(t, dir, c.limit)); got != strings.TrimSpace(c.want+" e") {
				t.Errorf("after an append it holds %q", got)
			}
		})
	}
}

func TestFooters(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, shardLimits{200, time.Hour})
	for i := range 40 {
		add(t, s, i, fmt.Sprintf("group %02d", i))
	}
	want := s.view()
	s.close()
	got := open(t, dir, limits).view()
	if d := cmp.Diff(want, got, cmp.AllowUnexported(segment{})); d != "" {
		t.Errorf("facts read back differ (-want +got):\n%s", d)
	}
	closed := 0
	for _, seg := range got {
		if seg.closed {
			closed++
		}
		if seg.Earliest != uint32((seg.First-uint64(start.UnixNano()))/1e9) || seg.Groups == 0 {
			t.Errorf("facts are %+v", seg.facts)
		}
	}
	if closed != len(got)-1 || closed < 5 {
		t.Errorf("%d of %d segments are closed", closed, len(got))
	}
}

func TestSparseIndex(t *testing.T) {
	s := open(t, t.TempDir(), limits)
	big := strings.Repeat("x", 30<<10)
	for i := range 30 {
		add(t, s, i, fmt.Sprint(i, " ", big))
	}
	seg := s.view()[0]
	if len(seg.Index) < 8 || len(seg.Index) > 12 {
		t.Errorf("%d index entries for 900 KiB", len(seg.Index))
	}
	for i := range 30 {
		seq := uint64(start.Add(time.Duration(i) * time.Second).UnixNano())
		more, err := seg.each(seq, nil, func(h frameHead, b []byte) (bool, error) {
			if h.sequence != seq || !bytes.HasPrefix(b, fmt.Appendf(nil, "%d ", i)) {
				t.Errorf("reading from group %d begins with %d", i, h.sequence)
			}
			return false, nil
		})
		if more || err != nil {
			t.Errorf("group %d: %v, %v", i, more, err)
		}
	}
}

func TestSequencesRiseWhenTheClockDoesNot(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, shardLimits{100, time.Hour})
	for i := range 10 {
		if err := s.append(fmt.Appendf(nil, "%d", i), 1, 1, start.Add(-time.Duration(i)*time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	s.close()
	if got := content(t, open(t, dir, limits)); got != "0 1 2 3 4 5 6 7 8 9" {
		t.Errorf("holds %q", got)
	}
}

func TestConcurrentAppends(t *testing.T) {
	s := open(t, t.TempDir(), shardLimits{2000, time.Hour})
	var group sync.WaitGroup
	for w := range 16 {
		group.Go(func() {
			for i := range 20 {
				text := fmt.Sprintf("<%d/%d>", w, i)
				if err := s.append([]byte(text), 1, 1, time.Now()); err != nil {
					t.Error(err)
				}
				if !strings.Contains(content(t, s), text) {
					t.Errorf("%s is not visible after its append", text)
				}
			}
		})
	}
	group.Wait()
	if got := len(strings.Fields(content(t, s))); got != 320 {
		t.Errorf("%d groups, want 320", got)
	}
	s.close()
	if err := s.append([]byte("x"), 1, 1, time.Now()); !errors.Is(err, errClosed) {
		t.Errorf("append after close: %v", err)
	}
}

// rootKeys lets everyone do everything.
type rootKeys struct{}

func (rootKeys) Authenticate(string, string) (ram.Identity, error) {
	return ram.Identity{Secret: "s"}, nil
}
func (rootKeys) Allowed(ram.Principal, string, string, ram.Env) error { return nil }

func TestRetention(t *testing.T) {
	now := start
	srv, err := New(Options{Dir: t.TempDir(), Keys: rootKeys{}, Policy: rootKeys{}, SegmentBytes: 100, MaxBytes: 1000, Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	for _, name := range []string{"one", "two"} {
		if err := srv.EnsureLogstore(t.Context(), "project", name); err != nil {
			t.Fatal(err)
		}
	}
	one, _ := srv.logstore("project", "one")
	two, _ := srv.logstore("project", "two")
	two.doc.TTLDays = maxTTLDays
	for i := range 6 {
		add(t, one.shards[0].shard, i, fmt.Sprintf("one%d-%s", i, strings.Repeat("x", 80)))
	}
	add(t, two.shards[0].shard, 6, "kept")
	srv.expire()
	if got := len(strings.Fields(content(t, one.shards[0].shard))); got != 6 {
		t.Fatalf("%d groups are left before anything is due", got)
	}
	now = start.Add(30*24*time.Hour + 2*time.Second)
	srv.expire()
	if got := content(t, one.shards[0].shard); !strings.HasPrefix(got, "one2-") || len(strings.Fields(got)) != 4 {
		t.Errorf("after 30 days and 2 s %q is left", got)
	}
	now = now.Add(365 * 24 * time.Hour)
	srv.expire()
	if got := content(t, one.shards[0].shard) + content(t, two.shards[0].shard); got != "kept" {
		t.Errorf("after a year %q is left", got)
	}
	if begin, end := one.shards[0].shard.bounds(); begin != end {
		t.Errorf("bounds of the empty shard are %d and %d", begin, end)
	}
	for i := range 20 {
		add(t, one.shards[0].shard, 1000+i, fmt.Sprintf("new%d-%s", i, strings.Repeat("x", 80)))
	}
	two.doc.TTLDays, one.doc.TTLDays = maxTTLDays, maxTTLDays
	srv.expire()
	if got := srv.bytes(); got > 1000 || got < 700 {
		t.Errorf("%d bytes are left under a bound of 1000", got)
	}
	if got := content(t, one.shards[0].shard); !strings.Contains(got, "new19-") || strings.Contains(got, "new0-") {
		t.Errorf("the bound left %q", got)
	}
}

func TestDamagedSegmentIsReadUpToTheDamage(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, shardLimits{70, time.Hour})
	add(t, s, 0, "a", "b", "c", "d", "e", "f") // three in a segment
	name := files(t, dir)[0]
	b, _ := os.ReadFile(name)
	b[2*frameHeadBytes+1] ^= 1 // the second group
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := content(t, s); got != "a d e f" {
		t.Errorf("read %q", got)
	}
}

// logBytes encodes one log group by hand.
func logBytes(topic, key, value string) []byte {
	var kv, log, g []byte
	kv = protowire.AppendString(protowire.AppendTag(kv, 1, protowire.BytesType), key)
	kv = protowire.AppendString(protowire.AppendTag(kv, 2, protowire.BytesType), value)
	log = protowire.AppendVarint(protowire.AppendTag(log, 1, protowire.VarintType), 1767600000)
	log = protowire.AppendBytes(protowire.AppendTag(log, 2, protowire.BytesType), kv)
	g = protowire.AppendBytes(protowire.AppendTag(g, 1, protowire.BytesType), log)
	return protowire.AppendString(protowire.AppendTag(g, 3, protowire.BytesType), topic)
}

func FuzzLogGroup(f *testing.F) {
	f.Add(logBytes("topic", "key", "value"))
	f.Add([]byte{10, 0})
	f.Add([]byte{10, 2, 8, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		var g logGroup
		if g.decode(b) != nil {
			return
		}
		_ = g.check()
		earliest, latest := g.span()
		for _, l := range g.logs {
			if l.time < earliest || l.time > latest {
				t.Errorf("log at %d is outside %d-%d", l.time, earliest, latest)
			}
			if row := g.row(l); row["__topic__"] != string(g.topic) {
				t.Errorf("row is %v", row)
			}
		}
	})
}

func FuzzUncompress(f *testing.F) {
	kind, lz, _ := compress(bytes.Repeat([]byte("hello "), 50), "lz4")
	f.Add(lz, "300", kind)
	kind, zs, _ := compress(bytes.Repeat([]byte("hello "), 50), "zstd")
	f.Add(zs, "300", kind)
	f.Add(literalBlock([]byte("abc")), "3", "lz4")
	f.Add([]byte("abc"), "3", "")
	f.Add([]byte{0xff}, "10485760", "lz4")
	f.Add(bytes.Repeat([]byte("0"), 18), "0", "lz4")
	f.Fuzz(func(t *testing.T, body []byte, size, kind string) {
		raw, err := new(writeMemory).uncompress(body, size, kind)
		if err == nil && fmt.Sprint(len(raw)) != strings.TrimLeft(size, "+0") && len(raw) > 0 {
			t.Errorf("%d bytes for a size of %q", len(raw), size)
		}
	})
}

func FuzzQuery(f *testing.F) {
	for _, q := range []string{"", "*", "a and (b or not c:d)", `k:"a b" x*y k>=1 n in [1 2)`, "__tag__:a:b | select 1", `"\"`, "a:b:c=d"} {
		f.Add(q, "some text", "value")
	}
	f.Fuzz(func(t *testing.T, query, topic, value string) {
		e, err := parseQuery(query)
		if err != nil {
			if _, ok := asAPIError(err); !ok {
				t.Errorf("error %v is not for the caller", err)
			}
			return
		}
		var g logGroup
		if err := g.decode(logBytes(topic, "k", value)); err != nil {
			t.Fatal(err)
		}
		if e.match(&g, g.logs[0]) == (negation{e}).match(&g, g.logs[0]) {
			t.Errorf("%q and its negation agree", query)
		}
	})
}

func FuzzSegment(f *testing.F) {
	good := appendFrame(nil, frameHead{sequence: 1, received: 1, earliest: 1, latest: 1}, []byte("one"))
	good = appendFrame(good, frameHead{sequence: 2, received: 2, earliest: 2, latest: 2}, []byte("two"))
	f.Add(good)
	facts := facts{First: 1, Last: 2, Size: int64(len(good)), Groups: 2}
	footer, _ := facts.footer()
	f.Add(append(good, footer...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if fs, ok := readFooter(bytes.NewReader(b), int64(len(b))); ok && (fs.Size > int64(len(b)) || fs.Size < 0) {
			t.Errorf("footer says %d of %d bytes", fs.Size, len(b))
		}
		var s segment
		if err := s.scan(bytes.NewReader(b)); err != nil {
			t.Fatal(err)
		}
		fr := newFrameReader(io.LimitReader(bytes.NewReader(b), s.Size))
		for range s.Groups {
			if _, _, err := fr.next(nil); err != nil {
				t.Fatalf("a counted frame is not readable: %v", err)
			}
		}
	})
}

func FuzzRequest(f *testing.F) {
	srv, err := New(Options{Dir: f.TempDir(), Keys: rootKeys{}, Policy: rootKeys{}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { srv.Close() })
	if err := srv.EnsureLogstore(f.Context(), "project", "store"); err != nil {
		f.Fatal(err)
	}
	for i, rt := range routes() {
		path := strings.NewReplacer("{logstore}", "store", "{shard}", "0", "{group}", "g1").Replace(rt.path)
		f.Add(i, path, "type="+rt.kind+"&from=1&to=2&cursor=MQ==&consumer=c&key=00000000000000000000000000000000", []byte(`{"consumerGroup":"g1","from":1,"to":2}`), "38")
	}
	f.Fuzz(func(t *testing.T, n int, path, query string, body []byte, size string) {
		all := routes()
		rt := all[uint(n)%uint(len(all))]
		r := httptest.NewRequest(rt.method, "http://x/", nil)
		r.URL.Path, r.URL.RawQuery = path, query
		r.Header.Set("x-log-bodyrawsize", size)
		parts, ok := match(rt.path, path)
		if !ok {
			return
		}
		c := &call{s: srv, w: httptest.NewRecorder(), r: r, body: body, project: "project", parts: parts}
		if rt.action == "DeleteProject" {
			return
		}
		if err := rt.handle(c); err != nil {
			if _, ok := asAPIError(err); !ok {
				t.Errorf("%s: error %v is not for the caller", rt.action, err)
			}
		}
	})
}

func BenchmarkScan(b *testing.B) {
	s := open(b, b.TempDir(), shardLimits{1 << 30, time.Hour})
	line := logBytes("topic", "message", strings.Repeat("some words of a log line ", 8))
	group := bytes.Repeat(line, 50)
	for i := range 200 {
		if err := s.append(group, 1, 1, start.Add(time.Duration(i))); err != nil {
			b.Fatal(err)
		}
	}
	seg := s.view()[0]
	q, _ := parseQuery("needle")
	var g logGroup
	b.SetBytes(seg.Size)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = seg.each(0, nil, func(_ frameHead, buf []byte) (bool, error) {
			if err := g.decode(buf); err != nil {
				b.Fatal(err)
			}
			for _, l := range g.logs {
				q.match(&g, l)
			}
			return true, nil
		})
	}
}

func TestDocumentsStandInTheFolderNamed(t *testing.T) {
	for _, name := range []string{"percent%41", "question?mode=memory", "hash#tag", "blank and ü"} {
		path := filepath.Join(t.TempDir(), name)
		m, err := openMeta(path)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := m.db.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReadonlyShardsGoWithTheirLastGroup(t *testing.T) {
	now := start
	srv, err := New(Options{Dir: t.TempDir(), Keys: rootKeys{}, Policy: rootKeys{}, Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	if err := srv.EnsureLogstore(t.Context(), "project", "one"); err != nil {
		t.Fatal(err)
	}
	l, _ := srv.logstore("project", "one")
	add(t, l.shards[0].shard, 0, "x")
	if _, err := srv.replaceShards(t.Context(), l, l.all()[:1], cutKeys(l.shards[0].BeginKey, l.shards[0].EndKey, 2)); err != nil {
		t.Fatal(err)
	}
	ids := func() (all []int) {
		for _, sh := range l.all() {
			all = append(all, sh.ID)
		}
		return all
	}
	now = start.Add(20 * 24 * time.Hour)
	srv.expire()
	if got := fmt.Sprint(ids()); got != "[0 1 2]" {
		t.Errorf("after 20 of 30 days the shards are %s", got)
	}
	now = start.Add(31 * 24 * time.Hour)
	srv.expire()
	if got := fmt.Sprint(ids()); got != "[1 2]" {
		t.Errorf("after 31 days the shards are %s", got)
	}
	if _, err := os.Stat(shardDir(l.dir, 0)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder of the old shard: %v", err)
	}
	if _, err := srv.replaceShards(t.Context(), l, l.all()[:1], cutKeys(l.shards[0].BeginKey, l.shards[0].EndKey, 2)); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(ids()); got != "[1 2 3 4]" {
		t.Errorf("after another split the shards are %s", got)
	}
}
