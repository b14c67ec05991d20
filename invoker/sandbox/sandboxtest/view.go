package sandboxtest

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"fcd/invoker/sandbox"
)

// testView looks at what a function sees of the machine it runs on.
func testView(t *testing.T, s *suite) {
	s.run(t, "a function sees a machine of its own", func(t *testing.T) {
		var got struct {
			Pids, Interfaces, Root, Env []string
			UID, GID                    int
			Cwd, Host, Cgroup           string
		}
		s.ask(t, `
answer(dict(Pids=sorted(p for p in os.listdir("/proc") if p.isdigit()),
  Interfaces=[n for _, n in socket.if_nameindex()], Root=sorted(os.listdir("/")),
  Env=sorted(k + "=" + v for k, v in os.environ.items()), UID=os.getuid(), GID=os.getgid(),
  Cwd=os.getcwd(), Host=socket.gethostname(), Cgroup=open("/proc/self/cgroup").read()))`, &got, nil)
		check := func(what string, got, want any) {
			t.Helper()
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s (-want +got):\n%s", what, d)
			}
		}
		check("processes", got.Pids, []string{"1"})
		check("interfaces", got.Interfaces, []string{"lo"})
		check("environment", got.Env, []string{"HOME=/tmp", "LANG=C.UTF-8", "PATH=/usr/local/bin:/usr/bin:/bin"})
		check("working directory", got.Cwd, "/code")
		if got.UID == 0 || got.GID == 0 {
			t.Errorf("uid %d, gid %d: must not be root", got.UID, got.GID)
		}
		if host, _ := os.Hostname(); got.Host == host {
			t.Errorf("the function sees the host's name %q", host)
		}
		for _, name := range got.Root {
			if !slices.Contains([]string{"bin", "code", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "sbin", "tmp", "usr", "var"}, name) && !s.own(name) {
				t.Errorf("/%s is visible", name)
			}
		}
		if strings.Contains(got.Cgroup, "inst-") {
			t.Errorf("the function sees its cgroup's name: %s", got.Cgroup)
		}
	})
	s.run(t, "the daemon's environment, data and neighbours are out of reach", func(t *testing.T) { testSecrets(t, s) })
	s.run(t, "files of /proc that tell of the host, or command it, are covered", func(t *testing.T) {
		var got map[string]string
		s.ask(t, `
def read(n):
    try: return str(len(open("/proc/" + n, "rb").read(16)))
    except OSError as e: return errno.errorcode[e.errno]
def listed(n):
    try: return str(len(os.listdir("/proc/" + n)))
    except OSError as e: return errno.errorcode[e.errno]
r = {n: read(n) for n in ["kcore", "keys", "timer_list", "sched_debug"]}
r.update({n: listed(n) for n in ["acpi", "scsi"]})
r.update({n: attempt(lambda: open("/proc/" + n, "w").write("1").close()) for n in ["sys/vm/drop_caches", "sys/kernel/hostname", "irq/default_smp_affinity"]})
answer(r)`, &got, nil)
		covered := "0|ENOENT|EACCES|EPERM"
		expect(t, got, map[string]string{"kcore": covered, "keys": covered, "timer_list": covered, "sched_debug": covered, "acpi": covered,
			"scsi": covered, "sys/vm/drop_caches": "EROFS|EACCES|ENOENT", "sys/kernel/hostname": "EROFS|EACCES|ENOENT",
			"irq/default_smp_affinity": "EROFS|EACCES|ENOENT"})
	})
	s.run(t, "what is mounted has no programs that change the user and no devices but those of /dev", func(t *testing.T) {
		if s.caps.OwnKernel {
			t.Log("not tried: the mounts are those of the instance's own kernel")
			return
		}
		var got map[string]string
		s.ask(t, `answer({f[4]: f[5] for f in (l.split() for l in open("/proc/self/mountinfo"))})`, &got, nil)
		for point, options := range got {
			has := strings.Split(options, ",")
			device := filepath.Dir(point) == "/dev" && point != "/dev/shm" || filepath.Dir(point) == "/proc" // where /dev/null covers
			made := point == "/" || point == "/dev" || filepath.Dir(point) == "/proc"                        // by the driver, with nothing of anybody's
			switch {
			case made && slices.Contains(has, "ro"), slices.Contains(has, "nosuid") && (device || slices.Contains(has, "nodev")):
			default:
				t.Errorf("%s: %s", point, options)
			}
		}
		if got["/"] == "" || got["/tmp"] == "" || got["/proc"] == "" {
			t.Errorf("mounts: %v", got)
		}
	})
	s.run(t, "programs keep their place in /dev", func(t *testing.T) {
		var got map[string]string
		s.ask(t, `
r = {n: attempt(lambda: open("/dev/" + n, "r" if "random" in n or n == "zero" else "w").close()) for n in ["null", "zero", "urandom", "random", "stdout", "stderr", "fd/4"]}
r["shm"] = attempt(lambda: open("/dev/shm/x", "w").write("x"))
r["frames"] = attempt(lambda: open("/proc/self/fd/3").close())
answer(r)`, &got, nil)
		expect(t, got, map[string]string{"null": "ok", "zero": "ok", "urandom": "ok", "random": "ok", "stdout": "ok",
			"stderr": "ok", "fd/4": "ok", "shm": "ok", "frames": "ok"})
	})
}

// testSecrets plants things that only the daemon may see and lets a function look for them.
func testSecrets(t *testing.T, s *suite) {
	secret := "fcd-secret-" + newToken(t)
	t.Setenv("FCD_SECRET_KEY", secret)
	data := codeDir(t, map[string]string{secret: "a key"})
	other := codeDir(t, map[string]string{secret: "the code of another function"})
	own := codeDir(t, map[string]string{"index.py": "own"})
	neighbour := s.start(t, "wait()", func(spec *sandbox.Spec) { spec.CodeDir = other })
	defer neighbour.end()
	short, err := os.MkdirTemp("", "fcd") // names of sockets are short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(short)
	path := filepath.Join(short, "daemon.sock")
	for _, address := range []string{path, "@" + secret} {
		l, err := net.Listen("unix", address)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()

	var got struct {
		Found, Environ []string
		Tried          map[string]string
		Code           []string
	}
	s.ask(t, `
secret, data, path, port = sys.argv[2:6]
found = []
for top in ["/code", "/dev", "/etc", "/tmp", "/var", "/proc/1/cwd", "/proc/1/root/etc"]:
    for d, dirs, files in os.walk(top):
        found += [os.path.join(d, f) for f in files + dirs if secret in f]
environ = []
for p in os.listdir("/proc"):
    try:
        if p.isdigit() and secret in open("/proc/%s/environ" % p).read(): environ.append(p)
    except OSError: pass
def dial(family, address):
    c = socket.socket(family); c.settimeout(2); c.connect(address)
tried = {
  "data": attempt(os.listdir, data),
  "unix": attempt(dial, socket.AF_UNIX, path),
  "abstract": attempt(dial, socket.AF_UNIX, "\0" + secret),
  "tcp": attempt(dial, socket.AF_INET, ("127.0.0.1", int(port))),
}
answer(dict(Found=found, Environ=environ, Tried=tried, Code=os.listdir("/code")))`, &got, func(spec *sandbox.Spec) {
		_, port, _ := net.SplitHostPort(tcp.Addr().String())
		spec.CodeDir = own
		spec.Args = append(spec.Args, secret, data, path, port)
	})
	if len(got.Found) > 0 || len(got.Environ) > 0 {
		t.Errorf("secrets found at %q and in the environment of %q", got.Found, got.Environ)
	}
	expect(t, got.Tried, map[string]string{"data": "ENOENT", "unix": "ENOENT", "abstract": "ECONNREFUSED", "tcp": "ECONNREFUSED"})
	if d := cmp.Diff([]string{"index.py"}, got.Code); d != "" {
		t.Errorf("code (-want +got):\n%s", d)
	}
}

// testDescriptors starts instances from a daemon that inherited descriptors it does not know of.
func testDescriptors(t *testing.T, s *suite) {
	s.run(t, "only descriptors 0 to 4 are open", func(t *testing.T) {
		stray, err := os.Open("/etc/hostname")
		if err != nil {
			t.Fatal(err)
		}
		defer stray.Close()
		for _, least := range []int{10, 251} {
			// Without close-on-exec, as a shell or a supervisor leaves them.
			fd, err := unix.FcntlInt(stray.Fd(), unix.F_DUPFD, least)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(fd)
		}
		var got struct{ Own, Child []string }
		// A listing has one more descriptor: its own, gone when it is looked up by name.
		s.ask(t, `
def mine(): return sorted(f for f in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + f) or os.path.islink("/proc/self/fd/" + f))
child = subprocess.run(["/usr/bin/ls", "/proc/self/fd"], capture_output=True, text=True).stdout.split()
answer(dict(Own=mine(), Child=child))`, &got, nil)
		if d := cmp.Diff([]string{"0", "1", "2", "3", "4"}, got.Own); d != "" {
			t.Errorf("of the interpreter (-want +got):\n%s", d)
		}
		if d := cmp.Diff([]string{"0", "1", "2", "3"}, got.Child); d != "" { // 3 is the listing's own
			t.Errorf("of a child (-want +got):\n%s", d)
		}
	})
}
