package invoker

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"fcd/fc"
	"fcd/invoker/sandbox"
)

// kindOf is the kind of a function's instances.
func (w *world) kindOf(t testing.TB, ref fc.FunctionRef) kind {
	t.Helper()
	target, err := w.functions.Target(ref)
	if err != nil {
		t.Fatal(err)
	}
	rt, err := w.opt.Runtimes.Get(target.Function.Runtime)
	if err != nil {
		t.Fatal(err)
	}
	k, ok := w.stock.kind(target, rt)
	if !ok {
		t.Fatalf("nothing generic can serve %s", ref.Function)
	}
	return k
}

// onShelf is how many generic instances wait for functions of the kind.
func (w *world) onShelf(k kind) int {
	w.stock.mu.Lock()
	defer w.stock.mu.Unlock()
	if sh := w.stock.shelves[k]; sh != nil {
		return len(sh.ready)
	}
	return 0
}

// stocked waits until at least n generic instances wait for the function.
func (w *world) stocked(t testing.TB, ref fc.FunctionRef, n int) {
	t.Helper()
	k := w.kindOf(t, ref)
	w.Expect(ref)
	w.await(t, fmt.Sprintf("%d generic instances", n), func() bool { return w.onShelf(k) >= n })
}

// await looks until something is so.
func (w *world) await(t testing.TB, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	late := time.After(time.Minute)
	for !so() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("waited a minute for %s", what)
		}
	}
}

// newStocked is a world whose plain children can be claimed. Two of each runtime in use wait.
func newStocked(t testing.TB, change func(*Options)) *world {
	t.Helper()
	return newWorld(t, func(o *Options) {
		o.Driver.(*plainDriver).claims = true
		o.PoolSizes = map[string]int{"nodejs8": 2, "python3": 2}
		if change != nil {
			change(o)
		}
	})
}

func TestTheFirstCallOfAFunctionClaims(t *testing.T) {
	reg := prometheus.NewRegistry()
	w := newStocked(t, func(o *Options) { o.Registerer = reg })
	ref := w.functions.set("hello", nil)
	w.stocked(t, ref, 2)
	first, second := w.call(t, ref, "calls"), w.call(t, ref, "calls")
	if !first.Cold || second.Cold || first.InstanceID != second.InstanceID || w.driver.claimed.Load() != 1 {
		t.Errorf("%+v, %+v, %d claims", first, second, w.driver.claimed.Load())
	}
	if n := testutil.ToFloat64(w.metrics.cold); n != 1 {
		t.Errorf("%v starts are counted", n)
	}
	w.stocked(t, ref, 2) // filled up again
	if got, err := testutil.GatherAndCount(reg, "fcd_invoker_claim_seconds", "fcd_invoker_pool_instances"); err != nil || got != 2 {
		t.Errorf("%d metrics, %v", got, err)
	}
}

// weighed notes the limits of instances.
type weighed struct {
	*plainDriver
	mu      sync.Mutex
	started []sandbox.Limits
	set     map[string]sandbox.Limits // by the instance's id, the last
}

type weighedInstance struct {
	sandbox.Instance
	driver *weighed
	id     string
}

func (d *weighed) Probe() (sandbox.Caps, error) {
	return sandbox.Caps{Claim: true, HardCPU: true}, nil
}

func (d *weighed) Start(ctx context.Context, spec sandbox.Spec) (sandbox.Instance, error) {
	d.mu.Lock()
	d.started = append(d.started, spec.Limits)
	d.mu.Unlock()
	i, err := d.plainDriver.Start(ctx, spec)
	return &weighedInstance{i, d, spec.ID}, err
}

func (i *weighedInstance) SetLimits(l sandbox.Limits) error {
	i.driver.mu.Lock()
	defer i.driver.mu.Unlock()
	i.driver.set[i.id] = l
	return nil
}

func TestWhatNobodyWaitsForStartsInTheBackground(t *testing.T) {
	d := &weighed{set: map[string]sandbox.Limits{}}
	w := newStocked(t, func(o *Options) {
		d.plainDriver = o.Driver.(*plainDriver)
		o.Driver = d
	})
	ref := w.functions.set("hello", nil)
	w.call(t, ref, "calls") // finds nothing on the shelf
	w.stocked(t, ref, 2)
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.started) != 3 || d.started[0].Background || !d.started[1].Background || !d.started[2].Background {
		t.Errorf("started with %+v, want one for its call and two in the background", d.started)
	}
	for id, l := range d.set {
		if l.Background {
			t.Errorf("instance %s waits in the background: %+v", id, l)
		}
	}
	if len(d.set) < 2 {
		t.Errorf("limits were set of %d instances", len(d.set))
	}
}

func TestNothingWaitsForRuntimesThatNobodyUses(t *testing.T) {
	w := newStocked(t, nil)
	w.functions.set("python", func(_ *fc.Service, f *fc.Function) { f.Runtime = "python3" })
	ref := w.functions.set("hello", nil)
	w.call(t, ref, "echo") // the first use
	w.stocked(t, ref, 2)
	if diff := cmp.Diff(map[string]int{"nodejs8": 2}, w.stock.waiting()); diff != "" {
		t.Error(diff)
	}
}

func TestASecondNewFunctionBringsTheSecondGenericInstance(t *testing.T) {
	w := newStocked(t, func(o *Options) { o.PoolSizes = nil })
	one, two := w.functions.set("one", nil), w.functions.set("two", nil)
	target := func() int {
		w.stock.mu.Lock()
		defer w.stock.mu.Unlock()
		return w.stock.shelves[w.kindOf(t, one)].target
	}
	w.Expect(one)
	w.call(t, one, "echo")
	if n := target(); n != 1 {
		t.Errorf("after one new function the shelf is to hold %d", n)
	}
	w.stocked(t, one, 1)
	w.call(t, two, "echo")
	if n := target(); n != 2 {
		t.Errorf("after two new functions the shelf is to hold %d", n)
	}
	w.stocked(t, one, 2)
}

func TestAnInstanceBelongsToOneGeneration(t *testing.T) {
	w := newStocked(t, nil)
	seen := map[string]bool{}
	for range 4 {
		ref := w.functions.set("hello", nil)
		w.stocked(t, ref, 1)
		res := w.call(t, ref, "calls")
		if seen[res.InstanceID] || string(res.Body) != "1" {
			t.Errorf("instance %s served before; call %s", res.InstanceID, res.Body)
		}
		seen[res.InstanceID] = true
	}
	if n := w.driver.claimed.Load(); n != 4 {
		t.Errorf("%d claims", n)
	}
}

func TestAFailedClaimKillsAndStartsOnceAfresh(t *testing.T) {
	w := newStocked(t, func(o *Options) { o.PoolSizes = map[string]int{"nodejs8": 1} })
	ref := w.functions.set("hello", nil)
	w.stocked(t, ref, 1)
	k := w.kindOf(t, ref)
	w.stock.mu.Lock()
	doomed := w.stock.shelves[k].ready[0]
	w.stock.mu.Unlock()
	w.driver.refuse.Store(true)
	res := w.call(t, ref, "calls")
	if string(res.Body) != "1" || res.InstanceID == doomed.id {
		t.Errorf("call %s on %s", res.Body, res.InstanceID)
	}
	<-doomed.gone
	if n := testutil.ToFloat64(w.metrics.freshStarts.WithLabelValues(freshFailed)); n != 1 || testutil.ToFloat64(w.metrics.claimFailures) != 1 {
		t.Errorf("%v starts after a failed claim", n)
	}
}

func TestAGenericInstanceThatDiesIsTakenFromItsShelf(t *testing.T) {
	w := newStocked(t, nil)
	ref := w.functions.set("hello", nil)
	w.stocked(t, ref, 2)
	k := w.kindOf(t, ref)
	w.Invoker.mu.Lock()
	for p := range w.instances {
		p.sb.Signal(9)
	}
	w.Invoker.mu.Unlock()
	w.await(t, "an empty shelf", func() bool { return w.onShelf(k) == 0 })
	if res := w.call(t, ref, "calls"); string(res.Body) != "1" {
		t.Errorf("call %s", res.Body)
	}
}

func TestAShelfGrowsWithDemandAndShrinksAgain(t *testing.T) {
	now := time.Now()
	var mu sync.Mutex
	at := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	forward := func(d time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(d) }
	w := newStocked(t, func(o *Options) {
		o.Now, o.PoolMax, o.PoolSizes, o.IdleTimeout = at, 3, map[string]int{"nodejs8": 1}, time.Hour
	})
	var ref fc.FunctionRef
	for n := range 4 { // each finds the shelf empty that had something on it
		ref = w.functions.set(fmt.Sprint("f", n), nil)
		w.stock.expect(w.kindOf(t, ref))
		w.await(t, "something on the shelf", func() bool { forward(time.Second); wake(w.stock.wake); return w.onShelf(w.kindOf(t, ref)) > 0 })
		for w.stock.take(w.kindOf(t, ref)) != nil {
		}
	}
	target := func() int {
		w.stock.mu.Lock()
		defer w.stock.mu.Unlock()
		return w.stock.shelves[w.kindOf(t, ref)].target
	}
	if got := target(); got != 3 {
		t.Errorf("the shelf is to hold %d, want 3", got)
	}
	for _, want := range []int{2, 1, 1} {
		forward(shelfPatience)
		w.stock.tidy(at())
		if got := target(); got != want {
			t.Errorf("the shelf is to hold %d, want %d", got, want)
		}
	}
	forward(time.Hour)
	w.await(t, "no shelf", func() bool { w.stock.tidy(at()); return len(w.stock.waiting()) == 0 })
	// Those that were taken belong to nobody here.
	w.killAll()
}

func TestSixteenFunctionsClaimAtOnce(t *testing.T) {
	w := newStocked(t, func(o *Options) { o.PoolMax, o.PoolSizes = 16, map[string]int{"nodejs8": 16} })
	first := w.functions.set("f0", nil)
	w.stocked(t, first, 16)
	var wg sync.WaitGroup
	for n := range 16 {
		ref := w.functions.set(fmt.Sprint("f", n), nil)
		wg.Go(func() {
			res, err := w.Invoke(context.Background(), fc.Call{RequestID: fmt.Sprint("r", n), Ref: ref, Payload: []byte("calls")})
			if err != nil || string(res.Body) != "1" {
				t.Errorf("%s %v", res.Body, err)
			}
		})
	}
	wg.Wait()
	if n := w.driver.claimed.Load(); n != 16 {
		t.Errorf("%d claims", n)
	}
}

func TestFunctionsWhoseNeedsAreFixedAtStartStartAfresh(t *testing.T) {
	w := newStocked(t, nil)
	plain := w.functions.set("plain", nil)
	w.stocked(t, plain, 2)
	for _, name := range []string{"LD_LIBRARY_PATH", "NODE_OPTIONS", "TZ"} {
		ref := w.functions.set("f", func(_ *fc.Service, f *fc.Function) { f.EnvironmentVariables = map[string]string{name: "x"} })
		w.call(t, ref, "echo")
	}
	w.call(t, w.functions.set("python", func(_ *fc.Service, f *fc.Function) {
		f.Runtime, f.EnvironmentVariables = "python3", map[string]string{"PYTHONHASHSEED": "1"}
	}), "echo")
	if n := w.driver.claimed.Load(); n != 0 {
		t.Errorf("%d claims", n)
	}
	if n := testutil.ToFloat64(w.metrics.freshStarts.WithLabelValues(freshNeeds)); n != 4 {
		t.Errorf("%v fresh starts", n)
	}
}

func TestTheStockGivesWayToTheMemoryOfTheMachine(t *testing.T) {
	available := make(chan int, 1)
	available <- 1 << 20
	w := newStocked(t, func(o *Options) {
		o.LowMemoryMB, o.AvailableMB = 100, func() int { n := <-available; available <- n; return n }
	})
	old, recent := w.functions.set("old", nil), w.functions.set("recent", nil)
	w.call(t, old, "echo")
	w.call(t, recent, "echo")
	busy := w.running(t, w.functions.set("busy", nil), "busy", "sleep 1s")
	w.stocked(t, old, 2)
	<-available
	available <- 80 // 20 are missing; an idle instance holds 31
	if !w.relieve() {
		t.Error("nothing is short")
	}
	w.settled(t, 2)
	for name, n := range w.stock.waiting() { // a start that was under way has left an empty shelf
		if n > 0 {
			t.Errorf("%d of %s wait still", n, name)
		}
	}
	if res := w.call(t, recent, "calls"); res.Cold {
		t.Error("the instance that was used last has gone")
	}
	if res := <-busy; string(res.Body) != "slept" {
		t.Errorf("the busy one: %s", res.Body)
	}
}

func TestAnUnknownRuntimeHasNoPoolSize(t *testing.T) {
	_, err := New(Options{Functions: &functions{}, Code: codeDir(t.TempDir()), Driver: &plainDriver{}, Runtimes: table(t),
		PoolSizes: map[string]int{"cobol": 1}})
	if err == nil || !strings.Contains(err.Error(), `"cobol"`) {
		t.Errorf("got %v", err)
	}
}

// What a claimed instance shows its function is what a started one shows: environment, folders, limits.
func TestClaimedInstancesLookLikeStartedOnes(t *testing.T) {
	for _, tt := range []struct {
		lang language
		code string
	}{
		{languages[0], `
const fs = require('fs'), os = require('os'), v8 = require('v8');
const read = f => { try { return fs.readFileSync(f, 'utf8'); } catch (e) { return e.code; } };
exports.handler = (event, context, callback) => {
  const env = {}, write = f => { try { fs.writeFileSync(f, 'x'); return 'ok'; } catch (e) { return e.code; } };
  Object.keys(process.env).sort().forEach(k => { if (k !== 'FC_INSTANCE_ID') env[k] = process.env[k]; });
  callback(null, { env, cwd: process.cwd(), code: fs.readdirSync('/code'), heap: v8.getHeapStatistics().heap_size_limit,
    writes: ['/code/x', '/x', '/usr/x', '/tmp/x'].map(write), paths: module.paths, argv: process.argv, execArgv: process.execArgv,
    status: read('/proc/self/status').split('\n').filter(l => /^(Cap|NoNewPrivs|Seccomp|Uid:\t\d{6})/.test(l) && !/^Uid/.test(l)),
    limits: read('/proc/self/limits'), mounts: read('/proc/self/mountinfo').split('\n').map(l => l.split(' ').slice(4, 6).join(' ')).sort(),
    fds: fs.readdirSync('/proc/self/fd').length, umask: process.umask(), pid: process.pid, title: process.title });
};`},
		{languages[1], `
import json, os, sys, locale
def attempt(f):
    try: open(f, 'w').close(); return 'ok'
    except OSError as e: return e.strerror
def handler(event, context):
    env = {k: v for k, v in sorted(os.environ.items()) if k != 'FC_INSTANCE_ID'}
    return {'env': env, 'cwd': os.getcwd(), 'code': os.listdir('/code'), 'writes': [attempt(f) for f in ('/code/x', '/x', '/usr/x', '/tmp/x')],
        'path': sys.path, 'argv': sys.argv, 'flags': str(sys.flags), 'encoding': [sys.getfilesystemencoding(), locale.getpreferredencoding()],
        'status': [l for l in open('/proc/self/status') if l.startswith(('Cap', 'NoNewPrivs', 'Seccomp'))], 'limits': open('/proc/self/limits').read(),
        'mounts': sorted(' '.join(l.split()[4:6]) for l in open('/proc/self/mountinfo')), 'pid': os.getpid(), 'fds': len(os.listdir('/proc/self/fd'))}
`},
	} {
		t.Run(tt.lang.name, func(t *testing.T) {
			lang := tt.lang
			lang.code = tt.code
			change := func(_ *fc.Service, f *fc.Function) {
				f.MemorySizeMB = 1024
				f.EnvironmentVariables = map[string]string{"MINE": "x", "PATH": "/code/bin:/usr/bin", "NODE_PATH": "/code/lib", "PYTHONPATH": "/code/lib"}
			}
			started, claimed := newReal(t, lang, nil), newClaimed(t, lang, nil)
			a := started.call(t, started.function(t, lang, "hello", change), "")
			b := claimed.call(t, claimed.function(t, lang, "hello", change), "")
			if diff := cmp.Diff(string(a.Body), string(b.Body)); diff != "" || a.ErrorType != "" {
				t.Errorf("%s started and claimed: %s", a.ErrorType, diff)
			}
			if n := testutil.ToFloat64(claimed.metrics.claimFailures); n != 0 {
				t.Errorf("%v claims failed", n)
			}
		})
	}
}

// A claimed instance has the limits of its function, not those of the smallest one.
func TestClaimedInstancesHaveTheMemoryOfTheirFunction(t *testing.T) {
	lang := languages[1]
	lang.code = "def handler(event, context): return str(len(bytearray(b'x') * (int(event) << 20)))\n"
	r := newClaimed(t, lang, nil)
	if !r.caps.HardMemory {
		t.Skipf("memory is not bounded here: %s", r.caps.Missing["HardMemory"])
	}
	ref := r.function(t, lang, "big", func(_ *fc.Service, f *fc.Function) { f.MemorySizeMB = 512 })
	if res := r.call(t, ref, "300"); string(res.Body) != fmt.Sprint(300<<20) {
		t.Errorf("300 MB in 512: %s %s", res.ErrorClass, res.Body)
	}
	if res := r.call(t, ref, "700"); res.ErrorType == "" {
		t.Errorf("700 MB in 512: %s", res.Body)
	}
}

// Whatever fails while an instance is being claimed leaves no process, no mount on the host and no instance.
func TestRealClaimsLeaveNothing(t *testing.T) {
	lang := languages[1]
	r := newClaimed(t, lang, nil)
	before, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	r.opt.Code = failingCode{}
	ref := r.function(t, lang, "absent", nil)
	if _, err := r.Invoke(context.Background(), fc.Call{RequestID: "r", Ref: ref}); err == nil {
		t.Error("a function whose code cannot be mounted was called")
	}
	r.settled(t, 0)
	after, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(before), string(after)); diff != "" {
		t.Errorf("mounts of the host: %s", diff)
	}
}

// failingCode names a folder that is not there.
type failingCode struct{}

func (failingCode) Dir(context.Context, string) (string, error) { return "/no/such/folder", nil }

// A driver that cannot claim is used as it is.
func TestWithoutClaimsEachFunctionStartsItsOwn(t *testing.T) {
	w := newWorld(t, nil)
	ref := w.functions.set("hello", nil)
	w.Expect(ref)
	w.call(t, ref, "echo")
	if len(w.stock.waiting()) != 0 || w.stock.off() == "" {
		t.Errorf("there is a stock: %q", w.stock.off())
	}
}
