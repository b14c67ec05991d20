// Package daemon ties the rooms of fcd together: it is the one place that knows all of them. Open makes a Daemon from a
// configuration, Run keeps it alive, and a stop goes in stages (see stop.go). Tests boot the same Daemon that
// `fcd serve` runs.
//
//	d, err := daemon.Open(ctx, daemon.Options{Config: c, AnyPorts: true, Log: log})
//	fmt.Println(d.Endpoint().API)
//	err = d.Run(ctx) // until ctx ends, then stops in stages; an error means that the daemon could not go on
package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.uber.org/zap"

	"fcd/config"
	"fcd/invoker"
	"fcd/invoker/async"
	"fcd/invoker/runtimes"
	"fcd/invoker/sandbox"
	localoss "fcd/localcloud/oss"
	localsls "fcd/localcloud/sls"
	"fcd/logsink"
	"fcd/ram"
	"fcd/store/catalog"
	"fcd/store/packages"
	"fcd/store/sqlite"
	"fcd/triggers"
)

// Options of a Daemon. Config is required.
type Options struct {
	Config   *config.Config
	AnyPorts bool                 // listen on free ports in place of the configured ones
	Log      *zap.Logger          // nil: nothing is logged
	Metrics  *prometheus.Registry // nil: one of its own
	// SandboxInit is the binary to start as the sandbox's init; "": the running one, whose main must call native.Main.
	SandboxInit string
	Develop     Develop
	// HugePages has the heap of this process, which is then the daemon's alone, backed by huge pages while it grows.
	HugePages bool
}

// Daemon is all of fcd in one process.
type Daemon struct {
	opt     Options
	huge    hugePages
	cfg     *config.Config
	log     *zap.Logger
	metrics *prometheus.Registry

	// In the order in which they are opened; each knows only those before it.
	account  config.Account
	store    *sqlite.Store
	packages *packages.Packages
	catalog  *catalog.Catalog
	ram      *ram.Directory
	localSLS *localsls.Server
	shipper  *logsink.Shipper
	// spoolFailed is closed when the disk has failed the log spool.
	spoolFailed <-chan struct{}
	driver      sandbox.Driver
	runtimes    *runtimes.Table
	invoker     *invoker.Invoker
	async       *async.Dispatcher
	// destinations are told of the ends of asynchronous invocations.
	destinations destinations
	kinds        *triggers.Kinds
	manager      *triggers.Manager
	history      *triggers.History
	localOSS     *localoss.Server
	hosts        *hosts

	ways []wayIn

	apiServer, ossServer, slsServer, adminServer, pushServer *server

	loaded atomic.Bool // the catalog has read all records; what it tells of now is new
	tasks  map[string]*task
	failed chan error    // what ended a task that should have gone on
	hurry  chan struct{} // closed by Hurry
	closes []closer      // undone in reverse
}

type closer struct {
	what  string
	close func() error
}

// Open opens everything, in an order that a reader can follow, and binds the listeners. A failure closes what was opened.
// When it returns, endpoint.json has been written and requests are answered as soon as Run is called.
func Open(ctx context.Context, o Options) (*Daemon, error) {
	d := &Daemon{opt: o, cfg: o.Config, log: o.Log, metrics: o.Metrics,
		tasks: map[string]*task{}, failed: make(chan error, 1), hurry: make(chan struct{})}
	if o.HugePages && ownHeap() {
		d.huge = reserveHugePages(hugeReserve)
	}
	if d.log == nil {
		d.log = zap.NewNop()
	}
	if d.metrics == nil {
		d.metrics = prometheus.NewRegistry()
	}
	d.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, step := range []struct {
		what string
		open func(context.Context) error
	}{
		{"data directory", d.openDir},
		{"store", d.openStore},
		{"access control", d.openRAM},
		{"log service", d.openLogService},
		{"log shipping", d.openLogs},
		{"execution", d.openExecution},
		{"triggers", d.openTriggers},
		{"records", d.loadRecords},
		{"object storage", d.openObjectStorage},
		{"ways in for events", d.openWays},
		{"listeners", d.openListeners},
	} {
		if err := step.open(ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", step.what, err), d.close())
		}
	}
	return d, nil
}

func (d *Daemon) loadRecords(ctx context.Context) error {
	// What is read lives on, so that collecting garbage meanwhile finds little.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	err := d.catalog.Load(ctx)
	d.loaded.Store(true)
	return err
}

// Endpoint is how to reach the daemon, as endpoint.json says.
func (d *Daemon) Endpoint() Endpoint {
	return Endpoint{
		AccountID: d.account.ID, Region: d.cfg.Region,
		AccessKeyID: d.account.AccessKeyID, AccessKeySecret: d.account.AccessKeySecret,
		API: d.apiServer.url(), OSS: d.ossServer.url(), SLS: d.slsServer.url(), Admin: d.adminServer.url(),
		Push: d.pushServer.url(),
	}
}

// Runtimes are the states of all runtimes.
func (d *Daemon) Runtimes() []runtimes.Status { return d.runtimes.Statuses() }

func (d *Daemon) openDir(context.Context) error {
	if err := os.MkdirAll(d.cfg.DataDir, 0o700); err != nil {
		return err
	}
	if err := os.Chmod(d.cfg.DataDir, 0o700); err != nil { // an existing folder may be open to others
		return err
	}
	dir, err := filepath.Abs(d.cfg.DataDir)
	if err != nil {
		return err
	}
	d.cfg.DataDir = dir
	return nil
}

// onClose remembers how to undo what was just opened.
func (d *Daemon) onClose(what string, f func() error) { d.closes = append(d.closes, closer{what, f}) }

// close undoes what was opened, in reverse.
func (d *Daemon) close() error {
	var errs []error
	for i := len(d.closes) - 1; i >= 0; i-- {
		if err := d.closes[i].close(); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", d.closes[i].what, err))
		}
	}
	d.closes = nil
	return errors.Join(errs...)
}
