package e2e

import (
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

// fault is a disk that fails at one site, as the kernel would tell it.
type fault struct {
	dir   string
	errno unix.Errno
	lasts bool // from the first failure on every other change fails too, until release

	mu    sync.Mutex   // guards the rest
	seen  []site       // in the order of their first call
	times map[site]int // how often
	at    *site        // nil: no fault is wanted
	hit   bool
}

func newFault(dir string) *fault { return &fault{dir: dir, times: map[site]int{}} }

// concerns tells whether a call is one that the error can come of.
func concerns(errno unix.Errno, c *trap.Call) bool {
	switch errno {
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
	case f.at == nil || !concerns(f.errno, c):
		return nil
	case !f.hit && here == *f.at:
		f.hit = true
		return f.errno
	case f.hit && f.lasts:
		return f.errno
	}
	return nil
}

// arm makes the next change at the site fail.
func (f *fault) arm(at site, errno unix.Errno, lasts bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at, f.errno, f.lasts, f.hit = &at, errno, lasts, false
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

// daemon starts one of the harness whose disk this is.
func (f *fault) daemon(t *testing.T) *process {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(crashConfig+someInstants), 0o600); err != nil {
		t.Fatal(err)
	}
	return serveBy(t, f.dir, func(c *exec.Cmd) error {
		tr, err := trap.Start(c, trap.Options{Answer: f.answer})
		if err == nil {
			t.Cleanup(tr.Close)
		}
		return err
	}, func(c *exec.Cmd) { c.Args = append(c.Args, "--config", file) })
}

// kindOfFault is one way for a disk to fail.
type kindOfFault struct {
	name  string
	errno unix.Errno
	lasts bool
}

var kindsOfFault = []kindOfFault{
	{"no room", unix.ENOSPC, true},
	{"no room once", unix.ENOSPC, false},
	{"input/output error", unix.EIO, false},
	{"read-only", unix.EROFS, true},
}

// kindsLookedAt are all of them in the long form.
func kindsLookedAt() []kindOfFault {
	if faultsLong() {
		return kindsOfFault
	}
	return []kindOfFault{kindsOfFault[0], kindsOfFault[2]}
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
}

// TestDiskThatFailsAtEachSite lets the disk of a daemon under load fail at one site after the other, in each way that a
// disk fails in. It may end, or say no; it must work again once there is room, and have lost nothing that it took.
func TestDiskThatFailsAtEachSite(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("answering a daemon's system calls needs root")
	}
	l, f := newLedger(t), newFault(filepath.Join(t.TempDir(), "data"))
	p := f.daemon(t)
	f.forget()
	l.furnish(p)
	l.load(p, 0, forAWhile(3*time.Second), func() {})
	round, tried, reached, ends := 0, 0, 0, 0
	rare := map[site]bool{} // not reached in time
	try := func(at site, kind kindOfFault) {
		if p.ended() {
			p = f.daemon(t)
		}
		round++
		tried++
		f.arm(at, kind.errno, kind.lasts)
		begin := time.Now()
		l.load(p, round, func(int, time.Duration) bool {
			return f.hasHit() || p.ended() || time.Since(begin) > sitePatience
		}, func() {
			if f.hasHit() && kind.lasts {
				l.asksWithoutRoom(p, kind, at)
			}
		})
		if !f.release() {
			rare[at] = true
			return
		}
		reached++
		if !l.worksAgain(p) {
			ends++
			if err := p.wait(time.Minute); err == nil {
				t.Errorf("%s at %s: the daemon ended as if nothing had happened", kind.name, at)
			}
		}
	}
	if !faultsLong() {
		for _, s := range someSites {
			try(s.site, kindsOfFault[s.kind])
		}
	} else {
		sites := f.sites()
		for _, kind := range kindsOfFault {
			for _, at := range sites {
				if !rare[at] && concerns(kind.errno, &trap.Call{Op: at.op, Make: true, Path: "/nonexistent"}) {
					try(at, kind)
				}
			}
			if out, err := exec.Command(fcd(t), "store", "check", "--data-dir", f.dir).CombinedOutput(); err != nil {
				t.Errorf("after %s, store check: %v\n%s", kind.name, err, out)
			}
		}
	}
	fmt.Printf("crash: %d faults, each at a site of its own or of another kind: %d were met, %d of them ended the daemon\n", tried, reached, ends)
	t.Logf("in passing only: %v", slices.SortedFunc(maps.Keys(rare), func(a, b site) int { return strings.Compare(a.String(), b.String()) }))
	if reached == 0 || !faultsLong() && reached < len(someSites) {
		t.Errorf("of %d faults only %d were met", tried, reached)
	}
	p.kill()
	l.settle(f.dir, "faulty disk")
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

// firstSites are reached once in the life of a data directory, or of a logstore.
var firstSites = []site{
	{trap.Mkdir, "spool/*"}, {trap.Mkdir, "spool/e*e-logs,functions"}, {trap.Sync, "spool"},
	{trap.Open, "spool/e*e-logs,functions/*.seg"}, {trap.Write, "spool/e*e-logs,functions/*.seg"}, {trap.Sync, "spool/e*e-logs,functions/*.seg"},
	{trap.Open, "spool/e*e-logs,functions/window"}, {trap.Write, "spool/e*e-logs,functions/window"},
	{trap.Open, "spool/e*e-logs,functions/cursor.tmp"}, {trap.Rename, "spool/e*e-logs,functions/cursor"},
	{trap.Write, "localcloud/sls/meta.db-wal"}, {trap.Sync, "localcloud/sls/meta.db-wal"},
	{trap.Mkdir, "localcloud/sls/e*e-logs"}, {trap.Mkdir, "localcloud/sls/e*e-logs/functions"}, {trap.Mkdir, "localcloud/sls/e*e-logs/functions/*"},
	{trap.Open, "localcloud/sls/e*e-logs/functions/*/*.seg"}, {trap.Write, "localcloud/sls/e*e-logs/functions/*/*.seg"},
	{trap.Sync, "localcloud/sls/e*e-logs/functions/*"}, {trap.Sync, "localcloud/sls/e*e-logs/functions/*/*.seg"},
	{trap.Open, "hosts"}, {trap.Write, "hosts"}, {trap.Truncate, "hosts"},
	{trap.Mkdir, "packages/zip/*"}, {trap.Rename, "packages/zip/*/*"}, {trap.Rename, "packages/dir/*"},
}

// TestDiskThatFailsAtTheFirstTimeOfEachSite lets the first use of a site fail, on a new data directory. Afterwards there is nothing
// that cannot be made again: a function answers, and its lines are in the logstore.
func TestDiskThatFailsAtTheFirstTimeOfEachSite(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("answering a daemon's system calls needs root")
	}
	sites, tried, met := firstSites, 0, 0
	if !faultsLong() {
		sites = []site{{trap.Open, "spool/e*e-logs,functions/*.seg"}}
	}
	for _, kind := range kindsOfFault {
		if !faultsLong() && !kind.lasts {
			continue
		}
		for _, at := range sites {
			if !concerns(kind.errno, &trap.Call{Op: at.op, Make: true, Path: "/nonexistent"}) {
				continue
			}
			tried++
			f := newFault(filepath.Join(t.TempDir(), "data"))
			p := f.daemon(t)
			f.arm(at, kind.errno, kind.lasts)
			soon(sitePatience, func() bool {
				p.sayHello("during")
				return f.hasHit() || p.ended()
			})
			if f.release() {
				met++
			}
			eventually(t, fmt.Sprintf("all is well after %s at %s", kind.name, at), func() bool {
				if p.ended() {
					p = f.daemon(t)
				}
				return p.sayHello("after") && slices.Contains(p.linesIfAny("svc/f"), "hello after")
			})
			p.kill()
			if out, err := exec.Command(fcd(t), "store", "check", "--data-dir", f.dir).CombinedOutput(); err != nil {
				t.Errorf("after %s at %s, store check: %v\n%s", kind.name, at, err, out)
			}
		}
	}
	fmt.Printf("crash: %d faults at what is done once: %d were met, and all was well afterwards\n", tried, met)
	if met == 0 {
		t.Error("no fault was met")
	}
}

// sayHello makes a function, where there is none, and calls it; false if something of that was refused.
func (p *process) sayHello(to string) bool {
	ctx := p.t.Context()
	log := m{"project": project, "logstore": logstore}
	if a, err := p.try(ctx, "POST", "/services", m{"serviceName": "svc", "logConfig": log}); err != nil || a.status != 200 && a.status != 409 {
		return false
	}
	zip := zipOf(p.t, map[string]string{"index.py": "def handler(event, context):\n    print('hello', event.decode())\n"})
	body := m{"functionName": "f", "runtime": "python3", "handler": "index.handler", "code": m{"zipFile": zip}}
	if a, err := p.try(ctx, "POST", "/services/svc/functions", body); err != nil || a.status != 200 && a.status != 409 {
		return false
	}
	a, err := p.try(ctx, "POST", invocations("svc/f"), to)
	return err == nil && a.status == 200 && a.errorType() == ""
}

// linesIfAny are the lines of a function; none while the logstore is not there.
func (h *house) linesIfAny(ref string) []string {
	if _, err := h.sls().ListShards(project, logstore); err != nil {
		return nil
	}
	return h.lines(ref)
}

// alike is how many changes of one site a start is failed at: it makes hundreds of folders.
const alike = 3

// TestEverySiteOfAStart fails the N-th change that a daemon makes while it starts, for each N: it says what is wrong with
// which file, or comes up all the same; and the next start is a good one.
func TestEverySiteOfAStart(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("answering a daemon's system calls needs root")
	}
	for _, kind := range kindsLookedAt() {
		step := 1
		if !faultsLong() {
			step = 13
		}
		refused := 0
		n := 1
		for ; ; n += step {
			dir := filepath.Join(t.TempDir(), "data")
			out, met, ready := startFailingAt(t, dir, n, kind)
			if !met {
				break
			}
			if !ready {
				refused++
				if !strings.Contains(out, dir) && !strings.Contains(out, "disk") {
					t.Errorf("%s at change %d: it does not say where: %s", kind.name, n, out)
				}
			}
			serve(t, dir).kill()
		}
		fmt.Printf("crash: %s at each of %d changes of a start: %d were refused, each next start was good\n", kind.name, (n-1)/step, refused)
	}
}

// startFailingAt starts a daemon on a disk that fails at its n-th change, and ends it.
func startFailingAt(t *testing.T, dir string, n int, kind kindOfFault) (out string, met, ready bool) {
	t.Helper()
	var mu sync.Mutex
	i, times := 0, map[site]int{}
	cmd := exec.Command(fcd(t), "serve", "--ports", "any", "--data-dir", dir)
	var log, said syncBuffer
	cmd.Stderr, cmd.Stdout = &log, &said
	tr, err := trap.Start(cmd, trap.Options{Answer: func(c *trap.Call) error {
		path, ok := below(dir, c.Path)
		if !ok || !concerns(kind.errno, c) {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		here := site{c.Op, path}
		if times[here]++; times[here] > alike && !(i >= n && kind.lasts) {
			return nil
		}
		if i++; i == n || i > n && kind.lasts {
			return kind.errno
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	exit := make(chan error, 1)
	go func() { exit <- cmd.Wait() }()
	ended := false
	eventually(t, "the daemon is ready or has ended", func() bool {
		select {
		case err := <-exit:
			exit <- err
			ended = true
		default:
		}
		return ended || strings.Contains(said.String(), "ready")
	})
	ready = !ended
	cmd.Process.Kill()
	<-exit
	mu.Lock()
	defer mu.Unlock()
	return log.String(), i >= n, ready
}

// syncBuffer may be read while a program writes to it.
type syncBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// TestEverySiteOfABackup fails the N-th change of a backup and of a restore, for each N. A file that is there is a whole
// one, a directory that is there is too, and nothing else is left behind.
func TestEverySiteOfABackup(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("answering a program's system calls needs root")
	}
	dir, work := t.TempDir(), t.TempDir()
	p := serve(t, dir)
	p.service("svc", "")
	p.python("svc/f", "def handler(event, context):\n    return b'x'\n")
	good := filepath.Join(work, "good")
	for _, kind := range kindsLookedAt() {
		file := filepath.Join(work, "file")
		n := eachChange(t, []string{dir, work}, kind, []string{"backup", file, "--data-dir", dir}, func(n int, ok bool) {
			_, err := os.Stat(file)
			if there := err == nil; there != ok && !(there && kind.lasts) { // a read-only disk lets nothing be taken back
				t.Errorf("%s at change %d of a backup: success %v, the file: %v", kind.name, n, ok, err)
			}
			if err == nil { // which the restores below show to be whole
				if err := os.Rename(file, good); err != nil {
					t.Fatal(err)
				}
			}
		})
		fmt.Printf("crash: %s at each of %d changes of a backup: a whole file or none\n", kind.name, n)
		to := filepath.Join(work, "restored")
		n = eachChange(t, []string{work}, kind, []string{"restore", good, "--data-dir", to}, func(n int, ok bool) {
			_, err := os.Stat(to)
			there := err == nil
			if ok && !there {
				t.Errorf("%s at change %d of a restore: success, and no directory: %v", kind.name, n, err)
			}
			if out, err := exec.Command(fcd(t), "store", "check", "--data-dir", to).CombinedOutput(); there && err != nil {
				t.Errorf("%s at change %d of a restore: %v %s", kind.name, n, err, out)
			}
			if err := os.RemoveAll(to); err != nil {
				t.Fatal(err)
			}
		})
		fmt.Printf("crash: %s at each of %d changes of a restore: a whole directory or none\n", kind.name, n)
		if kind.lasts { // what could not be removed
			removeAll(t, work, ".*")
			removeAll(t, dir, "backup-*")
		}
		if left, _ := filepath.Glob(filepath.Join(work, ".*")); len(left) > 0 {
			t.Errorf("after %s: %q are left", kind.name, left)
		}
	}
}

func removeAll(t *testing.T, dir, pattern string) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range all {
		if err := os.RemoveAll(name); err != nil {
			t.Fatal(err)
		}
	}
}

// eachChange runs the program again and again, each time with another change of a file in dirs failing, until none is
// left, and once without; it tells how many there were. The short form leaves most of them out.
func eachChange(t *testing.T, dirs []string, kind kindOfFault, args []string, look func(n int, ok bool)) int {
	t.Helper()
	step := 1
	if !faultsLong() {
		step = 9
	}
	for n := 1; ; n += step {
		var mu sync.Mutex
		i := 0
		cmd := exec.Command(fcd(t), args...)
		var out syncBuffer
		cmd.Stdout, cmd.Stderr = &out, &out
		tr, err := trap.Start(cmd, trap.Options{Answer: func(c *trap.Call) error {
			if !slices.ContainsFunc(dirs, func(d string) bool { _, ok := below(d, c.Path); return ok }) || !concerns(kind.errno, c) {
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			if i++; i == n || i > n && kind.lasts {
				return kind.errno
			}
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		err = cmd.Wait()
		tr.Close()
		look(n, err == nil)
		if err != nil && i < n {
			t.Fatalf("%q: %v %s", args, err, out.String())
		}
		if i < n {
			return (n - 1) / step
		}
	}
}
