package e2e

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fcd/e2e/trap"
)

// The fault harness: a real daemon works for several clients on a disk whose kernel says no, at one place after the other.
// `make faults` runs the long form, which is all places in all ways: FCD_FAULTS=long.
func faultsLong() bool { return os.Getenv("FCD_FAULTS") == "long" }

// site is a place where the daemon changes its disk: what it does there, and the path below the data directory, with *
// for what is another at each time.
type site struct {
	op   trap.Op
	path string
}

func (s site) String() string { return string(s.op) + " " + s.path }

// varying is what differs between files of one kind: ids, numbers, sums and their first letters, temporary names.
var varying = regexp.MustCompile(`^[0-9a-f]{2}$|[0-9a-f]{6,}|[0-9]+`)

// below cuts the path of a data directory into a site's; ok is false for a path elsewhere.
func below(dir, path string) (string, bool) {
	rest, ok := strings.CutPrefix(path, dir)
	if !ok {
		return "", false
	}
	parts := strings.Split(strings.TrimPrefix(rest, "/"), "/")
	for i, part := range parts {
		parts[i] = varying.ReplaceAllString(part, "*")
	}
	return strings.Join(parts, "/"), true
}

// fault is a disk that fails at one site, or a daemon that is killed there.
type fault struct {
	dir string

	mu    sync.Mutex   // guards the rest
	seen  []site       // in the order of their first call
	times map[site]int // how often
	at    *site        // nil: no fault is wanted
	kind  kindOfFault
	hit   bool
}

func newFault(dir string) *fault { return &fault{dir: dir, times: map[site]int{}} }

// kindOfFault is one way for a change of the disk to fail, or for it to be the last one that a daemon makes.
type kindOfFault struct {
	name  string
	errno unix.Errno // 0: the disk is a good one
	lasts bool       // from then on every other change fails too, until the fault is released
	half  bool       // half of a write is made
	kill  end
}

// end is when the daemon is killed, seen from the change.
type end int

const (
	never end = iota
	before
	behind
)

var kindsOfFault = []kindOfFault{
	{name: "no room", errno: unix.ENOSPC, lasts: true},
	{name: "no room once", errno: unix.ENOSPC},
	{name: "input/output error", errno: unix.EIO},
	{name: "read-only", errno: unix.EROFS, lasts: true},
	{name: "a short write", half: true},
	{name: "no room behind a short write", errno: unix.ENOSPC, lasts: true, half: true},
}

var kindsOfEnd = []kindOfFault{
	{name: "killed before", kill: before},
	{name: "killed behind", kill: behind},
	{name: "killed in the midst of a write", kill: behind, half: true},
}

// strike does to a call what the kind says.
func (k kindOfFault) strike(c *trap.Call) error {
	switch {
	case k.kill == before:
		return c.Kill()
	case k.kill == behind && k.half:
		_, err := c.DoSome(c.Bytes / 2)
		return errors.Join(err, c.Kill())
	case k.kill == behind:
		return errors.Join(c.Do(), c.Kill())
	case k.half:
		return trap.Short(c.Bytes / 2)
	}
	return k.errno
}

// harmless tells that nothing fails.
func (k kindOfFault) harmless() bool { return k.errno == 0 && k.kill == never }

// concerns tells whether a call is one that this can come of.
func (k kindOfFault) concerns(c *trap.Call) bool {
	if k.half {
		return c.Op == trap.Write && c.Bytes > 1
	}
	switch k.errno {
	case unix.ENOSPC: // what takes room
		if c.Op == trap.Open {
			_, err := os.Lstat(c.Path)
			return c.Make && err != nil
		}
		return c.Op != trap.Sync && c.Op != trap.Truncate && c.Op != trap.Remove
	case unix.EROFS:
		return c.Op != trap.Sync
	}
	return true
}

// answer is the trap's question.
func (f *fault) answer(c *trap.Call) error {
	path, ok := below(f.dir, c.Path)
	if !ok {
		return nil
	}
	here := site{c.Op, path}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.times[here]++; f.times[here] == 1 {
		f.seen = append(f.seen, here)
	}
	switch {
	case f.at == nil:
		return nil
	case !f.hit && here == *f.at && f.kind.concerns(c):
		f.hit = true
		return f.kind.strike(c)
	case f.hit && f.kind.lasts && f.kind.after().concerns(c):
		return f.kind.errno
	}
	return nil
}

// after is what the disk does behind the first fault of one that lasts.
func (k kindOfFault) after() kindOfFault {
	k.half = false
	return k
}

// arm makes the next change at the site fail.
func (f *fault) arm(at site, kind kindOfFault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at, f.kind, f.hit = &at, kind, false
}

// release makes the disk a good one again.
func (f *fault) release() (hit bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at = nil
	return f.hit
}

func (f *fault) hasHit() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hit
}

// forget drops what was seen so far.
func (f *fault) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen, f.times = nil, map[site]int{}
}

// sites are those that were seen so far.
func (f *fault) sites() []site {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.seen)
}

// daemon starts one of the harness whose disk this is. Its timers have the instants that are given.
func (f *fault) daemon(t *testing.T, instants string) *process {
	t.Helper()
	return serveBy(t, f.dir, func(c *exec.Cmd) error {
		tr, err := trap.Start(c, trap.Options{Answer: f.answer})
		if err == nil {
			t.Cleanup(tr.Close)
		}
		return err
	}, configured(t, instants))
}

// kindsLookedAt are all of them in the long form.
func kindsLookedAt() []kindOfFault {
	if faultsLong() {
		return kindsOfFault
	}
	return []kindOfFault{kindsOfFault[0], kindsOfFault[2], kindsOfFault[4]}
}

// reachable are the sites of a run at which the kind can happen.
func (k kindOfFault) reachable(sites []site) (all []site) {
	for _, at := range sites {
		if k.concerns(&trap.Call{Op: at.op, Make: true, Path: "/nonexistent", Bytes: 2}) {
			all = append(all, at)
		}
	}
	return all
}

// someSites are what the short form looks at: one site of each room that keeps something.
var someSites = []struct {
	site
	kind int
}{
	{site{trap.Write, "store/store.db-wal"}, 0},
	{site{trap.Write, "localcloud/oss/data/*/*"}, 0},
	{site{trap.Mkdir, "packages/tmp/put-*"}, 0},
	{site{trap.Sync, "store/store.db-wal"}, 2},
	{site{trap.Write, "store/store.db-wal"}, 4},
	{site{trap.Write, "spool/e*e-logs,functions/*.seg"}, 5},
}

// siteRun is a daemon under load at whose sites one fault after the other is made.
type siteRun struct {
	*ledger
	*fault
	p                    *process
	instants             string
	tried, reached, ends int
	rare                 map[site]bool // not reached in time
}

// newSiteRun starts the daemon and sees what its sites are.
func newSiteRun(t *testing.T, instants string) *siteRun {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("answering a daemon's system calls needs root")
	}
	r := &siteRun{ledger: newLedger(t), fault: newFault(filepath.Join(t.TempDir(), "data")), instants: instants, rare: map[site]bool{}}
	r.p = r.daemon(t, instants)
	r.forget()
	r.furnish(r.p)
	warm := enough(20)
	if faultsLong() { // the sites are those that are seen now
		warm = forAWhile(3 * time.Second)
	}
	r.load(r.p, 0, warm, func() {})
	return r
}

// try makes one fault happen, if the site is reached, and waits until the daemon works again or has ended.
func (r *siteRun) try(at site, kind kindOfFault) {
	t := r.t
	t.Helper()
	if r.p.ended() {
		r.p = r.daemon(t, r.instants)
	}
	r.tried++
	r.arm(at, kind)
	begin, patience := time.Now(), sitePatience
	if !faultsLong() { // which looks at such as are always reached
		patience = time.Minute
	}
	r.load(r.p, r.tried, func(int, time.Duration) bool {
		return r.hasHit() || r.p.ended() || time.Since(begin) > patience
	}, func() {
		if r.hasHit() && kind.lasts {
			r.asksWithoutRoom(r.p, kind, at)
		}
	})
	if !r.release() {
		r.rare[at] = true
		return
	}
	r.reached++
	if kind.kill != never {
		if err := r.p.wait(time.Minute); !r.p.ended() {
			t.Fatalf("%s %s: the daemon lives: %v", kind.name, at, err)
		}
		return
	}
	if r.worksAgain(r.p) {
		return
	}
	r.ends++
	if err := r.p.wait(time.Minute); err == nil {
		t.Errorf("%s at %s: the daemon ended as if nothing had happened", kind.name, at)
	}
	if kind.harmless() {
		t.Errorf("%s at %s: the daemon ended, and nothing had failed", kind.name, at)
	}
}

// all tries every site in each of the ways.
func (r *siteRun) all(kinds []kindOfFault) {
	sites := r.sites()
	for _, kind := range kinds {
		for _, at := range kind.reachable(sites) {
			if !r.rare[at] {
				r.try(at, kind)
			}
		}
		if out, err := exec.Command(fcd(r.t), "store", "check", "--data-dir", r.dir).CombinedOutput(); err != nil {
			r.t.Errorf("after %s, store check: %v\n%s", kind.name, err, out)
		}
	}
}

// end settles the run. In the short form every fault must have been met.
func (r *siteRun) end(name string) {
	r.t.Logf("in passing only: %v", slices.SortedFunc(maps.Keys(r.rare), func(a, b site) int { return strings.Compare(a.String(), b.String()) }))
	if r.reached == 0 || !faultsLong() && r.reached < r.tried {
		r.t.Errorf("of %d only %d were met", r.tried, r.reached)
	}
	r.p.kill()
	r.settle(r.dir, name)
}

// TestDiskThatFailsAtEachSite lets the disk of a daemon under load fail at one site after the other, in each way that a
// disk fails in. It may end, or say no; it must work again once there is room, and have lost nothing that it took.
func TestDiskThatFailsAtEachSite(t *testing.T) {
	r := newSiteRun(t, someInstants)
	if faultsLong() {
		r.all(kindsOfFault)
	} else {
		for _, s := range someSites {
			r.try(s.site, kindsOfFault[s.kind])
		}
	}
	fmt.Printf("crash: %d faults, each at a site of its own or of another kind: %d were met, %d of them ended the daemon\n", r.tried, r.reached, r.ends)
	r.end("faulty disk")
}

// sitePatience is how long a site may take to be reached: what it does rarely, like a new segment, may not be at all.
const sitePatience = 3 * time.Second

// asksWithoutRoom asks for what needs the disk while it takes nothing. An answer says yes, or why not, or there is none
// since the daemon is ending.
func (l *ledger) asksWithoutRoom(p *process, kind kindOfFault, at site) {
	for what, ask := range map[string]func() (answer, error){
		"an invocation": func() (answer, error) {
			return p.try(l.t.Context(), "POST", invocations("load/mark"), m{"name": "none"}, async)
		},
		"a function": func() (answer, error) {
			zip := zipOf(l.t, map[string]string{"index.py": fmt.Sprint("version = ", time.Now().UnixNano())})
			return p.try(l.t.Context(), "PUT", "/services/load/functions/tick", m{"code": m{"zipFile": zip}})
		},
	} {
		a, err := ask()
		if err != nil || a.status < 300 {
			continue
		}
		if a.status != 503 || !strings.Contains(a.message(), "disk") {
			l.t.Errorf("%s at %s: %s was refused with %d %s: %s", kind.name, at, what, a.status, a.code(), a.message())
		}
	}
}
