package oci

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"fcd/invoker/sandbox"
	"fcd/invoker/sandbox/layout"
	"fcd/invoker/sandbox/step"
	"fcd/invoker/sandbox/syscalls"
)

// bundle is the folder of one container.
type bundle string

func (b bundle) root() string   { return filepath.Join(string(b), "rootfs") }
func (b bundle) pid() string    { return filepath.Join(string(b), "pid") }
func (b bundle) config() string { return filepath.Join(string(b), "config.json") }
func (b bundle) log() string    { return filepath.Join(string(b), "log") }

// write makes the folder: what of the steps is a folder, file or link in rootfs, what is a mount in the configuration.
func (b bundle) write(steps layout.Steps, s *specs.Spec) error {
	if err := os.MkdirAll(b.root(), 0o755); err != nil {
		return err
	}
	for _, st := range steps {
		if err := b.carryOut(st, s); err != nil {
			return fmt.Errorf("%s %s: %w", st.Op, st.Target, err)
		}
	}
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return os.WriteFile(b.config(), data, 0o600)
}

func (b bundle) carryOut(st step.Step, s *specs.Spec) error {
	inside := "/" + st.Target
	if strings.HasPrefix(inside, "/dev/") && inside != "/dev/shm" {
		return nil // the runtime makes the devices of every container
	}
	target := filepath.Join(b.root(), st.Target)
	mount := func(kind, source string, options ...string) {
		s.Mounts = append(s.Mounts, specs.Mount{Destination: inside, Type: kind, Source: source, Options: options})
	}
	switch st.Op {
	case step.Dir:
		return os.MkdirAll(target, 0o755)
	case step.File:
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		return os.WriteFile(target, []byte(st.Data), os.FileMode(st.Mode))
	case step.Link:
		return os.Symlink(st.Source, target)
	case step.Bind:
		mount("bind", st.Source, append([]string{"rbind", "private"}, flags(st.Attr)...)...)
		return makeTarget(target, st.Source)
	case step.Tmpfs:
		if st.Optional {
			s.Linux.MaskedPaths = append(s.Linux.MaskedPaths, inside)
			return nil
		}
		options := strings.Split(st.Data, ",")
		mount("tmpfs", "tmpfs", append(flags(st.Attr), options...)...)
		if err := os.MkdirAll(target, 0o755); err != nil {
			return err
		}
		if slices.Contains(options, "mode=1777") { // runtimes give the mount the mode of its target
			return os.Chmod(target, 0o777|os.ModeSticky)
		}
		return nil
	case step.Proc:
		mount("proc", "proc", "nosuid", "nodev", "noexec")
		return os.MkdirAll(target, 0o755)
	case step.Mask:
		s.Linux.MaskedPaths = append(s.Linux.MaskedPaths, inside)
	case step.Rebind:
		s.Linux.ReadonlyPaths = append(s.Linux.ReadonlyPaths, inside)
	default:
		return fmt.Errorf("unknown step %q", st.Op)
	}
	return nil
}

// makeTarget makes what source is mounted on.
func makeTarget(target, source string) error {
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return os.MkdirAll(target, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	return os.WriteFile(target, nil, 0o444)
}

// flags are the names of mount attributes.
func flags(attr uint64) (names []string) {
	for _, f := range []struct {
		bit  uint64
		name string
	}{
		{unix.MOUNT_ATTR_RDONLY, "ro"}, {unix.MOUNT_ATTR_NOSUID, "nosuid"}, {unix.MOUNT_ATTR_NODEV, "nodev"},
		{unix.MOUNT_ATTR_NOEXEC, "noexec"},
	} {
		if attr&f.bit != 0 {
			names = append(names, f.name)
		}
	}
	return names
}

// configuration is all of config.json but what the steps add.
func (d *Driver) configuration(spec sandbox.Spec, uid int, network *os.File) *specs.Spec {
	limit := func(kind string, n uint64) specs.POSIXRlimit { return specs.POSIXRlimit{Type: kind, Soft: n, Hard: n} }
	// A runtime has one word for the program: argv[0] is the path. Its search for the program goes by PATH, which an
	// absolute path does not need.
	args := append([]string{spec.Path}, spec.Args[1:]...)
	return &specs.Spec{
		Version: "1.0.2", Hostname: "fc", Root: &specs.Root{Path: "rootfs", Readonly: true},
		Process: &specs.Process{
			Args: args, Env: spec.Env, Cwd: "/code", NoNewPrivileges: true, Capabilities: &specs.LinuxCapabilities{},
			User: specs.User{UID: uint32(uid), GID: uint32(uid)},
			Rlimits: []specs.POSIXRlimit{limit("RLIMIT_NOFILE", uint64(d.opts.OpenFiles)), limit("RLIMIT_CORE", 0),
				limit("RLIMIT_FSIZE", maxFileMB<<20)},
		},
		Mounts: []specs.Mount{{Destination: "/dev", Type: "tmpfs", Source: "tmpfs",
			Options: []string{"nosuid", "noexec", "strictatime", "mode=755", "size=64k", "ro"}}},
		Linux: &specs.Linux{
			Namespaces: []specs.LinuxNamespace{{Type: specs.PIDNamespace}, {Type: specs.IPCNamespace}, {Type: specs.UTSNamespace},
				{Type: specs.MountNamespace}, {Type: specs.CgroupNamespace},
				{Type: specs.NetworkNamespace, Path: fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), network.Fd())}},
			CgroupsPath: d.cgroups.OCIPath(spec.ID), RootfsPropagation: "private", Seccomp: filter(),
		},
	}
}

// filter is the list of package syscalls in the runtime's words. Calls of foreign architectures are killed by it.
func filter() *specs.LinuxSeccomp {
	eperm, enosys := uint(unix.EPERM), uint(unix.ENOSYS)
	allow := func(names ...string) specs.LinuxSyscall {
		return specs.LinuxSyscall{Names: names, Action: specs.ActAllow}
	}
	f := &specs.LinuxSeccomp{
		DefaultAction: specs.ActErrno, DefaultErrnoRet: &eperm,
		Architectures: []specs.Arch{architecture()},
		Syscalls: []specs.LinuxSyscall{
			allow(syscalls.Names()...),
			{Names: []string{"clone"}, Action: specs.ActAllow, Args: []specs.LinuxSeccompArg{
				{Index: 0, Value: syscalls.NewNamespaces, ValueTwo: 0, Op: specs.OpMaskedEqual}}},
			{Names: []string{"clone3"}, Action: specs.ActErrno, ErrnoRet: &enosys},
		},
	}
	for name, values := range map[string][]uint32{"socket": syscalls.SocketFamilies(), "personality": syscalls.Personalities()} {
		for _, v := range values {
			call := allow(name)
			call.Args = []specs.LinuxSeccompArg{{Index: 0, Value: uint64(v), Op: specs.OpEqualTo}}
			f.Syscalls = append(f.Syscalls, call)
		}
	}
	return f
}
