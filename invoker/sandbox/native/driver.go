package native

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"fcd/invoker/sandbox"
	"fcd/invoker/sandbox/cgroup"
	"fcd/invoker/sandbox/nat"
	"fcd/invoker/sandbox/pasta"
	"fcd/invoker/sandbox/ready"
	"fcd/invoker/sandbox/roster"
	"fcd/invoker/sandbox/syscalls"
	"fcd/invoker/sandbox/thread"
	"fcd/invoker/sandbox/uids"
	"fcd/invoker/sandbox/watch"
)

// Options configure a Driver. The zero value works.
type Options struct {
	// ID names this daemon on this host, [a-z0-9-]{1,64}, for example a hash of its data directory. Instances that an
	// earlier life under the same ID left behind are killed by New; two living drivers cannot share one. Default: a
	// random one, which the next driver that starts here looks after.
	ID string
	// Record is the file that says where this life's cgroups are, so that the next one finds them if it is started from
	// another cgroup. Default: none, and it looks below its own alone.
	Record string
	// InitPath is the binary that is started as init. It must call Main first of all, and should be linked statically.
	// Default: /proc/self/exe, the running binary.
	InitPath string
	// UIDFirst and UIDLast are the user ids (and group ids) of instances, one each. Default 200000 to 265535. Not used
	// without root, where every instance has the daemon's own id outside.
	UIDFirst, UIDLast int
	// Pids is how many processes and threads an instance may have when its Limits do not say. Default 1024, minimum 16.
	Pids int
	// OpenFiles is the limit of open files of each process. Default 1024.
	OpenFiles int
	// TmpMB is the size of /tmp when the Spec does not say. Default 512.
	TmpMB int
	// NAT is how instances with sandbox.NetNAT reach the internet; its ID is the driver's own. nil: they cannot be started.
	NAT *nat.Options
	// Pasta is the program that leads an ordinary user's instances out: its name or its path. Default pasta.
	Pasta string
	// NATRequired makes New fail where NAT does not work; otherwise it warns and Probe says why.
	NATRequired bool
	// HostNetwork allows sandbox.NetHost, to an ordinary user only: nothing of the host's network is closed then.
	HostNetwork bool
	// NoCgroups leaves cgroups alone even where they could be used; limits are weak then. Meant for tests.
	NoCgroups bool

	Log        *zap.Logger           // nil: none
	Registerer prometheus.Registerer // nil: metrics are not registered

	nameless bool // ID is a random one
}

const (
	defaultUIDFirst  = 200000
	defaultUIDLast   = 265535
	defaultPids      = 1024
	defaultOpenFiles = 1024
	defaultTmpMB     = 512
	// maxFileMB bounds one file; /tmp and /dev/shm, the only places to write, are smaller in any sane configuration.
	maxFileMB = 64 << 10
	// nestedUID is the id an instance sees as its own when it lives in a user namespace.
	nestedUID = 1000
)

// Driver starts instances with the means of the kernel alone. Its methods may be called concurrently.
type Driver struct {
	opts    Options
	log     *zap.Logger
	seccomp []byte
	cgroups *cgroup.Tree
	nested  bool        // each instance gets a user namespace: we are not root, or root of too few ids
	uids    *uids.Range // nil when nested
	router  *nat.Router // nil without NAT, for the reason noNAT
	noNAT   string
	pasta   *pasta.Network // what the router leads to where the host's network is not ours
	starter *thread.Kept   // starts the instances, which are told to die with it; nil unless limits are weak
	watch   *watch.Watch   // nil unless limits are weak
	reaper  *ready.Poller  // waits for the ends of all instances
	metrics metrics
	roster  *roster.Roster[*Instance]
}

var _ sandbox.Driver = (*Driver)(nil)

// New prepares the driver: it finds the cgroups, kills what an earlier life under the same ID left, and warns if limits
// are weak. It fails when another living driver holds the ID, and without the privileges that Main's documentation and
// EnterRootless tell about.
func New(opts Options) (*Driver, error) {
	if err := opts.fill(); err != nil {
		return nil, err
	}
	program, err := syscalls.Filter()
	if err != nil {
		return nil, err
	}
	d := &Driver{opts: opts, log: opts.Log, seccomp: program, roster: roster.New[*Instance]()}
	if err := d.identify(); err != nil {
		return nil, err
	}
	if err := d.openCgroups(); err != nil {
		return nil, err
	}
	if d.reaper, err = ready.New(); err != nil {
		d.cgroups.Remove()
		return nil, err
	}
	if err := d.openNetwork(); err != nil {
		d.reaper.Close()
		d.cgroups.Remove()
		return nil, err
	}
	d.metrics = newMetrics(opts.Registerer)
	if !d.cgroups.Usable() {
		d.starter, d.watch = thread.Keep(), watch.New()
		d.log.Warn("no writable cgroups: memory limits are weak, processor limits absent",
			zap.String("reason", cmp.Or(d.cgroups.Missing["memory"], d.cgroups.Missing["pids"])))
	} else if reason := d.cgroups.Missing["cpu"]; reason != "" {
		d.log.Warn("the processor is not shared out", zap.String("reason", reason))
	}
	return d, nil
}

func (o *Options) fill() error {
	setDefault := func(v *int, to int) {
		if *v == 0 {
			*v = to
		}
	}
	if o.nameless = o.ID == ""; o.nameless {
		o.ID = randomID()
	}
	if err := roster.CheckID("sandbox driver", o.ID); err != nil {
		return err
	}
	if o.InitPath == "" {
		o.InitPath = "/proc/self/exe"
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	setDefault(&o.UIDFirst, defaultUIDFirst)
	setDefault(&o.UIDLast, defaultUIDLast)
	setDefault(&o.Pids, defaultPids)
	setDefault(&o.OpenFiles, defaultOpenFiles)
	setDefault(&o.TmpMB, defaultTmpMB)
	return nil
}

// identify decides whether instances need user namespaces of their own.
func (d *Driver) identify() error {
	if err := needCapabilities(); err != nil {
		return err
	}
	ids, err := uids.New(d.opts.UIDFirst, d.opts.UIDLast, hash(d.opts.ID))
	if err != nil {
		return err
	}
	if d.nested = !mapped(d.opts.UIDFirst, d.opts.UIDLast); !d.nested {
		d.uids = ids
	}
	return nil
}

func (d *Driver) openCgroups() (err error) {
	if d.opts.NoCgroups {
		d.cgroups = cgroup.None("cgroups are switched off by configuration")
		return nil
	}
	if ids := cgroup.Sweep(); len(ids) > 0 {
		for _, id := range ids {
			err = errors.Join(err, nat.RemoveTable(id))
		}
		d.log.Info("removed what killed commands left", zap.Strings("drivers", ids), zap.Error(err))
	}
	d.cgroups, err = cgroup.Open(d.opts.ID, d.opts.Record)
	for try := 0; d.opts.nameless && errors.Is(err, cgroup.ErrInUse) && try < 3; try++ {
		d.opts.ID = randomID() // another driver's sweep came between its making and its lock
		d.cgroups, err = cgroup.Open(d.opts.ID, d.opts.Record)
	}
	if err != nil {
		return fmt.Errorf("sandbox driver %w", err)
	}
	n, err := d.cgroups.Reap()
	if err != nil {
		d.cgroups.Remove()
		return err
	}
	if n > 0 {
		d.log.Info("killed instances left by an earlier life", zap.Int("instances", n))
	}
	return nil
}

// randomID is one that cgroup.Sweep knows as such.
func randomID() string { return "t" + strings.ReplaceAll(uuid.NewString(), "-", "") }

func hash(s string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(s))
	return h.Sum32()
}

// Name is "native".
func (*Driver) Name() string { return "native" }

// SameUser tells whether instances act on files as the daemon's own user does, since there are no other ids to give
// them; otherwise each has an id of its own, and sees of a folder what everybody may see.
func (d *Driver) SameUser() bool { return d.nested }

// Close kills every instance that is left and gives back the driver's cgroups. It may be called twice.
func (d *Driver) Close() error {
	first, err := d.roster.Close()
	if !first {
		return nil
	}
	if d.starter != nil {
		d.starter.Close()
		d.watch.Close()
	}
	d.reaper.Close()
	d.cgroups.Remove()
	if d.router != nil {
		err = errors.Join(err, d.router.Close())
	}
	if d.pasta != nil {
		d.pasta.Close()
	}
	return err
}

func (d *Driver) defaults() roster.Defaults {
	return roster.Defaults{Pids: d.opts.Pids, TmpMB: d.opts.TmpMB}
}

// fillSpec checks a spec and sets its defaults.
func (d *Driver) fillSpec(spec *sandbox.Spec) error {
	if err := d.defaults().Fill(spec); err != nil {
		return err
	}
	if err := d.checkNetwork(spec); err != nil {
		return fmt.Errorf("instance %s: %w", spec.ID, err)
	}
	return nil
}

// Start starts an instance. When it returns, the program has been executed as pid 1. ctx bounds the start only.
func (d *Driver) Start(ctx context.Context, spec sandbox.Spec) (sandbox.Instance, error) {
	if err := d.fillSpec(&spec); err != nil {
		return nil, err
	}
	began := d.metrics.begin()
	i := &Instance{driver: d, id: spec.ID, generic: spec.CodeDir == "", onHost: spec.Network == sandbox.NetHost, life: roster.NewLife()}
	if err := d.roster.Start(ctx, spec, i, i.start); err != nil {
		return nil, err
	}
	d.metrics.started(began)
	return i, nil
}
