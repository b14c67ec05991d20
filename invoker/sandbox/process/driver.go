package process

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"fcd/invoker/sandbox"
	"fcd/invoker/sandbox/roster"
	"fcd/invoker/sandbox/syscalls"
	"fcd/invoker/sandbox/watch"
)

// Options configure a Driver. The zero value works.
type Options struct {
	Dir       string // for the temporary folders of instances; default one of its own below the system's
	Pids      int    // processes of an instance, beside those that the user has anyway; default 1024
	OpenFiles int    // of each process; default 1024
	Log       *zap.Logger
}

const (
	slackMB   = 64       // beside the heap, where RLIMIT_DATA is a bound
	maxFileMB = 64 << 10 // bounds one file
)

// Driver starts processes. Its methods may be called concurrently.
type Driver struct {
	opts    Options
	ownDir  bool
	mark    string // begins the variable that marks this driver's processes
	seccomp []byte
	watch   *watch.Watch
	roster  *roster.Roster[*Instance]
}

var _ sandbox.Driver = (*Driver)(nil)

// New warns and makes the driver. It refuses root, whom nothing here would hold.
func New(o Options) (*Driver, error) {
	if os.Geteuid() == 0 {
		return nil, errors.New("the sandbox driver process is for ordinary users: as root the driver native contains functions")
	}
	set := func(v *int, to int) {
		if *v == 0 {
			*v = to
		}
	}
	set(&o.Pids, 1024)
	set(&o.OpenFiles, 1024)
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	filter, err := syscalls.Filter()
	if err != nil {
		return nil, err
	}
	d := &Driver{opts: o, seccomp: filter, roster: roster.New[*Instance]()}
	if o.Dir == "" {
		d.ownDir = true
		if d.opts.Dir, err = os.MkdirTemp("", "fcd-process"); err != nil {
			return nil, err
		}
	} else if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	h := fnv.New64a()
	h.Write([]byte(d.opts.Dir))
	d.mark = fmt.Sprintf("%s%x/", marker, h.Sum64())
	if err := d.reap(); err != nil {
		return nil, err
	}
	if entries, err := os.ReadDir(d.opts.Dir); err == nil {
		for _, e := range entries {
			os.RemoveAll(filepath.Join(d.opts.Dir, e.Name())) // temporary folders of an earlier life
		}
	}
	d.watch = watch.New()
	o.Log.Warn("the sandbox driver process contains functions weakly: they share the network, the processes, /tmp and the "+
		"user id of the host; use it for your own code only", zap.Int("landlock", landlockVersion()))
	return d, nil
}

// Name is "process".
func (*Driver) Name() string { return "process" }

// Probe starts a process and ends it.
func (d *Driver) Probe() (sandbox.Caps, error) {
	caps := sandbox.Caps{Shared: true, Rootless: true, Missing: map[string]string{
		"Isolation": "the driver process shares the host's processes, network, /tmp and user id with functions",
	}}
	for _, name := range []string{"Claim", "HardMemory", "HardCPU", "Pids", "NetNone", "NetNAT", "Freeze"} {
		caps.Missing[name] = "the driver process cannot"
	}
	if landlockVersion() == 0 {
		caps.Missing["Landlock"] = "the kernel has no Landlock: functions read and write whatever this user may"
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	i, err := d.Start(ctx, sandbox.Spec{ID: fmt.Sprintf("probe-%x", time.Now().UnixNano()), Runtime: "probe",
		Path: "/usr/bin/sleep", Args: []string{"sleep", "60"}, Limits: sandbox.Limits{MemoryMB: 64, Pids: 64}})
	if err != nil {
		return caps, fmt.Errorf("no process can be started here: %w", err)
	}
	return caps, i.Kill()
}

// check refuses bad specs.
func (d *Driver) check(spec *sandbox.Spec) error {
	if err := (roster.Defaults{Pids: d.opts.Pids}).Fill(spec); err != nil {
		return err
	}
	switch n := spec.Network; n {
	case sandbox.NetNone, sandbox.NetHost:
	case sandbox.NetNAT:
		return fmt.Errorf("instance %s: network %q: %w", spec.ID, n, sandbox.ErrNotSupported)
	default:
		return fmt.Errorf("instance %s: unknown network mode %q", spec.ID, n)
	}
	if spec.CodeDir != "" {
		if _, err := os.Stat(spec.CodeDir); err != nil {
			return fmt.Errorf("instance %s: %w", spec.ID, err)
		}
	}
	return nil
}

// places translates what a Spec says of paths inside to those of the host.
type places struct{ code, bootstrap, root, tmp string }

// translate replaces /code and /var/fc/bootstrap wherever a path in s begins with them.
func (p places) translate(s string) string {
	for inside, outside := range map[string]string{"/code": p.code, "/var/fc/bootstrap": p.bootstrap} {
		if outside == "" {
			continue
		}
		parts := strings.FieldsFunc(s, func(r rune) bool { return r == ':' || r == '=' })
		for _, part := range parts {
			if rest, ok := strings.CutPrefix(part, inside); ok && (rest == "" || rest[0] == '/') {
				s = strings.Replace(s, part, outside+rest, 1)
			}
		}
	}
	return s
}

func (p places) all(list []string) []string {
	out := make([]string, len(list))
	for n, s := range list {
		out[n] = p.translate(s)
	}
	return out
}

// plan writes down what the launcher does.
func (d *Driver) plan(spec sandbox.Spec, p places) *plan {
	path := p.translate(spec.Path)
	if p.root != "" && path == spec.Path {
		path = filepath.Join(p.root, path)
	}
	limits := map[int]uint64{unix.RLIMIT_NOFILE: uint64(d.opts.OpenFiles), unix.RLIMIT_CORE: 0, unix.RLIMIT_FSIZE: maxFileMB << 20,
		unix.RLIMIT_NPROC: uint64(spec.Limits.Pids + threadsOfUser())}
	if spec.Limits.MemoryMB > 0 {
		limits[unix.RLIMIT_DATA] = uint64(spec.Limits.MemoryMB+slackMB) << 20
	}
	read := []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/etc/ssl/certs", "/etc/alternatives"}
	java, _ := filepath.Glob("/etc/java-*-openjdk") // the pattern is well-formed
	read = append(read, java...)
	for _, dir := range []string{p.code, p.bootstrap, p.root} {
		if dir != "" {
			read = append(read, dir)
		}
	}
	env := append(p.all(spec.Env), "TMPDIR="+p.tmp, d.mark+spec.ID)
	return &plan{
		Path: path, Args: append([]string{spec.Args[0]}, p.all(spec.Args[1:])...), Env: env, Dir: p.dir(), Rlimits: limits,
		ReadDirs: read, Seccomp: d.seccomp,
		ReadFiles: []string{"/etc/ld.so.cache", "/etc/localtime", "/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/hosts",
			"/etc/resolv.conf", "/etc/ssl/openssl.cnf", "/dev/zero", "/dev/random", "/dev/urandom"},
		WriteDirs: []string{"/tmp", p.tmp, "/dev/shm"}, WriteFiles: []string{"/dev/null", "/dev/full"},
	}
}

// dir is where the program starts.
func (p places) dir() string {
	if p.code != "" {
		return p.code
	}
	return p.tmp
}

// Close kills what is left. It may be called twice.
func (d *Driver) Close() error {
	first, err := d.roster.Close()
	if !first {
		return nil
	}
	d.watch.Close()
	if d.ownDir {
		err = errors.Join(err, os.RemoveAll(d.opts.Dir))
	}
	return err
}
