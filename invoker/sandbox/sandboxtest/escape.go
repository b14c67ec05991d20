package sandboxtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"fcd/invoker/sandbox"
)

// testNamespaces tries every door to a namespace, and to a mount.
func testNamespaces(t *testing.T, s *suite) {
	numbers := map[string]int{
		"unshare": unix.SYS_UNSHARE, "setns": unix.SYS_SETNS, "mount": unix.SYS_MOUNT, "umount2": unix.SYS_UMOUNT2,
		"pivot_root": unix.SYS_PIVOT_ROOT, "chroot": unix.SYS_CHROOT, "open_tree": unix.SYS_OPEN_TREE,
		"move_mount": unix.SYS_MOVE_MOUNT, "fsopen": unix.SYS_FSOPEN, "fsmount": unix.SYS_FSMOUNT,
		"mount_setattr": unix.SYS_MOUNT_SETATTR,
	}
	s.run(t, "calls that make namespaces and mounts are refused", func(t *testing.T) {
		got := s.syscalls(t, numbers)
		for name := range numbers {
			expect(t, got, map[string]string{name: "EPERM"})
		}
	})
	s.run(t, "clone refuses every flag of a new namespace", func(t *testing.T) {
		var got map[string]string
		s.ask(t, `
nr = int(sys.argv[2])
flags = dict(NEWNS=0x20000, NEWCGROUP=0x2000000, NEWUTS=0x4000000, NEWIPC=0x8000000, NEWUSER=0x10000000, NEWPID=0x20000000, NEWNET=0x40000000)
r = {}
for name, flag in flags.items():
    for low in (17, 0x87): # SIGCHLD, and a low byte that is the number of personality
        pid = libc.syscall(nr, ctypes.c_long(flag | low), 0, 0, 0, 0)
        if pid == 0: os._exit(0)
        r[name + hex(low)] = "ok" if pid > 0 else errno.errorcode[ctypes.get_errno()]
answer(r)`, &got, func(spec *sandbox.Spec) { spec.Args = append(spec.Args, itoa(unix.SYS_CLONE)) })
		if len(got) != 14 {
			t.Errorf("%d answers instead of 14", len(got))
		}
		for name, g := range got {
			if g != "EPERM" {
				t.Errorf("clone with %s: %s", name, g)
			}
		}
	})
	s.run(t, "calls this machine knows only from newer kernels, and clone3, do not exist", func(t *testing.T) {
		expect(t, s.syscalls(t, map[string]int{"clone3": unix.SYS_CLONE3, "future": 480}),
			map[string]string{"clone3": "ENOSYS", "future": "ENOSYS"})
	})
	if runtime.GOARCH != "amd64" {
		return
	}
	s.run(t, "the 32-bit door kills", func(t *testing.T) {
		const unshare, getpid = 310, 20 // of i386
		want := syscall.SIGSYS
		outside := exec.Command(python, "-I", "-c", through32(getpid))
		if _ = outside.Run(); outside.ProcessState.ExitCode() == 100+int(syscall.SIGSEGV) {
			want = syscall.SIGSEGV // a machine without that door, as some hypervisors make it
		}
		if _, exit := s.start(t, through32(unshare), nil).finish(); exit.Code != 100+int(want) {
			t.Errorf("exit %+v, want %v", exit, want)
		}
	})
	s.run(t, "the x32 door does not exist", func(t *testing.T) {
		const x32 = 0x40000000
		var got map[string]string
		s.ask(t, `
r = {}
for name, nr in [("getpid", int(sys.argv[2])), ("unshare", int(sys.argv[3]))]:
    pid = os.fork()
    if pid == 0:
        libc.syscall(nr, ctypes.c_long(0x10000000))
        os._exit(ctypes.get_errno())
    _, status = os.waitpid(pid, 0)
    r[name] = "SIGSYS" if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGSYS else errno.errorcode.get(os.WEXITSTATUS(status))
answer(r)`, &got, func(spec *sandbox.Spec) {
			spec.Args = append(spec.Args, itoa(x32|unix.SYS_GETPID), itoa(x32|unix.SYS_UNSHARE))
		})
		expect(t, got, map[string]string{"getpid": "ENOSYS|SIGSYS", "unshare": "ENOSYS|SIGSYS"})
	})
}

// syscalls makes each call with zeros inside and returns how it went.
func (s *suite) syscalls(t *testing.T, numbers map[string]int) map[string]string {
	t.Helper()
	got := map[string]string{}
	script := "r = {}\n"
	for name, nr := range numbers {
		script += "r['" + name + "'] = syscall(" + itoa(nr) + ", 0, 0, 0, 0, 0, 0)\n"
	}
	s.ask(t, script+"answer(r)", &got, nil)
	return got
}

// testSyscalls tries what the kernel should not even be asked for.
func testSyscalls(t *testing.T, s *suite) {
	s.run(t, "dangerous calls are refused", func(t *testing.T) {
		numbers := map[string]int{
			"ptrace": unix.SYS_PTRACE, "bpf": unix.SYS_BPF, "keyctl": unix.SYS_KEYCTL, "add_key": unix.SYS_ADD_KEY,
			"perf_event_open": unix.SYS_PERF_EVENT_OPEN, "userfaultfd": unix.SYS_USERFAULTFD,
			"kexec_load": unix.SYS_KEXEC_LOAD, "init_module": unix.SYS_INIT_MODULE, "finit_module": unix.SYS_FINIT_MODULE,
			"io_uring_setup": unix.SYS_IO_URING_SETUP, "process_vm_readv": unix.SYS_PROCESS_VM_READV,
			"pidfd_getfd": unix.SYS_PIDFD_GETFD, "open_by_handle_at": unix.SYS_OPEN_BY_HANDLE_AT, "swapon": unix.SYS_SWAPON,
			"reboot": unix.SYS_REBOOT, "settimeofday": unix.SYS_SETTIMEOFDAY, "syslog": unix.SYS_SYSLOG,
			"sethostname": unix.SYS_SETHOSTNAME, "quotactl": unix.SYS_QUOTACTL, "acct": unix.SYS_ACCT,
		}
		got := s.syscalls(t, numbers)
		for name := range numbers {
			expect(t, got, map[string]string{name: "EPERM"})
		}
	})
	s.run(t, "only sockets of the ordinary families can be made", func(t *testing.T) {
		var got map[string]string
		s.ask(t, `
answer({n: attempt(lambda: socket.socket(f, k).close()) for n, f, k in [
  ("unix", socket.AF_UNIX, socket.SOCK_STREAM), ("inet", socket.AF_INET, socket.SOCK_STREAM),
  ("inet6", socket.AF_INET6, socket.SOCK_DGRAM), ("netlink", socket.AF_NETLINK, socket.SOCK_RAW),
  ("vsock", 40, socket.SOCK_STREAM), ("alg", 38, socket.SOCK_SEQPACKET), ("packet", 17, socket.SOCK_RAW),
  ("bluetooth", 31, socket.SOCK_RAW), ("raw", socket.AF_INET, socket.SOCK_RAW)]})`, &got, nil)
		expect(t, got, map[string]string{"unix": "ok", "inet": "ok", "inet6": "ok", "netlink": "ok", "vsock": "EPERM",
			"alg": "EPERM", "packet": "EPERM", "bluetooth": "EPERM", "raw": "EPERM|EPROTONOSUPPORT"})
	})
}

// testPrivilege tries to become somebody else.
func testPrivilege(t *testing.T, s *suite) {
	s.run(t, "no thread has a capability", func(t *testing.T) {
		var got []map[string]string
		s.ask(t, `
gate = threading.Event()
ts = [threading.Thread(target=gate.wait) for _ in range(3)]
[x.start() for x in ts]
r = []
for task in os.listdir("/proc/self/task"):
    fields = dict(l.split(":", 1) for l in open("/proc/self/task/%s/status" % task))
    r.append({k: fields[k].strip() for k in ["CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp"]})
gate.set()
answer(r)`, &got, nil)
		none := "0000000000000000"
		want := map[string]string{"CapEff": none, "CapPrm": none, "CapInh": none, "CapBnd": none, "CapAmb": none, "NoNewPrivs": "1", "Seccomp": "2"}
		if s.caps.OwnKernel {
			want["Seccomp"] = "0" // around the kernel, not in it
		}
		if len(got) != 4 {
			t.Errorf("%d threads instead of 4", len(got))
		}
		for _, g := range got {
			if d := cmp.Diff(want, g); d != "" {
				t.Errorf("a thread (-want +got):\n%s", d)
			}
		}
	})
	s.run(t, "a set-user-ID program gains nothing", func(t *testing.T) {
		code := codeDir(t, nil)
		program, err := filepath.EvalSymlinks(python)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(code, "suid"), []byte(readFile(t, program)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(code, "suid"), 0o755|os.ModeSetuid|os.ModeSetgid); err != nil {
			t.Fatal(err)
		}
		var got struct {
			Before, After []int
			Tried         map[string]string
		}
		s.ask(t, `
ids = "import os; print(os.getresuid() + os.getresgid())"
out = subprocess.run(["/code/suid", "-I", "-c", ids], capture_output=True, text=True)
tried = {"setuid": attempt(os.setuid, 0), "setgid": attempt(os.setgid, 0), "setgroups": attempt(os.setgroups, [0])}
answer(dict(Before=os.getresuid() + os.getresgid(), After=eval(out.stdout or "[]"), Tried=tried))`, &got,
			func(spec *sandbox.Spec) { spec.CodeDir = code })
		if d := cmp.Diff(got.Before, got.After); d != "" {
			t.Errorf("ids changed (-before +after):\n%s", d)
		}
		expect(t, got.Tried, map[string]string{"setuid": "EPERM|EINVAL", "setgid": "EPERM|EINVAL", "setgroups": "EPERM"})
	})
	s.run(t, "two instances do not see each other", func(t *testing.T) {
		other := s.start(t, `answer(1); wait()`, nil)
		defer other.end()
		var got map[string]string
		s.ask(t, `
answer({"kill all": attempt(os.kill, -1, 0), "kill 2": attempt(os.kill, 2, 0), "root of 2": attempt(os.listdir, "/proc/2/root"),
  "mem of 1": attempt(lambda: open("/proc/1/mem", "rb").read(1)), "kcore": attempt(lambda: open("/proc/kcore").read(1)),
  "sysrq": attempt(lambda: open("/proc/sysrq-trigger", "w").write("h")), "sysctl": attempt(lambda: open("/proc/sys/kernel/core_pattern", "w").write("x"))})`,
			&got, nil)
		expect(t, got, map[string]string{"kill all": "ESRCH", "kill 2": "ESRCH", "root of 2": "ENOENT",
			"mem of 1": "EIO|EACCES", "kcore": "ok|EACCES|ENOENT|EPERM", "sysrq": "ok|ENOENT|EACCES", "sysctl": "EROFS|EACCES"})
	})
}

// testFiles tries to write where it should not, and to read what is not there.
func testFiles(t *testing.T, s *suite) {
	s.run(t, "only /tmp and /dev/shm can be written", func(t *testing.T) {
		var got struct {
			Dirs  map[string]string
			Tried map[string]string
		}
		s.ask(t, `
def write(d): open(d + "/fcd-escape", "w").close()
dirs = {}
for top, ds, fs in os.walk("/"):
    if top.startswith(("/proc", "/usr/")): ds[:] = []; continue
    dirs[top] = attempt(write, top)
tried = {"remount": attempt(lambda: open("/etc/passwd", "a").write("x")), "chmod": attempt(os.chmod, "/code", 0o777),
  "mknod": attempt(os.mknod, "/tmp/disk", 0o60666, os.makedev(254, 0)), "unlink": attempt(os.unlink, "/usr/bin/python3")}
answer(dict(Dirs=dirs, Tried=tried))`, &got, func(spec *sandbox.Spec) {
			spec.CodeDir = codeDir(t, map[string]string{"index.py": ""})
			spec.BootstrapDir = codeDir(t, map[string]string{"bootstrap.py": ""})
		})
		for dir, went := range got.Dirs {
			want := s.readOnly()
			if dir == "/tmp" || dir == "/dev/shm" {
				want = "ok"
			}
			if !oneOf(went, want) {
				t.Errorf("writing to %s: %s, want %s", dir, went, want)
			}
		}
		for _, dir := range []string{"/", "/code", "/usr", "/etc", "/dev", "/var/fc/bootstrap"} {
			if got.Dirs[dir] == "" {
				t.Errorf("%s was not tried", dir)
			}
		}
		expect(t, got.Tried, map[string]string{"remount": "EROFS|EACCES", "chmod": s.readOnly(), "mknod": "EPERM", "unlink": s.readOnly()})
	})
	s.run(t, "nothing of the host can be read but what is listed", func(t *testing.T) {
		var got struct {
			Etc     []string
			Missing map[string]bool
		}
		s.ask(t, `
paths = ["/etc/shadow", "/etc/gshadow", "/etc/ssh", "/etc/ssl/private", "/root", "/home", "/sys", "/run", "/var/lib", "/var/log", "/boot", "/opt", "/srv", "/mnt", "/dev/vda", "/dev/sda", "/dev/mem", "/dev/kmsg", "/dev/fuse"]
answer(dict(Etc=sorted(os.listdir("/etc")), Missing={p: os.path.lexists(p) for p in paths}))`, &got, nil)
		for path, exists := range got.Missing {
			if exists && !s.own(path[1:]) {
				t.Errorf("%s is visible", path)
			}
		}
		for _, name := range got.Etc {
			known := map[string]bool{"alternatives": true, "group": true, "hosts": true, "ld.so.cache": true, "localtime": true,
				"nsswitch.conf": true, "passwd": true, "pki": true, "ssl": true}
			if java, _ := filepath.Match("java-*-openjdk", name); !java && !known[name] {
				t.Errorf("/etc/%s is visible", name)
			}
		}
	})
	s.run(t, "links in a code package lead nowhere", func(t *testing.T) {
		code := codeDir(t, nil)
		secret := filepath.Join(codeDir(t, map[string]string{"key": "secret"}), "key")
		for name, to := range map[string]string{"absolute": secret, "shadow": "/etc/shadow", "up": "../../../../../../" + secret, "proc": "/proc/1/root" + secret} {
			if err := os.Symlink(to, filepath.Join(code, name)); err != nil {
				t.Fatal(err)
			}
		}
		var got map[string]string
		s.ask(t, `answer({n: attempt(lambda: open("/code/" + n).read()) for n in os.listdir("/code")})`, &got,
			func(spec *sandbox.Spec) { spec.CodeDir = code })
		expect(t, got, map[string]string{"absolute": "ENOENT", "shadow": "ENOENT", "up": "ENOENT", "proc": "ENOENT"})
	})
	s.run(t, "a device in a code package opens nothing", func(t *testing.T) {
		if s.caps.Rootless || s.caps.OwnKernel {
			t.Log("not tried: nobody but root makes a device, and gVisor has none of the host's")
			return
		}
		code := codeDir(t, nil)
		device := filepath.Join(code, "null")
		if err := unix.Mknod(device, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(device, 0o666); err != nil {
			t.Fatal(err)
		}
		var got map[string]string
		s.ask(t, `answer({"null": attempt(lambda: open("/code/null").close())})`, &got, func(spec *sandbox.Spec) { spec.CodeDir = code })
		expect(t, got, map[string]string{"null": "EACCES"})
	})
	s.run(t, "files of one instance are not those of another, nor of its next", func(t *testing.T) {
		for range 2 {
			var got []string
			s.ask(t, `
seen = os.listdir("/tmp") + os.listdir("/dev/shm")
open("/tmp/mine", "w").close(); open("/dev/shm/mine", "w").close()
answer(seen)`, &got, nil)
			if len(got) > 0 {
				t.Errorf("found %q", got)
			}
		}
	})
	s.run(t, "a full /tmp says so", func(t *testing.T) {
		var got map[string]string
		s.ask(t, `
def fill():
    with open("/tmp/big", "wb", buffering=0) as f:
        for _ in range(64): f.write(b"x" * (1 << 20))
answer({"fill": attempt(fill)})`, &got, func(spec *sandbox.Spec) { spec.TmpMB = 16 })
		expect(t, got, map[string]string{"fill": "ENOSPC"})
	})
	s.run(t, "a hosts file is shown, not copied", func(t *testing.T) {
		hosts := filepath.Join(codeDir(t, map[string]string{"hosts": "127.100.0.1 oss.example\n"}), "hosts")
		b := s.start(t, `wait(); answer(open("/etc/hosts").read())`, func(spec *sandbox.Spec) { spec.HostsFile = hosts })
		if err := os.WriteFile(hosts, []byte("127.100.0.1 later.example\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		b.input.Close()
		if out, _ := b.finish(); out != `"127.100.0.1 later.example\n"` {
			t.Errorf("the function read %s", out)
		}
	})
}

// through32 is a program whose child makes a system call of i386 with CLONE_NEWUSER, and which exits with 100 and the signal
// that the child died of, or with 7.
func through32(number int) string {
	// mov eax, number; push rbx; mov ebx, CLONE_NEWUSER; int 0x80; pop rbx; ret
	return fmt.Sprintf(`
import ctypes, mmap, os
code = bytes([0xb8, %d, %d, 0, 0, 0x53, 0xbb, 0, 0, 0, 0x10, 0xcd, 0x80, 0x5b, 0xc3])
m = mmap.mmap(-1, 4096, prot=mmap.PROT_READ|mmap.PROT_WRITE|mmap.PROT_EXEC)
m.write(code)
f = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))
pid = os.fork()
if pid == 0:
    f()
    os._exit(0)
_, status = os.waitpid(pid, 0)
os._exit(100 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else 7)`, number&0xff, number>>8)
}
