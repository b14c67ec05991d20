package daemon

import (
	"context"
	"net/http"
	"os"
	"path/filepath"

	"fcd/api"
	"fcd/api/express"
	"fcd/console"
	"fcd/fc"
	localsls "fcd/localcloud/sls"
)

// openListeners opens the API and the admin listener and, last, says where everything is.
func (d *Daemon) openListeners(context.Context) error {
	handler, err := d.apiHandler()
	if err != nil {
		return err
	}
	if err := d.openDestinations(); err != nil {
		return err
	}
	if d.apiServer, err = d.listen("api", d.cfg.API.Listen, handler); err != nil {
		return err
	}
	front := express.New(d.apiServer.http)
	front.Pass = api.Streams
	d.apiServer.front = front
	admin := console.New(console.Options{Gatherer: d.metrics, Checks: d.checks()})
	if d.adminServer, err = d.listen("admin", d.cfg.Admin.Listen, admin); err != nil {
		return err
	}
	path := filepath.Join(d.cfg.DataDir, EndpointFile)
	d.onClose("endpoint file", func() error { return os.Remove(path) })
	return d.Endpoint().write(d.cfg.DataDir)
}

// listen binds a listener; its serving is a task of Run.
func (d *Daemon) listen(name, address string, h http.Handler) (*server, error) {
	s, err := listen(name, address, d.opt.AnyPorts, d.log)
	if err != nil {
		return nil, err
	}
	s.http.Handler = h
	d.onClose(name+" listener", func() error { s.front.Close(); s.listener.Close(); return nil })
	return s, nil
}

func (d *Daemon) apiHandler() (http.Handler, error) {
	o := d.cfg.APIOptions()
	o.Store, o.Catalog, o.Packages, o.Invoker = d.store, d.catalog, d.packages, d.invoker
	o.Keys, o.Policy, o.Triggers, o.InvocationRoles = d.ram, d.ram, d.kinds, d.ram
	o.Invocations, o.Stopper = d.store, d.async
	o.Events, o.History = d.manager, d.history
	o.AccountID, o.Disk = d.account.ID, d.cfg.DataDir
	o.ExternalURL = d.externalURL
	o.Log, o.Registerer = d.log.Named("api"), d.metrics
	objects, err := d.codeObjects()
	if err != nil {
		return nil, err
	}
	if objects != nil {
		o.Objects = objects
	}
	if d.cfg.SLS.Endpoint == "" && d.localSLS != nil && d.cfg.LocalCloud.SLS.AutoCreate {
		o.Logstores = makeLogstores{d.localSLS}
	}
	return api.New(o)
}

func (d *Daemon) externalURL() string {
	if u := d.cfg.API.ExternalURL; u != "" {
		return u
	}
	return d.apiServer.url()
}

// makeLogstores makes the project and logstore that a service names, so that its first line finds them and they can be
// queried before there is one.
type makeLogstores struct{ local *localsls.Server }

func (m makeLogstores) CheckLogstore(ctx context.Context, project, logstore string) error {
	if err := m.local.EnsureLogstore(ctx, project, logstore); err != nil {
		return fc.Errorf(fc.InvalidArgument, "LogConfig is set to an invalid value: %v", err)
	}
	return nil
}
