package e2e

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"fcd/e2e/disk"
)

// The crash harness: a real daemon works for several clients, and the ground is taken from under it, again and again on
// one data directory. In the end everything that it had acknowledged must have happened, or be kept as a dead letter:
// invocations with all the lines that they printed, objects, resources with their code, logs that a trigger follows. And
// nothing may be corrupt; a line of counts says so (see counts). `make crash` runs the long form: FCD_CRASH_KILLS kills, and
// half as many power cuts.

// killsLong is how often the daemon is killed; 0 stands for the short form.
func killsLong() int {
	n, _ := strconv.Atoi(os.Getenv("FCD_CRASH_KILLS"))
	return n
}

const crashConfig = `
invoker: {maxInstancesPerFunction: 4}
async: {concurrencyPerFunction: 4, retryBase: 50ms, maxRetries: 5}
queue: {minFreeBytes: 0}
shutdown: {drain: 5s}
`

// Of timers: each second has its instant, whether the daemon was there or not; or only those it was there for.
const (
	everyInstant = "timer: {allowSubMinute: true, misfire: all, maxLateness: 2h, maxMisfires: 10000}\n"
	someInstants = "timer: {allowSubMinute: true}\n"
)

// configured writes the harness's configuration and gives it to a command.
func configured(t *testing.T, instants string) func(*exec.Cmd) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(crashConfig+instants), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(c *exec.Cmd) { c.Args = append(c.Args, "--config", file) }
}

// daemonOn starts a daemon of the harness on the directory.
func daemonOn(t *testing.T, dir string) *process {
	t.Helper()
	return serve(t, dir, configured(t, everyInstant))
}

// marker is the argument of a process that functions leave behind, unlike any other on the machine: another run's too.
var marker = fmt.Sprintf("86413.%d", os.Getpid())

// TestKillUnderLoad ends the daemon without warning, at random moments, some of them while it starts.
func TestKillUnderLoad(t *testing.T) {
	rounds := 3
	if n := killsLong(); n > 0 {
		rounds = n
	}
	dir, l := t.TempDir(), newLedger(t)
	l.whole = true
	for round := range rounds {
		if round%5 == 4 {
			killWhileItStarts(t, dir)
			continue
		}
		p := daemonOn(t, dir)
		if round == 0 {
			l.furnish(p)
		}
		l.load(p, round, enough(10+rand.IntN(80)), p.kill)
		eventually(t, "no process of the killed daemon is left", func() bool { return len(processes(t, marker)) == 0 })
	}
	p := l.settle(dir, "killed")
	if err := p.terminate(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if left := processes(t, marker); len(left) > 0 {
		t.Errorf("processes are left: %q", left)
	}
	if left := cgroupsOf(t, dir); len(left) > 0 {
		t.Errorf("cgroups are left: %q", left)
	}
}

// killWhileItStarts gives a daemon less time than it needs, or a little more.
func killWhileItStarts(t *testing.T, dir string) {
	t.Helper()
	cmd := serveCommand(t, dir)
	configured(t, everyInstant)(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(rand.N(600 * time.Millisecond)) // a random moment, which is what is tested
	cmd.Process.Kill()
	_ = cmd.Wait() // killed
}

// TestPowerCutUnderLoad drops what the daemon had not flushed. It must notice and end by itself: what the disk holds is
// only known after a new start.
func TestPowerCutUnderLoad(t *testing.T) {
	rounds := 2
	if n := killsLong(); n > 0 {
		rounds = max(n/2, rounds)
	}
	d, l := disk.New(t, 512), newLedger(t)
	l.whole = true
	dir := filepath.Join(d.Dir, "data")
	for round := range rounds {
		p := daemonOn(t, dir)
		if round == 0 {
			l.furnish(p)
		}
		l.load(p, round, enough(10+rand.IntN(100)), func() {
			l.cut(d.Cut)
			endsByItself(t, p)
		})
		replug(t, d, dir)
	}
	l.settle(dir, "power cut")
}

// endsByItself waits for the end of a daemon whose disk has failed.
func endsByItself(t *testing.T, p *process) {
	t.Helper()
	// Something must be written for it to notice; timers see to that.
	if err := p.wait(2 * time.Minute); err == nil {
		t.Error("the daemon ended as if nothing had happened")
	} else if !p.ended() {
		t.Error("the daemon goes on without a disk")
		p.kill()
	}
}

// replug is the machine's new start: unpacked code is not flushed and is dropped then, which the daemon knows by the
// machine's boot id.
func replug(t *testing.T, d *disk.Disk, dir string) {
	t.Helper()
	d.Replug()
	if err := os.Remove(filepath.Join(dir, "packages", "boot")); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
}

// TestFullDiskUnderLoad leaves the disk less and less room, so that another write is the first that finds none.
func TestFullDiskUnderLoad(t *testing.T) {
	leaves := []int64{64 << 10}
	if killsLong() > 0 {
		leaves = []int64{4 << 20, 1 << 20, 512 << 10, 256 << 10, 128 << 10, 64 << 10, 32 << 10, 16 << 10, 8 << 10, 4 << 10, 0}
	}
	d, l := disk.New(t, 512), newLedger(t)
	dir := filepath.Join(d.Dir, "data")
	for round, leave := range leaves {
		p := daemonOn(t, dir)
		if round == 0 {
			l.furnish(p)
		}
		release := func() {}
		l.load(p, round, enough(30), func() { release = d.Fill(leave) })
		l.load(p, 100+round, forAWhile(2*time.Second), func() {})
		release()
		if l.worksAgain(p) { // or it has ended, which a full disk is a reason for
			l.load(p, 200+round, enough(20), p.kill)
		}
	}
	l.settle(dir, "full disk")
}

// TestDiskThatTurnsReadOnly is what the kernel does when it has met an error.
func TestDiskThatTurnsReadOnly(t *testing.T) {
	d, l := disk.New(t, 512), newLedger(t)
	dir := filepath.Join(d.Dir, "data")
	p := daemonOn(t, dir)
	l.furnish(p)
	l.load(p, 0, enough(60), func() {
		l.cut(d.ReadOnly)
		endsByItself(t, p)
	})
	replug(t, d, dir)
	l.settle(dir, "read-only")
}

// TestDatabaseHeldByAnother: somebody else locks the database for longer than the daemon waits.
func TestDatabaseHeldByAnother(t *testing.T) {
	hold := time.Second
	if killsLong() > 0 {
		hold = 12 * time.Second // beyond busy_timeout, twice
	}
	dir, l := t.TempDir(), newLedger(t)
	l.whole = true
	p := daemonOn(t, dir)
	l.furnish(p)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "store", "store.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	l.load(p, 0, enough(40), func() {
		c, err := db.Conn(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.ExecContext(context.Background(), "BEGIN IMMEDIATE"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(hold) // the disturbance itself
		if _, err := c.ExecContext(context.Background(), "ROLLBACK"); err != nil {
			t.Error(err)
		}
	})
	l.load(p, 1, enough(40), p.kill)
	l.settle(dir, "database held")
}

// worksAgain waits until a daemon takes invocations again, or has ended.
func (l *ledger) worksAgain(p *process) (works bool) {
	l.t.Helper()
	name := fmt.Sprintf("again-%d", time.Now().UnixNano())
	eventually(l.t, "the daemon works again or has ended", func() bool {
		if p.ended() {
			return true
		}
		l.call(l.t.Context(), p, name)
		l.mu.Lock()
		defer l.mu.Unlock()
		works = l.invoked[name]
		return works
	})
	return works && !p.ended()
}
