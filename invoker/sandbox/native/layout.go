package native

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"fcd/invoker/sandbox"
	"fcd/invoker/sandbox/native/internal/inside"
)

// What mounts of an instance may not do.
const (
	attrSystem = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV
	attrTmp    = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV
	attrShm    = attrTmp | unix.MOUNT_ATTR_NOEXEC
	attrProc   = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC
	attrDevice = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC
)

// shmMB bounds /dev/shm. Its pages count against the instance's memory in any case.
const shmMB = 64

// layout lists the steps that build an instance's root.
func layout(spec sandbox.Spec, uid int) (steps, error) {
	root := spec.Root
	if root == "" {
		root = "/"
	}
	var l steps
	if err := l.system(root); err != nil {
		return nil, err
	}
	if spec.Root == "" {
		l.hostEtc()
	} else if err := l.rootEtc(spec.Root); err != nil {
		return nil, err
	}
	l.identity(uid, spec.HostsFile)
	l.code(spec)
	l.tmpfs("tmp", attrTmp, fmt.Sprintf("size=%dm,nr_inodes=65536,mode=1777", spec.TmpMB))
	l.proc()
	l.dev()
	return l, nil
}

// steps collects steps; later ones lie on top of earlier ones.
type steps []inside.Step

func (l *steps) dir(target string, mode uint32) {
	*l = append(*l, inside.Step{Op: inside.OpDir, Target: target, Mode: mode})
}

func (l *steps) file(target, data string) {
	*l = append(*l, inside.Step{Op: inside.OpFile, Target: target, Data: data, Mode: 0o444})
}

func (l *steps) link(target, to string) {
	*l = append(*l, inside.Step{Op: inside.OpLink, Target: target, Source: to})
}

func (l *steps) bind(target, source string, attr uint64) {
	*l = append(*l, inside.Step{Op: inside.OpBind, Target: target, Source: source, Attr: attr})
}

func (l *steps) tmpfs(target string, attr uint64, options string) {
	l.dir(target, 0o755)
	*l = append(*l, inside.Step{Op: inside.OpTmpfs, Target: target, Attr: attr, Data: options})
}

// system shows /usr and what leads into it.
func (l *steps) system(root string) error {
	l.bind("usr", filepath.Join(root, "usr"), attrSystem)
	for _, name := range []string{"bin", "sbin", "lib", "lib32", "lib64", "libx32"} {
		if err := l.copyEntry(name, filepath.Join(root, name)); err != nil {
			return err
		}
	}
	return nil
}

// copyEntry shows source as it is: a link as a link, anything else by a bind. What does not exist is left out.
func (l *steps) copyEntry(target, source string) error {
	info, err := os.Lstat(source)
	switch {
	case os.IsNotExist(err):
		return nil
	case err != nil:
		return fmt.Errorf("sandbox: %w", err)
	case info.Mode().Type() == os.ModeSymlink:
		to, err := os.Readlink(source)
		if err != nil {
			return fmt.Errorf("sandbox: %w", err)
		}
		l.link(target, to)
	case info.IsDir() || info.Mode().IsRegular():
		l.bind(target, source, attrSystem)
	}
	return nil
}

// hostEtc shows the few entries of the host's /etc that interpreters of the host need and that hold no secret:
// the loader's cache, the time zone, public certificates, the links Debian reaches its default programs by, and the
// configuration that Debian keeps there for Java. Never /etc/ssl as a whole: it holds private keys.
func (l *steps) hostEtc() {
	l.dir("etc", 0o755)
	shown := []string{
		"/etc/ld.so.cache", "/etc/localtime", "/etc/ssl/certs", "/etc/ssl/openssl.cnf",
		"/etc/pki/ca-trust", "/etc/alternatives",
	}
	java, _ := filepath.Glob("/etc/java-*-openjdk") // the pattern is well-formed
	for _, path := range append(shown, java...) {
		if _, err := os.Stat(path); err == nil {
			l.bind(path[1:], path, attrSystem)
		}
	}
	l.file("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")
}

// rootEtc shows the /etc of a runtime's own root, entry by entry, so that the files of identity can lie beside them.
func (l *steps) rootEtc(root string) error {
	l.dir("etc", 0o755)
	entries, err := os.ReadDir(filepath.Join(root, "etc"))
	if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("sandbox: root of the runtime: %w", err)
	}
	for _, e := range entries {
		switch e.Name() {
		case "passwd", "group", "shadow", "gshadow", "hosts", "hostname", "resolv.conf", "mtab":
			continue
		}
		if err := l.copyEntry("etc/"+e.Name(), filepath.Join(root, "etc", e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// identity tells an instance who and where it is.
func (l *steps) identity(uid int, hosts string) {
	l.file("etc/passwd", fmt.Sprintf("fc:x:%d:%d::/tmp:/usr/sbin/nologin\n", uid, uid))
	l.file("etc/group", fmt.Sprintf("fc:x:%d:\n", uid))
	if hosts != "" {
		l.bind("etc/hosts", hosts, attrSystem)
		return
	}
	l.file("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")
}

// code shows the function's code and the bootstrap. A generic instance has an empty /code to be claimed.
func (l *steps) code(spec sandbox.Spec) {
	l.dir("code", 0o755)
	if spec.CodeDir != "" {
		l.bind("code", spec.CodeDir, attrSystem)
	}
	l.dir("var/fc/bootstrap", 0o755)
	if spec.BootstrapDir != "" {
		l.bind("var/fc/bootstrap", spec.BootstrapDir, attrSystem)
	}
}

// proc mounts the proc of the instance's pid namespace and covers what tells of the host or changes it.
func (l *steps) proc() {
	l.dir("proc", 0o555)
	*l = append(*l, inside.Step{Op: inside.OpProc, Target: "proc"})
	for _, name := range []string{"kcore", "keys", "timer_list", "sysrq-trigger", "sched_debug"} {
		*l = append(*l, inside.Step{Op: inside.OpMask, Target: "proc/" + name, Source: "/dev/null", Attr: attrDevice})
	}
	for _, name := range []string{"sys", "irq", "bus"} {
		*l = append(*l, inside.Step{Op: inside.OpRebind, Target: "proc/" + name, Attr: attrProc})
	}
	for _, name := range []string{"acpi", "scsi"} {
		*l = append(*l, inside.Step{Op: inside.OpTmpfs, Target: "proc/" + name, Attr: attrProc, Data: "size=4k", Optional: true})
	}
}

// dev holds the five devices every program expects.
func (l *steps) dev() {
	l.dir("dev", 0o755)
	for _, name := range []string{"null", "zero", "full", "random", "urandom"} {
		l.bind("dev/"+name, "/dev/"+name, attrDevice)
	}
	l.link("dev/fd", "/proc/self/fd")
	l.link("dev/stdin", "/proc/self/fd/0")
	l.link("dev/stdout", "/proc/self/fd/1")
	l.link("dev/stderr", "/proc/self/fd/2")
	l.tmpfs("dev/shm", attrShm, fmt.Sprintf("size=%dm,nr_inodes=4096,mode=1777", shmMB))
}
