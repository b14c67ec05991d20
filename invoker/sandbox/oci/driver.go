package oci

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	runc "github.com/containerd/go-runc"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"fcd/invoker/sandbox"
	"fcd/invoker/sandbox/cgroup"
	"fcd/invoker/sandbox/nat"
	"fcd/invoker/sandbox/roster"
	"fcd/invoker/sandbox/uids"
)

// Options configure a Driver. ID and Dir are required.
type Options struct {
	ID  string // of this daemon on this host, [a-z0-9-]{1,64}
	Dir string // for bundles and the runtime's state; the driver's own, on a file system that allows devices
	// Record is as in native.Options.
	Record string
	// Command is the runtime, Args come before its subcommand. Default: runc without any.
	Command string
	Args    []string

	UIDFirst, UIDLast int          // user ids of instances, one each; default 200000 to 265535
	Pids              int          // processes of an instance whose Limits do not say; default 1024
	OpenFiles         int          // of each process; default 1024
	TmpMB             int          // size of /tmp where the Spec does not say; default 512
	NAT               *nat.Options // how sandbox.NetNAT reaches the internet; nil: it does not
	NATRequired       bool         // New fails where NAT does not work

	Log        *zap.Logger
	Registerer prometheus.Registerer
}

const (
	maxFileMB  = 64 << 10         // bounds one file; /tmp and /dev/shm are smaller
	deleteWait = 20 * time.Second // for the runtime to forget a container
)

// errGone is about an instance that was killed.
var errGone = errors.New("the instance is gone")

// Driver starts containers. Its methods may be called concurrently.
type Driver struct {
	opts    Options
	log     *zap.Logger
	runtime *runc.Runc
	cgroups *cgroup.Tree
	uids    *uids.Range
	router  *nat.Router // nil without NAT, for the reason noNAT
	noNAT   string
	roster  *roster.Roster[*Instance]
}

var _ sandbox.Driver = (*Driver)(nil)

// New finds the runtime, deletes what an earlier life left and prepares cgroups and network. The error names what is
// missing.
func New(o Options) (*Driver, error) {
	o.fill()
	if err := roster.CheckID("sandbox driver", o.ID); err != nil {
		return nil, err
	}
	switch {
	case o.Dir == "":
		return nil, errors.New("sandbox driver oci: Options.Dir is missing")
	case os.Geteuid() != 0:
		return nil, errors.New("the sandbox driver oci needs root: as an ordinary user the driver native works")
	}
	path, err := exec.LookPath(o.Command)
	if err != nil {
		return nil, fmt.Errorf("the runtime of the sandbox driver oci: %w", err)
	}
	h := fnv.New32a()
	h.Write([]byte(o.ID))
	d := &Driver{opts: o, log: o.Log, roster: roster.New[*Instance]()}
	if d.uids, err = uids.New(o.UIDFirst, o.UIDLast, h.Sum32()); err != nil {
		return nil, err
	}
	d.runtime = &runc.Runc{Command: path, Root: d.states(), ExtraArgs: o.Args}
	if d.gvisor() {
		d.runtime.ExtraArgs = append(gvisorArgs(), o.Args...)
	}
	if err := d.open(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (o *Options) fill() {
	set := func(v *int, to int) {
		if *v == 0 {
			*v = to
		}
	}
	set(&o.UIDFirst, 200000)
	set(&o.UIDLast, 265535)
	set(&o.Pids, 1024)
	set(&o.OpenFiles, 1024)
	set(&o.TmpMB, 512)
	if o.Command == "" {
		o.Command = "runc"
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
}

// states is the folder where the runtime remembers containers.
func (d *Driver) states() string { return filepath.Join(d.opts.Dir, "state") }

func (d *Driver) bundle(id string) bundle {
	return bundle(filepath.Join(d.opts.Dir, "bundles", id))
}

func (d *Driver) open() (err error) {
	if d.cgroups, err = cgroup.Open(d.opts.ID, d.opts.Record); err != nil {
		return fmt.Errorf("sandbox driver %w", err)
	}
	if !d.cgroups.Usable() {
		return fmt.Errorf("the sandbox driver oci needs cgroups: %s", d.cgroups.Missing["memory"])
	}
	if err := d.reap(); err != nil {
		return err
	}
	for _, dir := range []string{d.states(), filepath.Join(d.opts.Dir, "bundles")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	if err := d.openNAT(); err != nil {
		return err
	}
	// Containers become our children when the runtime's create ends.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become the reaper of containers: %w", err)
	}
	return nil
}

// reap deletes what an earlier life left. The lock on the cgroups is held, so nobody living owns it.
func (d *Driver) reap() error {
	n, err := d.cgroups.Reap()
	if err != nil {
		return err
	}
	left, _ := os.ReadDir(d.states()) // absent at the first start
	for _, e := range left {
		if err := d.delete(e.Name()); err != nil {
			d.log.Warn("a container of an earlier life cannot be deleted", zap.String("instance", e.Name()), zap.Error(err))
		}
	}
	if n > 0 {
		d.log.Info("killed instances left by an earlier life", zap.Int("instances", n))
	}
	return errors.Join(os.RemoveAll(d.states()), os.RemoveAll(filepath.Join(d.opts.Dir, "bundles")))
}

func (d *Driver) openNAT() (err error) {
	d.noNAT = "the network is switched off by configuration"
	if d.opts.NAT == nil {
		return nil
	}
	o := *d.opts.NAT
	o.ID = d.opts.ID
	if d.router, err = nat.Open(o); err == nil {
		return nil
	}
	d.router, d.noNAT = nil, err.Error()
	if d.opts.NATRequired {
		return fmt.Errorf("network mode nat: %w", err)
	}
	d.log.Warn("functions of services with internetAccess have no network", zap.Error(err))
	return nil
}

// delete lets the runtime forget a container, whatever state it is in.
func (d *Driver) delete(id string) error {
	ctx, cancel := context.WithTimeout(context.Background(), deleteWait)
	defer cancel()
	return d.runtime.Delete(ctx, id, &runc.DeleteOpts{Force: true})
}

// Name is "oci".
func (*Driver) Name() string { return "oci" }

// Probe starts a container and ends it.
func (d *Driver) Probe() (sandbox.Caps, error) {
	caps := sandbox.Caps{NetNone: true, NetNAT: d.router != nil, Missing: map[string]string{
		"Claim": "the driver oci starts every instance afresh"}}
	if !caps.NetNAT {
		caps.Missing["NetNAT"] = d.noNAT
	}
	d.cgroups.Report(&caps)
	if d.gvisor() {
		reportGVisor(&caps)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	i, err := d.Start(ctx, sandbox.Spec{ID: fmt.Sprintf("probe-%x", time.Now().UnixNano()), Runtime: "probe",
		Path: "/usr/bin/sleep", Args: []string{"sleep", "60"}, TmpMB: 1, Limits: sandbox.Limits{MemoryMB: 64, Pids: 64}})
	if err != nil {
		return caps, fmt.Errorf("no container can be started here: %w", err)
	}
	return caps, i.Kill()
}

func (d *Driver) defaults() roster.Defaults {
	return roster.Defaults{Pids: d.opts.Pids, TmpMB: d.opts.TmpMB}
}

// check refuses bad specs and sets the defaults of others.
func (d *Driver) check(spec *sandbox.Spec) error {
	if err := d.defaults().Fill(spec); err != nil {
		return err
	}
	switch {
	case strings.Contains(strings.Join(append(append([]string{spec.Path}, spec.Args...), spec.Env...), ""), "\x00"):
		return fmt.Errorf("instance %s: a zero byte in the program, its arguments or its environment", spec.ID)
	case spec.Network == sandbox.NetNAT && d.router == nil:
		return fmt.Errorf("instance %s: network %q: %w: %s", spec.ID, spec.Network, sandbox.ErrNotSupported, d.noNAT)
	case spec.Network == sandbox.NetHost:
		return fmt.Errorf("instance %s: network %q: %w", spec.ID, spec.Network, sandbox.ErrNotSupported)
	case spec.Network != sandbox.NetNone && spec.Network != sandbox.NetNAT:
		return fmt.Errorf("instance %s: unknown network mode %q", spec.ID, spec.Network)
	}
	return nil
}

// Close kills what is left and gives everything back. It may be called twice.
func (d *Driver) Close() error {
	first, err := d.roster.Close()
	if !first {
		return nil
	}
	if d.cgroups != nil {
		d.cgroups.Remove()
		d.cgroups.RemoveStray()
	}
	if d.router != nil {
		err = errors.Join(err, d.router.Close())
	}
	return errors.Join(err, os.RemoveAll(d.states()), os.RemoveAll(filepath.Join(d.opts.Dir, "bundles")))
}
