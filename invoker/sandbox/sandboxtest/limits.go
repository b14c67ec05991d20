package sandboxtest

import (
	"errors"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"fcd/invoker/sandbox"
)

func itoa(n int) string { return strconv.Itoa(n) }

// hogs take 300 MB, each in its own way.
var hogs = []struct {
	name, script string
	weak         bool // also held without cgroups
}{
	{"by its heap", `
keep = []
while True: keep.append(bytearray(b"x") * (1 << 20)); time.sleep(0.002) if len(keep) % 8 == 0 else None`, true},
	{"by shared memory", `
m = mmap.mmap(-1, 300 << 20)
for o in range(0, 300 << 20, 4096):
    m[o] = 1
    if o % (8 << 20) == 0: time.sleep(0.01)
time.sleep(60)`, true},
	{"by files in /tmp", `
with open("/tmp/big", "wb", buffering=0) as f:
    for _ in range(300): f.write(b"x" * (1 << 20))
time.sleep(60)`, false},
	{"by a child", `
child = "import time; keep = []\nwhile len(keep) < 300: keep.append(bytearray(b'x') * (1 << 20)); time.sleep(0.002)\ntime.sleep(60)"
subprocess.run(["/usr/bin/python3", "-I", "-c", child, sys.argv[1]])
time.sleep(60)`, true},
}

// testMemory takes more memory than there is.
func testMemory(t *testing.T, s *suite) {
	for _, hog := range hogs {
		if !hog.weak && !s.caps.HardMemory {
			t.Logf("not tried %s: %s", hog.name, s.caps.Missing["HardMemory"])
			continue
		}
		s.run(t, "300 MB under a limit of 128 MB end the instance "+hog.name, func(t *testing.T) {
			neighbour := s.start(t, "wait()\nanswer('alive')", nil)
			defer neighbour.end()
			out, exit := s.start(t, hog.script, nil).finish()
			// Without cgroups RLIMIT_DATA may come first: then Python ends with a MemoryError of its own.
			if weakEnd := !s.caps.HardMemory && strings.Contains(out, "MemoryError"); !exit.OOM && !weakEnd {
				t.Errorf("exit %+v, want OOM; output:\n%s", exit, out)
			}
			neighbour.input.Close()
			if out, exit := neighbour.finish(); out != `"alive"` || exit.OOM {
				t.Errorf("the neighbour: %+v, output %q", exit, out)
			}
		})
	}
	s.run(t, "other ends are not taken for want of memory", func(t *testing.T) {
		for script, want := range map[string]sandbox.Exit{
			"pid = os.fork()\nif pid == 0: time.sleep(600)\nos.kill(pid, 9); os.waitpid(pid, 0); os._exit(137)": {Code: 137},
			"x = bytearray(b'x') * (40 << 20); os._exit(134)":                                                   {Code: 134},
		} {
			if _, exit := s.start(t, script, nil).finish(); exit != want {
				t.Errorf("exit %+v, want %+v", exit, want)
			}
		}
		b := s.start(t, "x = bytearray(b'x') * (40 << 20); answer('ready'); time.sleep(600)", nil)
		b.ready()
		if err := b.Signal(syscall.SIGKILL); err != nil {
			t.Error(err)
		}
		if exit := b.wait(); exit.OOM || exit.Signal != syscall.SIGKILL {
			t.Errorf("exit %+v", exit)
		}
		b.end()
	})
	s.run(t, "the peak is measured and can be reset", func(t *testing.T) {
		b := s.start(t, `
x = bytearray(b"x") * (64 << 20)
del x
answer("done")
wait()`, nil)
		defer b.end()
		b.ready()
		waitFor(t, "the peak", func() bool {
			u, err := b.Stats()
			peak, err2 := b.Peak()
			return err == nil && err2 == nil && u.PeakMemoryBytes >= 64<<20 && peak >= 64<<20
		})
		reset := func() (u sandbox.Usage, err error) {
			if err = b.ResetPeak(); err == nil {
				u, err = b.Stats()
			}
			return u, err
		}
		u, err := reset()
		if errors.Is(err, sandbox.ErrNotSupported) {
			t.Skipf("this kernel cannot reset a peak: %v", err)
		}
		if s.caps.OwnKernel {
			// That kernel gives freed memory back to the host milliseconds after the program gave it back to the kernel
			// (gVisor: 1 to 6 for these 64 MB). The host holds and counts it until then, and a new peak begins with it.
			waitFor(t, "the freed memory to be given back", func() bool {
				u, err = reset()
				return err != nil || u.PeakMemoryBytes < 60<<20
			})
		}
		if err != nil || u.PeakMemoryBytes >= 60<<20 {
			t.Errorf("after the reset %+v, %v", u, err)
		}
	})
}

// testProcesses makes more processes than it may, and ones that try to survive.
func testProcesses(t *testing.T, s *suite) {
	if s.caps.OwnKernel {
		t.Logf("not tried: bombs: %s", s.caps.Missing["Pids"])
	} else {
		testBombs(t, s)
	}
	s.run(t, "no zombie stays outside", func(t *testing.T) {
		b := s.start(t, `
for _ in range(10):
    if os.fork() == 0:
        if os.fork() == 0: os._exit(0)
        os._exit(0)
answer("ok")`, nil)
		b.finish()
		if z := zombies(); len(z) > 0 {
			t.Errorf("zombies: %v", z)
		}
	})
}

// testBombs makes more processes than it may.
func testBombs(t *testing.T, s *suite) {
	s.run(t, "a fork bomb stops at the limit", func(t *testing.T) {
		b := s.start(t, `
made, went = 0, "ok"
while made < 500:
    try: pid = os.fork()
    except OSError as e: went = errno.errorcode[e.errno]; break
    if pid == 0: time.sleep(600)
    made += 1
answer(dict(Made=made, Went=went)); wait()`, func(spec *sandbox.Spec) { spec.Limits = sandbox.Limits{MemoryMB: 512, Pids: 32} })
		waitFor(t, "the bomb", func() bool { return len(processesWith(b.token)) >= 30 })
		b.input.Close()
		out, _ := b.finish()
		if !strings.Contains(out, `"Went": "EAGAIN"`) || strings.Contains(out, `"Made": 500`) {
			t.Errorf("the bomb: %s", out)
		}
	})
	s.run(t, "a bomb of bombs dies whole", func(t *testing.T) {
		b := s.start(t, `
signal.signal(signal.SIGTERM, signal.SIG_IGN)
answer("go")
while True:
    try: os.fork(); os.setsid()
    except OSError: pass`, func(spec *sandbox.Spec) { spec.Limits = sandbox.Limits{MemoryMB: 1024, Pids: 48} })
		waitFor(t, "the bomb", func() bool { return len(processesWith(b.token)) >= 40 })
		b.end()
	})
}

// testResources looks at what one process may have.
func testResources(t *testing.T, s *suite) {
	s.run(t, "files, sizes and core dumps are bounded", func(t *testing.T) {
		var got struct {
			Core, Size []int
			Went       string
			Opened     int
		}
		s.ask(t, `
import resource
opened, went = [], "ok"
try:
    while len(opened) < 5000: opened.append(os.open("/dev/null", os.O_RDONLY))
except OSError as e: went = errno.errorcode[e.errno]
n = len(opened)
[os.close(f) for f in opened]
try: resource.setrlimit(resource.RLIMIT_NOFILE, (5000, 5000))
except (OSError, ValueError) as e: pass
answer(dict(Core=resource.getrlimit(resource.RLIMIT_CORE), Size=resource.getrlimit(resource.RLIMIT_FSIZE), Went=went, Opened=n))`, &got, nil)
		if got.Went != "EMFILE" || got.Opened > 1024 {
			t.Errorf("%d files, then %s", got.Opened, got.Went)
		}
		if len(got.Core) != 2 || got.Core[1] != 0 || len(got.Size) != 2 || got.Size[1] <= 0 {
			t.Errorf("core dumps %v, files %v bytes", got.Core, got.Size)
		}
	})
}

// testProcessor runs in circles.
func testProcessor(t *testing.T, s *suite) {
	if !s.caps.HardCPU {
		t.Logf("not tried: %s", s.caps.Missing["HardCPU"])
		return
	}
	s.run(t, "a fifth of a core is a fifth of a core", func(t *testing.T) {
		b := s.start(t, `
wait()
end = time.monotonic() + 2
while time.monotonic() < end: pass
answer("done")
time.sleep(600)`, func(spec *sandbox.Spec) { spec.Limits.CPUMilli = 200 })
		defer b.end()
		before, err := b.Stats()
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		b.input.Close()
		waitFor(t, "two seconds of circles", func() bool { return time.Since(began) > 2*time.Second })
		after, err := b.Stats()
		if err != nil {
			t.Fatal(err)
		}
		if share := float64(after.CPU-before.CPU) / float64(time.Since(began)); share > 0.3 || share < 0.05 {
			t.Errorf("a share of %.2f, want about 0.2", share)
		}
	})
	s.run(t, "others come before the background", func(t *testing.T) {
		// On one processor, so that it matters little what else the machine does and where.
		const circles = `
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
for _ in range(os.cpu_count() - 1):
    if os.fork() == 0: break
answer("begun")
while True: pass`
		behind := s.start(t, circles, func(spec *sandbox.Spec) { spec.Limits.Background = true })
		defer behind.end()
		first := s.start(t, circles, nil)
		defer first.end()
		behind.ready()
		first.ready()
		used := func(b *box) time.Duration {
			u, err := b.Stats()
			if err != nil {
				t.Fatal(err)
			}
			return u.CPU
		}
		// Of what both get together. A kernel of its own does not place threads where they want to be: sooner or later, then.
		share := func() float64 {
			a, b := used(behind), used(first)
			time.Sleep(time.Second)
			a, b = used(behind)-a, used(first)-b
			return float64(a) / float64(a+b)
		}
		waitFor(t, "the background to have about 0.11", func() bool { return share() < 0.3 })
		limiter, ok := behind.Instance.(sandbox.Limiter)
		if !ok {
			return
		}
		if err := limiter.SetLimits(sandbox.Limits{}); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "what is no longer the background to have about 0.5", func() bool { return share() > 0.3 })
	})
}

// testKill lets programs resist their end.
func testKill(t *testing.T, s *suite) {
	for name, script := range map[string]string{
		"a busy loop that ignores SIGTERM": `
signal.signal(signal.SIGTERM, signal.SIG_IGN)
answer("ready")
while True: pass`,
		"stopped children": `
for _ in range(3):
    pid = os.fork()
    if pid == 0:
        while True: time.sleep(1)
    os.kill(pid, signal.SIGSTOP)
answer("ready")
time.sleep(600)`,
		"grandchildren in sessions of their own": `
for _ in range(6):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.setsid()
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            while True: time.sleep(1)
        os._exit(0)
answer("ready")
time.sleep(600)`,
		"threads": `
for _ in range(8): threading.Thread(target=time.sleep, args=(600,)).start()
answer("ready")`,
	} {
		s.run(t, name, func(t *testing.T) {
			b := s.start(t, script+"\n", nil)
			b.ready()
			if err := b.Signal(syscall.SIGTERM); err != nil {
				t.Errorf("signal: %v", err)
			}
			began := time.Now()
			b.end()
			if took := time.Since(began); took > patience/5 {
				t.Errorf("the kill took %v", took)
			}
			if err := b.Signal(syscall.SIGTERM); err != nil {
				t.Errorf("a signal to the dead: %v", err)
			}
		})
	}
	s.run(t, "SIGTERM reaches every process that listens", func(t *testing.T) {
		b := s.start(t, `
def bye(*_):
    os.write(1, b"bye "); os._exit(0)
signal.signal(signal.SIGTERM, bye)
kids, (there, here) = [], os.pipe()
for _ in range(2):
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.write(here, b"x") # a signal before this would be lost to Python's fork
        while True: time.sleep(1)
    kids.append(pid)
    os.read(there, 1)
signal.signal(signal.SIGTERM, lambda *_: [os.waitpid(k, 0) for k in kids] and os._exit(3))
answer("ready")
while True: time.sleep(1)`, nil)
		b.ready()
		if err := b.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		out, exit := b.finish()
		if strings.Count(out, "bye") != 2 || exit.Code != 3 {
			t.Errorf("exit %+v, output %q", exit, out)
		}
	})
	s.run(t, "many kills are one", func(t *testing.T) {
		b := s.start(t, "wait()", nil)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if err := b.Kill(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if exit := b.wait(); exit.Signal != syscall.SIGKILL || exit.Code != -1 || exit.OOM {
			t.Errorf("exit %+v", exit)
		}
		b.end()
	})
}

// testFreeze stops a program without its knowing.
func testFreeze(t *testing.T, s *suite) {
	if !s.caps.Freeze {
		t.Logf("not tried: %s", s.caps.Missing["Freeze"])
		return
	}
	s.run(t, "a frozen instance uses no processor, thaws and dies frozen", func(t *testing.T) {
		b := s.start(t, "answer('ready')\nwhile True: pass", nil)
		defer b.end()
		b.ready()
		f := b.Instance.(sandbox.Freezer)
		if err := f.Freeze(); err != nil {
			t.Fatal(err)
		}
		used := func() time.Duration {
			u, err := b.Stats()
			if err != nil {
				t.Fatal(err)
			}
			return u.CPU
		}
		frozen, began := used(), time.Now()
		waitFor(t, "a moment", func() bool { return time.Since(began) > 100*time.Millisecond })
		if d := used() - frozen; d > 5*time.Millisecond {
			t.Errorf("used %v while frozen", d)
		}
		if err := f.Thaw(); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "it to go on", func() bool { return used() > frozen+20*time.Millisecond })
		if err := f.Freeze(); err != nil {
			t.Fatal(err)
		}
	})
}
