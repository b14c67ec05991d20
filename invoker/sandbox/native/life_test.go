package native

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"fcd/invoker/sandbox"
	"fcd/invoker/sandbox/nat"
)

// lifeEnv makes TestAnEarlierLife a daemon that waits to be killed: "ID", then maybe "nat", "weak", "nameless" (the ID is
// its instance's alone), "record=FILE" and, as often as wanted, "in=CGROUP", a directory to move into first.
const lifeEnv = "FCD_TEST_LIFE"

func TestAnEarlierLife(t *testing.T) {
	id, how, _ := strings.Cut(os.Getenv(lifeEnv), " ")
	if id == "" {
		return
	}
	o, network := Options{ID: id}, sandbox.NetNone
	for word := range strings.FieldsSeq(how) {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "weak":
			o.NoCgroups = true
		case "nameless":
			o.ID = ""
		case "nat":
			o.NAT, network = &nat.Options{}, sandbox.NetNAT
		case "record":
			o.Record = value
		case "in":
			if err := os.WriteFile(filepath.Join(value, "cgroup.procs"), []byte("0"), 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := startSleeper(d, id, network); err != nil {
		t.Fatal(err)
	}
	os.Stdout.WriteString("ready\n")
	select {}
}

// trees are the directories of a driver of this process, which opens one for that. On version 2 it moves this process
// aside, and so makes room beside it.
func trees(t *testing.T) []string {
	t.Helper()
	d := open(t, Options{})
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	return d.cgroups.Dirs()
}

// earlierLife runs a daemon with one instance and kills it as no daemon should die.
func earlierLife(t *testing.T, id, how string) {
	t.Helper()
	trees(t)
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestAnEarlierLife$")
	cmd.Env = append(os.Environ(), lifeEnv+"="+id+how)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if line != "ready\n" {
		t.Errorf("the earlier life said %q, %v", line, err)
	}
	if n := family(id); n != 4 {
		t.Errorf("%d processes instead of 4", n)
	}
	helpers := pastas(cmd.Process.Pid)
	cmd.Process.Kill()
	cmd.Wait()
	for _, pid := range helpers {
		eventually(t, "pasta to die with the daemon", func() bool {
			line, _ := os.ReadFile(procPath(pid, "cmdline"))
			return len(line) == 0
		})
	}
}

func TestWhatAnEarlierLifeLeftIsReaped(t *testing.T) {
	id := fmt.Sprint("life-", os.Getpid())
	earlierLife(t, id, "")
	if n := family(id); n != 4 {
		t.Errorf("%d processes survived the daemon, want all 4", n)
	}
	other := open(t, Options{}) // a living neighbour touches nothing
	if n := family(id); n != 4 {
		t.Errorf("a daemon with another id left %d of 4", n)
	}
	if err := other.Close(); err != nil {
		t.Error(err)
	}
	d := open(t, Options{ID: id})
	if n := family(id); n != 0 {
		t.Errorf("%d processes left", n)
	}
	if left := leftovers(d); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// TestAnEarlierLifeInAnotherCgroupIsReaped starts the next life elsewhere, as from another session of a terminal.
func TestAnEarlierLifeInAnotherCgroupIsReaped(t *testing.T) {
	id, record := fmt.Sprint("moved-", os.Getpid()), filepath.Join(t.TempDir(), "cgroups")
	elsewhere, how := map[string]bool{}, " record="+record
	for _, d := range trees(t) {
		dir := filepath.Join(filepath.Dir(d), "elsewhere-"+id)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		elsewhere[dir] = true
		how += " in=" + dir
	}
	earlierLife(t, id, how)
	d := open(t, Options{ID: id, Record: record})
	if n := family(id); n != 0 {
		t.Errorf("%d processes left", n)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	for dir := range elsewhere {
		_ = os.Remove(filepath.Join(dir, "daemon")) // of version 2
		if err := os.Remove(dir); err != nil {
			t.Errorf("something is left there: %v", err)
		}
	}
}

// TestTheRecordOfAnotherLivingDaemonIsNotTouched: who copies a data directory has its record too.
func TestTheRecordOfAnotherLivingDaemonIsNotTouched(t *testing.T) {
	id, record := fmt.Sprint("copied-", os.Getpid()), filepath.Join(t.TempDir(), "cgroups")
	d := open(t, Options{ID: id, Record: record})
	if _, err := startSleeper(d, id); err != nil {
		t.Fatal(err)
	}
	copied, err := os.ReadFile(record)
	if err != nil || !strings.Contains(string(copied), "/fcd-"+id+"\n") {
		t.Fatalf("the record holds %q, %v", copied, err)
	}
	for range 2 { // it is the other's own the second time
		other := open(t, Options{ID: id + "-2", Record: record})
		if n := family(id); n != 4 {
			t.Errorf("%d processes of 4 are left", n)
		}
		if err := other.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// TestADataDirectoryMayBeMoved: its next life has another ID and finds the instances of the one before all the same.
func TestADataDirectoryMayBeMoved(t *testing.T) {
	id, record := fmt.Sprint("named-", os.Getpid()), filepath.Join(t.TempDir(), "cgroups")
	earlierLife(t, id, " record="+record)
	d := open(t, Options{ID: id + "-2", Record: record})
	if n := family(id); n != 0 {
		t.Errorf("%d processes left", n)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// TestAnEarlierLifeWithoutANameIsSweptUp by whoever starts next, who leaves living ones alone.
func TestAnEarlierLifeWithoutANameIsSweptUp(t *testing.T) {
	dead, living := fmt.Sprint("dead-", os.Getpid()), fmt.Sprint("living-", os.Getpid())
	d := open(t, Options{})
	if _, err := startSleeper(d, living); err != nil {
		t.Fatal(err)
	}
	earlierLife(t, dead, " nameless")
	next := open(t, Options{ID: fmt.Sprint("next-", os.Getpid())})
	// Another package's driver may have been quicker, and be at it.
	eventually(t, "the dead one's family to be gone", func() bool { return family(dead) == 0 })
	if n := family(living); n != 4 {
		t.Errorf("%d processes of 4 of the living one are left", n)
	}
	for _, d := range []*Driver{d, next} {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	if n := family(living); n != 0 {
		t.Errorf("%d processes are left", n)
	}
}
