package daemon

import (
	"context"
	"fmt"
	"net"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"

	"fcd/config"
	"fcd/fc"
	localoss "fcd/localcloud/oss"
	localsls "fcd/localcloud/sls"
	"fcd/logsink"
	"fcd/logsink/sls"
	"fcd/logsink/spool"
	"fcd/triggers"
	"fcd/triggers/cdn"
	"fcd/triggers/directory"
	"fcd/triggers/eventbridge"
	triggerhttp "fcd/triggers/http"
	triggerlogs "fcd/triggers/logs"
	"fcd/triggers/mnstopic"
	triggeross "fcd/triggers/oss"
	"fcd/triggers/rds"
	"fcd/triggers/tablestore"
	"fcd/triggers/timer"
)

// openLogService opens the embedded Log Service, if it is wanted, with its listener: the log pipeline sends there.
func (d *Daemon) openLogService(context.Context) error {
	if !d.cfg.LocalCloud.SLS.Enabled {
		return nil
	}
	o := d.cfg.LocalSLSOptions()
	o.Keys, o.Policy, o.AccountID = d.ram, d.ram, d.account.ID
	o.NamesChanged = d.writeHosts
	o.Log, o.Registerer = d.log.Named("localcloud.sls"), d.metrics
	var err error
	if d.localSLS, err = localsls.New(o); err != nil {
		return err
	}
	d.onClose("log service", d.localSLS.Close)
	d.slsServer, err = d.listen("sls", d.cfg.LocalCloud.SLS.Listen, d.localSLS)
	return err
}

// openLogs opens the log pipeline: spool on disk, sender, Log Service client.
func (d *Daemon) openLogs(context.Context) error {
	if d.cfg.SLS.Endpoint == "" && d.localSLS == nil {
		d.log.Warn("function logs go nowhere: sls.endpoint is empty and localcloud.sls is off")
	}
	sls.LogTo(d.log.Named("sls"))
	sink, err := sls.New(d.sinkOptions())
	if err != nil {
		return err
	}
	d.onClose("log sender", sink.Close)
	sp, err := spool.Open(d.cfg.SpoolOptions())
	if err != nil {
		return err
	}
	d.onClose("log spool", sp.Close)
	d.spoolFailed = sp.Failed()
	o := d.cfg.ShipperOptions()
	o.Spool, o.Sink = sp, sink
	if d.cfg.SLS.Endpoint == "" && d.localSLS != nil && d.cfg.LocalCloud.SLS.AutoCreate {
		o.Sink = creatingSink{sink, d.localSLS}
	}
	o.Log, o.Registerer = d.log.Named("logsink"), d.metrics
	d.shipper, err = logsink.NewShipper(o)
	return err
}

func (d *Daemon) sinkOptions() sls.Options {
	o := d.cfg.SinkOptions()
	o.Source = hostName()
	keys := fc.Credentials{AccessKeyID: d.cfg.SLS.AccessKeyID, AccessKeySecret: d.cfg.SLS.AccessKeySecret}
	if keys.AccessKeyID == "" {
		keys = fc.Credentials{AccessKeyID: d.account.AccessKeyID, AccessKeySecret: d.account.AccessKeySecret}
	}
	o.Credentials = func() (fc.Credentials, error) { return keys, nil }
	if d.cfg.SLS.Endpoint == "" {
		o.Endpoint = d.cfg.LocalCloud.SLS.Domain
		o.Dial = d.dialSLS
	}
	return o
}

// dialSLS connects to the embedded Log Service, whatever name the client has for it.
func (d *Daemon) dialSLS(ctx context.Context) (net.Conn, error) {
	address := d.cfg.LocalCloud.SLS.Listen
	if d.slsServer != nil {
		address = d.slsServer.listener.Addr().String()
	}
	var dialer net.Dialer
	return dialer.DialContext(ctx, "tcp", address)
}

// creatingSink makes the logstore of a batch in the embedded Log Service when it is missing.
type creatingSink struct {
	logsink.Sink
	local *localsls.Server
}

func (s creatingSink) Send(ctx context.Context, b logsink.Batch) error {
	if err := s.local.EnsureLogstore(ctx, b.Project, b.Logstore); err != nil {
		return err
	}
	return s.Sink.Send(ctx, b)
}

// openTriggers makes the table of trigger kinds, the bridge to the queue and the manager of the sources. A new kind is a
// line here.
func (d *Daemon) openTriggers(context.Context) error {
	region, account := d.cfg.Region, d.account.ID
	follow, err := d.logTriggerOptions()
	if err != nil {
		return err
	}
	list := []triggers.Kind{
		triggerhttp.Kind(),
		triggerlogs.Kind(follow),
		triggeross.Kind(d.cfg.OSSTriggerOptions(account)),
		timer.Kind(d.cfg.TimerTriggerOptions()),
		mnstopic.Kind(region, account),
		cdn.Kind(account),
		tablestore.Kind(region, account),
		rds.Kind(region, account),
		eventbridge.Kind(region, account),
	}
	if len(d.cfg.Triggers.Directories) > 0 {
		list = append(list, directory.Kind(d.cfg.DirectoryTriggerOptions(account)))
	}
	if d.kinds, err = triggers.NewKinds(list...); err != nil {
		return err
	}
	bridge, err := triggers.NewBridge(triggers.BridgeOptions{Store: d.store, Triggers: d.catalog, Functions: d.catalog,
		Authorizer: d.ram, Invoker: d.invoker, Kinds: d.kinds, Region: region, Account: account, MaxAge: d.cfg.Async.MaxAge,
		MaxPayloadBytes: d.cfg.Limits.AsyncBodyBytes, Log: d.log.Named("triggers"), Registerer: d.metrics})
	if err != nil {
		return err
	}
	d.manager, err = triggers.NewManager(triggers.ManagerOptions{Kinds: d.kinds, Bridge: bridge, Watch: d.catalog,
		Checkpoints: d.store, Region: region, Account: account, Log: d.log.Named("triggers"), Registerer: d.metrics})
	d.history = &triggers.History{Record: d.store, Triggers: d.catalog, Sources: d.manager, Bridge: bridge}
	return err
}

// logTriggerOptions are those of log triggers, with a client of the Log Service that the logs go to. Without one such
// triggers are stored and do not fire.
func (d *Daemon) logTriggerOptions() (triggerlogs.Options, error) {
	o := d.cfg.LogTriggerOptions(d.account.ID)
	embedded := d.cfg.SLS.Endpoint == ""
	if embedded && d.localSLS == nil {
		return o, nil
	}
	client, closeIdle, err := sls.NewClient(d.sinkOptions())
	if err != nil {
		return o, err
	}
	d.onClose("log trigger client", closeIdle)
	o.Service = client
	if embedded && d.cfg.LocalCloud.SLS.AutoCreate {
		o.Ensure = d.localSLS.EnsureLogstore
	}
	return o, nil
}

// openObjectStorage opens the embedded object storage, if it is wanted. The triggers are loaded by now, so events that an
// earlier life left in its outbox find them.
func (d *Daemon) openObjectStorage(context.Context) error {
	if !d.cfg.LocalCloud.OSS.Enabled {
		return nil
	}
	o := d.cfg.LocalOSSOptions()
	o.Keys, o.Policy, o.AccountID = d.ram, d.ram, d.account.ID
	o.Events = d.manager.Source(fc.TriggerOSS).(localoss.Events)
	if d.cfg.OSS.Batch {
		o.EventsTogether = triggeross.MaxBatch
	}
	o.NamesChanged = d.writeHosts
	o.Failed = d.fail
	o.Log, o.Registerer = d.log.Named("localcloud.oss"), d.metrics
	var err error
	if d.localOSS, err = localoss.New(o); err != nil {
		return fmt.Errorf("in %s: %w", o.Dir, err)
	}
	d.onClose("object storage", d.localOSS.Close)
	d.hosts.setBuckets(d.localOSS.Buckets)
	if err := d.hosts.write(); err != nil {
		return err
	}
	d.ossServer, err = d.listen("oss", d.cfg.LocalCloud.OSS.Listen, d.localOSS)
	return err
}

// codeObjects reads code packages from object storage, the configured one or the embedded one. nil if there is neither.
func (d *Daemon) codeObjects() (*objects, error) {
	client, err := d.ossClient()
	if client == nil {
		return nil, err
	}
	return &objects{client}, nil
}

// ossClient speaks to the configured object storage or the embedded one. nil if there is neither.
func (d *Daemon) ossClient() (*oss.Client, error) {
	c := d.cfg.OSS
	endpoint, keys := c.Endpoint, config.Account{AccessKeyID: c.AccessKeyID, AccessKeySecret: c.AccessKeySecret}
	if endpoint == "" {
		endpoint = d.ossServer.url()
	}
	if endpoint == "" {
		return nil, nil
	}
	if keys.AccessKeyID == "" {
		keys = d.account
	}
	region := c.Region
	if region == "" {
		region = d.cfg.Region
	}
	const connect, answer = 10, 20 // seconds; the SDK would wait a minute for a storage that hangs, and callers with it
	return oss.New(endpoint, keys.AccessKeyID, keys.AccessKeySecret, oss.AuthVersion(oss.AuthVersionType(c.AuthVersion)),
		oss.Region(region), oss.Timeout(connect, answer))
}
