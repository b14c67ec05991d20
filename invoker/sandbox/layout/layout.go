// Package layout writes down the root file system that every instance sees, whichever driver builds it: the host's /usr or
// that of the runtime's root directory, a handful of files of /etc, the code at /code and the bootstrap at
// /var/fc/bootstrap, all read-only, a private /tmp and /dev/shm, /proc without what tells of the host, and five devices.
package layout

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"fcd/invoker/sandbox"
	"fcd/invoker/sandbox/step"
)

// What mounts of an instance may not do; System is for everything that comes from the host.
const (
	System     = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV
	tmpAttr    = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV
	shmAttr    = tmpAttr | unix.MOUNT_ATTR_NOEXEC
	procAttr   = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC
	deviceAttr = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC
)

// shmMB bounds /dev/shm. Its pages count against the instance's memory in any case.
const shmMB = 64

// Steps build a root; later ones lie on top of earlier ones.
type Steps []step.Step

// New lists the steps for an instance whose user has the id uid inside. Its resolv.conf is the driver's task.
func New(spec sandbox.Spec, uid int) (Steps, error) {
	root := spec.Root
	if root == "" {
		root = "/"
	}
	var l Steps
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
	l.tmpfs("tmp", tmpAttr, fmt.Sprintf("size=%dm,nr_inodes=65536,mode=1777", spec.TmpMB))
	l.proc()
	l.dev()
	return l, nil
}

func (l *Steps) dir(target string, mode uint32) {
	*l = append(*l, step.Step{Op: step.Dir, Target: target, Mode: mode})
}

// File adds a file of the given content.
func (l *Steps) File(target, data string) {
	*l = append(*l, step.Step{Op: step.File, Target: target, Data: data, Mode: 0o444})
}

func (l *Steps) link(target, to string) {
	*l = append(*l, step.Step{Op: step.Link, Target: target, Source: to})
}

// Bind shows source, of the host, with the restrictions attr.
func (l *Steps) Bind(target, source string, attr uint64) {
	*l = append(*l, step.Step{Op: step.Bind, Target: target, Source: source, Attr: attr})
}

func (l *Steps) tmpfs(target string, attr uint64, options string) {
	l.dir(target, 0o755)
	*l = append(*l, step.Step{Op: step.Tmpfs, Target: target, Attr: attr, Data: options})
}

// system shows /usr and what leads into it.
func (l *Steps) system(root string) error {
	l.Bind("usr", filepath.Join(root, "usr"), System)
	for _, name := range []string{"bin", "sbin", "lib", "lib32", "lib64", "libx32"} {
		if err := l.copyEntry(name, filepath.Join(root, name)); err != nil {
			return err
		}
	}
	return nil
}

// copyEntry shows source as it is: a link as a link, anything else by a bind. What does not exist is left out.
func (l *Steps) copyEntry(target, source string) error {
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
		l.Bind(target, source, System)
	}
	return nil
}

// hostEtc shows the few entries of the host's /etc that interpreters of the host need and that hold no secret:
// the loader's cache, the time zone, public certificates, the links Debian reaches its default programs by, and the
// configuration that Debian keeps there for Java. Never /etc/ssl as a whole: it holds private keys.
func (l *Steps) hostEtc() {
	l.dir("etc", 0o755)
	shown := []string{
		"/etc/ld.so.cache", "/etc/localtime", "/etc/ssl/certs", "/etc/ssl/openssl.cnf",
		"/etc/pki/ca-trust", "/etc/alternatives",
	}
	java, _ := filepath.Glob("/etc/java-*-openjdk") // the pattern is well-formed
	for _, path := range append(shown, java...) {
		if _, err := os.Stat(path); err == nil {
			l.Bind(path[1:], path, System)
		}
	}
	l.File("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")
}

// rootEtc shows the /etc of a runtime's own root, entry by entry, so that the files of identity can lie beside them.
func (l *Steps) rootEtc(root string) error {
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
func (l *Steps) identity(uid int, hosts string) {
	l.File("etc/passwd", fmt.Sprintf("fc:x:%d:%d::/tmp:/usr/sbin/nologin\n", uid, uid))
	l.File("etc/group", fmt.Sprintf("fc:x:%d:\n", uid))
	if hosts != "" {
		l.Bind("etc/hosts", hosts, System)
		return
	}
	l.File("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")
}

// code shows the function's code and the bootstrap. A generic instance has an empty /code to be claimed.
func (l *Steps) code(spec sandbox.Spec) {
	l.dir("code", 0o755)
	if spec.CodeDir != "" {
		l.Bind("code", spec.CodeDir, System)
	}
	l.dir("var/fc/bootstrap", 0o755)
	if spec.BootstrapDir != "" {
		l.Bind("var/fc/bootstrap", spec.BootstrapDir, System)
	}
}

// proc mounts the proc of the instance's pid namespace and covers what tells of the host or changes it.
func (l *Steps) proc() {
	l.dir("proc", 0o555)
	*l = append(*l, step.Step{Op: step.Proc, Target: "proc"})
	for _, name := range []string{"kcore", "keys", "timer_list", "sysrq-trigger", "sched_debug"} {
		*l = append(*l, step.Step{Op: step.Mask, Target: "proc/" + name, Source: "/dev/null", Attr: deviceAttr})
	}
	for _, name := range []string{"sys", "irq", "bus"} {
		*l = append(*l, step.Step{Op: step.Rebind, Target: "proc/" + name, Attr: procAttr})
	}
	for _, name := range []string{"acpi", "scsi"} {
		*l = append(*l, step.Step{Op: step.Tmpfs, Target: "proc/" + name, Attr: procAttr, Data: "size=4k", Optional: true})
	}
}

// dev holds the five devices every program expects.
func (l *Steps) dev() {
	l.dir("dev", 0o755)
	for _, name := range []string{"null", "zero", "full", "random", "urandom"} {
		l.Bind("dev/"+name, "/dev/"+name, deviceAttr)
	}
	l.link("dev/fd", "/proc/self/fd")
	l.link("dev/stdin", "/proc/self/fd/0")
	l.link("dev/stdout", "/proc/self/fd/1")
	l.link("dev/stderr", "/proc/self/fd/2")
	l.tmpfs("dev/shm", shmAttr, fmt.Sprintf("size=%dm,nr_inodes=4096,mode=1777", shmMB))
}
