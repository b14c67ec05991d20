package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"fcd/api/client"
	"fcd/cmd/fcd/daemon"
	"fcd/cmd/fcd/local"
	"fcd/config"
	"fcd/fc"
	"fcd/invoker/sandbox/native"
)

// dev is one run of fcd dev: a function whose folder is watched, and the daemon it is deployed to.
type dev struct {
	functionFlags
	profile    *profile
	configFile string
	name, role string
	anyPorts   bool

	conf     *config.Config
	print    *local.Printer
	endpoint daemon.Endpoint
	embedded *daemon.Daemon // nil: another process's
	port     *local.DebugPort
	checker  *local.Checker // nil: the code is not checked
	deployer *local.Deployer
	all      *errgroup.Group // what runs until the command ends
	deployed time.Time       // when the version that answers came; zero: there is none
	version  string          // its sum
	snapshot *local.Snapshot // of it
}

func newDev(p *profile) *cobra.Command {
	d := &dev{profile: p}
	var ports string
	cmd := &cobra.Command{
		Use:   "dev DIR",
		Short: "Serve the function in a folder and deploy it again whenever the folder changes",
		Long: `Serve the function in a folder and deploy it again whenever the folder changes.

The function goes to the daemon that runs on the data directory, or to one that the command starts and ends itself.
It is called like any other, by fcd invoke, the API or a trigger. A change is deployed as soon as the folder is quiet;
instances stay warm while the code stays the same. Code that cannot be parsed is not deployed: its error is shown and
the last good version goes on. The function's log is shown as it is written.

For several functions run the command several times: the first one's daemon serves them all.

With --debug-port a debugger may attach on that port of 127.0.0.1 at any time: Node's inspector, debugpy for Python,
JDWP for Java. Calls have no timeouts then and all go to one instance, where breakpoints stay. It needs a daemon of the
command's own.`,
		Example: `  fcd dev ./hello
  fcd dev ./hello --name shop/hello --handler app.main --runtime python3 --env STAGE=dev
  fcd dev ./hello --debug-port 9229`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if ports != "config" && ports != "any" {
				return usagef("--ports is %q: it must be config or any", ports)
			}
			d.Dir, d.anyPorts = args[0], ports == "any"
			return d.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&d.name, "name", "", "`SERVICE/FUNCTION` (default dev/ and the folder's name)")
	d.add(flags)
	flags.StringVar(&d.role, "role", "", "`NAME` of the service's role, such as AliyunFCDefaultRole (default: as it is)")
	flags.StringVar(&d.configFile, "config", os.Getenv("FCD_CONFIG"), "configuration `FILE` of the command's own daemon (FCD_CONFIG)")
	flags.StringVar(&ports, "ports", "config", "of its own daemon; `config`: the configured ones; any: free ones")
	return cmd
}

func (d *dev) run(ctx context.Context, out io.Writer) (err error) {
	if err := d.prepare(); err != nil {
		return err
	}
	if err := native.EnterRootless(); err != nil {
		return err
	}
	d.print = local.NewPrinter(out, d.Ref())
	ctx, stop := untilEnded(ctx)
	defer stop()
	d.all, ctx = errgroup.WithContext(ctx)
	defer func() { err = errors.Join(err, d.close()) }()
	if err := d.findDaemon(ctx); err != nil {
		return err
	}
	d.all.Go(func() error { return d.serve(ctx) })
	return d.all.Wait()
}

// prepare reads the command line.
func (d *dev) prepare() (err error) {
	if err := d.environment(); err != nil {
		return err
	}
	if d.conf, err = loadConfig(d.configFile, d.profile); err != nil {
		return err
	}
	d.Service = "dev"
	if d.name != "" {
		if d.Service, d.Name, err = functionName(d.name); err != nil {
			return err
		}
	}
	return d.Resolve(d.conf.FCLimits())
}

// findDaemon finds the running daemon or starts one.
func (d *dev) findDaemon(ctx context.Context) error {
	running, err := d.running(ctx)
	if err != nil {
		return err
	}
	if running {
		if d.debugPort != 0 {
			return fmt.Errorf("--debug-port needs a daemon of the command's own, and one is running at %s: "+
				"stop it or give another --data-dir", d.endpoint.API)
		}
		return nil
	}
	if d.debugPort != 0 {
		if d.port, err = local.OpenDebugPort(d.debugPort); err != nil {
			return err
		}
		d.conf.Invoker.QueueWait, d.conf.Invoker.IdleTimeout = 24*time.Hour, 24*time.Hour
	}
	return d.startDaemon(ctx)
}

// running tells whether a daemon answers, and notes where.
func (d *dev) running(ctx context.Context) (bool, error) {
	e, err := d.profile.endpoint()
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	_, err = client.New(e.API, e.AccessKeyID, e.AccessKeySecret).Do(ctx, "GET", "/services", nil, nil)
	var refused *fc.Error
	switch {
	case err == nil:
		d.endpoint = e
		return true, nil
	case errors.As(err, &refused):
		return false, err
	}
	return false, nil // what a daemon that was killed left behind
}

// devDrain is how long the end of the command waits for calls that run.
const devDrain = time.Second

func (d *dev) startDaemon(ctx context.Context) error {
	if d.conf.Log.Level == "info" {
		d.conf.Log.Level = "warn" // the terminal is the function's
	}
	d.conf.Shutdown.Drain = min(d.conf.Shutdown.Drain, devDrain) // a call may stand at a breakpoint
	o := daemon.Options{Config: d.conf, AnyPorts: d.anyPorts, Log: newLog(d.conf.Log)}
	o.Develop.Lines = d.print
	if d.port != nil {
		o.Develop.Debug = d.port.Debug(d.Ref())
	}
	embedded, err := daemon.Open(ctx, o)
	if err != nil {
		return fmt.Errorf("start a daemon: %w", err)
	}
	d.embedded, d.endpoint = embedded, embedded.Endpoint()
	if d.port != nil {
		d.port.Wake(func(ctx context.Context) error { return embedded.Warm(ctx, d.Ref()) })
	}
	d.all.Go(func() error { return embedded.Run(ctx) })
	return nil
}

func (d *dev) close() error {
	var errs []error
	if d.port != nil {
		errs = append(errs, d.port.Close())
	}
	if d.checker != nil {
		errs = append(errs, d.checker.Close())
	}
	return errors.Join(errs...)
}

// Names of the logstore of a service that is made here.
const (
	devProject  = "fcd-dev"
	devLogstore = "functions"
)

// serve deploys, waits for a change and deploys again, until ctx ends.
func (d *dev) serve(ctx context.Context) error {
	d.deployer = &local.Deployer{Function: &d.Function,
		Client: client.New(d.endpoint.API, d.endpoint.AccessKeyID, d.endpoint.AccessKeySecret)}
	if d.endpoint.SLS != "" {
		d.deployer.Log = fc.LogConfig{Project: devProject, Logstore: devLogstore}
	}
	if d.role != "" {
		d.deployer.Role = "acs:ram::" + d.endpoint.AccountID + ":role/" + d.role
	}
	if err := d.deployer.Prepare(ctx); err != nil {
		return err
	}
	var err error
	if d.checker, err = local.NewChecker(d.conf, &d.Function, ""); err != nil {
		d.print.Note("code is not checked before it is deployed: " + err.Error())
	}
	if d.port != nil && d.checker != nil {
		if err := d.checker.Debuggable(); err != nil {
			return err
		}
	}
	watcher, err := local.NewWatcher(d.Dir)
	if err != nil {
		return err
	}
	defer watcher.Close()
	d.announce()
	if d.embedded == nil {
		d.all.Go(func() error { d.follow(ctx); return nil })
	}
	return d.loop(ctx, watcher)
}

func (d *dev) loop(ctx context.Context, watcher *local.Watcher) error {
	folder, refused := local.NewFolder(d.Dir), ""
	begin, settled := time.Now(), true
	for {
		settle := func() error { return nil }
		if !settled {
			settle = sync.OnceValue(func() error { return watcher.Settle(ctx) })
		}
		s, err := folder.Scan()
		deploys := err == nil && s.Sum != refused && s.Sum != d.version
		if deploys {
			err = d.deploy(ctx, s, begin, settle)
		}
		switch err := settle(); {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, local.ErrUnsettled):
			settled = true // by now, and if not, what is there is deployed all the same
			continue
		case err != nil:
			return err
		}
		switch {
		case deploys:
			refused = ""
		case err == nil && s.Sum != refused && refused != "":
			refused = ""
			d.print.Note(begin.Format(time.TimeOnly) + " back to the version of " + d.deployed.Format(time.TimeOnly))
		}
		if err != nil {
			d.refuse(err)
		}
		if bad := new(local.CodeError); errors.As(err, &bad) {
			refused = s.Sum // once is enough to say so
		}
		if err := watcher.Wait(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		begin, settled = time.Now(), false
	}
}

// deploy checks a snapshot and deploys it, once settle has told that nothing has changed since.
func (d *dev) deploy(ctx context.Context, s *local.Snapshot, begin time.Time, settle func() error) error {
	err := d.deployer.Deploy(ctx, s, func() error {
		var check errgroup.Group
		if d.checker != nil {
			check.Go(func() error { return d.checker.Check(ctx, s) })
		}
		unsettled := settle()
		return cmp.Or(unsettled, check.Wait())
	})
	if err != nil {
		return err
	}
	what := files(len(s.Paths()))
	if d.snapshot != nil {
		what += fmt.Sprintf(", %d changed", s.Changed(d.snapshot))
	}
	d.deployed, d.version, d.snapshot = time.Now(), s.Sum, s
	if d.port != nil {
		d.port.Forget()
	}
	d.print.Note(fmt.Sprintf("%s deployed: %s, %s, in %d ms", d.deployed.Format(time.TimeOnly), what,
		bytesText(int(s.Bytes)), d.deployed.Sub(begin).Milliseconds()))
	d.warm(ctx)
	return nil
}

// warm starts an instance of the new version, so that its first call need not wait, and the interpreter that will look at
// the next one. With a debugger the first may take until the call that stands at a breakpoint has ended.
func (d *dev) warm(ctx context.Context) {
	start := func(what string, f func() error) {
		d.all.Go(func() error {
			if err := f(); err != nil && ctx.Err() == nil {
				d.print.Problem("start of " + what + ": " + err.Error())
			}
			return nil
		})
	}
	if d.embedded != nil {
		start("an instance", func() error { return d.embedded.Warm(ctx, d.Ref()) })
	}
	if d.checker != nil {
		start("the next check", func() error { return d.checker.Prepare(ctx) })
	}
}

func files(n int) string {
	if n == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", n)
}

// refuse says why a version was not deployed and what answers instead.
func (d *dev) refuse(err error) {
	instead := "there is no version yet"
	if !d.deployed.IsZero() {
		instead = "the version of " + d.deployed.Format(time.TimeOnly) + " goes on"
	}
	d.print.Problem(fmt.Sprintf("%s not deployed, %s\n  %s", time.Now().Format(time.TimeOnly), instead,
		strings.ReplaceAll(err.Error(), "\n", "\n  ")))
}

// announce says what is served where.
func (d *dev) announce() {
	d.print.Note(fmt.Sprintf("%s/%s  %s, %s, from %s", d.Service, d.Name, d.Runtime, d.Handler, d.Dir))
	where := "the daemon at " + d.endpoint.API
	if d.embedded != nil {
		where = fmt.Sprintf("a daemon of its own at %s, data in %s", d.endpoint.API, d.conf.DataDir)
	}
	d.print.Note("served by  " + where)
	call := "fcd invoke " + d.Service + "/" + d.Name + " --event '{}'"
	if dir := d.profile.dataDir; dir != "" {
		call += " --data-dir " + dir
	}
	d.print.Note("call it    " + call)
	if d.port != nil {
		d.print.Note("debugger   attach to " + d.port.Address() + " at any time")
	}
}

// follow shows the function's log as it reaches the logstore of a daemon that is another process.
func (d *dev) follow(ctx context.Context) {
	r, err := openLog(ctx, d.endpoint, d.Service, time.Now())
	if err == nil {
		filter := logFilter{service: d.Service, function: d.Name}
		err = copyLog(ctx, r, filter, true, func(l logLine) error { d.print.Line(l.String()); return nil })
	}
	if err != nil && ctx.Err() == nil {
		d.print.Note("the log is not shown: " + err.Error())
	}
}
