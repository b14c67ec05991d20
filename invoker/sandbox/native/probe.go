package native

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"fcd/invoker/sandbox"
)

// probeTimeout bounds the trial start of Probe.
const probeTimeout = 10 * time.Second

// probeProgram is what the trial runs: something that every Linux has and that stays.
const probeProgram = "/usr/bin/sleep"

// errNoClaim is why the trial of a claim did not work.
var errNoClaim = errors.New("a claimed instance does not see its code read-only")

// Probe starts a real instance, claims it and looks at the result from outside. The error tells an operator what stands
// in the way of running at all; Caps.Missing what is there only in part.
func (d *Driver) Probe() (sandbox.Caps, error) {
	caps := sandbox.Caps{NetNone: true, NetNAT: d.router != nil, Rootless: d.nested, Missing: map[string]string{}}
	if !caps.NetNAT {
		caps.Missing["NetNAT"] = d.noNAT
	}
	d.cgroups.Report(&caps)
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	id := "probe-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	started, err := d.Start(ctx, sandbox.Spec{
		ID: id, Runtime: "probe", Path: probeProgram, Args: []string{"sleep", "60"}, TmpMB: 1,
		Network: sandbox.NetNone, Limits: sandbox.Limits{MemoryMB: 64, Pids: 64},
	})
	if err != nil {
		return caps, fmt.Errorf("no sandbox can be started here: %w", err)
	}
	i := started.(*Instance)
	if err := d.probeClaim(ctx, i); err != nil {
		caps.Missing["Claim"] = d.explainClaim(err).Error()
	} else {
		caps.Claim = true
	}
	return caps, i.Kill()
}

// probeClaim claims the trial instance with a directory and looks for it through /proc.
func (d *Driver) probeClaim(ctx context.Context, i *Instance) error {
	dir, err := os.MkdirTemp("", "fcd-probe")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Mkdir(filepath.Join(dir, "claimed"), 0o755); err != nil {
		return err
	}
	if err := i.Claim(ctx, dir, sandbox.Limits{MemoryMB: 128, Pids: 64}); err != nil {
		return err
	}
	code := procPath(i.proc.Pid, "root/code")
	var st unix.Statfs_t
	if err := unix.Statfs(code, &st); err != nil {
		return fmt.Errorf("%w: %w", errNoClaim, err)
	}
	if _, err := os.Stat(filepath.Join(code, "claimed")); err != nil {
		return fmt.Errorf("%w: %w", errNoClaim, err)
	}
	if st.Flags&unix.ST_RDONLY == 0 {
		return errNoClaim
	}
	return nil
}

// explainClaim adds what an operator can do: the rest of an instance works here.
func (d *Driver) explainClaim(err error) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return fmt.Errorf("%w: a security module or the system call filter of the container that fcd runs in forbids it", err)
	}
	return d.explain(err)
}

// needCapabilities checks that this process may do what instances need, in its own user namespace.
func needCapabilities() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&header, &sets[0]); err != nil {
		return fmt.Errorf("capabilities: %w", err)
	}
	var lacking []string
	for _, c := range []struct {
		name string
		bit  uint
	}{
		{"CAP_DAC_OVERRIDE", unix.CAP_DAC_OVERRIDE}, {"CAP_SETGID", unix.CAP_SETGID}, {"CAP_SETUID", unix.CAP_SETUID},
		{"CAP_SETPCAP", unix.CAP_SETPCAP}, {"CAP_NET_ADMIN", unix.CAP_NET_ADMIN}, {"CAP_SYS_ADMIN", unix.CAP_SYS_ADMIN},
	} {
		if sets[c.bit/32].Effective&(1<<(c.bit%32)) == 0 {
			lacking = append(lacking, c.name)
		}
	}
	switch {
	case len(lacking) == 0:
		return nil
	case os.Geteuid() != 0:
		return fmt.Errorf("user %d is not root and has no user namespace of its own: call EnterRootless first", os.Geteuid())
	}
	return fmt.Errorf("root without %s: give them to the service or container (AmbientCapabilities=, --cap-add), "+
		"or run fcd as an ordinary user", strings.Join(lacking, ", "))
}

// explain adds to an error of making namespaces or mounts what an operator can do about it.
func (d *Driver) explain(err error) error {
	if errors.Is(err, unix.ENOSYS) || strings.Contains(err.Error(), unix.ENOSYS.Error()) {
		return fmt.Errorf("%w: the kernel lacks a system call; Linux 5.12 or newer is needed", err)
	}
	if !d.nested {
		return err
	}
	if hint := obstacle("/proc/sys"); hint != "" {
		return fmt.Errorf("%w: %s", err, hint)
	}
	return err
}
