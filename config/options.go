package config

import (
	"net/netip"
	"path/filepath"

	"fcd/api"
	"fcd/fc"
	"fcd/invoker"
	"fcd/invoker/async"
	"fcd/invoker/runtimes"
	"fcd/invoker/sandbox"
	"fcd/invoker/sandbox/nat"
	"fcd/invoker/sandbox/native"
	"fcd/invoker/sandbox/oci"
	"fcd/invoker/sandbox/process"
	"fcd/localcloud/oss"
	localsls "fcd/localcloud/sls"
	"fcd/logsink"
	"fcd/logsink/sls"
	"fcd/logsink/spool"
	"fcd/ram"
	"fcd/ram/sts"
	"fcd/store/sqlite"
	triggerlogs "fcd/triggers/logs"
	triggeross "fcd/triggers/oss"
	"fcd/triggers/timer"
)

// Each method here fills what the file decides of one room's Options; the wiring adds the other rooms, loggers and so on.

// StoreOptions are those of the embedded store.
func (c *Config) StoreOptions() sqlite.Options {
	return sqlite.Options{
		Dir:            filepath.Join(c.DataDir, "store"),
		AllowNetworkFS: c.Store.AllowNetworkFS,
		MaxMessages:    c.Queue.MaxMessages,
		MaxBytes:       c.Queue.MaxBytes,
		EventsFor:      c.Events.KeepFor,
		MaxEvents:      c.Events.MaxCount,
		MaxEventBytes:  c.Events.MaxBytes,
		MinFreeBytes:   c.minFreeBytes(),
		DeadFor:        c.DeadLetters.MaxAge,
		MaxDead:        c.DeadLetters.Max,
		MaxDeadBytes:   c.DeadLetters.MaxBytes,
	}
}

func (c *Config) minFreeBytes() int64 {
	if c.Queue.MinFreeBytes == 0 {
		return -1 // there, 0 means the default
	}
	return c.Queue.MinFreeBytes
}

// FCLimits are the bounds of the API.
func (c *Config) FCLimits() fc.Limits {
	l, f := fc.DefaultLimits(), c.Limits
	l.MaxTimeoutSeconds, l.MaxMemoryMB = f.MaxTimeoutSeconds, f.MaxMemoryMB
	l.MaxSyncBodyBytes, l.MaxAsyncBodyBytes, l.MaxResultBytes = f.SyncBodyBytes, f.AsyncBodyBytes, f.ResultBytes
	l.MaxCodeZipBytes, l.MaxUnpackedBytes = f.CodeZipBytes, f.UnpackedBytes
	l.MaxRequestBytes = max(l.MaxRequestBytes, f.CodeZipBytes*7/5)
	l.MaxPackageEntries, l.MaxUnpackRatio = f.PackageEntries, f.UnpackRatio
	l.MaxEnvironmentSize = f.EnvironmentBytes
	return l
}

// newSTS is the client of the real STS.
func (s STS) newSTS() (*sts.Client, error) {
	return sts.New(sts.Options{Endpoint: s.Endpoint, AccessKeyID: s.AccessKeyID, AccessKeySecret: s.AccessKeySecret})
}

// RAMOptions are the users, roles and checks, with the account's own key and, where asked for, the default roles.
func (c *Config) RAMOptions(a Account) ram.Options {
	o := ram.Options{
		Account:       a.ID,
		Keys:          []ram.Key{{ID: a.AccessKeyID, Secret: a.AccessKeySecret}},
		Mode:          ram.Mode(c.RAM.Mode),
		CheckAtCreate: ram.RoleCheck(c.RAM.CheckAtCreate),

		RemoteLife:       c.RAM.STS.Life,
		NoSystemPolicies: c.RAM.SystemPolicies == "none",
	}
	if client, err := c.RAM.STS.newSTS(); err == nil { // else there is none: it was validated
		o.STS = client
	}
	for _, u := range c.RAM.Users {
		o.Users = append(o.Users, ram.User{Name: u.Name, Keys: []ram.Key{{ID: u.AccessKeyID, Secret: u.AccessKeySecret}},
			Policies: ramPolicies(u.Policies)})
	}
	for _, r := range c.RAM.Roles {
		role := ram.Role{Name: r.Name, Trust: r.Trust.Document, Policies: ramPolicies(r.Policies), Remote: r.RemoteARN}
		if k := r.Keys; k.AccessKeyID != "" {
			role.Static = &fc.Credentials{AccessKeyID: k.AccessKeyID, AccessKeySecret: k.AccessKeySecret, SecurityToken: k.SecurityToken}
		}
		o.Roles = append(o.Roles, role)
	}
	if c.RAM.DefaultRoles {
		o.Roles = append(o.Roles, defaultRoles(o.Roles)...)
	}
	return o
}

// APIOptions are the bounds of the REST storey.
func (c *Config) APIOptions() api.Options {
	return api.Options{Region: c.Region, CodeURLLifetime: c.API.CodeURLLife, AsyncMaxAge: c.Async.MaxAge,
		Limits: c.FCLimits()}
}

// SandboxOptions are those of the native driver.
func (c *Config) SandboxOptions() native.Options {
	o := native.Options{UIDFirst: int(c.Sandbox.UIDFirst), UIDLast: int(c.Sandbox.UIDLast), Pids: c.Sandbox.Pids,
		TmpMB: c.Sandbox.TmpMB, OpenFiles: c.Sandbox.OpenFiles, HostNetwork: c.Network.Mode == "host", NATRequired: c.Network.Mode == "nat",
		Pasta: c.Network.Pasta}
	if c.Network.Mode == "auto" || c.Network.Mode == "nat" {
		o.NAT = c.natOptions()
	}
	return o
}

// OCIOptions are those of the driver oci.
func (c *Config) OCIOptions() oci.Options {
	n := c.SandboxOptions()
	return oci.Options{Dir: filepath.Join(c.DataDir, "oci"), Command: c.Sandbox.OCI.Command, Args: c.Sandbox.OCI.Args,
		UIDFirst: n.UIDFirst, UIDLast: n.UIDLast, Pids: n.Pids, TmpMB: n.TmpMB, OpenFiles: n.OpenFiles, NAT: n.NAT, NATRequired: n.NATRequired}
}

// ProcessOptions are those of the driver process.
func (c *Config) ProcessOptions() process.Options {
	return process.Options{Dir: filepath.Join(c.DataDir, "process"), Pids: c.Sandbox.Pids, OpenFiles: c.Sandbox.OpenFiles}
}

// natOptions are those of the network of functions; what does not parse was refused by Validate.
func (c *Config) natOptions() *nat.Options {
	o := &nat.Options{EnableForwarding: c.Network.EnableForwarding}
	o.Subnet, _ = netip.ParsePrefix(c.Network.Subnet)
	for _, s := range c.Network.Allow {
		e, _ := nat.ParseEndpoint(s)
		o.Allow = append(o.Allow, e)
	}
	for _, s := range c.Network.Deny {
		p, _ := nat.ParseNet(s)
		o.Deny = append(o.Deny, p)
	}
	for _, s := range c.Network.Resolvers {
		a, _ := netip.ParseAddr(s)
		o.Resolvers = append(o.Resolvers, a)
	}
	return o
}

// networkMode is what functions of services with internetAccess see, where the sandbox can give it.
func (c *Config) networkMode() sandbox.NetMode {
	switch c.Network.Mode {
	case "none":
		return sandbox.NetNone
	case "host":
		return sandbox.NetHost
	}
	return sandbox.NetNAT
}

// InstalledRuntimes is the folder of the interpreters that `fcd runtimes install` fetches.
func (c *Config) InstalledRuntimes() string {
	if c.RuntimesDir != "" {
		return c.RuntimesDir
	}
	return filepath.Join(c.DataDir, "runtimes")
}

// RuntimesOptions are the operator's changes to the runtime table.
func (c *Config) RuntimesOptions() runtimes.Options {
	o := runtimes.Options{BootstrapDir: filepath.Join(c.DataDir, "bootstrap"), InstallDir: c.InstalledRuntimes(),
		Settings: map[string]runtimes.Settings{}}
	for name, r := range c.Runtimes {
		o.Settings[name] = runtimes.Settings{Root: r.Root, Command: r.Command, Args: r.Args, Env: r.Env,
			Fallbacks: r.Fallbacks, AllowNewer: r.AllowNewer}
	}
	return o
}

// InvokerOptions are the bounds of instances and the wording of errors.
func (c *Config) InvokerOptions() invoker.Options {
	return invoker.Options{
		Region:              c.Region,
		LogStyle:            c.Logs.LevelStyle,
		Errors:              invoker.ErrorTexts{Uncaught: c.Errors.Uncaught, ExitSuffix: c.Errors.ExitSuffix, OOMMessage: c.Errors.OOMMessage},
		FunctionConcurrency: c.Invoker.MaxInstancesPerFunction,
		MaxInstances:        c.Invoker.MaxInstances,
		MaxMemoryMB:         c.Invoker.MaxMemoryMB,
		MaxWaiting:          c.Invoker.QueuePerFunction,
		MaxWait:             c.Invoker.QueueWait,
		LowMemoryMB:         c.Invoker.LowMemoryMB,
		IdleTimeout:         c.Invoker.IdleTimeout,
		PoolSizes:           c.Pool.Sizes,
		PoolMax:             c.Pool.max(),
		CustomStartTimeout:  c.Invoker.CustomStart,
		FreezeAfter:         c.Invoker.FreezeAfter,
		KillGrace:           c.Invoker.KillGrace,
		IgnorePromises:      c.Invoker.NodePromises == "ignore",
		MaxRecordBytes:      c.Logs.RecordBytes,
		CPUShare:            c.Sandbox.CPU == "share",
		Pids:                c.Sandbox.Pids,
		TmpMB:               c.Sandbox.TmpMB,
		Network:             c.networkMode(),
		Limits:              c.FCLimits(),
	}
}

// max is what the invoker's options call it: there, 0 is the default.
func (p Pool) max() int {
	if p.Max == 0 {
		return -1
	}
	return p.Max
}

// LocalOSSOptions are those of the embedded object storage.
func (c *Config) LocalOSSOptions() oss.Options {
	o := c.LocalCloud.OSS
	return oss.Options{Dir: filepath.Join(c.DataDir, "localcloud", "oss"), Region: c.Region, MaxTotal: o.MaxTotalBytes,
		UploadTTL: o.UploadTTL, Endpoints: []string{"oss.fcd.local"}, EventMeta: c.OSS.ObjectMeta}
}

// SpoolOptions are those of the disk in front of the logstore.
func (c *Config) SpoolOptions() spool.Options {
	return spool.Options{Dir: filepath.Join(c.DataDir, "spool"), MaxBytes: c.Logs.Spool.MaxBytes,
		MaxBytesPerQueue: c.Logs.Spool.MaxBytesPerLogstore}
}

// AsyncOptions are those of the dispatcher of the queue.
func (c *Config) AsyncOptions() async.Options {
	a := c.Async
	o := async.Options{Concurrency: a.Concurrency, FunctionConcurrency: a.ConcurrencyPerFunction, Retries: a.MaxRetries,
		Backoff: a.RetryBase, MaxBackoff: a.BackoffMax, MaxAge: a.MaxAge, MaxPayloadBytes: c.Limits.AsyncBodyBytes}
	if a.MaxRetries == 0 {
		o.Retries = -1 // there, 0 means the default
	}
	return o
}

// LocalSLSOptions are those of the embedded Log Service.
func (c *Config) LocalSLSOptions() localsls.Options {
	o := c.LocalCloud.SLS
	return localsls.Options{Dir: filepath.Join(c.DataDir, "localcloud", "sls"), Region: c.Region, Domain: o.Domain,
		MaxBytes: o.MaxBytes, QueryTimeout: o.QueryTimeout}
}

// SinkOptions are those of the Log Service client of the log pipeline.
func (c *Config) SinkOptions() sls.Options {
	o := sls.Options{Endpoint: c.SLS.Endpoint, AuthVersion: c.SLS.AuthVersion, Region: c.SLS.Region,
		RequestTimeout: c.SLS.RequestTimeout, RetryTimeout: c.SLS.RetryTimeout}
	if o.Region == "" {
		o.Region = c.Region
	}
	return o
}

// ShipperOptions are those of the log pipeline.
func (c *Config) ShipperOptions() logsink.Options {
	o := logsink.Options{Block: c.Logs.Spool.OnFull == "block"}
	if c.SLS.TopicStyle == "fclogs" {
		o.Topic = func(r fc.LogRecord) string { return "FCLogs:" + r.Service + "/" + r.Function }
	}
	return o
}

// OSSTriggerOptions are the rules of oss triggers.
func (c *Config) OSSTriggerOptions(account string) triggeross.Options {
	return triggeross.Options{Region: c.Region, Account: account, AllowOverlap: c.OSS.AllowOverlap,
		OverlapStatus: c.OSS.OverlapStatus, MaxTriggersPerBucket: c.OSS.MaxTriggersPerBucket,
		ObjectMeta: c.OSS.ObjectMeta, DeltaSizeMode: c.OSS.DeltaSizeMode, Batch: c.OSS.Batch}
}

// LogTriggerOptions are the rules of log triggers.
func (c *Config) LogTriggerOptions(account string) triggerlogs.Options {
	o := triggerlogs.Options{Region: c.Region, Account: account, OnExhausted: c.LogTrigger.OnExhausted, CatchUpEvery: c.LogTrigger.CatchUpEvery,
		Endpoint: c.SLS.Endpoint}
	if o.Endpoint == "" {
		o.Endpoint = "http://" + c.LocalCloud.SLS.Domain // as sandboxes reach the embedded service
	}
	return o
}

// TimerTriggerOptions are the rules of timer triggers.
func (c *Config) TimerTriggerOptions() timer.Options {
	t := c.Timer
	return timer.Options{AllowSubMinute: t.AllowSubMinute, MinEvery: t.MinEvery, DayOfWeekBase: t.DowBase,
		Misfire: t.Misfire, MaxLateness: t.MaxLateness, MaxMisfires: t.MaxMisfires, MaxPayloadBytes: t.MaxPayload}
}
