package catalog_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"fcd/fc"
	"fcd/store"
	"fcd/store/catalog"
	"fcd/store/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a store with a running catalog.
type world struct {
	t *testing.T
	s *sqlite.Store
	c *catalog.Catalog
}

func newWorld(t *testing.T, before ...store.Batch) *world {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	w := &world{t: t, s: s}
	for _, b := range before {
		w.apply(b)
	}
	w.c = catalog.New(s, catalog.Options{})
	return w
}

// start loads the catalog and follows the store until the test ends.
func (w *world) start() *world {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	if err := w.c.Load(ctx); err != nil {
		w.t.Fatal(err)
	}
	ran := make(chan error, 1)
	go func() { ran <- w.c.Run(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-ran; err != nil {
			w.t.Errorf("run: %v", err)
		}
	})
	return w
}

func (w *world) apply(b store.Batch) store.Rev {
	w.t.Helper()
	a, err := w.s.Apply(w.t.Context(), b)
	if err != nil {
		w.t.Fatal(err)
	}
	return a.Rev
}

// write applies and waits until the view shows it.
func (w *world) write(b store.Batch) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	if err := w.c.Wait(ctx, w.apply(b)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) target(ref fc.FunctionRef) *fc.Target {
	w.t.Helper()
	tg, err := w.c.Target(ref)
	if err != nil {
		w.t.Fatal(err)
	}
	return tg
}

func service(name, description string) store.Batch {
	return put(catalog.ServiceKey(name), &fc.Service{Name: name, Description: description})
}

func function(svc, name, code string) store.Batch {
	return put(catalog.FunctionKey(svc, name), &fc.Function{ServiceName: svc, Name: name, CodeSHA256: code})
}

func trigger(name, id, source string) store.Batch {
	return put(catalog.TriggerKey("s", "f", name), &fc.Trigger{
		ServiceName: "s", FunctionName: "f", Name: name, ID: id, SourceARN: source, Config: json.RawMessage("{}")})
}

func put(key string, v any) store.Batch {
	return store.Batch{Puts: []store.Put{{Key: key, Value: catalog.Encode(v), If: store.IfAny}}}
}

func drop(key string) store.Batch {
	return store.Batch{Puts: []store.Put{{Key: key, Delete: true, If: store.IfAny}}}
}

func TestTargetFollowsTheRecords(t *testing.T) {
	w := newWorld(t, service("s", "one"), function("s", "f", "c1")).start()
	ref := fc.FunctionRef{Service: "s", Function: "f"}
	first := w.target(ref)
	if first.Service.Description != "one" || first.Function.CodeSHA256 != "c1" || first.Ref != ref || first.VersionID != "LATEST" {
		t.Errorf("target %+v", first)
	}
	if again := w.target(ref); again != first {
		t.Error("an unchanged target is made anew")
	}
	latest := w.target(fc.FunctionRef{Service: "s", Qualifier: "LATEST", Function: "f"})
	if latest.Ref.Qualifier != "LATEST" || latest.Generation != first.Generation {
		t.Errorf("LATEST is %+v", latest)
	}
	w.write(function("s", "f", "c2"))
	second := w.target(ref)
	if second.Function.CodeSHA256 != "c2" || second.Generation == first.Generation || first.Function.CodeSHA256 != "c1" {
		t.Errorf("after an update of the function: %+v", second)
	}
	w.write(service("s", "two"))
	third := w.target(ref)
	if third.Service.Description != "two" || third.Generation == second.Generation {
		t.Errorf("after an update of the service: %+v", third)
	}
	w.write(function("s", "g", "c3"))
	if w.target(ref) != third {
		t.Error("a neighbour changed the target")
	}
}

func TestTargetNamesWhatIsMissing(t *testing.T) {
	w := newWorld(t, service("s", ""), function("s", "f", "c"), function("s", "gone", "c"), drop(catalog.FunctionKey("s", "gone"))).start()
	for ref, want := range map[string]string{
		"x//f":      "ServiceNotFound: service 'x' does not exist",
		"s//x":      "FunctionNotFound: function 'x' does not exist in service 's'",
		"s//gone":   "FunctionNotFound: function 'gone' does not exist in service 's'",
		"s/1/f":     "VersionNotFound: version '1' of service 's' does not exist",
		"s/prod/f":  "AliasNotFound: alias 'prod' of service 's' does not exist",
		"x/prod/f":  "ServiceNotFound: service 'x' does not exist",
		"s/LATEST/": "FunctionNotFound: function '' does not exist in service 's'",
	} {
		p := strings.Split(ref, "/")
		_, err := w.c.Target(fc.FunctionRef{Service: p[0], Qualifier: p[1], Function: p[2]})
		if err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", ref, err, want)
		}
	}
	w.write(drop(catalog.ServiceKey("s")))
	if _, err := w.c.Target(fc.FunctionRef{Service: "s", Function: "f"}); fc.CodeOf(err) != fc.ServiceNotFound {
		t.Errorf("after deleting the service: %v", err)
	}
}

func TestCodeInUseCountsFunctions(t *testing.T) {
	w := newWorld(t, service("s", ""), function("s", "f", "c1"), function("s", "g", "c1")).start()
	uses := func(want string) {
		t.Helper()
		got := ""
		for _, c := range []string{"c1", "c2"} {
			if w.c.CodeInUse(c) {
				got += c
			}
		}
		if got != want {
			t.Errorf("in use: %q, want %q", got, want)
		}
	}
	uses("c1")
	w.write(function("s", "f", "c2"))
	uses("c1c2")
	w.write(function("s", "f", "c2"))
	w.write(drop(catalog.FunctionKey("s", "g")))
	uses("c2")
	w.write(drop(catalog.FunctionKey("s", "f")))
	uses("")
}

func TestTriggersAreReportedInOrder(t *testing.T) {
	w := newWorld(t, trigger("a", "id-a", "arn-1"), trigger("b", "id-b", "arn-1"))
	var mu sync.Mutex
	var told []string
	id := func(t *fc.Trigger) string {
		if t == nil {
			return "-"
		}
		return t.ID + "@" + t.SourceARN
	}
	w.c.WatchTriggers(func(old, new *fc.Trigger) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, id(old)+" > "+id(new))
	})
	w.start()
	w.write(trigger("a", "id-a", "arn-2"))
	w.write(trigger("c", "id-c", "arn-1"))
	w.write(trigger("b", "id-b2", "arn-1"))
	w.write(drop(catalog.TriggerKey("s", "f", "c")))
	w.write(drop(catalog.TriggerKey("s", "f", "never")))
	want := []string{
		"- > id-a@arn-1", "- > id-b@arn-1",
		"id-a@arn-1 > id-a@arn-2", "- > id-c@arn-1", "id-b@arn-1 > -", "- > id-b2@arn-1", "id-c@arn-1 > -",
	}
	mu.Lock()
	defer mu.Unlock()
	if diff := cmp.Diff(want, told); diff != "" {
		t.Error(diff)
	}
	names := func(ts []*fc.Trigger) (all []string) {
		for _, t := range ts {
			all = append(all, t.Name)
		}
		return all
	}
	if diff := cmp.Diff([]string{"a", "b"}, names(w.c.Triggers())); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"b"}, names(w.c.TriggersBySource("arn-1"))); diff != "" {
		t.Error(diff)
	}
	if _, ok := w.c.Trigger("id-b"); ok {
		t.Error("the id of a deleted trigger is found")
	}
	if tr, ok := w.c.Trigger("id-b2"); !ok || tr.Name != "b" {
		t.Errorf("by id: %+v", tr)
	}
}

func TestWatchSeesEveryKeyBeforeWaitReturns(t *testing.T) {
	w := newWorld(t)
	var mu sync.Mutex
	seen := map[string]int{}
	w.c.Watch(func(key string) {
		mu.Lock()
		defer mu.Unlock()
		seen[key]++
	})
	w.start()
	for i := range 300 {
		key := catalog.FunctionKey("s", fmt.Sprint("f", i))
		w.write(function("s", fmt.Sprint("f", i), "c"))
		mu.Lock()
		if seen[key] == 0 {
			t.Fatalf("%s was not told", key)
		}
		mu.Unlock()
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	w := newWorld(t).start()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.c.Wait(ctx, 1<<40); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestLoadRefusesARecordItCannotRead(t *testing.T) {
	w := newWorld(t, store.Batch{Puts: []store.Put{{Key: "svc/bad", Value: []byte("{"), If: store.IfAny}}})
	if err := w.c.Load(t.Context()); err == nil || !strings.Contains(err.Error(), `"svc/bad"`) {
		t.Errorf("got %v", err)
	}
}

func TestAnUnreadableRecordLeavesTheViewAsItWas(t *testing.T) {
	w := newWorld(t, service("s", "good"), function("s", "f", "c")).start()
	w.write(store.Batch{Puts: []store.Put{{Key: catalog.ServiceKey("s"), Value: []byte("{"), If: store.IfAny}}})
	if tg := w.target(fc.FunctionRef{Service: "s", Function: "f"}); tg.Service.Description != "good" {
		t.Errorf("service %+v", tg.Service)
	}
}

func TestLoadAfterTheDeletionsAreForgotten(t *testing.T) {
	now := time.Now()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir(), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	w := &world{t: t, s: s, c: catalog.New(s, catalog.Options{})}
	w.apply(service("s", ""))
	w.apply(service("x", ""))
	w.apply(drop(catalog.ServiceKey("x")))
	w.apply(drop(catalog.ServiceKey("s")))
	now = now.Add(48 * time.Hour)
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := w.c.Load(ctx); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := w.c.Run(ctx); err != nil {
		t.Error(err)
	}
}

// BenchmarkTarget looks up functions in random order, from all processors.
func BenchmarkTarget(b *testing.B) {
	for _, n := range []int{100, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) { benchmarkTarget(b, n) })
	}
}

func benchmarkTarget(b *testing.B, n int) {
	s, err := sqlite.Open(b.Context(), sqlite.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	batch, refs := service("s", ""), make([]fc.FunctionRef, n)
	for i := range refs {
		refs[i] = fc.FunctionRef{Service: "s", Function: fmt.Sprint("f", i)}
		batch.Puts = append(batch.Puts, function("s", refs[i].Function, "c").Puts...)
		if len(batch.Puts) == 1000 || i == n-1 {
			if _, err := s.Apply(b.Context(), batch); err != nil {
				b.Fatal(err)
			}
			batch.Puts = nil
		}
	}
	c := catalog.New(s, catalog.Options{})
	start := time.Now()
	if err := c.Load(b.Context()); err != nil {
		b.Fatal(err)
	}
	loaded := time.Since(start)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i += 7919 {
			if _, err := c.Target(refs[i%n]); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(loaded.Milliseconds()), "load-ms")
	b.StopTimer()
	ctx, cancel := context.WithCancel(b.Context())
	cancel()
	if err := c.Run(ctx); err != nil {
		b.Error(err)
	}
}
