package daemon

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"go.uber.org/zap"

	"fcd/invoker"
	"fcd/invoker/async"
	"fcd/invoker/runtimes"
	"fcd/store/catalog"
)

// openExecution opens what runs functions: sandboxes, interpreters, instances, and the dispatcher of the queue.
func (d *Daemon) openExecution(context.Context) error {
	if err := d.openSandbox(); err != nil {
		return err
	}
	ro := d.cfg.RuntimesOptions()
	ro.Log = d.log.Named("runtimes")
	var err error
	if d.runtimes, err = runtimes.New(ro); err != nil {
		return err
	}
	if err := d.openHosts(); err != nil {
		return err
	}
	if d.invoker, err = invoker.New(d.invokerOptions()); err != nil {
		return err
	}
	d.onClose("invoker", func() error { return d.invoker.Close(cancelled()) })
	d.catalog.Watch(d.functionChanged)
	d.async, err = async.New(d.asyncOptions())
	return err
}

// functionChanged tells the invoker of every record, and of a function that was made while the daemon runs: its first call
// may be near.
func (d *Daemon) functionChanged(key string) {
	d.invoker.Changed(key)
	if ref, ok := catalog.FunctionOf(key); ok && d.loaded.Load() {
		d.invoker.Expect(ref)
	}
}

// openSandbox opens the driver under a name of its own for the data directory, so that it finds what an earlier life of
// the same daemon left, and nobody else's. Where that had its cgroups, the file "cgroups" says.
func (d *Daemon) openSandbox() error {
	sum := sha256.Sum256([]byte(d.cfg.DataDir))
	driver, err := NewSandbox(d.cfg, SandboxOptions{ID: hex.EncodeToString(sum[:8]), Record: filepath.Join(d.cfg.DataDir, "cgroups"),
		Init: d.opt.SandboxInit, Log: d.log.Named("sandbox"), Registerer: d.metrics})
	if err != nil {
		return err
	}
	d.driver = driver
	d.onClose("sandbox", driver.Close)
	return nil
}

func (d *Daemon) invokerOptions() invoker.Options {
	o := d.cfg.InvokerOptions()
	o.Functions, o.Code, o.Credentials = d.catalog, d.packages, d.ram
	o.Driver, o.Runtimes, o.Logs = d.driver, d.runtimes, d.shipper
	o.AccountID = d.account.ID
	o.HostsFile = d.hosts.path
	o.Services, o.ExtraEnv = d.sandboxServices()
	o.Log, o.Registerer = d.log.Named("invoker"), d.metrics
	d.opt.Develop.apply(&o)
	return o
}

func (d *Daemon) asyncOptions() async.Options {
	o := d.cfg.AsyncOptions()
	o.Queue, o.Store, o.Invoker, o.LogSync = d.store, d.store, d.invoker, d.shipper
	o.Configs, o.Deliverer, o.Region, o.Account = d.catalog, &d.destinations, d.cfg.Region, d.account.ID
	o.Log, o.Registerer = d.log.Named("async"), d.metrics
	return o
}

// openHosts writes the hosts file of the sandboxes, so far without buckets and projects.
func (d *Daemon) openHosts() error {
	d.hosts = &hosts{path: filepath.Join(d.cfg.DataDir, "hosts"), region: d.cfg.Region,
		domain: d.cfg.LocalCloud.SLS.Domain, names: d.cfg.LocalCloud.Sandbox.Names == "hosts"}
	if d.localSLS != nil {
		d.hosts.projects = d.localSLS.Projects
	}
	return d.hosts.write()
}

// writeHosts is called when a bucket or project appeared or went.
func (d *Daemon) writeHosts() {
	if d.hosts == nil { // while opening
		return
	}
	if err := d.hosts.write(); err != nil {
		d.log.Error("hosts file of the sandboxes not written: functions do not find new buckets", zap.Error(err))
	}
}

// sandboxServices are the embedded services as functions reach them: listeners inside each instance's own network
// namespace, served by this process. The environment names them for clients that are told an endpoint.
func (d *Daemon) sandboxServices() (services []invoker.Service, env map[string]string) {
	env = map[string]string{}
	if d.cfg.LocalCloud.OSS.Enabled {
		services = append(services, invoker.Service{Address: sandboxOSS + ":80", Serve: d.serveInside("oss", d.serveOSS)})
		env["FCD_OSS_ENDPOINT"] = "http://" + sandboxOSS
	}
	if d.localSLS != nil {
		services = append(services, invoker.Service{Address: sandboxSLS + ":80", Serve: d.serveInside("sls", d.localSLS.ServeHTTP)})
		env["FCD_SLS_ENDPOINT"] = "http://" + d.cfg.LocalCloud.SLS.Domain
	}
	return services, env
}

// serveOSS answers a function's request to the embedded object storage, which is opened after the invoker, since its
// events need the triggers, which need the invoker; no function runs before all are open.
func (d *Daemon) serveOSS(w http.ResponseWriter, r *http.Request) { d.localOSS.ServeHTTP(w, r) }

func (d *Daemon) serveInside(name string, h http.HandlerFunc) func(net.Listener) {
	srv := newHTTPServer("sandbox-"+name, d.log)
	srv.Handler = h
	return func(l net.Listener) { srv.Serve(l) } // ends with the listener, which ends with the instance
}

// cancelled is a context whose time is up: for closing without waiting.
func cancelled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// hostName names this machine in logs.
func hostName() string {
	name, err := os.Hostname()
	if err != nil {
		return "fcd"
	}
	return name
}
