package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"fcd/e2e/disk"
	"fcd/store"
	"fcd/store/sqlite"
)

// Environment of the processes that the tests start from their own binary.
const (
	envDir    = "FCD_TEST_STORE_DIR"
	envLimit  = "FCD_TEST_FILE_LIMIT" // bytes a file may have; "" = no bound
	envNoSync = "FCD_TEST_UNFLUSHED"  // the store does not flush; "" = it does
	envFold   = "FCD_TEST_FOLDING"    // others come into the burst log and are claimed beside, which unfolds some; "" = not
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(envDir); dir != "" {
		os.Exit(child(dir))
	}
	goleak.VerifyTestMain(m)
}

const crashProducers = 64

// child opens the store and has many producers write to it until it is killed or the store fails. Each line of its
// output is one acknowledged Batch: producer, number, and when it was handed over and acknowledged.
func child(dir string) int {
	if limit, err := strconv.ParseUint(os.Getenv(envLimit), 10, 64); err == nil {
		signal.Ignore(syscall.SIGXFSZ)
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: limit, Max: limit}); err != nil {
			fmt.Println("setrlimit:", err)
			return 1
		}
	}
	opt := sqlite.Options{Dir: dir, MinFreeBytes: -1}
	if os.Getenv(envNoSync) != "" {
		opt = sqlite.Unflushed(opt)
	}
	if os.Getenv(envFold) != "" {
		opt = sqlite.Folding(opt)
	}
	s, err := sqlite.Open(context.Background(), opt)
	if err != nil {
		fmt.Println("open:", err)
		return 1
	}
	var wg sync.WaitGroup
	if os.Getenv(envFold) != "" {
		wg.Go(func() { claimSome(s) })
	}
	for w := range crashProducers {
		wg.Go(func() {
			if err := producer(s, w); !errors.Is(err, store.ErrFatal) {
				fmt.Println("producer:", err)
			}
		})
	}
	wg.Wait()
	select {
	case <-s.Failed():
	default:
		fmt.Println("the store did not say that it failed")
	}
	if _, err := s.Get(context.Background(), "any"); !errors.Is(err, store.ErrFatal) {
		fmt.Println("a read of a failed store:", err)
	}
	if err := s.Close(); err != nil {
		fmt.Println("close:", err)
	}
	return 3
}

// producer goes on where its checkpoint says. It sends each message twice, the second time as one that does not know
// whether the first arrived.
func producer(s *sqlite.Store, w int) error {
	ctx := context.Background()
	cur := fmt.Sprintf("cur/%d", w)
	last := 0
	if v, err := s.Checkpoint(ctx, cur); err == nil {
		if last, err = strconv.Atoi(string(v)); err != nil {
			return err
		}
	}
	for i := last; ; i++ {
		if i > 0 {
			a, err := s.Apply(ctx, store.Batch{Enqueue: []store.Msg{crashMsg(w, i, "/again")}})
			if err != nil {
				return err
			}
			if len(a.Duplicates) != 1 {
				return fmt.Errorf("message %d/%d was taken twice", w, i)
			}
		}
		n, begun := i+1, now()
		if os.Getenv(envFold) != "" {
			err := store.ErrNoSpace
			for errors.Is(err, store.ErrNoSpace) {
				_, err = s.Apply(ctx, store.Batch{Enqueue: pair(w, n)})
			}
			if err != nil && !errors.Is(err, store.ErrConflict) { // they may have come before the process was killed
				return err
			}
		}
		if _, err := s.Apply(ctx, store.Batch{
			Puts:        []store.Put{{Key: fmt.Sprintf("p/%d/%d", w, n), Value: []byte("v"), If: store.IfAbsent}},
			Enqueue:     []store.Msg{crashMsg(w, n, "")},
			Checkpoints: []store.Checkpoint{{Key: cur, Value: []byte(strconv.Itoa(n))}},
			Ended:       []store.Ended{{Msg: deadMsg(w, n), State: store.StateDead, Cause: "denied"}},
			Fates:       []store.Fate{{EventID: fmt.Sprintf("%d/%d", w, n), State: store.FateDenied, Payload: []byte("event")}},
		}); err != nil {
			return err
		}
		fmt.Printf("%d %d %d %d\n", w, n, begun, now()) // one write: a pipe takes it whole
	}
}

// claimSome claims messages until the store fails, of the process's pairs all, so that the burst log begins again. It ends none.
func claimSome(s *sqlite.Store) {
	for {
		if _, err := s.Claim(context.Background(), "w", map[string]int{"f": 1, pairsOf(os.Getpid()): 200}, time.Hour); errors.Is(err, store.ErrFatal) {
			return
		}
	}
}

// now is the machine's monotonic clock, which processes share, in nanoseconds.
func now() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err) // this clock is there
	}
	return t.Nano()
}

func crashMsg(w, i int, suffix string) store.Msg {
	id := fmt.Sprintf("%d/%d", w, i)
	return store.Msg{RequestID: id + suffix, Fn: "f", DedupKey: id, Payload: make([]byte, 1000)}
}

// pairsOf is the function of a process's pairs.
func pairsOf(pid int) string { return fmt.Sprint("pairs/", pid) }

// pair is two messages that go into the burst log, if messages fold, both or none.
func pair(w, i int) []store.Msg {
	id := fmt.Sprintf("%d/%d", w, i)
	fn := pairsOf(os.Getpid())
	return []store.Msg{{RequestID: "one/" + id, Fn: fn, Payload: make([]byte, 1000)}, {RequestID: "two/" + id, Fn: fn}}
}

// deadMsg is an event that was denied and kept, in the commit that says so.
func deadMsg(w, i int) store.Msg {
	return store.Msg{RequestID: fmt.Sprintf("%d/%d/dead", w, i), Fn: "f", Payload: []byte("event")}
}

// run starts a child and reads what it acknowledges; after so many lines it is killed, unless that is 0.
func run(t *testing.T, dir string, after int, acked map[string]bool, env ...string) (exit int) {
	t.Helper()
	exit, _ = disturbed(t, dir, after, kill(t), acked, env...)
	return exit
}

// kill ends a child.
func kill(t *testing.T) func(*os.Process) (from, to int64) {
	return func(p *os.Process) (int64, int64) {
		if err := p.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		return never, never
	}
}

const never = math.MaxInt64

// disturbed is run with something else done to the child, or to what it stands on, after so many lines: between two moments
// the power goes. What is acknowledged before counts. What was handed over behind may not be acknowledged. The rest was
// under way: a flush that meets the end of the file system may tell of success, where a machine without power tells
// nobody anything. It is not held against the store, but counted.
func disturbed(t *testing.T, dir string, after int, disturb func(*os.Process) (from, to int64), acked map[string]bool, env ...string) (exit, underWay int) {
	t.Helper()
	return startedBy(t, (*exec.Cmd).Start, dir, after, disturb, acked, env...)
}

func startedBy(t *testing.T, start func(*exec.Cmd) error, dir string, after int, disturb func(*os.Process) (from, to int64), acked map[string]bool, env ...string) (exit, underWay int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), envDir+"="+dir), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := start(cmd); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	from, to := int64(never), int64(never)
	for n := 1; lines.Scan(); n++ {
		var w, i int
		var begun, ended int64
		if _, err := fmt.Sscanf(lines.Text(), "%d %d %d %d", &w, &i, &begun, &ended); err != nil {
			t.Errorf("the writing process says: %s", lines.Text())
			continue
		}
		switch {
		case ended < from:
			acked[fmt.Sprintf("%d/%d", w, i)] = true
		case begun > to:
			t.Errorf("%d/%d was handed over %v after the power had gone, and acknowledged", w, i, time.Duration(begun-to))
		default:
			underWay++
		}
		if n == after {
			from, to = disturb(cmd.Process)
		}
	}
	_ = cmd.Wait() // a killed process is an error
	return cmd.ProcessState.ExitCode(), underWay
}

// cut takes the power of a disk, between two moments.
func cut(d *disk.Disk) func(*os.Process) (from, to int64) {
	return func(*os.Process) (int64, int64) {
		from := now()
		d.Cut()
		return from, now()
	}
}

// TestKilledAtAnyMoment kills a process that writes with 64 producers, again and again on the same store. The number of
// rounds is FCD_CRASH_ROUNDS; if it is not set, 20, and fewer under the race detector, which has nothing to find here.
func TestKilledAtAnyMoment(t *testing.T) {
	for name, env := range foldOrNot {
		t.Run(name, func(t *testing.T) { killed(t, env) })
	}
}

// foldOrNot are the environments of a writing process whose messages stand in rows of their own, and in bursts.
var foldOrNot = map[string]string{"rows": envFold + "=", "bursts": envFold + "=1"}

func killed(t *testing.T, env string) {
	rounds := crashRounds
	if n, err := strconv.Atoi(os.Getenv("FCD_CRASH_ROUNDS")); err == nil {
		rounds = n
	}
	dir, acked := t.TempDir(), map[string]bool{}
	for round := range rounds {
		run(t, dir, 1+rand.IntN(500), acked, env)
		if verify(t, dir, acked); t.Failed() {
			t.Fatalf("in round %d", round+1)
		}
	}
}

// TestADiskThatRefusesWritesIsFinal lets files grow only so far: the store must say that it failed, refuse everything
// and have kept what it acknowledged.
func TestADiskThatRefusesWritesIsFinal(t *testing.T) {
	for i, limit := range []int{700_000, 1_500_000, 4_500_000} {
		dir, acked := t.TempDir(), map[string]bool{}
		if exit := run(t, dir, 0, acked, fmt.Sprintf("%s=%d", envLimit, limit), fmt.Sprintf("%s=%.*s", envFold, i%2, "1")); exit != 3 {
			t.Errorf("limit %d: the process ended with %d", limit, exit)
		}
		if len(acked) == 0 {
			t.Errorf("limit %d: nothing was acknowledged", limit)
		}
		verify(t, dir, acked)
	}
}

// TestAPowerCutLosesNothing cuts the power of the disk under a process that writes, several times on one store. The
// counter-check shows that the disk does lose what was not flushed.
func TestAPowerCutLosesNothing(t *testing.T) {
	for name, env := range foldOrNot {
		t.Run(name, func(t *testing.T) { powerCut(t, env) })
	}
}

func powerCut(t *testing.T, env string) {
	rounds := 3
	if n, err := strconv.Atoi(os.Getenv("FCD_CRASH_ROUNDS")); err == nil {
		rounds = max(n/10, rounds)
	}
	d, acked := disk.New(t, 256), map[string]bool{}
	dir := filepath.Join(d.Dir, "store")
	for round := range rounds {
		before := len(acked)
		exit, underWay := disturbed(t, dir, 200+rand.IntN(2000), cut(d), acked, env)
		if exit != 3 {
			t.Errorf("the process ended with %d", exit)
		}
		d.Replug()
		if verify(t, dir, acked); t.Failed() {
			t.Fatalf("in round %d", round+1)
		}
		t.Logf("round %d: %d acknowledged, 0 lost; %d more while the power went", round+1, len(acked)-before, underWay)
	}
}

func TestWithoutFlushesAPowerCutLoses(t *testing.T) {
	d := disk.New(t, 256)
	for round := range 10 { // SQLite flushes now and then of itself, and may have just done so
		acked, dir := map[string]bool{}, filepath.Join(d.Dir, fmt.Sprint("store", round))
		if exit := run(t, dir, 0, acked, envLimit+"=3000000"); exit != 3 { // it has its tables, flushed
			t.Fatalf("the process ended with %d", exit)
		}
		verify(t, dir, acked)
		disturbed(t, dir, 1000+rand.IntN(2000), cut(d), acked, envNoSync+"=1")
		d.Replug()
		if lost := missing(t, dir, acked); lost > 0 {
			t.Logf("%d acknowledged, %d lost", len(acked), lost)
			return
		}
	}
	t.Error("a store that does not flush has lost nothing: the test of the power cut shows nothing")
}
